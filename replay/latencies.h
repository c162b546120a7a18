/* SPDX-License-Identifier: BSD-2-Clause */
/* Percentiles of latencies in little memory: exact of a few, right within 1 % of many. */
#ifndef LATENCIES_H
#define LATENCIES_H

#include "arena.h"

#include <stdint.h>
#include <string.h>

#define LATENCIES_EXACT 32
#define LATENCIES_BUCKETS 64 /* of each octave: 1.6 % wide, and the middle is taken */

/* All zero is an empty one. */
struct latencies {
	/* Of more than LATENCIES_EXACT: where the place of the next one goes, if they differ. */
	uint16_t *next, *end;
	union {
		uint64_t *exact;             /* of few: themselves; owned */
		struct histogram *histogram; /* of more; in the arena */
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

/*
 * The same of many, at most LATENCIES_MANY, that are below 2^24; of a larger one anything. The
 * highest bits of a float are what is looked for.
 */
#define LATENCIES_SMALL (1u << 24)
#define LATENCIES_MANY 256
static inline void latencies_places(const uint32_t *values, uint32_t count, uint32_t *places)
{
	const uint32_t octave_0 = (127 + 5) * LATENCIES_BUCKETS;
	uint32_t bits[LATENCIES_MANY];
	float reals[LATENCIES_MANY];

	for (uint32_t i = 0; i < count; i++)
		reals[i] = (float)(int32_t)values[i];
	memcpy(bits, reals, count * sizeof *bits);
	for (uint32_t i = 0; i < count; i++)
		places[i] = values[i] < LATENCIES_BUCKETS ? values[i] : (bits[i] >> 17) - octave_0;
}

#define LATENCIES_NO_PLACE 0xfffe /* this and above are of no value */

/*
 * Returns 0, or -1: out of memory. Its place may be put at next instead, if that is not end. The
 * arena must outlive them.
 */
int latencies_add(struct latencies *latencies, uint64_t value, struct arena *arena);

/*
 * Adds those of the other, which may lose them: its arena must outlive these too. Returns 0, or
 * -1: out of memory.
 */
int latencies_join(struct latencies *latencies, struct latencies *other, struct arena *arena);

/* How many were added. */
uint64_t latencies_count(const struct latencies *latencies);

/* The smallest value that percent of all are not above. Only if there is one. */
uint64_t latencies_percentile(const struct latencies *latencies, unsigned int percent);

void latencies_release(struct latencies *latencies);

#endif
