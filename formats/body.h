/* SPDX-License-Identifier: BSD-2-Clause */
/* The body of a batch under construction (record.h): its directory, and its columns. */
#ifndef BODY_H
#define BODY_H

#include "bytes.h"
#include "record.h"

/* Of the values of a column. */
struct range {
	uint64_t low, high;
};

/* Of the integers of a column whose values are so far apart. */
static inline uint8_t column_width(uint64_t range)
{
	static const uint8_t widths[] = {1, 2, 4, 4, 8, 8, 8, 8}; /* by the highest byte */

	return range ? widths[(63 - __builtin_clzll(range)) / 8] : 0;
}

struct body {
	uint8_t *start, *entry, *data; /* the directory grows at entry, the columns at data */
	uint16_t columns, columns_max;
	uint64_t *scratch; /* as many as rows, of a column that is encoded */
};

/* There has to be room at start for what is put. */
void body_begin(struct body *body, uint8_t *start, uint16_t columns_max, uint64_t *scratch);

/* A column of these values. One that is all zero is absent. */
void body_column(struct body *body, uint16_t id, const uint64_t *values, uint32_t rows);

/* The same, of values from this range. base: what stands in the file for the lowest. */
void body_ranged(struct body *body, uint16_t id, const uint64_t *values, uint32_t rows,
	const struct range *range, uint64_t base);

/* The same: bytes of the same weight stand together; they compress better. */
void body_apart(struct body *body, uint16_t id, const uint64_t *values, uint32_t rows,
	const struct range *range);

/* The same: the steps from one to the next, unless these are larger than the values. */
void body_steps(struct body *body, uint16_t id, const uint64_t *values, uint32_t rows,
	const struct range *range);

/* A column of width 1 whose rows are others: STRING_BYTES. */
void body_bytes(struct body *body, uint16_t id, struct bytes bytes);

/* Takes out the room that was left for entries that were not needed. */
void body_end(struct body *body);

#endif
