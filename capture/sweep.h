/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the maps of the backends fentry and kprobe hold of calls and attempts
 * whose end the kernel did not show to the programs. Such an entry is replaced
 * when the thread or the memory of the socket is used again, which may be never:
 * so they are looked for, or the maps would fill up in weeks.
 */
#ifndef SWEEP_H
#define SWEEP_H

#include <stddef.h>
#include <stdint.h>

/* Descriptors; negative: this backend has no such map. */
struct sweep_maps {
	int calls, open_attempts, held;
	const void *slots; /* OPEN_SLOTS of them, mapped; NULL: it has none */
	size_t slot_size;
};

struct swept {
	uint64_t calls;    /* never recorded */
	uint64_t returns;  /* their call was never seen to return, and is counted for that elsewhere
			    */
	uint64_t outcomes; /* recorded, but how they ended will not be known */
	uint64_t held;     /* held back until they fail: never recorded */
};

/* Deletes what is too old to be under way at now_ns (CLOCK_BOOTTIME). */
struct swept sweep(const struct sweep_maps *maps, uint64_t now_ns);

/* The calls alone; with UINT64_MAX all of them. Returns how many were never recorded. */
uint64_t sweep_calls(int map, uint64_t now_ns);

/* Entries of a map; 0 without one. */
uint32_t sweep_count(int map);

/*
 * Slots with attempts under way. Those whose end was not seen are not counted once
 * they are too old: the programs take such slots for others.
 */
uint32_t sweep_count_slots(const struct sweep_maps *maps, uint64_t now_ns);

#endif
