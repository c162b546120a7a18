/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Batches of a stream that wait until the results of their events are known, for
 * a bounded time and in bounded memory.
 */
#ifndef QUEUE_H
#define QUEUE_H

#include "session.h"

struct queue;

/* NULL: out of memory. */
struct queue *queue_new(void);
void queue_free(struct queue *queue);

/* Copies the record, and adds its late results to the session. -1: out of memory. */
int queue_push(struct queue *queue, struct bytes record, struct session *session);

/*
 * True when the first one need not wait any more: its results are known, or what
 * came behind it is too much or too late, or it has waited too long.
 * at_end: nothing more will come.
 */
bool queue_is_due(struct queue *queue, bool at_end);

bool queue_is_empty(const struct queue *queue);

/* Decodes the first one, and removes it at the next call. Returns 1; 0: it is empty. */
int queue_pop(
	struct queue *queue, struct batch *batch, struct session **session, struct error *error);

#endif
