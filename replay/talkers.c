/* SPDX-License-Identifier: BSD-2-Clause */
#include "talkers.h"

#include <stdlib.h>
#include <sys/types.h>

#define MEMO_SLOTS 32768 /* a power of two */
#define MEMO_WORDS_MAX 10
#define ADDRESS_WORDS 3
#define PLACE_FAILURE (LATENCIES_NO_PLACE + 1)
#define BLOCK 256 /* rows at a time: their values stay in the cache */

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
	all->memo_words = 1;
	for (size_t i = 0; i < all->key_count; i++)
		all->memo_words += is_address(all->keys[i]->about) ? ADDRESS_WORDS : 1;
	if (all->memo_words <= MEMO_WORDS_MAX)
		all->memo = calloc(MEMO_SLOTS, memo_size(all));
}

void talkers_prepare(struct talkers *all)
{
	all->groups.payload_size = sizeof(struct talker);
	for (size_t i = 0; i < all->key_count; i++)
		all->key_bits |= all->keys[i]->needs;
	make_memo(all);
}

void talkers_release(struct talkers *all)
{
	for (size_t i = 0; i < all->groups.count; i++)
		latencies_release(&((struct talker *)all->groups.groups[i]->payload)->latencies);
	groups_release(&all->groups);
	text_release(&all->key);
	free(all->memo);
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

static struct talker *find_talker(struct talkers *all, const struct columns_row *row)
{
	struct talker *t;
	bool is_new;

	make_key(all, row);
	t = all->key.failed
		    ? NULL
		    : groups_get(&all->groups,
			      (struct bytes){(uint8_t *)all->key.data, all->key.length}, &is_new);
	if (t && is_new)
		t->first_ns = t->last_ns = row->wall_ns;
	return t;
}

static size_t put_address(uint64_t *words, const struct address *address)
{
	memcpy(words, address->bytes, sizeof address->bytes);
	words[2] = address->family;
	return ADDRESS_WORDS;
}

static struct memo *memo_of(const struct talkers *all, const uint64_t *words, size_t count)
{
	uint64_t hash = 0;

	for (size_t i = 0; i < count; i++) {
		hash = (hash ^ words[i]) * UINT64_C(0x9e3779b97f4a7c15);
		hash ^= hash >> 32;
	}
	return (struct memo *)((char *)all->memo + hash % MEMO_SLOTS * memo_size(all));
}

/* NULL: it is not remembered. */
static struct talker *recall(
	const struct talkers *all, const struct memo *memo, const uint64_t *words)
{
	uint64_t different = 0;

	for (size_t i = 0; i < all->memo_words; i++)
		different |= memo->words[i] ^ words[i];
	return different ? NULL : memo->talker;
}

static struct talker *remembered_talker(struct talkers *all, const struct columns_row *row)
{
	uint64_t words[MEMO_WORDS_MAX] = {0};
	struct memo *memo;
	size_t count = 1;

	for (size_t i = 0; i < all->key_count; i++) {
		enum column_about about = all->keys[i]->about;

		/* An address is the same in all batches; of all else the batch is a part. */
		if (about == ABOUT_SOURCE) {
			count += put_address(words + count, &row->event->saddr);
		} else if (about == ABOUT_DESTINATION) {
			count += put_address(words + count, &row->event->daddr);
		} else {
			words[count++] = column_key(about, row);
			words[0] = row->batch;
		}
	}
	memo = memo_of(all, words, count);
	if (!recall(all, memo, words)) {
		memo->talker = find_talker(all, row);
		memcpy(memo->words, words, all->memo_words * sizeof *words);
	}
	return memo->talker;
}

static void note(struct talker *t, int64_t wall_ns, bool failure)
{
	if (wall_ns < t->first_ns)
		t->first_ns = wall_ns;
	if (wall_ns > t->last_ns)
		t->last_ns = wall_ns;
	t->attempts++;
	t->failures += failure;
}

int talkers_add(struct talkers *all, const struct columns_row *row)
{
	struct talker *t =
		all->memo && row->batch ? remembered_talker(all, row) : find_talker(all, row);
	const struct result *result = &row->event->result;

	if (!t)
		return -1;
	note(t, row->wall_ns,
		result->outcome == OUTCOME_FAILED || result->outcome == OUTCOME_ABANDONED);
	return result->outcome == OUTCOME_ESTABLISHED
		       ? latencies_add(&t->latencies, result->latency_us)
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
	uint64_t words[BLOCK][1 + ADDRESS_WORDS];

	for (size_t first = 0, n; first < count; first += n) {
		n = count - first < BLOCK ? count - first : BLOCK;
		for (size_t i = 0; i < n; i++) {
			struct address address = batch_address(batch, first + i);

			words[i][0] = 0;
			memos[i] = memo_of(all, words[i], 1 + put_address(words[i] + 1, &address));
			__builtin_prefetch(memos[i]);
		}
		for (size_t i = 0; i < n; i++) {
			all->numbered[first + i] = recall(all, memos[i], words[i]);
			__builtin_prefetch(all->numbered[first + i], 1);
		}
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

/* Where the latencies of n rows from the one at i on are counted, and which are failures. */
static void find_places(const struct rows *rows, uint32_t i, uint32_t n, uint16_t *places)
{
	static const uint16_t masks[4] = {[OUTCOME_ESTABLISHED] = UINT16_MAX};
	static const uint16_t places_of[4] = {[OUTCOME_PENDING] = LATENCIES_NO_PLACE,
		[OUTCOME_FAILED] = PLACE_FAILURE,
		[OUTCOME_ABANDONED] = PLACE_FAILURE};
	uint64_t outcomes[BLOCK], latencies[BLOCK];
	bool unusual = false;

	column_take(&rows->batch->outcome, rows->rows + i, n, outcomes);
	column_take(&rows->batch->latency, rows->rows + i, n, latencies);
	for (uint32_t k = 0; k < n; k++)
		unusual |= outcomes[k] == OUTCOME_PENDING || outcomes[k] > OUTCOME_ABANDONED;
	for (uint32_t k = 0; unusual && k < n; k++) {
		struct result result = result_at(rows, rows->rows[i + k]);

		outcomes[k] = result.outcome;
		latencies[k] = result.latency_us;
	}
	for (uint32_t k = 0; k < n; k++) {
		uint64_t outcome = outcomes[k] & 3;

		/* No branches: nobody can tell which way they would go. */
		places[k] = (latencies_place(latencies[k]) & masks[outcome]) | places_of[outcome];
	}
}

/* Whose they are: n rows from the one at i on. -1: out of memory. */
static int find_talkers(struct talkers *all, const struct rows *rows, const struct column *column,
	uint32_t i, uint32_t n, struct talker **talkers)
{
	bool family = all->keys[0]->about == ABOUT_FAMILY;
	uint64_t numbers[BLOCK];

	if (column)
		column_take(column, rows->rows + i, n, numbers);
	for (uint32_t k = 0; k < n; k++) {
		struct talker *none = NULL, **t = &none;

		if (column)
			t = &all->numbered[family ? numbers[k] > rows->batch->ipv4 : numbers[k]];
		if (!*t)
			*t = talker_of(all, rows, i + k);
		if (!*t)
			return -1;
		talkers[k] = *t;
	}
	return 0;
}

/* Notes them. -1: out of memory. */
static int add_block(struct talkers *all, const struct rows *rows, const struct column *column,
	uint32_t i, uint32_t n)
{
	struct talker *talkers[BLOCK];
	uint16_t places[BLOCK];

	if (find_talkers(all, rows, column, i, n, talkers))
		return -1;
	for (uint32_t k = 0; k < n; k++)
		__builtin_prefetch(talkers[k]->latencies.next, 1);
	find_places(rows, i, n, places);
	for (uint32_t k = 0; k < n; k++) {
		struct talker *t = talkers[k];

		note(t, rows_wall_ns(rows, i + k), places[k] == PLACE_FAILURE);
		if (t->latencies.next != t->latencies.end) {
			*t->latencies.next = places[k];
			t->latencies.next += places[k] < LATENCIES_NO_PLACE;
		} else if (places[k] < LATENCIES_NO_PLACE &&
			   latencies_add(
				   &t->latencies, result_at(rows, rows->rows[i + k]).latency_us)) {
			return -1;
		}
	}
	return 0;
}

int talkers_add_rows(struct talkers *all, const struct rows *rows)
{
	size_t count;
	const struct column *column = numbers_of(all, rows->batch, &count);

	if (column && !reserve(all, count))
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
