/* SPDX-License-Identifier: BSD-2-Clause */
#include "latencies.h"

#include <stdlib.h>
#include <string.h>

#define OCTAVES 59
#define RECENT 500
#define BUCKETS 64 /* of each octave: 1.6 % wide, and the middle is taken */

struct histogram {
	uint32_t *octaves[OCTAVES]; /* BUCKETS each; owned; NULL: all zero */
	/* Places yet to be counted: many at once miss the cache less often. */
	uint32_t recent_count;
	uint16_t recent[RECENT];
};

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

static int count_recent(struct histogram *h)
{
	for (uint32_t i = 0; i < h->recent_count; i++) {
		uint32_t **octave = &h->octaves[h->recent[i] / BUCKETS], *bucket;

		if (!*octave)
			*octave = calloc(BUCKETS, sizeof **octave);
		if (!*octave)
			return -1;
		bucket = &(*octave)[h->recent[i] % BUCKETS];
		*bucket += *bucket < UINT32_MAX;
	}
	h->recent_count = 0;
	return 0;
}

/* There are too many to keep each. */
static int begin_counting(struct latencies *l)
{
	l->histogram = calloc(1, sizeof *l->histogram);
	if (!l->histogram)
		return -1;
	for (unsigned int i = 0; i < LATENCIES_EXACT; i++)
		l->histogram->recent[l->histogram->recent_count++] = place(l->exact[i]);
	free(l->exact);
	l->exact = NULL;
	return 0;
}

int latencies_add(struct latencies *l, uint64_t value)
{
	uint64_t count = l->count, *grown;

	if (count >= LATENCIES_EXACT) {
		struct histogram *h;

		if (count == LATENCIES_EXACT && begin_counting(l))
			return -1;
		l->count++;
		h = l->histogram;
		h->recent[h->recent_count++] = place(value);
		return h->recent_count < RECENT ? 0 : count_recent(h);
	}
	if (!(count & (count - 1))) { /* room for the next power of two, but at least 2 */
		grown = realloc(l->exact, (count ? count * 2 : 2) * sizeof *grown);
		if (!grown)
			return -1;
		l->exact = grown;
	}
	l->exact[l->count++] = value;
	return 0;
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

/* Of many. */
static uint64_t counted_percentile(const struct histogram *h, uint64_t rank)
{
	uint32_t recent[OCTAVES * BUCKETS] = {0};
	uint64_t seen = 0;

	for (uint32_t i = 0; i < h->recent_count; i++)
		recent[h->recent[i]]++;
	for (unsigned int octave = 0; octave < OCTAVES; octave++)
		for (unsigned int bucket = 0; bucket < BUCKETS; bucket++) {
			if (h->octaves[octave])
				seen += h->octaves[octave][bucket];
			seen += recent[octave * BUCKETS + bucket];
			if (seen >= rank)
				return value_of(octave, bucket);
		}
	return 0;
}

uint64_t latencies_percentile(const struct latencies *l, unsigned int percent)
{
	/* Rank, from 1. */
	uint64_t rank = (l->count / 100) * percent + (l->count % 100 * percent + 99) / 100;
	uint64_t sorted[LATENCIES_EXACT];

	rank = rank ? rank : 1;
	if (l->histogram)
		return counted_percentile(l->histogram, rank);
	memcpy(sorted, l->exact, l->count * sizeof *sorted);
	qsort(sorted, l->count, sizeof *sorted, compare);
	return sorted[rank - 1];
}

void latencies_release(struct latencies *l)
{
	for (unsigned int i = 0; l->histogram && i < OCTAVES; i++)
		free(l->histogram->octaves[i]);
	free(l->histogram);
	free(l->exact);
	memset(l, 0, sizeof *l);
}

void latencies_prefetch(const struct latencies *l)
{
	if (l->histogram)
		__builtin_prefetch(&l->histogram->recent[l->histogram->recent_count], 1);
}
