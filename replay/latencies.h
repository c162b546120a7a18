/* SPDX-License-Identifier: BSD-2-Clause */
/* Percentiles of latencies in little memory: exact of a few, right within 1 % of many. */
#ifndef LATENCIES_H
#define LATENCIES_H

#include <stdint.h>

#define LATENCIES_EXACT 32

/* All zero is an empty one. */
struct latencies {
	uint64_t count;
	uint64_t *exact;             /* of few: themselves; owned */
	struct histogram *histogram; /* of more; owned */
};

/* Returns 0, or -1: out of memory. */
int latencies_add(struct latencies *latencies, uint64_t value);

/* The smallest value that percent of all are not above. Only if count is not 0. */
uint64_t latencies_percentile(const struct latencies *latencies, unsigned int percent);

/* A hint that a value will be added soon. */
void latencies_prefetch(const struct latencies *l);
void latencies_release(struct latencies *latencies);

#endif
