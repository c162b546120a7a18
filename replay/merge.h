/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Several traces as one stream of events, ordered by wall time as far as each
 * trace is. Each source holds one batch in memory.
 */
#ifndef MERGE_H
#define MERGE_H

#include "../formats/columns.h"
#include "../formats/trace_reader.h"

struct merge;

/* Gets every piece of damage as it is met: error->text, without the program's name. */
typedef void merge_report(void *context, const struct error *error);

/* Takes no files yet. NULL: out of memory. */
struct merge *merge_new(merge_report *report, void *context);
void merge_free(struct merge *merge);

/* Opens name, which must outlive the merge. -1: it cannot be opened. */
int merge_add(struct merge *merge, const char *name, struct error *error);

/*
 * To be called before the first event: whether the events are of more than one
 * host. Files are looked through; of a pipe only the first event is known.
 */
bool merge_has_several_hosts(struct merge *merge);

/* The next event. The row is borrowed until the next call. Returns 1, or 0: the end. */
int merge_next(struct merge *merge, struct columns_row *row);

/* True when something was reported, or a file holds losses. */
bool merge_incomplete(const struct merge *merge);

/* How many files are no trace that can be read (empty, text, pcap, another version ..). */
size_t merge_unreadable(const struct merge *merge);

/* Calls visit for each file that was opened. Valid after the end. */
void merge_visit(const struct merge *merge,
	void (*visit)(void *context, const char *name, struct trace_facts facts), void *context);

#endif
