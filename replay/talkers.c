/* SPDX-License-Identifier: BSD-2-Clause */
#include "talkers.h"

#include <stdlib.h>
#include <sys/types.h>

#define MEMO_SLOTS 32768 /* a power of two */
#define MEMO_WORDS_MAX 10
#define ADDRESS_WORDS 3

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
	free(all->batch.talkers);
	free(all->batch.ends);
	free(all->batch.numbers);
	free(all->batch.order);
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

static struct talker *remembered_talker(struct talkers *all, const struct columns_row *row)
{
	uint64_t words[MEMO_WORDS_MAX] = {0}, hash = 0;
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
	for (size_t i = 0; i < count; i++) {
		hash = (hash ^ words[i]) * UINT64_C(0x9e3779b97f4a7c15);
		hash ^= hash >> 32;
	}
	memo = (struct memo *)((char *)all->memo + hash % MEMO_SLOTS * memo_size(all));
	if (!memo->talker || memcmp(memo->words, words, all->memo_words * sizeof *words)) {
		memo->talker = find_talker(all, row);
		memcpy(memo->words, words, all->memo_words * sizeof *words);
	}
	return memo->talker;
}

/* -1: out of memory. */
static int note(struct talker *t, int64_t wall_ns, uint64_t outcome, uint64_t latency_us)
{
	if (wall_ns < t->first_ns)
		t->first_ns = wall_ns;
	if (wall_ns > t->last_ns)
		t->last_ns = wall_ns;
	t->attempts++;
	t->failures += outcome == OUTCOME_FAILED || outcome == OUTCOME_ABANDONED;
	return outcome == OUTCOME_ESTABLISHED ? latencies_add(&t->latencies, latency_us) : 0;
}

int talkers_add(struct talkers *all, const struct columns_row *row)
{
	struct talker *t =
		all->memo && row->batch ? remembered_talker(all, row) : find_talker(all, row);
	const struct result *result = &row->event->result;

	return t ? note(t, row->wall_ns, result->outcome, result->latency_us) : -1;
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
	case ABOUT_FAMILY:
		return &batch->daddr;
	case ABOUT_PROCESS:
		*count = batch->processes;
		return &batch->process;
	default:
		return NULL;
	}
}

/* False: out of memory. */
static bool reserve(struct batch_rows *b, size_t rows, size_t numbers)
{
	if (rows > b->row_capacity) {
		free(b->numbers);
		free(b->order);
		b->numbers = malloc(rows * sizeof *b->numbers);
		b->order = malloc(rows * sizeof *b->order);
		b->row_capacity = b->numbers && b->order ? rows : 0;
	}
	if (numbers > b->number_capacity) {
		free(b->talkers);
		free(b->ends);
		b->talkers = malloc(numbers * sizeof *b->talkers);
		b->ends = malloc(numbers * sizeof *b->ends);
		b->number_capacity = b->talkers && b->ends ? numbers : 0;
	}
	if (rows > b->row_capacity || numbers > b->number_capacity)
		return false;
	memset(b->talkers, 0, numbers * sizeof *b->talkers);
	memset(b->ends, 0, numbers * sizeof *b->ends);
	return true;
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

/* Numbers the rows by their talkers. Returns how many there are; -1: out of memory. */
static ssize_t number_talkers(struct talkers *all, const struct rows *rows)
{
	struct batch_rows *b = &all->batch;
	uint32_t count = 0;

	b->turn++;
	for (uint32_t i = 0; i < rows->count; i++) {
		struct talker *t = talker_of(all, rows, i);

		if (!t)
			return -1;
		if (t->turn != b->turn) {
			t->turn = b->turn;
			t->number = count++;
			b->talkers[t->number] = t;
		}
		b->numbers[i] = t->number;
	}
	return count;
}

/* Puts the rows in the order of their numbers. */
static void sort_rows(struct batch_rows *b, const struct rows *rows, size_t numbers)
{
	uint32_t end = 0;

	for (uint32_t i = 0; i < rows->count; i++)
		b->ends[b->numbers[i]]++;
	for (size_t n = 0; n < numbers; n++) {
		uint32_t begin = end;

		end += b->ends[n];
		b->ends[n] = begin; /* moves on to the end as rows are put there */
	}
	for (uint32_t i = 0; i < rows->count; i++)
		b->order[b->ends[b->numbers[i]]++] = i;
}

static int note_rows(
	struct talker *t, const struct rows *rows, const uint32_t *order, uint32_t count)
{
	const struct batch *batch = rows->batch;

	for (uint32_t k = 0; k < count; k++) {
		uint32_t row = rows->rows[order[k]];
		uint64_t outcome = column_get(&batch->outcome, row);
		uint64_t latency_us = column_get(&batch->latency, row);
		const struct result *late =
			outcome == OUTCOME_PENDING ? rows_find(rows, row) : NULL;

		if (late) {
			outcome = late->outcome;
			latency_us = late->latency_us;
		}
		if (note(t, rows_wall_ns(rows, order[k]), outcome, latency_us))
			return -1;
	}
	return 0;
}

/* There are more talkers than the cache holds: the next ones, and what these point to, are on their
 * way. */
static void prefetch(const struct batch_rows *b, size_t number, size_t count)
{
	enum { FAR = 8, NEAR = 3 };

	if (number + FAR < count && b->talkers[number + FAR])
		__builtin_prefetch(b->talkers[number + FAR], 1);
	if (number + NEAR < count && b->talkers[number + NEAR])
		latencies_prefetch(&b->talkers[number + NEAR]->latencies);
}

int talkers_add_rows(struct talkers *all, const struct rows *rows)
{
	struct batch_rows *b = &all->batch;
	size_t count;
	const struct column *column = numbers_of(all, rows->batch, &count);
	uint32_t begin = 0;
	ssize_t talkers;

	if (!reserve(b, rows->count, column ? count : rows->count))
		return -1;
	for (uint32_t i = 0; column && i < rows->count; i++)
		b->numbers[i] = (uint32_t)column_get(column, rows->rows[i]);
	talkers = column ? (ssize_t)count : number_talkers(all, rows);
	if (talkers < 0)
		return -1;
	sort_rows(b, rows, (size_t)talkers);
	for (size_t n = 0; n < (size_t)talkers; begin = b->ends[n++]) {
		if (b->ends[n] == begin || b->talkers[n])
			continue;
		b->talkers[n] = talker_of(all, rows, b->order[begin]);
		if (!b->talkers[n])
			return -1;
	}
	begin = 0;
	for (size_t n = 0; n < (size_t)talkers; begin = b->ends[n++]) {
		prefetch(b, n, (size_t)talkers);
		if (b->ends[n] != begin &&
			note_rows(b->talkers[n], rows, b->order + begin, b->ends[n] - begin))
			return -1;
	}
	return 0;
}
