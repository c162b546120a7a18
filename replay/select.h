/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The rows of a batch that match, column by column: a filter is asked once for
 * each process and each port, and rows are tested by their indexes. All but
 * filters on results, which may become known later.
 */
#ifndef SELECT_H
#define SELECT_H

#include "../formats/batch.h"
#include "../formats/filter.h"

/* What is the same for all batches. */
struct selector;

/* The filter must outlive it. NULL: out of memory. */
struct selector *selector_new(const struct filter *filter);
void selector_free(struct selector *selector);

/* All zero before the first batch. */
struct selection {
	uint32_t *rows; /* in their order */
	uint32_t count;
	bool all;                  /* while they are chosen: all of them, and not listed yet */
	struct filter_notes notes; /* of what the filter asked for, in all batches */
	uint32_t row_capacity, table_capacity;
	uint8_t *wanted, *seen; /* for each process, or address */
};

void selection_release(struct selection *selection);

/* Of a batch that was opened; loads the columns that it asks. -1: damage, or no memory. */
int select_rows(const struct selector *selector, struct selection *selection, struct batch *batch,
	struct error *error);

#endif
