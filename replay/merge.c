/* SPDX-License-Identifier: BSD-2-Clause */
#include "merge.h"
#include "losses.h"

#include <stdlib.h>

#define HOST_MAX 255 /* bytes of a name; a writer cuts there too */

struct source {
	struct trace_reader *reader;
	struct batch batch;
	uint32_t row; /* of the batch: the next one; equal to batch.events: none left */
	int64_t wall_ns;
	struct losses losses;
	bool started, ended, unreadable;
};

struct merge {
	struct source *sources;
	size_t count;
	struct source *current; /* whose row was given out last */
	merge_report *report;
	void *context;
	struct event event;
	bool incomplete;
	/* As far as merge_has_several_hosts() has looked. */
	struct bytes host; /* the first one, in host_bytes */
	uint8_t host_bytes[HOST_MAX];
	bool several_hosts;
};

struct merge *merge_new(merge_report *report, void *context)
{
	struct merge *m = calloc(1, sizeof *m);

	if (m) {
		m->report = report;
		m->context = context;
	}
	return m;
}

void merge_free(struct merge *m)
{
	if (!m)
		return;
	for (size_t i = 0; i < m->count; i++) {
		trace_reader_free(m->sources[i].reader);
		batch_release(&m->sources[i].batch);
		losses_release(&m->sources[i].losses);
	}
	free(m->sources);
	free(m);
}

int merge_add(struct merge *m, const char *name, struct error *error)
{
	struct source *grown = realloc(m->sources, (m->count + 1) * sizeof *grown);

	if (!grown)
		return error_set(error, "%s: out of memory", name);
	m->sources = grown;
	grown += m->count;
	memset(grown, 0, sizeof *grown);
	grown->reader = trace_reader_open(name, error);
	if (!grown->reader)
		return -1;
	m->count++;
	return 0;
}

static void say(struct merge *m, const struct error *error)
{
	m->incomplete = true;
	m->report(m->context, error);
}

static void set_time(struct source *s)
{
	uint64_t time = s->batch.header.first_ns + column_get(&s->batch.time, s->row);

	s->wall_ns = batch_wall_ns(&s->batch, time);
}

static void end(struct merge *m, struct source *s)
{
	struct trace_facts facts = trace_reader_facts(s->reader);

	s->ended = true;
	s->unreadable = !trace_is_readable(&facts);
	if (losses_report(&s->losses, trace_reader_name(s->reader), m->report, m->context))
		m->incomplete = true;
}

/* Goes to the next row; loads the next batch that has one. */
static void advance(struct merge *m, struct source *s)
{
	struct error error;
	int n;

	if (s->batch.events)
		s->row++;
	while (s->row >= s->batch.events) {
		n = trace_reader_next(s->reader, &s->batch, &error);
		if (n < 0) {
			say(m, &error);
			s->batch.events = 0;
			continue;
		}
		if (n == 0) {
			end(m, s);
			return;
		}
		if (losses_note(&s->losses, &s->batch)) {
			error_set(&error, "%s: out of memory", trace_reader_name(s->reader));
			say(m, &error);
		}
		s->row = 0;
	}
	set_time(s);
}

static void start(struct merge *m, struct source *s)
{
	if (!s->started)
		advance(m, s);
	s->started = true;
}

int merge_next(struct merge *m, struct columns_row *row)
{
	struct source *first = NULL;

	for (size_t i = 0; i < m->count; i++)
		start(m, &m->sources[i]);
	/* Only now: the last row was borrowed until this call. */
	if (m->current)
		advance(m, m->current);
	for (size_t i = 0; i < m->count; i++) {
		struct source *s = &m->sources[i];

		if (!s->ended && (!first || s->wall_ns < first->wall_ns))
			first = s;
	}
	m->current = first;
	if (!first)
		return 0;
	batch_event(&first->batch, first->row, &m->event);
	row->event = &m->event;
	row->wall_ns = first->wall_ns;
	row->host = first->batch.header.host;
	row->backend = first->batch.header.backend;
	return 1;
}

/* context: struct merge */
static bool note_host(void *context, struct bytes host)
{
	struct merge *m = context;

	if (host.length > HOST_MAX)
		host.length = HOST_MAX;
	if (m->host.data) {
		m->several_hosts |= !bytes_equal(m->host, host);
	} else {
		memcpy(m->host_bytes, host.data, host.length);
		m->host = (struct bytes){m->host_bytes, host.length};
	}
	return !m->several_hosts;
}

bool merge_has_several_hosts(struct merge *m)
{
	for (size_t i = 0; i < m->count && !m->several_hosts; i++) {
		struct source *s = &m->sources[i];

		/* One pipe alone is not waited for: its first event would decide nothing. */
		if (!-1 || m->count == 1)
			continue;
		start(m, s);
		if (!s->ended)
			note_host(m, s->batch.header.host);
	}
	return m->several_hosts;
}

bool merge_incomplete(const struct merge *m)
{
	return m->incomplete;
}

size_t merge_unreadable(const struct merge *m)
{
	size_t unreadable = 0;

	for (size_t i = 0; i < m->count; i++)
		unreadable += m->sources[i].unreadable;
	return unreadable;
}

void merge_visit(const struct merge *m,
	void (*visit)(void *context, const char *name, struct trace_facts facts), void *context)
{
	for (size_t i = 0; i < m->count; i++)
		visit(context, trace_reader_name(m->sources[i].reader),
			trace_reader_facts(m->sources[i].reader));
}
