/* SPDX-License-Identifier: BSD-2-Clause */
#include "body.h"

#include <assert.h>

void body_begin(struct body *body, uint8_t *start, uint16_t columns_max, uint64_t *scratch)
{
	*body = (struct body){.start = start,
		.entry = start,
		.data = start + columns_max * COLUMN_ENTRY_LENGTH,
		.columns_max = columns_max,
		.scratch = scratch};
}

static void put_entry(
	struct body *body, uint16_t id, uint8_t width, enum encoding encoding, uint64_t base)
{
	memset(body->entry, 0, COLUMN_ENTRY_LENGTH);
	put_le(body->entry + COLUMN_AT_ID, id, 2);
	body->entry[COLUMN_AT_WIDTH] = width;
	body->entry[COLUMN_AT_ENCODING] = (uint8_t)encoding;
	put_le(body->entry + COLUMN_AT_OFFSET, (uint64_t)(body->data - body->start), 4);
	put_le(body->entry + COLUMN_AT_BASE, base, 8);
	body->entry += COLUMN_ENTRY_LENGTH;
	body->columns++;
	assert(body->columns <= body->columns_max);
}

/* As bytes, what each is above low. */
static void put_values(
	uint8_t *to, const uint64_t *values, uint32_t rows, uint64_t low, uint8_t width)
{
	switch (width) {
	case 1:
		for (uint32_t i = 0; i < rows; i++)
			to[i] = (uint8_t)(values[i] - low);
		break;
	case 2:
		for (uint32_t i = 0; i < rows; i++)
			put_le16(to + 2 * (size_t)i, (uint16_t)(values[i] - low));
		break;
	case 4:
		for (uint32_t i = 0; i < rows; i++)
			put_le32(to + 4 * (size_t)i, (uint32_t)(values[i] - low));
		break;
	case 8:
		for (uint32_t i = 0; i < rows; i++)
			put_le64(to + 8 * (size_t)i, values[i] - low);
		break;
	default:
		break;
	}
}

void body_bytes(struct body *body, uint16_t id, struct bytes bytes)
{
	put_entry(body, id, 1, ENCODING_PLAIN, 0);
	memcpy(body->data, bytes.data, bytes.length);
	body->data += bytes.length;
}

void body_ranged(struct body *body, uint16_t id, const uint64_t *values, uint32_t rows,
	const struct range *range, uint64_t base)
{
	uint8_t width = column_width(range->high - range->low);

	if (!width && !base) /* absent: all zero */
		return;
	put_entry(body, id, width, ENCODING_PLAIN, base);
	put_values(body->data, values, rows, range->low, width);
	body->data += (size_t)rows * width;
}

void body_column(struct body *body, uint16_t id, const uint64_t *values, uint32_t rows)
{
	uint64_t low = rows ? values[0] : 0, high = low;

	for (uint32_t i = 1; i < rows; i++) {
		low = values[i] < low ? values[i] : low;
		high = values[i] > high ? values[i] : high;
	}
	body_ranged(body, id, values, rows, &(struct range){low, high}, low);
}

static void put_planes(struct body *body, const uint64_t *values, uint32_t rows, uint8_t width)
{
	for (unsigned int k = 0; k < width; k++)
		for (uint32_t i = 0; i < rows; i++)
			*body->data++ = (uint8_t)(values[i] >> (8 * k));
}

void body_apart(struct body *body, uint16_t id, const uint64_t *values, uint32_t rows,
	const struct range *range)
{
	uint8_t width = column_width(range->high - range->low);

	if (width < 2) {
		body_column(body, id, values, rows);
		return;
	}
	put_entry(body, id, width, ENCODING_PLANES, range->low);
	for (uint32_t i = 0; i < rows; i++)
		body->scratch[i] = values[i] - range->low;
	put_planes(body, body->scratch, rows, width);
}

void body_steps(struct body *body, uint16_t id, const uint64_t *values, uint32_t rows,
	const struct range *range)
{
	int64_t low = INT64_MAX, high = INT64_MIN;
	uint8_t width;

	for (uint32_t i = 0; i < rows; i++) {
		int64_t step = (int64_t)(values[i] - (i ? values[i - 1] : 0));

		body->scratch[i] = (uint64_t)step;
		low = step < low ? step : low;
		high = step > high ? step : high;
	}
	width = rows ? column_width((uint64_t)high - (uint64_t)low) : 0;
	if (!rows || width > column_width(range->high - range->low)) {
		body_column(body, id, values, rows);
		return;
	}
	put_entry(body, id, width, ENCODING_STEPS, (uint64_t)low);
	for (uint32_t i = 0; i < rows; i++)
		body->scratch[i] -= (uint64_t)low;
	put_planes(body, body->scratch, rows, width);
}

void body_end(struct body *body)
{
	size_t unused = (size_t)(body->columns_max - body->columns) * COLUMN_ENTRY_LENGTH;
	uint8_t *data = body->entry + unused;

	for (uint8_t *entry = body->start; entry < body->entry; entry += COLUMN_ENTRY_LENGTH)
		put_le(entry + COLUMN_AT_OFFSET, get_le32(entry + COLUMN_AT_OFFSET) - unused, 4);
	memmove(body->entry, data, (size_t)(body->data - data));
	body->data -= unused;
}
