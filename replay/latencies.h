/* SPDX-License-Identifier: BSD-2-Clause */
/* Percentiles of latencies in little memory: exact of a few, right within 1 % of many. */
#ifndef LATENCIES_H
#define LATENCIES_H

#include <stdint.h>

#define LATENCIES_EXACT 32
#define LATENCIES_BUCKETS 64 /* of each octave: 1.6 % wide, and the middle is taken */

/* All zero is an empty one. */
struct latencies {
	/* Of more than LATENCIES_EXACT: where the place of the next one goes, if they differ. */
	uint16_t *next, *end;
	union {
		uint64_t *exact;             /* of few: themselves; owned */
		struct histogram *histogram; /* of more; owned */
	};
	uint64_t count; /* but for the places that latencies_add() did not count yet */
};

/*
 * What of a value decides where it is counted: octave * LATENCIES_BUCKETS + bucket.
 * Octave 0 holds 0 to 63, octave n from 2^(n + 5) to below 2^(n + 6).
 */
static inline uint16_t latencies_place(uint64_t value)
{
	const unsigned int buckets = LATENCIES_BUCKETS;
	unsigned int octave = 58 - (unsigned int)__builtin_clzll(value | buckets / 2);

	return (uint16_t)(octave * buckets + (value >> (octave - (octave > 0)) & (buckets - 1)));
}

#define LATENCIES_NO_PLACE 0xfffe /* this and above are of no value */

/* Returns 0, or -1: out of memory. Its place may be put at next instead, if that is not end. */
int latencies_add(struct latencies *latencies, uint64_t value);

/* How many were added. */
uint64_t latencies_count(const struct latencies *latencies);

/* The smallest value that percent of all are not above. Only if there is one. */
uint64_t latencies_percentile(const struct latencies *latencies, unsigned int percent);

void latencies_release(struct latencies *latencies);

#endif
