/* SPDX-License-Identifier: BSD-2-Clause */
#include "latencies.h"

#include <stdlib.h>
#include <string.h>

#define OCTAVES 59
#define RECENT 500
#define BUCKETS LATENCIES_BUCKETS

struct histogram {
	/* Places yet to be counted: many at once miss the cache less often. */
	uint16_t recent[RECENT];
	uint32_t *octaves[OCTAVES]; /* BUCKETS each; owned; NULL: all zero */
};

static size_t recent_of(const struct latencies *l)
{
	return l->next ? (size_t)(l->next - l->histogram->recent) : 0;
}

static int count_recent(struct latencies *l)
{
	struct histogram *h = l->histogram;
	size_t recent = recent_of(l);

	for (size_t i = 0; i < recent; i++) {
		uint32_t **octave = &h->octaves[h->recent[i] / BUCKETS], *bucket;

		if (!*octave)
			*octave = calloc(BUCKETS, sizeof **octave);
		if (!*octave)
			return -1;
		bucket = &(*octave)[h->recent[i] % BUCKETS];
		*bucket += *bucket < UINT32_MAX;
	}
	l->count += recent;
	l->next = h->recent;
	return 0;
}

/* There are too many to keep each. */
static int begin_counting(struct latencies *l)
{
	struct histogram *h = calloc(1, sizeof *h);

	if (!h)
		return -1;
	for (unsigned int i = 0; i < LATENCIES_EXACT; i++)
		h->recent[i] = latencies_place(l->exact[i]);
	free(l->exact);
	*l = (struct latencies){
		.next = h->recent + LATENCIES_EXACT, .end = h->recent + RECENT, .histogram = h};
	return 0;
}

int latencies_add(struct latencies *l, uint64_t value)
{
	uint64_t count = l->count, *grown;

	if (l->next || count == LATENCIES_EXACT) {
		if (l->next == l->end && (l->next ? count_recent(l) : begin_counting(l)))
			return -1;
		*l->next++ = latencies_place(value);
		return 0;
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

uint64_t latencies_count(const struct latencies *l)
{
	return l->count + recent_of(l);
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
static uint64_t counted_percentile(const struct latencies *l, uint64_t rank)
{
	const struct histogram *h = l->histogram;
	uint32_t recent[OCTAVES * BUCKETS] = {0};
	uint64_t seen = 0;

	for (size_t i = 0; i < recent_of(l); i++)
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
	uint64_t count = latencies_count(l);
	uint64_t rank = (count / 100) * percent + (count % 100 * percent + 99) / 100;
	uint64_t sorted[LATENCIES_EXACT];

	rank = rank ? rank : 1;
	if (l->next)
		return counted_percentile(l, rank);
	memcpy(sorted, l->exact, l->count * sizeof *sorted);
	qsort(sorted, l->count, sizeof *sorted, compare);
	return sorted[rank - 1];
}

void latencies_release(struct latencies *l)
{
	if (l->next) {
		for (unsigned int i = 0; i < OCTAVES; i++)
			free(l->histogram->octaves[i]);
		free(l->histogram);
	} else {
		free(l->exact);
	}
	memset(l, 0, sizeof *l);
}
