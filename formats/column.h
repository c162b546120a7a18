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

/* The values of count rows from the one at first on. */
void column_values(const struct column *column, uint32_t first, uint32_t count, uint64_t *values);

/* The values of count rows, which ascend. */
void column_take(
	const struct column *column, const uint32_t *rows, uint32_t count, uint64_t *values);

/* The same; what is larger becomes UINT32_MAX. */
void column_take_small(
	const struct column *column, const uint32_t *rows, uint32_t count, uint32_t *values);

/*
 * ENCODING_BITS: integers of that many bits, 1 to 64. Their lowest bytes stand in planes,
 * as many as are full. What is left, 1 to 7 bits, is split from the lowest bit on into
 * parts of 4, 2 and 1 bits. Of a part of n bits 16 bytes are for 128 / n rows: byte i is
 * for the rows i, i + 16, i + 32 and so on of these, from its lowest bits on.
 */
#define COLUMN_PART 16   /* bytes */
#define COLUMN_GROUP 128 /* rows of a part of 1 bit: the most */

/* Rows rounded up: parts are undone as a whole. */
static inline size_t column_groups(size_t rows)
{
	return (rows + COLUMN_GROUP - 1) / COLUMN_GROUP * COLUMN_GROUP;
}

/* Of a part of 4, 2 or 1 bits. */
static inline size_t column_part_length(unsigned int bits, size_t rows)
{
	size_t each = COLUMN_GROUP / bits;

	return (rows + each - 1) / each * COLUMN_PART;
}

/* What so many integers of that many bits take. */
size_t column_bits_length(unsigned int bits, size_t rows);

/* The width of the whole integers that they become. */
uint8_t column_bits_width(unsigned int bits);

/* Whole integers from these. out and high have room for column_groups() of rows each. */
void column_undo_bits(const uint8_t *restrict data, unsigned int bits, size_t rows,
	uint8_t *restrict out, uint8_t *restrict high);

/* The same of ENCODING_PALETTE: a palette of 2^(bits % 8) stands in front. */
size_t column_palette_length(unsigned int bits);
uint8_t column_palette_width(const uint8_t *palette, unsigned int bits);
void column_undo_palette(const uint8_t *restrict data, unsigned int bits, size_t rows,
	uint8_t *restrict out, uint8_t *restrict high);

/* Values of 8 bytes, from planes of what is added each time, and base too: ENCODING_STEPS. */
void column_undo_steps(const uint8_t *restrict planes, unsigned int width, uint64_t base,
	size_t rows, uint8_t *restrict out);

#endif
