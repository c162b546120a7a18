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

/* Bytes are compared as such: 16 at a time. */
static uint64_t largest_byte(const uint8_t *data, size_t rows)
{
	uint8_t most = 0;

	for (size_t row = 0; row < rows; row++)
		most = data[row] > most ? data[row] : most;
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
		return largest(column->data, rows, 2);
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

FOR_WIDTH void take(const struct column *column, const uint32_t *restrict rows, uint32_t count,
	unsigned int width, uint64_t *restrict values)
{
	const uint8_t *data = column->data;

	if (count && rows[count - 1] - rows[0] == count - 1) {
		data += (size_t)rows[0] * width;
		for (uint32_t i = 0; i < count; i++)
			values[i] = column->base + integer(data + (size_t)i * width, width);
		return;
	}
	for (uint32_t i = 0; i < count; i++)
		values[i] = column->base + integer(data + (size_t)rows[i] * width, width);
}

void column_take(
	const struct column *column, const uint32_t *rows, uint32_t count, uint64_t *values)
{
	switch (column->width) {
	case 0:
		for (uint32_t i = 0; i < count; i++)
			values[i] = column->base;
		return;
	case 1:
		return take(column, rows, count, 1, values);
	case 2:
		return take(column, rows, count, 2, values);
	case 4:
		return take(column, rows, count, 4, values);
	}
	take(column, rows, count, 8, values);
}

void column_undo_planes(
	const uint8_t *restrict planes, unsigned int width, size_t rows, uint8_t *restrict out)
{
	if (width == 2) {
		for (size_t row = 0; row < rows; row++) {
			out[row * 2] = planes[row];
			out[row * 2 + 1] = planes[rows + row];
		}
		return;
	}
	if (width == 4) {
		for (size_t row = 0; row < rows; row++) {
			out[row * 4] = planes[row];
			out[row * 4 + 1] = planes[rows + row];
			out[row * 4 + 2] = planes[rows * 2 + row];
			out[row * 4 + 3] = planes[rows * 3 + row];
		}
		return;
	}
	for (size_t row = 0; row < rows; row++)
		for (size_t k = 0; k < width; k++)
			out[row * width + k] = planes[k * rows + row];
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
			value += base + (low[i] | (uint64_t)high[i] << 32);
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
