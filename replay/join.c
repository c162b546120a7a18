/* SPDX-License-Identifier: BSD-2-Clause */
#include "join.h"

#include <stdlib.h>

#define AT_ONCE (1u << 19) /* results of all sessions: 24 MiB of tables */
/* The longest that a SYN is tried again with the usual tcp_syn_retries is 127 s. */
#define WINDOW_NS (15 * INT64_C(60000000000))
/* Events of batches that other copies of a file may still be at. */
#define BEHIND (8u * 16384)

struct join {
	struct session *session;
	struct part {
		const struct trace_file *file;
		uint32_t number;
		int64_t first_ns;
	} * parts;
	size_t count;
	bool windows;     /* there are too many to read all at once */
	bool sorted, all; /* all: there is nothing to read any more */
	/* As far as was read. */
	size_t part;
	struct trace_reader *reader;
	struct pcapng_position at; /* when reader is NULL and began is true: the batch read last */
	bool began;
	int64_t horizon_ns;
	struct batch batch;
};

struct join *join_new(struct session *session)
{
	struct join *j = calloc(1, sizeof *j);

	if (j) {
		j->session = session;
		j->horizon_ns = INT64_MIN;
		session->join = j;
	}
	return j;
}

void join_free(struct join *j)
{
	if (!j)
		return;
	trace_reader_free(j->reader);
	batch_release(&j->batch);
	free(j->parts);
	free(j);
}

int join_add(struct join *j, const struct trace_file *file, const struct file_session *part)
{
	struct part *grown = realloc(j->parts, (j->count + 1) * sizeof *grown);

	if (!grown)
		return -1;
	j->parts = grown;
	grown[j->count++] = (struct part){file, part->number, part->first_ns};
	j->sorted = false;
	return 0;
}

void join_plan(struct join *j, uint64_t late)
{
	j->windows = late > AT_ONCE;
}

static int compare(const void *a, const void *b)
{
	const struct part *x = a, *y = b;

	if (x->number != y->number)
		return x->number < y->number ? -1 : 1;
	return x->first_ns < y->first_ns ? -1 : x->first_ns > y->first_ns;
}

/* Opens the part at hand, where it was left. NULL: it cannot be read. */
static struct trace_reader *reader_of(struct join *j)
{
	struct error ignored;

	if (j->reader)
		return j->reader;
	j->reader = trace_reader_open(j->parts[j->part].file->name, &ignored);
	if (j->reader && j->began &&
		(trace_reader_seek(j->reader, j->at) ||
			trace_reader_head(j->reader, &j->batch, &ignored) <= 0)) {
		trace_reader_free(j->reader);
		j->reader = NULL;
	}
	return j->reader;
}

static void next_part(struct join *j)
{
	trace_reader_free(j->reader);
	j->reader = NULL;
	j->began = false;
	j->part++;
	j->all = j->part >= j->count;
}

/* One batch. What is damaged is told where events are read. */
static void read_batch(struct join *j)
{
	struct trace_reader *reader = reader_of(j);
	struct error ignored;
	int n = reader ? trace_reader_head(reader, &j->batch, &ignored) : 0;

	if (n < 0)
		return;
	if (n == 0) {
		next_part(j);
		return;
	}
	if (memcmp(j->batch.header.session, j->session->id, 16))
		return;
	j->horizon_ns = j->batch.header.anchor.wall_ns;
	if (!j->batch.late || trace_reader_load(reader, &j->batch, &ignored) <= 0)
		return;
	for (uint32_t row = 0; row < j->batch.late; row++) {
		struct late_result late;

		batch_late_result(&j->batch, row, &late);
		late_add(&j->session->late, &late);
	}
}

/* Gives memory back, and the file, but for one that can only be read from its start. */
static void rest(struct join *j)
{
	batch_release(&j->batch);
	if (!j->reader || !trace_reader_seeks_freely(j->reader))
		return;
	j->at = trace_reader_position(j->reader);
	j->began = true;
	trace_reader_free(j->reader);
	j->reader = NULL;
}

const struct result *join_find(struct join *j, uint64_t number, int64_t wall_ns)
{
	int64_t until = INT64_MAX;

	if (!j->sorted)
		qsort(j->parts, j->count, sizeof *j->parts, compare);
	j->sorted = true;
	if (j->windows && wall_ns < INT64_MAX - 2 * WINDOW_NS)
		until = wall_ns + WINDOW_NS;
	if (!j->all && j->horizon_ns < until) {
		until += until == INT64_MAX ? 0 : WINDOW_NS;
		late_forget(&j->session->late, number > BEHIND ? number - BEHIND : 0);
		while (!j->all && j->horizon_ns < until)
			read_batch(j);
		rest(j);
	}
	return late_find(&j->session->late, number);
}
