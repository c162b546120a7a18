/* SPDX-License-Identifier: BSD-2-Clause */
#include "talkers.h"

#include <assert.h>
#include <stdlib.h>
#include <sys/types.h>

#define MEMO_SLOTS 32768 /* a power of two */
#define MEMO_WORDS_MAX 10
#define LINE 64 /* of the cache */
#define ADDRESS_WORDS 3
#define PLACE_FAILURE (LATENCIES_NO_PLACE + 1)
#define SOON 12   /* rows ahead of which something is asked for */
#define BLOCK 256 /* rows at a time: their values stay in the cache */

static_assert(BLOCK <= LATENCIES_MANY, "places are made of a block");

static bool is_address(enum column_about about)
{
	return about == ABOUT_SOURCE || about == ABOUT_DESTINATION;
}

static size_t memo_size(const struct talkers *all)
{
	return sizeof *all->memo + all->memo_words * sizeof *all->memo->words;
}

/* Without memory for it, each row makes its key. */
static void make_memo(struct talkers *all)
{
	for (size_t i = 0; i < all->key_count; i++)
		if (all->keys[i]->about == ABOUT_EVENT)
			return;
	/* By numbers_of() each of these is looked for once in a batch. */
	if (all->key_count == 1 &&
		(all->keys[0]->about == ABOUT_FAMILY || all->keys[0]->about == ABOUT_PROCESS))
		return;
	for (size_t i = 0; i < all->key_count; i++) {
		bool address = is_address(all->keys[i]->about);

		all->memo_words += address ? ADDRESS_WORDS : 1;
		all->memo_batch |= !address;
	}
	all->memo_words += all->memo_batch;
	/* Not touched before it is used, as it would be after aligned_alloc(). */
	if (all->memo_words <= MEMO_WORDS_MAX)
		all->memos = calloc(1, MEMO_SLOTS * memo_size(all) + LINE);
	if (all->memos)
		all->memo = (struct memo *)(((uintptr_t)all->memos + LINE - 1) / LINE * LINE);
}

void talkers_prepare(struct talkers *all)
{
	all->groups.payload_size = sizeof(struct talker_entry);
	for (size_t i = 0; i < all->key_count; i++)
		all->key_bits |= all->keys[i]->needs;
	make_memo(all);
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
	free(all->memos);
	free(all->numbered);
}

uint32_t talkers_need(const struct talkers *all)
{
	return all->key_bits | EVENT_BIT(EVENT_TIME) | EVENT_BIT(EVENT_OUTCOME) |
	       EVENT_BIT(EVENT_LATENCY);
}

static void make_key(struct talkers *all, const struct columns_row *row)
{
	all->key.length = 0;
	for (size_t i = 0; i < all->key_count; i++) {
		const struct column_kind *kind = all->keys[i];
		struct value value = kind->get(row);

		if (value.kind == VALUE_QUERY)
			value.kind = VALUE_NAME;
		if (i)
			text_char(&all->key, TALKER_SEPARATOR);
		if (all->format == FORMAT_JSON) {
			value_put_json(&value, kind->value, kind->name, &all->key);
		} else if (all->format == FORMAT_CSV) {
			value_put_csv(&value, kind->value, &all->key);
		} else {
			if (value.kind == VALUE_SINCE)
				value.kind = VALUE_CLOCK;
			value_put_column(&value, 0, &all->key);
		}
	}
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
	make_key(all, row);
	if (all->key.failed)
		return NULL;
	return get_talker(
		all, (struct bytes){(uint8_t *)all->key.data, all->key.length}, row->wall_ns);
}

static size_t put_address(uint64_t *words, const struct address *address)
{
	memcpy(words, address->bytes, sizeof address->bytes);
	words[2] = address->family;
	return ADDRESS_WORDS;
}

/* The two places for these words, all->memo_words. In line, for a number that is a constant. */
static inline struct memo *memo_of(const struct talkers *all, const uint64_t *words, size_t count)
{
	size_t size = sizeof *all->memo + count * sizeof *words;
	uint64_t hash = 0;

	for (size_t i = 0; i < count; i++) {
		hash = (hash ^ words[i]) * UINT64_C(0x9e3779b97f4a7c15);
		hash ^= hash >> 32;
	}
	return (struct memo *)((char *)all->memo + hash % (MEMO_SLOTS / 2) * 2 * size);
}

static inline struct memo *second_memo(struct memo *memo, size_t count)
{
	return (struct memo *)(memo->words + count);
}

static inline uint64_t difference(const struct memo *memo, const uint64_t *words, size_t count)
{
	uint64_t different = 0;

	for (size_t i = 0; i < count; i++)
		different |= memo->words[i] ^ words[i];
	return different;
}

/* NULL: it is not remembered. */
static inline struct talker *recall(struct memo *memo, const uint64_t *words, size_t count)
{
	if (!difference(memo, words, count))
		return memo->talker;
	memo = second_memo(memo, count);
	return difference(memo, words, count) ? NULL : memo->talker;
}

static struct talker *remembered_talker(struct talkers *all, const struct columns_row *row)
{
	uint64_t words[MEMO_WORDS_MAX];
	struct memo *memo;
	struct talker *t;
	size_t count = 0;

	/* An address is the same in all batches; of all else the batch is a part. */
	for (size_t i = 0; i < all->key_count; i++) {
		enum column_about about = all->keys[i]->about;

		if (about == ABOUT_SOURCE)
			count += put_address(words + count, &row->event->saddr);
		else if (about == ABOUT_DESTINATION)
			count += put_address(words + count, &row->event->daddr);
		else
			words[count++] = column_key(about, row);
	}
	if (all->memo_batch)
		words[count++] = row->batch;
	memo = memo_of(all, words, count);
	t = recall(memo, words, count);
	if (t)
		return t;
	memcpy(second_memo(memo, count), memo, sizeof *memo + count * sizeof *words);
	memcpy(memo->words, words, count * sizeof *words);
	return memo->talker = find_talker(all, row);
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
	struct talker *t =
		all->memo && row->batch ? remembered_talker(all, row) : find_talker(all, row);
	const struct result *result = &row->event->result;

	if (!t)
		return -1;
	note(t, row->wall_ns);
	t->failures += result->outcome == OUTCOME_FAILED || result->outcome == OUTCOME_ABANDONED;
	return result->outcome == OUTCOME_ESTABLISHED
		       ? latencies_add(&t->latencies, result->latency_us, &all->arena)
		       : 0;
}

/* The column by whose number the only key is found, and how many numbers there are. NULL: none. */
static const struct column *numbers_of(
	const struct talkers *all, const struct batch *batch, size_t *count)
{
	*count = 1 + (size_t)batch->ipv4 + batch->ipv6;
	if (all->key_count != 1)
		return NULL;
	switch (all->keys[0]->about) {
	case ABOUT_SOURCE:
		return &batch->saddr;
	case ABOUT_DESTINATION:
		return &batch->daddr;
	case ABOUT_FAMILY:
		*count = 2; /* IPv4 addresses come first, and each row has one */
		return &batch->daddr;
	case ABOUT_PROCESS:
		*count = batch->processes;
		return &batch->process;
	default:
		return NULL;
	}
}

static struct talker *talker_of(struct talkers *all, const struct rows *rows, uint32_t i)
{
	struct rows keys = *rows;
	struct event event = {0};
	struct columns_row row;

	keys.bits = all->key_bits | EVENT_BIT(EVENT_TIME);
	rows_get(&keys, i, rows_find(rows, rows->rows[i]), &event, &row);
	return all->memo ? remembered_talker(all, &row) : find_talker(all, &row);
}

/* False: out of memory. */
static bool reserve(struct talkers *all, size_t numbers)
{
	if (numbers > all->capacity) {
		free(all->numbered);
		all->numbered = malloc(numbers * sizeof *all->numbered);
		all->capacity = all->numbered ? numbers : 0;
	}
	if (numbers > all->capacity)
		return false;
	memset(all->numbered, 0, numbers * sizeof *all->numbered);
	return true;
}

/*
 * The talkers that are remembered of a key that is an address, by their numbers.
 * What is in memory is asked for before it is looked at.
 */
static void recall_addresses(struct talkers *all, const struct batch *batch, size_t count)
{
	struct memo *memos[BLOCK];
	uint64_t words[BLOCK][ADDRESS_WORDS];

	for (size_t first = 0, n; first < count; first += n) {
		n = count - first < BLOCK ? count - first : BLOCK;
		for (size_t i = 0; i < n; i++) {
			struct address made;

			if (first + i < batch->address_count) {
				put_address(words[i], &batch->addresses[first + i]);
			} else {
				batch_make_address(batch, first + i, &made);
				put_address(words[i], &made);
			}
			memos[i] = memo_of(all, words[i], ADDRESS_WORDS);
			__builtin_prefetch(memos[i]);
		}
		for (size_t i = 0; i < n; i++) {
			all->numbered[first + i] = recall(memos[i], words[i], ADDRESS_WORDS);
			__builtin_prefetch(all->numbered[first + i], 1);
		}
		for (size_t i = 0; i < n; i++)
			if (all->numbered[first + i])
				__builtin_prefetch(all->numbered[first + i]->latencies.next, 1);
	}
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

/*
 * The numbers of n rows from the one at i on, by which their talkers stand in all->numbered.
 * Without a column each row has a number of its own.
 */
static void find_numbers(struct talkers *all, const struct rows *rows, const struct column *column,
	uint32_t i, uint32_t n, uint32_t *numbers)
{
	if (!column) {
		for (uint32_t k = 0; k < n; k++)
			numbers[k] = k;
		memset(all->numbered, 0, n * sizeof *all->numbered);
		return;
	}
	column_take_small(column, rows->rows + i, n, numbers);
	for (uint32_t k = 0; all->keys[0]->about == ABOUT_FAMILY && k < n; k++)
		numbers[k] = numbers[k] > rows->batch->ipv4;
}

/* Notes n rows from the one at i on. -1: out of memory. */
static int add_block(struct talkers *all, const struct rows *rows, const struct column *column,
	uint32_t i, uint32_t n)
{
	struct talker **talkers = all->numbered;
	uint32_t numbers[BLOCK], places[BLOCK];
	uint64_t times[BLOCK];

	find_numbers(all, rows, column, i, n, numbers);
	find_places(rows, i, n, places);
	column_take(&rows->batch->time, rows->rows + i, n, times);
	for (uint32_t k = 0; k < n; k++) {
		struct talker *t = talkers[numbers[k]];

		__builtin_prefetch(talkers[numbers[k + SOON < n ? k + SOON : k]], 1);
		if (!t)
			t = talkers[numbers[k]] = talker_of(all, rows, i + k);
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
	size_t count;
	const struct column *column = numbers_of(all, rows->batch, &count);

	if (!reserve(all, column ? count : BLOCK))
		return -1;
	/* Of few rows only their own talkers are looked for. */
	if (column && all->memo && is_address(all->keys[0]->about) && rows->count > count)
		recall_addresses(all, rows->batch, count);
	for (uint32_t i = 0, n; i < rows->count; i += n) {
		n = rows->count - i < BLOCK ? rows->count - i : BLOCK;
		if (add_block(all, rows, column, i, n))
			return -1;
	}
	return 0;
}
