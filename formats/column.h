/* SPDX-License-Identifier: BSD-2-Clause */
/* A column of a batch (record.h): an integer for each row. */
#ifndef COLUMN_H
#define COLUMN_H

#include "bytes.h"

/* Value of row r: base + the width-byte integer at data + r * width, modulo 2^64. */
struct column {
	const uint8_t *data; /* borrowed */
	uint64_t base;
	uint8_t width; /* 0, 1, 2, 4, 8 */
};

static inline uint64_t column_get(const struct column *column, uint32_t row)
{
	switch (column->width) {
	case 1:
		return column->base + column->data[row];
	case 2:
		return column->base + get_le16(column->data + (size_t)row * 2);
	case 4:
		return column->base + get_le32(column->data + (size_t)row * 4);
	case 8:
		return column->base + get_le64(column->data + (size_t)row * 8);
	}
	return column->base;
}

/* True when the base is below high and so is every value, with no sum that wraps. */
bool column_is_below(const struct column *column, uint32_t rows, uint64_t high);

/* The values of count rows, which ascend. */
void column_take(
	const struct column *column, const uint32_t *rows, uint32_t count, uint64_t *values);

/* Whole integers of that width, from planes of as many bytes each: ENCODING_PLANES. */
void column_undo_planes(
	const uint8_t *restrict planes, unsigned int width, size_t rows, uint8_t *restrict out);

/* Values of 8 bytes, from planes of what is added each time, and base too: ENCODING_STEPS. */
void column_undo_steps(const uint8_t *restrict planes, unsigned int width, uint64_t base,
	size_t rows, uint8_t *restrict out);

#endif
