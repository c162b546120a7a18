/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Notices that the wall clock was set. A batch has one pair of clocks for all its
 * events: those from before and from after must not share one.
 */
#ifndef CLOCK_WATCH_H
#define CLOCK_WATCH_H

#include "../formats/event.h"

struct clock_watch {
	int timer;                  /* -1: nothing is noticed */
	struct clock_anchor now;    /* of the last look */
	struct clock_anchor before; /* of the one before the clock was set */
	uint64_t set_ns;            /* when that was, boot clock; 0: never */
};

/* The descriptor becomes readable at once when the clock is set, or the machine resumed. */
void clock_watch_open(struct clock_watch *watch);
void clock_watch_close(struct clock_watch *watch);

/* Looks at both clocks. True: the wall clock was set since the last look. */
bool clock_watch_look(struct clock_watch *watch);

/* Whether an event of that time happened before the clock was set. */
bool clock_watch_is_before(const struct clock_watch *watch, uint64_t time_ns);

#endif
