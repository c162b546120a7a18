/* SPDX-License-Identifier: BSD-2-Clause */
/* Results that became known after their events were written, by the number of the event. */
#ifndef LATE_H
#define LATE_H

#include "../formats/event.h"

/* All zero is an empty table. */
struct late {
	struct late_slot {
		uint64_t number;
		struct result result;
		bool used;
	} * slots;
	size_t count, capacity; /* a power of two */
};

void late_release(struct late *late);

/* A later one replaces an earlier one. Returns 0, or -1: out of memory. */
int late_add(struct late *late, const struct late_result *result);

/* NULL: there is none. Valid until the next change. */
const struct result *late_find(const struct late *late, uint64_t number);

/* Forgets those of events before that number. */
void late_forget(struct late *late, uint64_t number);

#endif
