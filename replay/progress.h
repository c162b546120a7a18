/* SPDX-License-Identifier: BSD-2-Clause */
/* A line on the terminal that says how far the reading is, when that takes long. */
#ifndef PROGRESS_H
#define PROGRESS_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

/* All zero shows nothing. */
struct progress {
	bool wanted, shown;
	uint64_t events;
	struct timespec due;
};

void progress_start(struct progress *progress);

/* A batch of so many events was read; the time of its first one. */
void progress_batch(struct progress *progress, uint32_t events, int64_t wall_ns);

/* Takes the line away, for what is printed now. */
void progress_clear(struct progress *progress);

#endif
