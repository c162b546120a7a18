/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Loops over all rows: each is written once, for a width that is a constant where
 * it is called, and plain, so that the compiler makes them work on vectors.
 */
#include "column.h"

#define FOR_WIDTH static inline __attribute__((always_inline))
#define STEPS_BLOCK 512 /* rows whose steps are put together before they are added up */

FOR_WIDTH uint64_t integer(const uint8_t *p, unsigned int width)
{
	switch (width) {
	case 1:
		return *p;
	case 2:
		return get_le16(p);
	case 4:
		return get_le32(p);
	}
	return get_le64(p);
}

FOR_WIDTH uint64_t largest(const uint8_t *data, size_t rows, unsigned int width)
{
	uint64_t most = 0;

	for (size_t row = 0; row < rows; row++) {
		uint64_t value = integer(data + row * width, width);

		most = value > most ? value : most;
	}
	return most;
}

/* Small ones are compared as such: 16 bytes at a time. */
static uint64_t largest_byte(const uint8_t *data, size_t rows)
{
	uint8_t most = 0;

	for (size_t row = 0; row < rows; row++)
		most = data[row] > most ? data[row] : most;
	return most;
}

static uint64_t largest_short(const uint8_t *data, size_t rows)
{
	uint16_t most = 0;

	for (size_t row = 0; row < rows; row++) {
		uint16_t value = get_le16(data + row * 2);

		most = value > most ? value : most;
	}
	return most;
}

static uint64_t largest_of(const struct column *column, size_t rows)
{
	switch (column->width) {
	case 0:
		return 0;
	case 1:
		return largest_byte(column->data, rows);
	case 2:
		return largest_short(column->data, rows);
	case 4:
		return largest(column->data, rows, 4);
	}
	return largest(column->data, rows, 8);
}

bool column_is_below(const struct column *column, uint32_t rows, uint64_t high)
{
	uint64_t room = high - column->base; /* what may be added to the base */

	return column->base < high &&
	       (column->width == 0 || (column->width == 1 && room > UINT8_MAX) ||
		       (column->width == 2 && room > UINT16_MAX) ||
		       largest_of(column, rows) < room);
}

FOR_WIDTH void values_from(const struct column *column, uint32_t first, uint32_t count,
	unsigned int width, uint64_t *restrict values)
{
	const uint8_t *data = column->data + (size_t)first * width;

	for (uint32_t i = 0; i < count; i++)
		values[i] = column->base + integer(data + (size_t)i * width, width);
}

void column_values(const struct column *column, uint32_t first, uint32_t count, uint64_t *values)
{
	switch (column->width) {
	case 0:
		for (uint32_t i = 0; i < count; i++)
			values[i] = column->base;
		return;
	case 1:
		return values_from(column, first, count, 1, values);
	case 2:
		return values_from(column, first, count, 2, values);
	case 4:
		return values_from(column, first, count, 4, values);
	}
	values_from(column, first, count, 8, values);
}

FOR_WIDTH void take(const struct column *column, const uint32_t *restrict rows, uint32_t count,
	unsigned int width, uint64_t *restrict values)
{
	for (uint32_t i = 0; i < count; i++)
		values[i] = column->base + integer(column->data + (size_t)rows[i] * width, width);
}

void column_take(
	const struct column *column, const uint32_t *rows, uint32_t count, uint64_t *values)
{
	if (!column->width || (count && rows[count - 1] - rows[0] == count - 1))
		return column_values(column, count ? rows[0] : 0, count, values);
	switch (column->width) {
	case 1:
		return take(column, rows, count, 1, values);
	case 2:
		return take(column, rows, count, 2, values);
	case 4:
		return take(column, rows, count, 4, values);
	}
	take(column, rows, count, 8, values);
}

FOR_WIDTH void take_small(const struct column *column, const uint32_t *restrict rows,
	uint32_t count, unsigned int width, uint32_t *restrict values)
{
	const uint8_t *data = column->data;
	uint32_t base = (uint32_t)column->base;
	uint32_t largest = UINT32_MAX >> (32 - 8 * width);
	bool all = count && rows[count - 1] - rows[0] == count - 1;

	data += all ? (size_t)rows[0] * width : 0;
	for (uint32_t i = 0; all && i < count; i++)
		values[i] = base + (uint32_t)integer(data + (size_t)i * width, width);
	for (uint32_t i = 0; !all && i < count; i++)
		values[i] = base + (uint32_t)integer(data + (size_t)rows[i] * width, width);
	/* A sum that is too large has wrapped. */
	for (uint32_t i = 0; base > UINT32_MAX - largest && i < count; i++)
		values[i] = values[i] < base ? UINT32_MAX : values[i];
}

void column_take_small(
	const struct column *column, const uint32_t *rows, uint32_t count, uint32_t *values)
{
	switch (column->base <= UINT32_MAX ? column->width : 8) {
	case 1:
		return take_small(column, rows, count, 1, values);
	case 2:
		return take_small(column, rows, count, 2, values);
	case 4:
		return take_small(column, rows, count, 4, values);
	}
	for (uint32_t i = 0; i < count; i++) {
		uint64_t value = column_get(column, rows[i]);

		values[i] = value < UINT32_MAX ? (uint32_t)value : UINT32_MAX;
	}
}

size_t column_bits_length(unsigned int bits, size_t rows)
{
	size_t length = bits / 8 * rows;

	for (unsigned int part = 4; part; part /= 2)
		length += bits & part ? column_part_length(part, rows) : 0;
	return length;
}

uint8_t column_bits_width(unsigned int bits)
{
	return bits <= 8 ? 1 : bits <= 16 ? 2 : bits <= 32 ? 4 : 8;
}

/* Adds a part to the bytes of the rows, 8 rows at a time. */
FOR_WIDTH void add_part(const uint8_t *restrict part, unsigned int bits, unsigned int shift,
	size_t rows, uint8_t *restrict out)
{
	const uint64_t mask = UINT64_C(0x0101010101010101) * ((1u << bits) - 1);

	for (size_t row = 0; row < rows; row += COLUMN_GROUP / bits, part += COLUMN_PART)
		for (unsigned int i = 0; i < 8 / bits; i++)
			for (unsigned int half = 0; half < COLUMN_PART; half += 8) {
				uint8_t *to = out + row + i * COLUMN_PART + half;
				uint64_t some = get_le64(part + half) >> (i * bits) & mask;

				put_le64(to, get_le64(to) | some << shift);
			}
}

/* A byte for each row from 1 to 7 bits, in parts. */
static void add_parts(
	const uint8_t *restrict parts, unsigned int bits, size_t rows, uint8_t *restrict out)
{
	unsigned int shift = 0;

	memset(out, 0, column_groups(rows));
	if (bits & 4) {
		add_part(parts, 4, 0, rows, out);
		parts += column_part_length(4, rows);
		shift = 4;
	}
	if (bits & 2) {
		add_part(parts, 2, shift, rows, out);
		parts += column_part_length(2, rows);
		shift += 2;
	}
	if (bits & 1)
		add_part(parts, 1, shift, rows, out);
}

FOR_WIDTH void put(uint8_t *p, uint64_t value, unsigned int width)
{
	switch (width) {
	case 1:
		*p = (uint8_t)value;
		break;
	case 2:
		put_le16(p, (uint16_t)value);
		break;
	case 4:
		put_le32(p, (uint32_t)value);
		break;
	default:
		put_le64(p, value);
	}
}

/* Integers of that width from so many planes, and the byte above these unless that is NULL. */
FOR_WIDTH void join(const uint8_t *restrict planes, unsigned int count,
	const uint8_t *restrict high, size_t rows, unsigned int width, uint8_t *restrict out)
{
	for (size_t row = 0; row < rows; row++) {
		uint64_t value = high ? (uint64_t)high[row] << (8 * count) : 0;

		for (unsigned int k = 0; k < count; k++)
			value |= (uint64_t)planes[k * rows + row] << (8 * k);
		put(out + row * width, value, width);
	}
}

void column_undo_bits(const uint8_t *restrict data, unsigned int bits, size_t rows,
	uint8_t *restrict out, uint8_t *restrict high)
{
	if (bits < 8)
		return add_parts(data, bits, rows, out);
	if (bits % 8)
		add_parts(data + bits / 8 * rows, bits % 8, rows, high);
	else
		high = NULL;
	switch ((bits + 7) / 8) {
	case 1:
		return join(data, 1, NULL, rows, 1, out);
	case 2:
		return high ? join(data, 1, high, rows, 2, out) : join(data, 2, NULL, rows, 2, out);
	case 3:
		return high ? join(data, 2, high, rows, 4, out) : join(data, 3, NULL, rows, 4, out);
	case 4:
		return high ? join(data, 3, high, rows, 4, out) : join(data, 4, NULL, rows, 4, out);
	}
	join(data, bits / 8, high, rows, 8, out);
}

size_t column_palette_length(unsigned int bits)
{
	return sizeof(uint64_t) << bits % 8;
}

uint8_t column_palette_width(const uint8_t *palette, unsigned int bits)
{
	uint64_t low = (UINT64_C(1) << bits / 8 * 8) - 1, most = 0;

	for (unsigned int i = 0; i < 1u << bits % 8; i++) {
		uint64_t value = get_le64(palette + i * 8);

		most = value > most ? value : most;
	}
	most += low;
	return most < low ? 8 : column_bits_width(most ? 64 - (unsigned)__builtin_clzll(most) : 1);
}

/* The numbers of the rows in the palette are in high. */
FOR_WIDTH void look_up(const uint64_t *restrict palette, const uint8_t *restrict planes,
	unsigned int count, const uint8_t *restrict high, size_t rows, unsigned int width,
	uint8_t *restrict out)
{
	for (size_t row = 0; row < rows; row++) {
		uint64_t value = 0;

		for (unsigned int k = 0; k < count; k++)
			value |= (uint64_t)planes[k * rows + row] << (8 * k);
		put(out + row * width, value + palette[high[row]], width);
	}
}

void column_undo_palette(const uint8_t *restrict data, unsigned int bits, size_t rows,
	uint8_t *restrict out, uint8_t *restrict high)
{
	const uint8_t *planes = data + column_palette_length(bits);
	unsigned int count = bits / 8, width = column_palette_width(data, bits);
	uint64_t palette[COLUMN_GROUP];

	for (unsigned int i = 0; i < 1u << bits % 8; i++)
		palette[i] = get_le64(data + i * 8);
	add_parts(planes + count * rows, bits % 8, rows, high);
	/* These are what there is to look up in columns that many queries read. */
	if (count == 0 && width == 1)
		return look_up(palette, planes, 0, high, rows, 1, out);
	if (count == 0 && width == 2)
		return look_up(palette, planes, 0, high, rows, 2, out);
	if (count == 2 && width == 4)
		return look_up(palette, planes, 2, high, rows, 4, out);
	switch (width) {
	case 1:
		return look_up(palette, planes, count, high, rows, 1, out);
	case 2:
		return look_up(palette, planes, count, high, rows, 2, out);
	case 4:
		return look_up(palette, planes, count, high, rows, 4, out);
	}
	look_up(palette, planes, count, high, rows, 8, out);
}

/* The steps of count rows from a row on, without what is part of each. */
FOR_WIDTH void put_together(const uint8_t *restrict planes, unsigned int width, size_t rows,
	size_t row, size_t count, uint32_t *restrict steps)
{
	for (size_t i = 0; i < count; i++) {
		uint32_t step = 0;

		for (unsigned int k = 0; k < width; k++)
			step |= (uint32_t)planes[k * rows + row + i] << (8 * k);
		steps[i] = step;
	}
}

FOR_WIDTH void add_steps(const uint8_t *restrict planes, unsigned int width, uint64_t base,
	size_t rows, uint8_t *restrict out)
{
	unsigned int low_width = width < 4 ? width : 4;
	uint32_t low[STEPS_BLOCK], high[STEPS_BLOCK] = {0};
	uint64_t value = 0;

	for (size_t row = 0, count; row < rows; row += count) {
		count = rows - row < STEPS_BLOCK ? rows - row : STEPS_BLOCK;
		put_together(planes, low_width, rows, row, count, low);
		if (width > 4)
			put_together(planes + 4 * rows, 4, rows, row, count, high);
		for (size_t i = 0; i < count; i++) {
			value += base + (width > 4 ? low[i] | (uint64_t)high[i] << 32 : low[i]);
			put_le64(out + (row + i) * 8, value);
		}
	}
}

void column_undo_steps(const uint8_t *restrict planes, unsigned int width, uint64_t base,
	size_t rows, uint8_t *restrict out)
{
	switch (width) {
	case 0:
		return add_steps(planes, 0, base, rows, out);
	case 1:
		return add_steps(planes, 1, base, rows, out);
	case 2:
		return add_steps(planes, 2, base, rows, out);
	case 4:
		return add_steps(planes, 4, base, rows, out);
	}
	return add_steps(planes, 8, base, rows, out);
}
