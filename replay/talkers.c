/* SPDX-License-Identifier: BSD-2-Clause */
#include "talkers.h"

#include <assert.h>
#include <stdlib.h>
#include <sys/types.h>

#define PLACE_FAILURE (LATENCIES_NO_PLACE + 1)
#define SOON 12          /* rows ahead of which something is asked for */
#define BLOCK PARTS_ROWS /* rows at a time: their values stay in the cache */

static_assert(BLOCK <= LATENCIES_MANY, "places are made of a block");

void talkers_prepare(struct talkers *all)
{
	all->groups.payload_size = sizeof(struct talker_entry);
	for (size_t i = 0; i < all->key_count; i++)
		all->key_bits |= all->keys[i]->needs;
	parts_of(&all->parts, all->keys, all->key_count, all->format);
}

static void release_entry(struct talker_entry *entry)
{
	if (entry->talker) /* else there was no memory for it */
		latencies_release(&entry->talker->latencies);
}

void talkers_release(struct talkers *all)
{
	for (size_t i = 0; i < all->groups.count; i++)
		release_entry(talker_entry(all->groups.groups[i]));
	arena_release(&all->arena);
	groups_release(&all->groups);
	text_release(&all->key);
	parts_release(&all->parts);
	free(all->by_number);
	free(all->by_index);
}

uint32_t talkers_need(const struct talkers *all)
{
	return all->key_bits | EVENT_BIT(EVENT_TIME) | EVENT_BIT(EVENT_OUTCOME) |
	       EVENT_BIT(EVENT_LATENCY);
}

/* A new one has that time. NULL: out of memory. */
static struct talker *get_talker(struct talkers *all, struct bytes key, int64_t wall_ns)
{
	struct talker_entry *entry;
	struct talker *t;
	bool is_new;

	entry = groups_get(&all->groups, key, &is_new);
	if (!entry || !is_new)
		return entry ? entry->talker : NULL;
	entry->talker = t = arena_get(&all->arena, sizeof *t);
	if (t)
		t->first_ns = t->last_ns = wall_ns;
	return t;
}

static struct talker *find_talker(struct talkers *all, const struct columns_row *row)
{
	all->key.length = 0;
	parts_put_cells(all->keys, all->key_count, all->format, row, &all->key);
	if (all->key.failed)
		return NULL;
	return get_talker(
		all, (struct bytes){(uint8_t *)all->key.data, all->key.length}, row->wall_ns);
}

static inline void note_time(struct talker *t, int64_t wall_ns)
{
	if (wall_ns < t->first_ns)
		t->first_ns = wall_ns;
	if (wall_ns > t->last_ns)
		t->last_ns = wall_ns;
}

static inline void note(struct talker *t, int64_t wall_ns)
{
	note_time(t, wall_ns);
	t->attempts++;
}

int talkers_join(struct talkers *all, struct talkers *others)
{
	for (size_t i = 0; i < others->groups.count; i++) {
		const struct group *group = others->groups.groups[i];
		struct talker *other = talker_entry(group)->talker;
		struct talker *t = get_talker(all, group->key, other->first_ns);

		if (!t || latencies_join(&t->latencies, &other->latencies, &all->arena))
			return -1;
		note_time(t, other->first_ns);
		note_time(t, other->last_ns);
		t->attempts += other->attempts;
		t->failures += other->failures;
	}
	return 0;
}

int talkers_add(struct talkers *all, const struct columns_row *row)
{
	struct talker *t = find_talker(all, row);
	const struct result *result = &row->event->result;

	if (!t)
		return -1;
	note(t, row->wall_ns);
	t->failures += result->outcome == OUTCOME_FAILED || result->outcome == OUTCOME_ABANDONED;
	return result->outcome == OUTCOME_ESTABLISHED
		       ? latencies_add(&t->latencies, result->latency_us, &all->arena)
		       : 0;
}

static struct talker *talker_of(struct talkers *all, const struct rows *rows, uint32_t i)
{
	struct rows keys = *rows;
	struct event event = {0};
	struct columns_row row;

	keys.bits = all->key_bits | EVENT_BIT(EVENT_TIME);
	rows_get(&keys, i, rows_find(rows, rows->rows[i]), &event, &row);
	return find_talker(all, &row);
}

/* Where the talker of that number stands. NULL: out of memory. */
static struct talker **numbered(struct talkers *all, uint32_t number)
{
	if (number >= all->number_capacity) {
		size_t capacity = number < 512 ? 1024 : 2 * (size_t)number;
		struct talker **grown = realloc(all->by_number, capacity * sizeof *grown);

		if (!grown)
			return NULL;
		memset(grown + all->number_capacity, 0,
			(capacity - all->number_capacity) * sizeof *grown);
		all->by_number = grown;
		all->number_capacity = capacity;
	}
	return &all->by_number[number];
}

/* The talker of the row at i, whose key has that number. NULL: out of memory. */
static struct talker *numbered_talker(
	struct talkers *all, const struct rows *rows, uint32_t i, uint32_t number)
{
	struct talker **t = number ? numbered(all, number) : NULL;

	if (t && !*t)
		*t = talker_of(all, rows, i);
	return t ? *t : NULL;
}

/* False: out of memory. */
static bool reserve(struct talkers *all, size_t count)
{
	if (count > all->index_capacity) {
		free(all->by_index);
		all->by_index = malloc(count * sizeof *all->by_index);
		all->index_capacity = all->by_index ? count : 0;
	}
	return count <= all->index_capacity;
}

/* The talkers that are known by now. What is in memory is asked for before it is looked at. */
static void recall(struct talkers *all, size_t count)
{
	struct talker **t = all->by_index;

	for (size_t i = 0; i < count; i++) {
		uint32_t number = parts_known(&all->parts)[i];

		t[i] = number < all->number_capacity ? all->by_number[number] : NULL;
		__builtin_prefetch(t[i], 1);
	}
	for (size_t i = 0; i < count; i++)
		if (t[i])
			__builtin_prefetch(t[i]->latencies.next, 1);
}

/* Only outcome and latency. */
static struct result result_at(const struct rows *rows, uint32_t row)
{
	const struct batch *batch = rows->batch;
	uint64_t outcome = column_get(&batch->outcome, row);
	const struct result *late = outcome == OUTCOME_PENDING ? rows_find(rows, row) : NULL;

	if (late)
		return *late;
	if (outcome > OUTCOME_ABANDONED)
		outcome = OUTCOME_PENDING;
	return (struct result){
		.outcome = (uint8_t)outcome, .latency_us = column_get(&batch->latency, row)};
}

static uint16_t place_of(const struct result *result)
{
	switch (result->outcome) {
	case OUTCOME_ESTABLISHED:
		return latencies_place(result->latency_us);
	case OUTCOME_PENDING:
		return LATENCIES_NO_PLACE;
	default:
		return PLACE_FAILURE;
	}
}

/* Whether it takes a look at the row to know its place. No branches: for vectors. */
static inline uint32_t is_unusual(uint32_t outcome, uint32_t latency)
{
	uint32_t unknown = outcome - 1 >= OUTCOME_ABANDONED;
	uint32_t established = outcome == OUTCOME_ESTABLISHED;

	return unknown | (established & (latency >= LATENCIES_SMALL));
}

/* Where the latencies of n rows from the one at i on are counted, and which are failures. */
static void find_places(const struct rows *rows, uint32_t i, uint32_t n, uint32_t *places)
{
	uint32_t outcomes[BLOCK], latencies[BLOCK], unusual = 0;

	column_take_small(&rows->batch->outcome, rows->rows + i, n, outcomes);
	column_take_small(&rows->batch->latency, rows->rows + i, n, latencies);
	for (uint32_t k = 0; k < n; k++)
		unusual |= is_unusual(outcomes[k], latencies[k]);
	latencies_places(latencies, n, places);
	for (uint32_t k = 0; k < n; k++)
		places[k] = outcomes[k] == OUTCOME_ESTABLISHED ? places[k] : PLACE_FAILURE;
	for (uint32_t k = 0; unusual && k < n; k++)
		if (is_unusual(outcomes[k], latencies[k])) {
			struct result result = result_at(rows, rows->rows[i + k]);

			places[k] = place_of(&result);
		}
}

/* The talkers of n rows from the one at i on. -1: out of memory. */
static int find_talkers(struct talkers *all, const struct rows *rows, uint32_t i, uint32_t n,
	struct talker **talkers)
{
	uint32_t numbers[BLOCK];

	if (all->parts.count && parts_numbers(&all->parts, rows, i, n, numbers))
		return -1;
	for (uint32_t k = 0; k < n; k++) {
		talkers[k] = all->parts.count ? numbered_talker(all, rows, i + k, numbers[k])
					      : talker_of(all, rows, i + k);
		if (!talkers[k])
			return -1;
		__builtin_prefetch(talkers[k], 1);
	}
	return 0;
}

/*
 * Notes n rows from the one at i on. indexed: their talkers stand by the index that their
 * key has in the batch. -1: out of memory.
 */
static int add_block(
	struct talkers *all, const struct rows *rows, bool indexed, uint32_t i, uint32_t n)
{
	struct talker *found[BLOCK], **talkers = indexed ? all->by_index : found;
	uint32_t at[BLOCK], places[BLOCK];
	uint64_t times[BLOCK];

	if (indexed)
		parts_take_indexes(&all->parts, rows, i, n, at);
	else if (find_talkers(all, rows, i, n, found))
		return -1;
	for (uint32_t k = 0; !indexed && k < n; k++)
		at[k] = k;
	find_places(rows, i, n, places);
	column_take(&rows->batch->time, rows->rows + i, n, times);
	for (uint32_t k = 0; k < n; k++) {
		struct talker *t = talkers[at[k]];

		__builtin_prefetch(talkers[at[k + SOON < n ? k + SOON : k]], 1);
		if (!t)
			t = talkers[at[k]] = numbered_talker(
				all, rows, i + k, parts_number_at(&all->parts, rows, i + k, at[k]));
		if (!t)
			return -1;
		note(t, (int64_t)((uint64_t)rows->start_ns + times[k]));
		t->failures += places[k] == PLACE_FAILURE;
		if (t->latencies.next != t->latencies.end) {
			*t->latencies.next = (uint16_t)places[k];
			t->latencies.next += places[k] < LATENCIES_NO_PLACE;
		} else if (places[k] < LATENCIES_NO_PLACE &&
			   latencies_add(&t->latencies,
				   result_at(rows, rows->rows[i + k]).latency_us, &all->arena)) {
			return -1;
		}
	}
	return 0;
}

int talkers_add_rows(struct talkers *all, const struct rows *rows)
{
	size_t indexes;

	if (parts_begin(&all->parts, rows->batch, rows->count))
		return -1;
	indexes = parts_indexes(&all->parts);
	if (!reserve(all, indexes))
		return -1;
	recall(all, indexes);
	for (uint32_t i = 0, n; i < rows->count; i += n) {
		n = rows->count - i < BLOCK ? rows->count - i : BLOCK;
		if (add_block(all, rows, indexes, i, n))
			return -1;
	}
	return 0;
}
