/* SPDX-License-Identifier: BSD-2-Clause */
#include "latencies.h"

#include <stdlib.h>
#include <string.h>

#define BUCKETS 64 /* of each octave: 1.6 % wide, and the middle is taken */

/*
 * Octave 0 holds 0 to 63, octave n from 2^(n + 5) to below 2^(n + 6). Returns
 * octave * BUCKETS + bucket.
 */
static uint16_t place(uint64_t value)
{
	unsigned int octave = value < BUCKETS ? 0 : 58 - (unsigned int)__builtin_clzll(value);

	if (!octave)
		return (uint16_t)value;
	return (uint16_t)(octave * BUCKETS + (value >> (octave - 1) & (BUCKETS - 1)));
}

static int count_recent(struct latencies *l)
{
	for (uint32_t i = 0; i < l->recent_count; i++) {
		uint32_t **octave = &l->octaves[l->recent[i] / BUCKETS];
		uint32_t *bucket;

		if (!*octave)
			*octave = calloc(BUCKETS, sizeof **octave);
		if (!*octave)
			return -1;
		bucket = &(*octave)[l->recent[i] % BUCKETS];
		*bucket += *bucket < UINT32_MAX;
	}
	l->recent_count = 0;
	return 0;
}

int latencies_add(struct latencies *l, uint64_t value)
{
	if (l->count < LATENCIES_EXACT)
		l->exact[l->count] = value;
	l->count++;
	l->recent[l->recent_count++] = place(value);
	return l->recent_count < LATENCIES_RECENT ? 0 : count_recent(l);
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* The middle of a bucket. */
static uint64_t value_of(unsigned int octave, unsigned int bucket)
{
	if (!octave)
		return bucket;
	return ((uint64_t)(BUCKETS + bucket) << (octave - 1)) + (UINT64_C(1) << (octave - 1)) / 2;
}

uint64_t latencies_percentile(const struct latencies *l, unsigned int percent)
{
	/* Rank, from 1. */
	uint64_t rank = (l->count / 100) * percent + (l->count % 100 * percent + 99) / 100;
	uint64_t sorted[LATENCIES_EXACT], seen = 0;

	rank = rank ? rank : 1;
	if (l->count <= LATENCIES_EXACT) {
		memcpy(sorted, l->exact, sizeof sorted);
		qsort(sorted, l->count, sizeof *sorted, compare);
		return sorted[rank - 1];
	}
	for (unsigned int octave = 0; octave < 59; octave++)
		for (unsigned int bucket = 0; bucket < BUCKETS; bucket++) {
			if (l->octaves[octave])
				seen += l->octaves[octave][bucket];
			for (uint32_t i = 0; i < l->recent_count; i++)
				seen += l->recent[i] == octave * BUCKETS + bucket;
			if (seen >= rank)
				return value_of(octave, bucket);
		}
	return 0;
}

void latencies_release(struct latencies *l)
{
	for (unsigned int i = 0; i < 59; i++)
		free(l->octaves[i]);
	memset(l, 0, sizeof *l);
}
