/* SPDX-License-Identifier: BSD-2-Clause */
#include "clock.h"

#include <time.h>

static int64_t read_clock(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

uint64_t clock_boot_ns(void)
{
	return (uint64_t)read_clock(CLOCK_BOOTTIME);
}

/* The wall clock is read between two looks at the other; the closest of a few pairs counts. */
struct clock_anchor clock_anchor_now(void)
{
	struct clock_anchor best = {0};
	uint64_t best_gap = UINT64_MAX;

	for (int i = 0; i < 3; i++) {
		uint64_t before = clock_boot_ns();
		int64_t wall = read_clock(CLOCK_REALTIME);
		uint64_t gap = clock_boot_ns() - before;

		if (gap < best_gap) {
			best_gap = gap;
			best = (struct clock_anchor){before + gap / 2, wall};
		}
	}
	return best;
}
