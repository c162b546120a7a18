/* SPDX-License-Identifier: BSD-2-Clause */
#include "latencies.h"

#include <stdlib.h>
#include <string.h>

#define OCTAVES 59
#define RECENT 240
#define BUCKETS LATENCIES_BUCKETS
#define LINE 64 /* bytes of the cache */
#define CARRY 65536

struct histogram {
	/* Places yet to be counted: many at once miss the cache less often. */
	uint16_t recent[RECENT];
	uint16_t *counts[OCTAVES]; /* of BUCKETS places each; in the arena; NULL: none yet */
	uint32_t *carries;         /* how often those of all octaves became CARRY; the same */
};

static size_t recent_of(const struct latencies *l)
{
	return l->next ? (size_t)(l->next - l->histogram->recent) : 0;
}

/* NULL: out of memory. */
static uint16_t *counts_of(struct histogram *h, uint32_t octave, struct arena *arena)
{
	if (!h->counts[octave])
		h->counts[octave] = arena_get(arena, BUCKETS * sizeof **h->counts);
	return h->counts[octave];
}

/* -1: out of memory. */
static int carry(struct histogram *h, uint32_t place, uint64_t times, struct arena *arena)
{
	if (!h->carries)
		h->carries = arena_get(arena, OCTAVES * BUCKETS * sizeof *h->carries);
	if (!h->carries)
		return -1;
	h->carries[place] += (uint32_t)times;
	return 0;
}

static uint64_t count_at(const struct histogram *h, uint32_t place)
{
	const uint16_t *counts = h->counts[place / BUCKETS];
	uint64_t carries = h->carries ? h->carries[place] : 0;

	return counts ? counts[place % BUCKETS] + carries * CARRY : 0;
}

static int count_recent(struct latencies *l, struct arena *arena)
{
	struct histogram *h = l->histogram;
	size_t recent = recent_of(l);

	/* They were out of the cache for long: all at once. */
	for (size_t octave = 0; octave < OCTAVES; octave++)
		for (size_t i = 0; h->counts[octave] && i < BUCKETS; i += LINE / sizeof **h->counts)
			__builtin_prefetch(h->counts[octave] + i, 1);
	for (size_t i = 0; i < recent; i++) {
		uint32_t place = h->recent[i];
		uint16_t *counts = counts_of(h, place / BUCKETS, arena);

		if (!counts || (!++counts[place % BUCKETS] && carry(h, place, 1, arena)))
			return -1;
	}
	l->count += recent;
	l->next = h->recent;
	return 0;
}

/* There are too many to keep each. */
static int begin_counting(struct latencies *l, struct arena *arena)
{
	struct histogram *h = arena_get(arena, sizeof *h);

	if (!h)
		return -1;
	for (unsigned int i = 0; i < LATENCIES_EXACT; i++)
		h->recent[i] = latencies_place(l->exact[i]);
	free(l->exact);
	*l = (struct latencies){
		.next = h->recent + LATENCIES_EXACT, .end = h->recent + RECENT, .histogram = h};
	return 0;
}

int latencies_add(struct latencies *l, uint64_t value, struct arena *arena)
{
	uint64_t count = l->count, *grown;

	if (l->next || count == LATENCIES_EXACT) {
		if (l->next == l->end &&
			(l->next ? count_recent(l, arena) : begin_counting(l, arena)))
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

static int join_counts(struct latencies *l, struct latencies *other, struct arena *arena)
{
	struct histogram *h = l->histogram;

	if (count_recent(l, arena) || count_recent(other, arena))
		return -1;
	for (uint32_t place = 0; place < OCTAVES * BUCKETS; place++) {
		uint64_t more = count_at(other->histogram, place);
		uint16_t *counts = more ? counts_of(h, place / BUCKETS, arena) : NULL;

		if (!more)
			continue;
		if (!counts)
			return -1;
		more += counts[place % BUCKETS];
		counts[place % BUCKETS] = (uint16_t)more;
		if (more >= CARRY && carry(h, place, more / CARRY, arena))
			return -1;
	}
	l->count += other->count;
	return 0;
}

int latencies_join(struct latencies *l, struct latencies *other, struct arena *arena)
{
	if (l->next && other->next)
		return join_counts(l, other, arena);
	if (other->next) { /* those that are few go to the others */
		struct latencies many = *other;

		*other = *l;
		*l = many;
	}
	for (uint64_t i = 0; i < other->count; i++)
		if (latencies_add(l, other->exact[i], arena))
			return -1;
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
	for (uint32_t place = 0; place < OCTAVES * BUCKETS; place++) {
		seen += count_at(h, place) + recent[place];
		if (seen >= rank)
			return value_of(place / BUCKETS, place % BUCKETS);
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
	if (!l->next)
		free(l->exact);
	memset(l, 0, sizeof *l);
}
