/* SPDX-License-Identifier: BSD-2-Clause */
/* The rows of one batch that match, for who takes them all at once. */
#ifndef ROWS_H
#define ROWS_H

#include "column_kind.h"

/* A result that became known after its event was written. */
struct found {
	uint32_t row;
	struct result result;
};

/* All of it is borrowed. */
struct rows {
	const struct batch *batch;
	uint64_t generation; /* of the batch: rows of one have the same, no others */
	uint32_t bits;       /* the columns that are there */
	const uint32_t *rows;
	const struct found *found; /* late results, in the order of their rows */
	uint32_t count, found_count;
	int64_t start_ns; /* wall clock: what the time column counts from */
};

static inline int64_t rows_wall_ns(const struct rows *rows, uint32_t i)
{
	return (int64_t)((uint64_t)rows->start_ns + column_get(&rows->batch->time, rows->rows[i]));
}

/* The late result of a row of the batch; NULL: it has none. */
const struct result *rows_find(const struct rows *rows, uint32_t row);

/* Fills in event and row as of rows->rows[i]. late: its late result, or NULL. */
void rows_get(const struct rows *rows, uint32_t i, const struct result *late, struct event *event,
	struct columns_row *row);

#endif
