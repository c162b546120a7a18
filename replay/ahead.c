/* SPDX-License-Identifier: BSD-2-Clause */
#include "ahead.h"

#include <stdlib.h>

#define AHEAD_MAX 16 /* batches: 16 MiB at most, a quarter usually */

struct ahead {
	struct task task; /* the first member */
	struct ahead *next;
	const struct source *source;
	const struct scan *scan;
	const struct trace_reader *reader;
	uint64_t offset; /* in the file */
	bool good;
	struct batch batch;
	struct selection selection;
	struct fetched bytes; /* that the batch borrows */
};

struct lookahead {
	struct pool *pool;
	struct ahead *spare;
	unsigned int used, most;
};

struct lookahead *lookahead_new(struct pool *pool)
{
	struct lookahead *l = calloc(1, sizeof *l);

	if (l) {
		l->pool = pool;
		l->most = pool_threads(pool) + 2 < AHEAD_MAX ? pool_threads(pool) + 2 : AHEAD_MAX;
	}
	return l;
}

void lookahead_free(struct lookahead *l)
{
	while (l && l->spare) {
		struct ahead *a = l->spare;

		l->spare = a->next;
		batch_release(&a->batch);
		selection_release(&a->selection);
		free(a->bytes.data);
		free(a);
	}
	free(l);
}

/* context: struct ahead */
static bool wants(void *context, const struct batch *head)
{
	const struct ahead *a = context;

	return source_may_want(a->source, a->scan, head);
}

/* Of the source only what never changes is looked at. */
static void run(struct task *task, unsigned int thread)
{
	struct ahead *a = (struct ahead *)task;
	struct error ignored;

	(void)thread;
	a->good = trace_reader_fetch(a->reader, a->offset, &a->bytes, wants, a) &&
		  !batch_open(&a->batch, a->bytes.record, &ignored) &&
		  !source_prepare(a->scan, &a->selection, &a->batch, &ignored);
}

/* One more of the source, if there are fewer than that. NULL: not, or no memory. */
static struct ahead *add(
	struct source *s, const struct scan *scan, uint64_t offset, unsigned int most)
{
	struct lookahead *l = scan->lookahead;
	struct ahead *a = l->spare, **last = &s->ahead;

	if (l->used >= most)
		return NULL;
	if (a)
		l->spare = a->next;
	else
		a = calloc(1, sizeof *a);
	if (!a)
		return NULL;
	l->used++;
	while (*last)
		last = &(*last)->next;
	*last = a;
	a->next = NULL;
	a->source = s;
	a->scan = scan;
	a->reader = s->reader;
	a->offset = offset;
	memset(&a->selection.notes, 0, sizeof a->selection.notes);
	a->task.run = run;
	return a;
}

static void drop_first(struct source *s, struct scan *scan)
{
	struct lookahead *l = scan->lookahead;
	struct ahead *a = s->ahead;

	pool_take_back(l->pool, &a->task);
	s->ahead = a->next;
	a->next = l->spare;
	l->spare = a;
	l->used--;
}

/* The batch that is wanted now, and then the next ones; after others that were not none is guessed.
 */
static void fill(struct source *s, const struct scan *scan)
{
	struct lookahead *l = scan->lookahead;
	struct ahead *a = s->ahead ? s->ahead : add(s, scan, s->at.offset, l->most + 1);

	while (a && a->next)
		a = a->next;
	while (a && !s->passed) {
		uint64_t offset = trace_reader_behind(s->reader, a->offset);

		a = offset ? add(s, scan, offset, l->most) : NULL;
		if (a)
			pool_submit(l->pool, &a->task);
	}
	s->passed = false;
}

/* What the source had is used again. */
static void give(struct ahead *a, struct source *s, struct scan *scan)
{
	struct batch batch = s->batch;
	struct selection selection = s->selection;
	struct fetched bytes = s->bytes;

	scan_add_notes(scan, &selection.notes);
	s->batch = a->batch;
	s->selection = a->selection;
	s->bytes = a->bytes;
	a->batch = batch;
	a->selection = selection;
	a->bytes = bytes;
}

bool ahead_take(struct source *s, struct scan *scan)
{
	struct ahead *a;
	bool guessed, good;

	if (!scan->lookahead || !trace_reader_seeks_freely(s->reader))
		return false;
	while (s->ahead && s->ahead->offset != s->at.offset)
		drop_first(s, scan);
	guessed = s->ahead;
	fill(s, scan);
	a = s->ahead;
	if (!a)
		return false;
	if (guessed)
		pool_wait(scan->lookahead->pool, &a->task);
	else
		run(&a->task, 0);
	good = a->good;
	if (good)
		give(a, s, scan);
	drop_first(s, scan);
	return good;
}

void ahead_drop(struct source *s, struct scan *scan)
{
	while (s->ahead)
		drop_first(s, scan);
}
