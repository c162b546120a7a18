/* SPDX-License-Identifier: BSD-2-Clause */
#include "queue.h"

#include <stdlib.h>
#include <time.h>

#define BYTES_MAX (32u << 20)
#define WAIT_NS (5 * INT64_C(60000000000)) /* more than SYNs are tried again, usually */

struct entry {
	struct entry *next;
	struct session *session;
	int64_t pushed_s;
	size_t length;
	uint8_t record[];
};

struct queue {
	struct entry *first, **last;
	struct entry *given_out; /* whose bytes a batch borrows */
	size_t bytes;
	struct batch waiting; /* the first one, decoded, when it is */
	bool is_waiting;
	struct batch scratch;
};

struct queue *queue_new(void)
{
	struct queue *q = calloc(1, sizeof *q);

	if (q)
		q->last = &q->first;
	return q;
}

void queue_free(struct queue *q)
{
	if (!q)
		return;
	while (q->first) {
		struct entry *next = q->first->next;

		free(q->first);
		q->first = next;
	}
	free(q->given_out);
	batch_release(&q->waiting);
	batch_release(&q->scratch);
	free(q);
}

static int64_t monotonic_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	return now.tv_sec;
}

int queue_push(struct queue *q, struct bytes record, struct session *session)
{
	struct entry *entry = malloc(sizeof *entry + record.length);
	struct error ignored;

	if (!entry)
		return -1;
	entry->next = NULL;
	entry->session = session;
	entry->pushed_s = monotonic_s();
	entry->length = record.length;
	memcpy(entry->record, record.data, record.length);
	*q->last = entry;
	q->last = &entry->next;
	q->bytes += record.length;
	if (batch_parse(&q->scratch, record, &ignored))
		return 0; /* told when it is given out */
	for (uint32_t row = 0; row < q->scratch.late; row++) {
		struct late_result late;

		batch_late_result(&q->scratch, row, &late);
		if (late_add(&session->late, &late))
			return -1;
	}
	return 0;
}

static struct bytes record_of(const struct entry *entry)
{
	return (struct bytes){entry->record, entry->length};
}

bool queue_is_empty(const struct queue *q)
{
	return !q->first;
}

bool queue_is_due(struct queue *q, bool at_end)
{
	const struct entry *first = q->first;
	struct error ignored;
	int64_t last_ns;

	if (!first)
		return false;
	if (at_end || q->bytes > BYTES_MAX)
		return true;
	if (!q->is_waiting && batch_parse(&q->waiting, record_of(first), &ignored))
		return true;
	q->is_waiting = true;
	last_ns = batch_wall_ns(&q->waiting, q->waiting.header.last_ns);
	if (q->waiting.events && last_ns < INT64_MAX - WAIT_NS &&
		first->session->noted_ns > last_ns + WAIT_NS)
		return true;
	if (monotonic_s() - first->pushed_s > WAIT_NS / 1000000000)
		return true;
	for (uint32_t row = 0; row < q->waiting.events; row++)
		if (column_get(&q->waiting.outcome, row) == OUTCOME_PENDING &&
			!late_find(&first->session->late, q->waiting.header.sequence + row))
			return false;
	return true;
}

int queue_pop(struct queue *q, struct batch *batch, struct session **session, struct error *error)
{
	struct entry *first = q->first;

	if (!first)
		return 0;
	free(q->given_out);
	q->given_out = first;
	q->first = first->next;
	if (!q->first)
		q->last = &q->first;
	q->bytes -= first->length;
	q->is_waiting = false;
	*session = first->session;
	return batch_parse(batch, record_of(first), error) ? -1 : 1;
}
