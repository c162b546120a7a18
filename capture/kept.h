/* SPDX-License-Identifier: BSD-2-Clause */
/* Copies of events that wait for their outcome: to be shown with it, or to be dropped for it. */
#ifndef KEPT_H
#define KEPT_H

#include "../formats/event.h"

struct kept;

struct kept_event {
	struct event event; /* what it points to is kept with it */
	uint64_t number;    /* the caller's */
};

/* For up to limit events. NULL: out of memory. */
struct kept *kept_new(uint32_t limit);
void kept_free(struct kept *kept);

/* Copies the event with its process. Returns its slot, or -1: no room. */
int64_t kept_add(struct kept *kept, const struct event *event, uint64_t number);

/* The event in a slot, as long as it stays there. */
struct kept_event *kept_get(struct kept *kept, uint64_t slot);

void kept_remove(struct kept *kept, uint64_t slot);

/* Calls visit for each event that is left, the oldest first. */
void kept_visit(
	struct kept *kept, void (*visit)(void *context, struct kept_event *event), void *context);

#endif
