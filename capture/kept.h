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

bool kept_is_full(const struct kept *kept);

/*
 * Copies the event with its process, while there is room. Returns a ticket, which
 * is no other event's, or KEPT_NONE: out of memory.
 */
uint64_t kept_add(struct kept *kept, const struct event *event, uint64_t number);

#define KEPT_NONE UINT64_MAX

/* The event of a ticket, as long as it stays. NULL: it has been removed. */
struct kept_event *kept_get(struct kept *kept, uint64_t ticket);

/* The ticket of the one that was added first of those there are, or KEPT_NONE. */
uint64_t kept_oldest(const struct kept *kept);

void kept_remove(struct kept *kept, uint64_t ticket);

#endif
