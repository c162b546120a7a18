/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The summary at the end of a finished trace: where its batches stand, what their
 * heads say, and which values are in none of them, so that they need not be looked for.
 */
#ifndef TRACE_SUMMARY_H
#define TRACE_SUMMARY_H

#include "batch.h"
#include "pcapng.h"

/* All zero: there is none. */
struct trace_summary {
	uint8_t *block;      /* owned */
	struct bytes record; /* in it */
	size_t count;        /* of offsets, in order and before the summary */
	size_t head_count;   /* of the first of them */
	struct bytes skip;   /* skip.h, of the whole file; may be absent */
	bool complete;       /* all batches of the file have a head here */
	struct bytes heads;
	/* As far as the heads were gone through. */
	const uint8_t *next;
	size_t next_number;
};

/* A copied or damaged summary proves nothing: whether it says right where it stands, and its sum.
 */
bool summary_is_valid(struct bytes record, uint64_t offset);

/*
 * Looks for one that is valid at the end of a pcapng file of that size. What it
 * says is bounded, not checked against the batches. False: there is none.
 */
bool summary_find(struct trace_summary *summary, int fd, uint64_t size);

/* The same for one that is gzip with a table of its members; before anything was read. */
bool summary_find_packed(struct trace_summary *summary, struct pcapng_reader *blocks);
void summary_release(struct trace_summary *summary);

/* Offset of a batch in the file; number below count. */
uint64_t summary_offset(const struct trace_summary *summary, size_t number);

/*
 * The head of a batch, below head_count, as batch_parse_head(), with the file's summary for
 * skipping. Fast if they are asked for in order. -1: it cannot be understood.
 */
int summary_head(struct trace_summary *summary, size_t number, struct batch *head);

/* Whether what summary_head() said of it is what stands in the record of that batch. */
bool summary_agrees(struct trace_summary *summary, size_t number, struct bytes record);

#endif
