/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Numbers for keys that cells of some columns make, from 1 in the order of their first
 * appearance: the same for the same cells. A key has a part for each thing that its
 * columns are about. In a batch that has an index already, or is a value: the text of its
 * cells is made once in a batch, or never, not for each row.
 */
#ifndef PARTS_H
#define PARTS_H

#include "../formats/columns.h"
#include "../formats/groups.h"
#include "../formats/rows.h"
#include "../formats/text.h"
#include "numbers.h"

#define PARTS_MAX 16
#define PARTS_SEPARATOR                                                                            \
	'\x1f' /* between the cells of a key: no cell has one, it would be escaped */

struct part {
	const struct column_kind *kinds[PARTS_MAX]; /* about the same thing */
	size_t kind_count;
	enum column_about about;
	struct groups texts;    /* of the cells, with their number; or: */
	struct numbers wide;    /* of what stands for them, if that is more than 32 bits */
	uint32_t *numbers;      /* by the index in this batch; 0: not yet */
	size_t count, capacity; /* of these; 0: it has no index, but a value */
	struct numbers joined;  /* of a number of the parts before, and one of this */
};

/* All zero is one of no columns, for which parts_of() is to be called. */
struct parts {
	enum value_format format;
	struct part *parts;
	size_t count;
	struct text text;
};

/* Puts the cells of a row, with a separator between them. */
void parts_put_cells(const struct column_kind *const *kinds, size_t count, enum value_format format,
	const struct columns_row *row, struct text *out);

/*
 * At most PARTS_MAX columns. There are no parts, and so no numbers, if some of them differ
 * from row to row in another way, or there is no memory.
 */
void parts_of(struct parts *parts, const struct column_kind *const *kinds, size_t count,
	enum value_format format);

void parts_release(struct parts *parts);

#define PARTS_ROWS 256

/* Before the first rows of a batch; rows: how many of it are asked for. -1: out of memory. */
int parts_begin(struct parts *parts, const struct batch *batch, uint32_t rows);

/*
 * The numbers of n rows, at most PARTS_ROWS, from the one at i on. -1: out of memory.
 */
int parts_numbers(
	struct parts *parts, const struct rows *rows, uint32_t i, uint32_t n, uint32_t *numbers);

/*
 * If the key has one part, which has an index in the batch: how many of these there are.
 * 0: it has none, or more.
 */
size_t parts_indexes(const struct parts *parts);

/* Then: those of n rows, as above. */
void parts_take_indexes(const struct parts *parts, const struct rows *rows, uint32_t i, uint32_t n,
	uint32_t *indexes);

/* Their numbers, where they are known by now; else 0. */
static inline const uint32_t *parts_known(const struct parts *parts)
{
	return parts->parts->numbers;
}

/* The number of the index that the row at i has. 0: out of memory. */
uint32_t parts_number_at(struct parts *parts, const struct rows *rows, uint32_t i, uint32_t index);

#endif
