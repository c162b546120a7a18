/* SPDX-License-Identifier: BSD-2-Clause */
#include "source.h"
#include "queue.h"

#include <stdlib.h>

void scan_report(struct scan *scan, const struct error *error)
{
	scan->incomplete = true;
	scan->report(scan->context, error);
}

void source_release(struct source *s)
{
	trace_reader_free(s->reader);
	batch_release(&s->batch);
	queue_free(s->queue);
	free(s->verdicts);
	memset(s, 0, sizeof *s);
}

static void out_of_memory(const struct source *s, struct scan *scan)
{
	struct error error;

	error_set(&error, "%s: out of memory", s->file->name);
	scan_report(scan, &error);
}

static void close_file(struct source *s)
{
	if (s->reader && s->primary) {
		s->file->facts = trace_reader_facts(s->reader);
		s->file->ended = true;
	}
	trace_reader_free(s->reader);
	s->reader = NULL;
}

static void end(struct source *s)
{
	close_file(s);
	batch_release(&s->batch);
	queue_free(s->queue);
	s->queue = NULL;
	free(s->verdicts);
	s->verdicts = NULL;
	s->verdict_capacity = 0;
	s->state = SOURCE_ENDED;
}

static bool owns(const struct source *s, const uint8_t id[16])
{
	const struct trace_file *file = s->file;

	if (s->only && !memcmp(s->only->id, id, 16))
		return true;
	if (!s->primary)
		return false;
	for (size_t i = 0; i < file->session_count; i++)
		if (&file->sessions[i] != s->only && !memcmp(file->sessions[i].id, id, 16))
			return false;
	return true;
}

/* Whether the filter may want anything of the batch, by its head. */
static bool is_wanted(const struct scan *scan, const struct batch *head)
{
	int64_t first = batch_wall_ns(head, head->header.first_ns);
	int64_t last = batch_wall_ns(head, head->header.last_ns);

	/* What a hostile head says of its times proves nothing. */
	if (first <= last && ((scan->filter->has_since && last < scan->filter->since_ns) ||
				     (scan->filter->has_until && first >= scan->filter->until_ns)))
		return false;
	return filter_wants_host(scan->filter, head->header.host);
}

/* Sets the rows that are new, at s->end or later. Returns 1; 0: there are none. */
static int take_rows(struct source *s, struct scan *scan)
{
	uint64_t begin = s->batch.header.sequence, first, behind;
	struct session_place place = session_place_of(&s->batch, s->file->name);
	int n = session_meet(
		s->session, begin + s->end, begin + s->batch.events, &place, &first, &behind);

	if (n < 0)
		out_of_memory(s, scan);
	if (n > 0) {
		s->row = (uint32_t)(first - begin);
		s->end = (uint32_t)(behind - begin);
	}
	return n > 0;
}

/* A batch was decoded: what was known of its processes is not true any more. */
static int clear_verdicts(struct source *s, struct scan *scan)
{
	s->generation = ++scan->generation;
	if (s->batch.processes > s->verdict_capacity) {
		free(s->verdicts);
		s->verdicts = malloc(s->batch.processes);
		s->verdict_capacity = s->verdicts ? s->batch.processes : 0;
	}
	if (s->batch.processes > s->verdict_capacity) {
		out_of_memory(s, scan);
		return -1;
	}
	if (s->verdicts)
		memset(s->verdicts, 0, s->batch.processes);
	return 0;
}

/* A batch is decoded: takes its rows. Returns 1; 0: it has none. */
static int begin_batch(struct source *s, struct scan *scan)
{
	s->row = s->end = 0;
	if (scan->progress)
		progress_batch(scan->progress, s->batch.events,
			batch_wall_ns(&s->batch, s->batch.header.first_ns));
	return !clear_verdicts(s, scan) && take_rows(s, scan);
}

/* Takes note of the events of a batch that is not read. */
static void pass_over(struct source *s)
{
	uint64_t begin = s->batch.header.sequence, first, behind;
	struct session_place place = session_place_of(&s->batch, s->file->name);

	while (session_meet(s->session, begin, begin + s->batch.events, &place, &first, &behind) >
		0)
		continue;
}

static int open_file(struct source *s, struct scan *scan)
{
	struct error error;

	s->reader = s->file->reader;
	s->file->reader = NULL;
	if (!s->reader)
		s->reader = trace_reader_open(s->file->name, &error);
	if (!s->reader) {
		if (s->primary)
			scan_report(scan, &error);
		return -1;
	}
	if (scan->follow && !s->file->is_stream)
		trace_reader_set_growing(s->reader, true);
	return 0;
}

/* The recorder has gone on to another file: no more will come in this one. Returns 1 or 0. */
static int next_file(struct source *s, struct scan *scan)
{
	while (s->file->next) {
		close_file(s);
		s->file = s->file->next;
		if (!open_file(s, scan))
			return 1;
	}
	return 0;
}

/*
 * The next batch of ours as its head. Returns 1; 0: the end, or the end for now;
 * what has nothing new or wanted is taken note of and passed over.
 */
static int next_head(struct source *s, struct scan *scan)
{
	struct error error;
	int n;

	for (;;) {
		const struct batch_header *h = &s->batch.header;

		n = s->reader ? trace_reader_head(s->reader, &s->batch, &error) : 0;
		if (n == 0 && !next_file(s, scan))
			return 0;
		if (n == 0)
			continue;

		if (n < 0) {
			if (s->primary)
				scan_report(scan, &error);
			continue;
		}
		s->at = trace_reader_position(s->reader);
		if (!owns(s, h->session))
			continue;
		s->session = sessions_get(&scan->sessions, h->session);
		if (!s->session) {
			out_of_memory(s, scan);
			return 0;
		}
		session_note(s->session, &s->batch, s->file->name);
		if (s->queue)
			return 1; /* it may bring results */
		if (!s->batch.events || !is_wanted(scan, &s->batch)) {
			pass_over(s);
			continue;
		}
		if (session_has_met(s->session, h->sequence, h->sequence + s->batch.events))
			continue;
		return 1;
	}
}

/* Returns 1; 0: the end, or the end for now. */
static int next_batch(struct source *s, struct scan *scan)
{
	struct error error;

	while (next_head(s, scan)) {
		if (trace_reader_load(s->reader, &s->batch, &error) < 0)
			scan_report(scan, &error);
		else if (begin_batch(s, scan))
			return 1;
	}
	return 0;
}

/* The same through the queue. While files are followed, what is undecided waits on. */
static int next_queued(struct source *s, struct scan *scan)
{
	struct error error;
	bool at_end = false;

	for (;;) {
		if (queue_is_due(s->queue, at_end)) {
			if (queue_pop(s->queue, &s->batch, &s->session, &error) > 0 &&
				is_wanted(scan, &s->batch) && begin_batch(s, scan))
				return 1;
			continue;
		}
		if (at_end)
			return 0;
		if (!next_head(s, scan)) {
			if (scan->follow && !s->file->is_stream)
				return 0;
			at_end = true;
		} else if (trace_reader_load(s->reader, &s->batch, &error) < 0) {
			scan_report(scan, &error);
		} else if (queue_push(s->queue, trace_reader_record(s->reader), s->session)) {
			out_of_memory(s, scan);
		}
	}
}

static int start(struct source *s, struct scan *scan)
{
	if (open_file(s, scan))
		return -1;
	if (scan->results && (s->file->is_stream || scan->follow)) {
		s->queue = queue_new();
		if (!s->queue) {
			out_of_memory(s, scan);
			return -1;
		}
	}
	return 0;
}

static bool wants_process(struct source *s, struct scan *scan, uint32_t row)
{
	uint32_t process = (uint32_t)column_get(&s->batch.process, row);
	uint8_t *verdict = &s->verdicts[process];

	if (!*verdict)
		*verdict =
			filter_wants_process(scan->filter, &s->batch.table[process], &scan->notes)
				? 2
				: 1;
	return *verdict == 2;
}

/* What the row says, or what became known later. */
static void find_result(struct source *s, const struct scan *scan, struct result *result)
{
	const struct result *late = NULL;
	uint64_t number = s->batch.header.sequence + s->row;

	batch_result(&s->batch, s->row, result);
	if (!scan->results || result->outcome != OUTCOME_PENDING)
		return;
	if (s->session->join)
		late = join_find(s->session->join, number, s->wall_ns);
	else
		late = late_find(&s->session->late, number);
	if (late)
		*result = *late;
}

static bool wants_result(struct source *s, struct scan *scan)
{
	bool known = s->result.outcome != OUTCOME_PENDING || column_get(&s->batch.returned, s->row);

	if (!filter_needs_result(scan->filter))
		return true;
	(known ? scan->notes.known : scan->notes.unknown)[FACT_RESULT]++;
	return filter_wants_result(scan->filter, &s->result);
}

static bool wants_expression(const struct source *s, const struct scan *scan)
{
	struct event event;

	if (!scan->filter->expression)
		return true;
	batch_event(&s->batch, s->row, &event);
	return expression_matches(scan->filter->expression, &event);
}

/* Column by column: most rows fail at the first. Sets time and result of one that matches. */
static bool row_matches(struct source *s, struct scan *scan)
{
	const struct filter *f = scan->filter;
	const struct batch *b = &s->batch;
	uint32_t row = s->row;

	if (f->family && f->family != (column_get(&b->daddr, row) <= b->ipv4 ? 4 : 6))
		return false;
	if (f->ports.count && !filter_wants_port(f, (uint16_t)column_get(&b->dport, row)))
		return false;
	if (!wants_process(s, scan, row))
		return false;
	if (f->netns.count &&
		!filter_wants_netns(f, (uint32_t)column_get(&b->net_ns, row), &scan->notes))
		return false;
	s->wall_ns = batch_wall_ns(b, b->header.first_ns + column_get(&b->time, row));
	if (!filter_wants_time(f, s->wall_ns))
		return false;
	if (scan->results || filter_needs_result(f))
		find_result(s, scan, &s->result);
	return wants_result(s, scan) && wants_expression(s, scan);
}

bool source_append(struct source *s, struct trace_file *file)
{
	const uint8_t *id = s->only ? s->only->id : s->session ? s->session->id : NULL;
	struct trace_file *last = s->file;

	if (s->state == SOURCE_ENDED || !id || file->session_count != 1 ||
		memcmp(id, file->sessions[0].id, 16))
		return false;
	while (last->next)
		last = last->next;
	last->next = file;
	return true;
}

bool source_waits(const struct source *s)
{
	return s->queue && !queue_is_empty(s->queue);
}

void source_advance(struct source *s, struct scan *scan)
{
	if (s->state == SOURCE_NEW && start(s, scan)) {
		end(s);
		return;
	}
	if (s->state == SOURCE_READY)
		s->row++;
	for (;;) {
		for (; s->row < s->end; s->row++)
			if (row_matches(s, scan)) {
				s->state = SOURCE_READY;
				return;
			}
		if (s->batch.events && take_rows(s, scan))
			continue;
		if (!(s->queue ? next_queued : next_batch)(s, scan))
			break;
	}
	s->row = s->end = s->batch.events = 0;
	if (scan->follow && !s->file->is_stream &&
		(!s->reader || !trace_reader_facts(s->reader).closed || source_waits(s)))
		s->state = SOURCE_IDLE;
	else
		end(s);
}

void source_rest(struct source *s)
{
	trace_reader_free(s->reader);
	s->reader = NULL;
	batch_release(&s->batch);
	free(s->verdicts);
	s->verdicts = NULL;
	s->verdict_capacity = 0;
	s->state = SOURCE_RESTING;
}

void source_resume(struct source *s, struct scan *scan)
{
	struct error error;

	s->reader = trace_reader_open(s->file->name, &error);
	if (s->reader && !trace_reader_seek(s->reader, s->at) &&
		trace_reader_next(s->reader, &s->batch, &error) > 0 && s->batch.events >= s->end &&
		!clear_verdicts(s, scan)) {
		s->state = SOURCE_READY;
		return;
	}
	error_set(&error, "%s: it changed while it was read", s->file->name);
	scan_report(scan, &error);
	end(s);
}

void source_event(const struct source *s, const struct scan *scan, struct event *event)
{
	batch_event(&s->batch, s->row, event);
	if (scan->results)
		event->result = s->result;
}
