/* SPDX-License-Identifier: BSD-2-Clause */
#include "source.h"
#include "ahead.h"
#include "queue.h"

#include <stdlib.h>

#define SOME 256 /* rows at a time */

void scan_report(struct scan *scan, const struct error *error)
{
	scan->incomplete = true;
	scan->report(scan->context, error);
}

void memory_release(struct memory *memory)
{
	batch_release(&memory->batch);
	selection_release(&memory->selection);
	free(memory->bytes.data);
	memory->bytes = (struct fetched){0};
}

void source_release(struct source *s)
{
	trace_reader_free(s->reader);
	batch_release(&s->batch);
	queue_free(s->queue);
	selection_release(&s->selection);
	free(s->bytes.data);
	if (s->held)
		held_release(s->held);
	free(s->found);
	memset(s, 0, sizeof *s);
}

struct held *source_hold(struct source *s)
{
	struct held *h = s->held ? s->held : calloc(1, sizeof *h);

	if (!h || s->held)
		return h;
	h->batch = s->batch;
	h->users = 1;
	return s->held = h;
}

/* The batch at hand is to go: whoever holds it gets it, or is done with it before. */
static void leave_batch(struct source *s, struct scan *scan)
{
	struct held *h = s->held;

	s->held = NULL;
	if (h && h->users > 1 && !s->owned)
		scan->settle(scan->context);
	if (h && h->users > 1) {
		struct held *spare = scan->spares, none = {0};

		h->spares = &scan->spares;
		h->bytes = s->bytes;
		s->bytes = spare ? spare->bytes : none.bytes;
		s->batch = spare ? spare->batch : none.batch;
		/* All is decompressed, and this is large. */
		s->batch.body.context = h->batch.body.context;
		h->batch.body.context = NULL;
		if (spare)
			scan->spares = spare->next;
		free(spare);
	}
	if (h)
		held_release(h);
}

static void out_of_memory(const struct source *s, struct scan *scan)
{
	struct error error;

	error_set(&error, "%s: out of memory", s->file->name);
	scan_report(scan, &error);
}

static void close_file(struct source *s, struct scan *scan)
{
	ahead_drop(s, scan);
	if (s->reader && s->primary) {
		s->file->facts = trace_reader_facts(s->reader);
		s->file->ended = true;
	}
	trace_reader_free(s->reader);
	s->reader = NULL;
}

void scan_add_notes(struct scan *scan, const struct filter_notes *notes)
{
	for (size_t i = 0; i < FILTER_FACTS; i++) {
		scan->notes.known[i] += notes->known[i];
		scan->notes.unknown[i] += notes->unknown[i];
	}
}

/* Of the two, one holds none. */
static void swap_memory(struct source *s, struct scan *scan)
{
	struct memory memory = {s->batch, s->selection, s->bytes};

	s->batch = scan->spare.batch;
	s->selection = scan->spare.selection;
	s->bytes = scan->spare.bytes;
	scan->spare = memory;
}

/* Gives away what belongs to the batch at hand; what was noted of it stays. */
static void drop_batch(struct source *s, struct scan *scan)
{
	scan_add_notes(scan, &s->selection.notes);
	leave_batch(s, scan);
	memory_release(&scan->spare);
	swap_memory(s, scan);
	free(s->found);
	s->found = NULL;
	s->found_count = s->found_capacity = s->found_next = s->next = 0;
}

static void take_memory(struct source *s, struct scan *scan)
{
	swap_memory(s, scan);
	s->batch.events = s->selection.count = 0;
	memset(&s->selection.notes, 0, sizeof s->selection.notes);
}

static void end(struct source *s, struct scan *scan)
{
	close_file(s, scan);
	drop_batch(s, scan);
	queue_free(s->queue);
	s->queue = NULL;
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

static bool wants_by_head(const struct filter *filter, const struct batch *head)
{
	int64_t first = batch_wall_ns(head, head->header.first_ns);
	int64_t last = batch_wall_ns(head, head->header.last_ns);

	/* What a hostile head says of its times proves nothing. */
	if (first <= last && ((filter->has_since && last < filter->since_ns) ||
				     (filter->has_until && first >= filter->until_ns)))
		return false;
	return filter_wants_host(filter, head->header.host);
}

bool source_wants(const struct filter *filter, const struct batch *head)
{
	return head->events && wants_by_head(filter, head) &&
	       !filter_skips(filter, head->header.skip);
}

/* The same. What is skipped by its summary does not lack what the filter asks of processes. */
static bool is_wanted(struct scan *scan, const struct batch *head)
{
	static const enum filter_fact facts[] = {
		FACT_COMM, FACT_EXE, FACT_CONTAINER, FACT_CGROUP, FACT_ANCESTOR};

	if (!wants_by_head(scan->filter, head))
		return false;
	if (!filter_skips(scan->filter, head->header.skip))
		return true;
	for (size_t i = 0; i < sizeof facts / sizeof *facts; i++)
		scan->notes.known[facts[i]]++;
	return false;
}

bool source_may_want(const struct source *s, const struct scan *scan, const struct batch *head)
{
	return owns(s, head->header.session) && source_wants(scan->filter, head);
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

/* Takes note of the events of a batch that is not read. */
static void pass_over(struct source *s)
{
	uint64_t begin = s->batch.header.sequence, first, behind;
	struct session_place place = session_place_of(&s->batch, s->file->name);

	while (session_meet(s->session, begin, begin + s->batch.events, &place, &first, &behind) >
		0)
		continue;
}

/* What became known later of an event whose row says nothing. NULL: nothing. */
static const struct result *late_result(struct source *s, uint32_t row)
{
	const struct batch *b = &s->batch;
	uint64_t number = b->header.sequence + row;
	uint64_t time = b->header.first_ns + column_get(&b->time, row);

	return s->session->join ? join_find(s->session->join, number, batch_wall_ns(b, time))
				: late_find(&s->session->late, number);
}

static int remember_late(struct source *s, uint32_t row, const struct result *result)
{
	if (s->found_count == s->found_capacity) {
		uint32_t capacity = s->found_capacity ? s->found_capacity * 2 : 64;
		struct found *grown = realloc(s->found, capacity * sizeof *grown);

		if (!grown)
			return -1;
		s->found = grown;
		s->found_capacity = capacity;
	}
	s->found[s->found_count++] = (struct found){row, *result};
	return 0;
}

/* Whether any row may say nothing of its result. */
static bool may_be_pending(const struct batch *b)
{
	const struct column *outcome = &b->outcome;

	/* Most batches have only others, and say so: sums that do not wrap are not below the base.
	 */
	return outcome->base <= OUTCOME_PENDING || outcome->base > OUTCOME_ABANDONED ||
	       outcome->width > 4;
}

/* Finds the late results of the rows that are selected, and keeps those whose result is wanted. */
static int take_results(struct source *s, struct scan *scan)
{
	const struct batch *b = &s->batch;
	struct selection *selection = &s->selection;
	uint32_t kept = 0;

	for (uint32_t i = 0; i < selection->count; i++) {
		uint32_t row = selection->rows[i];
		bool pending = column_get(&b->outcome, row) == OUTCOME_PENDING;
		const struct result *late = pending && scan->results ? late_result(s, row) : NULL;
		struct result result;
		bool known;

		batch_result(b, row, &result);
		result = late ? *late : result;
		known = result.outcome != OUTCOME_PENDING || column_get(&b->returned, row);
		(known ? scan->notes.known : scan->notes.unknown)[FACT_RESULT]++;
		if (!filter_wants_result(scan->filter, &result))
			continue;
		if (late && remember_late(s, row, late))
			return -1;
		selection->rows[kept++] = row;
	}
	selection->count = kept;
	return 0;
}

/* The same where no result is asked for. */
static int find_results(struct source *s)
{
	const struct selection *selection = &s->selection;
	uint32_t outcomes[SOME];

	for (uint32_t i = 0, n; i < selection->count; i += n) {
		const uint32_t *rows = selection->rows + i;
		bool pending = false;

		n = selection->count - i < SOME ? selection->count - i : SOME;
		column_take_small(&s->batch.outcome, rows, n, outcomes);
		for (uint32_t k = 0; k < n; k++)
			pending |= outcomes[k] == OUTCOME_PENDING;
		for (uint32_t k = 0; pending && k < n; k++) {
			const struct result *late =
				outcomes[k] == OUTCOME_PENDING ? late_result(s, rows[k]) : NULL;

			if (late && remember_late(s, rows[k], late))
				return -1;
		}
	}
	return 0;
}

/* The columns that are looked at here, and by who takes the rows. */
static uint32_t bits_of(const struct scan *scan, bool asked)
{
	uint32_t bits = scan->bits;

	if (scan->results)
		bits |= EVENT_BIT(EVENT_OUTCOME);
	if (asked)
		bits |= EVENT_RESULT_BITS | EVENT_BIT(EVENT_RETURNED);
	if (!scan->any_order)
		bits |= EVENT_BIT(EVENT_TIME);
	return bits;
}

int source_prepare(const struct scan *scan, struct selection *selection, struct batch *batch,
	struct error *error)
{
	bool asked = filter_needs_result(scan->filter);

	if (select_rows(scan->selector, selection, batch, error))
		return -1;
	if (!selection->count)
		return 0;
	if (batch_need(batch, bits_of(scan, asked), error))
		return -1;
	if (batch->loaded & (EVENT_BIT(EVENT_SADDR) | EVENT_BIT(EVENT_DADDR)) &&
		selection->count > (uint64_t)batch->ipv4 + batch->ipv6)
		batch_decode_addresses(batch);
	/* The time is for late_result(). */
	return scan->results && may_be_pending(batch)
		       ? batch_need(batch, EVENT_BIT(EVENT_TIME), error)
		       : 0;
}

/*
 * The rows of a batch that match; ready: it was prepared. Returns 1; 0: it has none;
 * -1: it is damaged, which was told.
 */
static int select_batch(struct source *s, struct scan *scan, bool ready)
{
	bool asked = filter_needs_result(scan->filter);
	struct batch *b = &s->batch;
	struct error error;

	s->next = s->found_next = s->found_count = 0;
	s->owned = ready;
	s->rows = (struct rows){.batch = b,
		.generation = ++scan->generation,
		.bits = scan->bits,
		.start_ns = batch_wall_ns(b, b->header.first_ns)};
	if (!ready && source_prepare(scan, &s->selection, b, &error)) {
		trace_reader_damaged(s->reader, &error);
		scan_report(scan, &error);
		return -1;
	}
	if (asked ? take_results(s, scan) : scan->results && may_be_pending(b) && find_results(s)) {
		out_of_memory(s, scan);
		return -1;
	}
	return s->selection.count > 0;
}

/* A batch is decoded: takes its rows. Returns 1; 0: it has none that match. */
static int begin_batch(struct source *s, struct scan *scan, bool ready)
{
	int n;

	s->row = s->end = 0;
	if (scan->progress)
		progress_batch(scan->progress, s->batch.events,
			batch_wall_ns(&s->batch, s->batch.header.first_ns));
	n = select_batch(s, scan, ready);
	if (n == 0)
		pass_over(s);
	return n > 0 && take_rows(s, scan);
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
		close_file(s, scan);
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
			s->passed = true;
			continue;
		}
		if (session_has_met(s->session, h->sequence, h->sequence + s->batch.events)) {
			s->passed = true;
			continue;
		}
		n = trace_reader_look(s->reader, &s->batch, &error);
		if (n == 0 || (n > 0 && is_wanted(scan, &s->batch)))
			return 1;
		if (n > 0)
			pass_over(s);
		else
			scan_report(scan, &error);
		s->passed = true;
	}
}

/* Returns 1; 0: the end, or the end for now. */
static int next_batch(struct source *s, struct scan *scan)
{
	struct error error;

	while (next_head(s, scan)) {
		bool ready = ahead_take(s, scan);

		if (!ready && trace_reader_load_parts(s->reader, &s->batch, &error) < 0)
			scan_report(scan, &error);
		else if (begin_batch(s, scan, ready))
			return 1;
	}
	return 0;
}

static int load_whole(struct source *s, struct error *error)
{
	if (trace_reader_load(s->reader, &s->batch, error) < 0)
		return -1;
	return batch_need(&s->batch, EVENT_BITS, error) ? trace_reader_damaged(s->reader, error)
							: 0;
}

/* The same through the queue. While files are followed, what is undecided waits on. */
static int next_queued(struct source *s, struct scan *scan)
{
	struct error error;
	bool at_end = false;

	for (;;) {
		if (queue_is_due(s->queue, at_end)) {
			if (queue_pop(s->queue, &s->batch, &s->session, &error) > 0 &&
				is_wanted(scan, &s->batch) && begin_batch(s, scan, false))
				return 1;
			continue;
		}
		if (at_end)
			return 0;
		if (!next_head(s, scan)) {
			if (scan->follow && !s->file->is_stream)
				return 0;
			at_end = true;
		} else if (load_whole(s, &error) < 0) {
			scan_report(scan, &error);
		} else if (queue_push(s->queue, trace_reader_record(s->reader), s->session)) {
			out_of_memory(s, scan);
		}
	}
}

static int start(struct source *s, struct scan *scan)
{
	take_memory(s, scan);
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

/* Of no use where rows may come in any order: the time may not be there. */
static int64_t wall_of(const struct source *s, uint32_t row)
{
	return (int64_t)((uint64_t)s->rows.start_ns + column_get(&s->batch.time, row));
}

/* To the row of that number in the selection. */
static void go(struct source *s, uint32_t next, int64_t wall_ns)
{
	s->next = next;
	s->row = s->selection.rows[next];
	s->wall_ns = wall_ns;
	while (s->found_next < s->found_count && s->found[s->found_next].row < s->row)
		s->found_next++;
}

/* Goes to the first row that is selected, of those from s->row on that were taken. */
static bool next_row(struct source *s)
{
	const struct selection *selection = &s->selection;
	uint32_t i = s->next;

	while (i < selection->count && selection->rows[i] < s->row)
		i++;
	s->next = i;
	if (i == selection->count || selection->rows[i] >= s->end)
		return false;
	go(s, i, wall_of(s, selection->rows[i]));
	return true;
}

void source_advance(struct source *s, struct scan *scan)
{
	if (s->state == SOURCE_NEW && start(s, scan)) {
		end(s, scan);
		return;
	}
	if (s->state == SOURCE_READY)
		s->row++;
	for (;;) {
		if (next_row(s)) {
			s->state = SOURCE_READY;
			return;
		}
		if (s->batch.events && take_rows(s, scan))
			continue;
		leave_batch(s, scan);
		if (!(s->queue ? next_queued : next_batch)(s, scan))
			break;
	}
	s->row = s->end = s->batch.events = s->selection.count = 0;
	if (scan->follow && !s->file->is_stream &&
		(!s->reader || !trace_reader_facts(s->reader).closed || source_waits(s)))
		s->state = SOURCE_IDLE;
	else
		end(s, scan);
}

void source_rest(struct source *s, struct scan *scan)
{
	leave_batch(s, scan);
	ahead_drop(s, scan);
	trace_reader_free(s->reader);
	s->reader = NULL;
	drop_batch(s, scan);
	s->state = SOURCE_RESTING;
}

void source_resume(struct source *s, struct scan *scan)
{
	uint32_t row = s->row;
	struct error error;

	take_memory(s, scan);
	s->reader = trace_reader_open(s->file->name, &error);
	if (s->reader && !trace_reader_seek(s->reader, s->at) &&
		trace_reader_next(s->reader, &s->batch, &error) > 0 && s->batch.events >= s->end &&
		select_batch(s, scan, false) > 0 && next_row(s) && s->row == row) {
		s->state = SOURCE_READY;
		return;
	}
	error_set(&error, "%s: it changed while it was read", s->file->name);
	scan_report(scan, &error);
	end(s, scan);
}

static const struct result *found_result(const struct source *s)
{
	const struct found *next = s->found + s->found_next;

	return s->found_next < s->found_count && next->row == s->row ? &next->result : NULL;
}

void source_event(const struct source *s, const struct scan *scan, struct event *event)
{
	const struct result *late = found_result(s);

	batch_event_part(&s->batch, s->row, scan->bits, event);
	if (late)
		event->result = *late;
}

bool source_take(struct source *s, uint64_t most, int64_t until_ns, struct rows *taken)
{
	const uint32_t *rows = s->selection.rows;
	uint32_t first = s->next, next = first + 1, count = s->selection.count, end;
	int64_t wall_ns = INT64_MAX;

	if (rows[count - 1] >= s->end) /* rarely */
		for (count = next; rows[count] < s->end; count++)
			continue;
	end = count - first > most ? first + (uint32_t)most : count;
	if (until_ns == INT64_MAX)
		next = end;
	for (; next < end; next++) {
		wall_ns = wall_of(s, rows[next]);
		if (wall_ns > until_ns)
			break;
	}
	*taken = s->rows;
	taken->rows = rows + first;
	taken->count = next - first;
	taken->found = s->found ? s->found + s->found_next : NULL;
	taken->found_count = s->found_count - s->found_next;
	if (next < count) {
		go(s, next, next < end ? wall_ns : wall_of(s, rows[next]));
		return true;
	}
	s->next = next - 1;
	s->row = rows[s->next];
	return false;
}
