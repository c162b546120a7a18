/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Many traces as one stream of events, ordered by wall time as far as each
 * session is in its file. A file is opened when its time has come, and only so
 * many are open at once: memory and descriptors are bounded.
 */
#ifndef MERGE_H
#define MERGE_H

#include "../formats/columns.h"
#include "source.h"

#include <sys/stat.h>

struct merge;
struct pool;

/* Gets every piece of damage as it is met: error->text, without the program's name. */
typedef void merge_report(void *context, const struct error *error);

/* Takes no files yet. The filter must outlive it. NULL: out of memory. */
struct merge *merge_new(const struct filter *filter, merge_report *report, void *context);
void merge_free(struct merge *merge);

/* The progress hears of each batch that is read. */
void merge_show_progress(struct merge *merge, struct progress *progress);

/* To be called before the first event: the threads read ahead. They must outlive the merge. */
void merge_use(struct merge *merge, struct pool *pool);

/*
 * Looks through the file, whose name must outlive the merge. Returns 0, or -1: it
 * cannot be opened. With merge_follow() also while it runs.
 */
int merge_add(struct merge *merge, const char *name, struct error *error);

/*
 * The same of many, in their order, by the threads of the pool; NULL: by the caller.
 * False: not all could be opened, which was reported.
 */
bool merge_add_all(struct merge *merge, struct pool *pool, char *const *names, size_t count);

/* To be called before the first event: rows have the late results of their events. */
void merge_need_results(struct merge *merge);

/* The same: rows may come in any order, which takes less time and memory. */
void merge_any_order(struct merge *merge);

/* The same: what rows are asked for, by EVENT_BIT(); all without it. */
void merge_need_columns(struct merge *merge, uint32_t bits);

/* To be called before the first event: files are read on as they grow. */
void merge_follow(struct merge *merge);

/* No more: what waits for its results comes without, and then the end. */
void merge_end_following(struct merge *merge);

/* True when events wait for their results: in time they will come without. */
bool merge_waits(const struct merge *merge);

/*
 * To be called before the first event: whether the events are of more than one
 * host. Files are looked through; of a pipe only the first event is known, and
 * only when it is not alone.
 */
bool merge_has_several_hosts(struct merge *merge);

/*
 * The next event that matches. The row is borrowed until the next call. Returns
 * 1, or 0: the end; with merge_follow() the end for now: it may be called again.
 */
int merge_next(struct merge *merge, struct columns_row *row);

/*
 * The same, but as many rows as are at hand, at most so many, in runs of what follows each
 * other in one batch; with merge_any_order() all that a batch has. Returns how many runs, at most
 * room; 0: the end.
 */
size_t merge_next_rows(struct merge *merge, struct rows *runs, size_t room, uint64_t most);

/*
 * The batch of such a run, which may be held beyond the next call. settle, which gets the
 * context of report, must see to it that none is. NULL: out of memory.
 */
void merge_hold(struct merge *merge, void (*settle)(void *context));
struct held *merge_held(const struct rows *run);

/* After the end: tells what is missing of the sessions that were read. */
void merge_report_missing(struct merge *merge);

/* True when something was reported. */
bool merge_incomplete(const struct merge *merge);

/* How many files are no trace that can be read (empty, text, pcap, another version ..). */
size_t merge_unreadable(const struct merge *merge);

/* Files that were added. */
size_t merge_count(const struct merge *merge);

/* The session of the event at hand, and all there are. */
const struct session *merge_session(const struct merge *merge);
const struct sessions *merge_sessions(const struct merge *merge);

/* What the filter asked for, and how often that was not known. */
struct filter_notes merge_notes(const struct merge *merge);

/* True when a session of that id was met. */
bool merge_knows_session(const struct merge *merge, const uint8_t id[16]);

/* True when that very file was added, and not all of it was read. */
bool merge_has_file(const struct merge *merge, const struct stat *status);

/* Calls visit for each file of which all was read. Valid after the end. */
void merge_visit(const struct merge *merge,
	void (*visit)(void *context, const char *name, struct trace_facts facts), void *context);

#endif
