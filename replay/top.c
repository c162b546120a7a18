/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * --top: attempts, failures and latencies for each combination of some columns.
 * The cells of the key are made once in the format that will be printed, and are
 * the key of the group.
 */
#include "../formats/result.h"
#include "answer.h"
#include "../formats/groups.h"
#include "latencies.h"

#include <stdlib.h>

#define KEYS_MAX 16
#define ROWS_USUAL 10
#define MEMO_SLOTS 32768 /* a power of two */
#define MEMO_WORDS_MAX 10
#define ADDRESS_WORDS 3
#define SEPARATOR '\x1f' /* no cell has one: it would be escaped */

struct talker {
	uint64_t attempts, failures;
	int64_t first_ns, last_ns;
	struct latencies latencies; /* of those that were established */
	uint64_t turn;              /* of the batch in which it has its number */
	uint32_t number;
};

enum { ATTEMPTS, FAILURES, RATE, P50, P95, P99, FIRST, LAST, FACTS };

static const struct value_column facts[FACTS] = {
	{"attempts", "ATTEMPTS", 9},
	{"failures", "FAILURES", 9},
	{"failed_percent", "FAILED(%)", 9},
	{"p50", "P50(ms)", 10},
	{"p95", "P95(ms)", 10},
	{"p99", "P99(ms)", 10},
	{"first", "FIRST", 32},
	{"last", "LAST", 32},
};

static const enum value_kind fact_kinds[FACTS] = {VALUE_NUMBER, VALUE_NUMBER, VALUE_RATE,
	VALUE_LATENCY, VALUE_LATENCY, VALUE_LATENCY, VALUE_SINCE, VALUE_SINCE};

struct answer {
	const struct column_kind *keys[KEYS_MAX];
	size_t key_count;
	size_t sort_fact, sort_key; /* FACTS: by that key */
	uint64_t limit;
	enum value_format format;
	struct groups groups; /* of struct talker */
	struct text key;
	uint32_t key_bits; /* of columns of events that the key is made of */
	/* Whose talker it is, by what the key columns are about: spares making the key again. */
	struct memo {
		struct talker *talker; /* NULL: nothing */
		uint64_t words[];      /* memo_words of them */
	} * memo; /* NULL: some column is about the event alone, or there are too many */
	size_t memo_words;
	/*
	 * The rows of a batch are put together by talkers, so that each of these is
	 * looked for once, and has its place in the cache while its rows are noted.
	 */
	struct batch_rows {
		struct talker **talkers; /* by number; NULL: not looked for yet */
		uint32_t *ends;          /* by number: where its rows end in order */
		size_t number_capacity;
		uint32_t *numbers, *order; /* of each row; the rows themselves by numbers */
		size_t row_capacity;
		uint64_t turn;
	} batch;
};

static void destroy(struct answer *a)
{
	if (!a)
		return;
	for (size_t i = 0; i < a->groups.count; i++)
		latencies_release(&((struct talker *)a->groups.groups[i]->payload)->latencies);
	groups_release(&a->groups);
	text_release(&a->key);
	free(a->memo);
	free(a->batch.talkers);
	free(a->batch.ends);
	free(a->batch.numbers);
	free(a->batch.order);
	free(a);
}

static int choose_keys(struct answer *a, const char *names, struct error *error)
{
	for (const char *name = names;;) {
		size_t length = strcspn(name, ",");
		const struct column_kind *kind = column_kind_find(name, length);

		if (!kind)
			return column_kind_unknown(name, length, error);
		if (a->key_count == KEYS_MAX)
			return error_set(error, "more than %d columns", KEYS_MAX);
		a->keys[a->key_count++] = kind;
		if (!name[length])
			return 0;
		name += length + 1;
	}
}

static int choose_sort(struct answer *a, const char *sort, struct error *error)
{
	char known[256] = "";

	a->sort_fact = ATTEMPTS;
	if (!sort)
		return 0;
	for (size_t i = 0; i < FACTS; i++) {
		if (!strcmp(facts[i].key, sort)) {
			a->sort_fact = i;
			return 0;
		}
		snprintf(known + strlen(known), sizeof known - strlen(known), " %s", facts[i].key);
	}
	for (size_t i = 0; i < a->key_count; i++)
		if (!strcmp(a->keys[i]->name, sort)) {
			a->sort_fact = FACTS;
			a->sort_key = i;
			return 0;
		}
	return error_set(
		error, "--sort: '%s' is neither a column of --top nor one of:%s", sort, known);
}

static bool is_address(enum column_about about)
{
	return about == ABOUT_SOURCE || about == ABOUT_DESTINATION;
}

static size_t memo_size(const struct answer *a)
{
	return sizeof *a->memo + a->memo_words * sizeof *a->memo->words;
}

/* Without memory for it, each row makes its key. */
static void make_memo(struct answer *a)
{
	for (size_t i = 0; i < a->key_count; i++)
		if (a->keys[i]->about == ABOUT_EVENT)
			return;
	a->memo_words = 1;
	for (size_t i = 0; i < a->key_count; i++)
		a->memo_words += is_address(a->keys[i]->about) ? ADDRESS_WORDS : 1;
	if (a->memo_words <= MEMO_WORDS_MAX)
		a->memo = calloc(MEMO_SLOTS, memo_size(a));
}

static struct answer *create(const struct answer_choice *choice, struct error *error)
{
	struct answer *a = calloc(1, sizeof *a);

	if (!a) {
		error_set(error, "out of memory");
		return NULL;
	}
	a->groups.payload_size = sizeof(struct talker);
	a->format = choice->format;
	a->limit = choice->limit ? choice->limit : ROWS_USUAL;
	if (choose_keys(a, choice->top, error)) {
		error_prefix(error, "--top");
	} else if (!choose_sort(a, choice->sort, error)) {
		for (size_t i = 0; i < a->key_count; i++)
			a->key_bits |= a->keys[i]->needs;
		make_memo(a);
		return a;
	}
	destroy(a);
	return NULL;
}

static void make_key(struct answer *a, const struct columns_row *row)
{
	a->key.length = 0;
	for (size_t i = 0; i < a->key_count; i++) {
		const struct column_kind *kind = a->keys[i];
		struct value value = kind->get(row);

		if (i)
			text_char(&a->key, SEPARATOR);
		if (a->format == FORMAT_JSON) {
			value_put_json(&value, kind->value, kind->name, &a->key);
		} else if (a->format == FORMAT_CSV) {
			value_put_csv(&value, kind->value, &a->key);
		} else {
			if (value.kind == VALUE_SINCE)
				value.kind = VALUE_CLOCK;
			value_put_column(&value, 0, &a->key);
		}
	}
}

static struct talker *find_talker(struct answer *a, const struct columns_row *row)
{
	struct talker *t;
	bool is_new;

	make_key(a, row);
	t = a->key.failed ? NULL
			  : groups_get(&a->groups,
				    (struct bytes){(uint8_t *)a->key.data, a->key.length}, &is_new);
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

static struct talker *remembered_talker(struct answer *a, const struct columns_row *row)
{
	uint64_t words[MEMO_WORDS_MAX] = {0}, hash = 0;
	struct memo *memo;
	size_t count = 1;

	for (size_t i = 0; i < a->key_count; i++) {
		enum column_about about = a->keys[i]->about;

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
	memo = (struct memo *)((char *)a->memo + hash % MEMO_SLOTS * memo_size(a));
	if (!memo->talker || memcmp(memo->words, words, a->memo_words * sizeof *words)) {
		memo->talker = find_talker(a, row);
		memcpy(memo->words, words, a->memo_words * sizeof *words);
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

static int add(struct answer *a, const struct columns_row *row, struct error *error)
{
	struct talker *t = a->memo && row->batch ? remembered_talker(a, row) : find_talker(a, row);
	const struct result *result = &row->event->result;

	return t && !note(t, row->wall_ns, result->outcome, result->latency_us)
		       ? 0
		       : error_set(error, "out of memory");
}

/* The column by whose number the only key is found, and how many numbers there are. NULL: none. */
static const struct column *numbers_of(
	const struct answer *a, const struct batch *batch, size_t *count)
{
	*count = 1 + (size_t)batch->ipv4 + batch->ipv6;
	if (a->key_count != 1)
		return NULL;
	switch (a->keys[0]->about) {
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

static struct talker *talker_of(struct answer *a, const struct rows *rows, uint32_t i)
{
	struct rows keys = *rows;
	struct event event = {0};
	struct columns_row row;

	keys.bits = a->key_bits | EVENT_BIT(EVENT_TIME);
	/* Late results are only asked for as a part of the key: they make it one of the event. */
	rows_get(&keys, i, rows_find(rows, rows->rows[i]), &event, &row);
	return a->memo ? remembered_talker(a, &row) : find_talker(a, &row);
}

/* Numbers the rows by their talkers. Returns how many there are; -1: out of memory. */
static ssize_t number_talkers(struct answer *a, const struct rows *rows)
{
	struct batch_rows *b = &a->batch;
	uint32_t count = 0;

	b->turn++;
	for (uint32_t i = 0; i < rows->count; i++) {
		struct talker *t = talker_of(a, rows, i);

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

static int add_rows(struct answer *a, const struct rows *rows, struct error *error)
{
	struct batch_rows *b = &a->batch;
	size_t count;
	const struct column *column = numbers_of(a, rows->batch, &count);
	uint32_t begin = 0;
	ssize_t talkers;

	if (!reserve(b, rows->count, column ? count : rows->count))
		return error_set(error, "out of memory");
	for (uint32_t i = 0; column && i < rows->count; i++)
		b->numbers[i] = (uint32_t)column_get(column, rows->rows[i]);
	talkers = column ? (ssize_t)count : number_talkers(a, rows);
	if (talkers < 0)
		return error_set(error, "out of memory");
	sort_rows(b, rows, (size_t)talkers);
	for (size_t n = 0; n < (size_t)talkers; begin = b->ends[n++]) {
		if (b->ends[n] != begin && !b->talkers[n])
			b->talkers[n] = talker_of(a, rows, b->order[begin]);
		if (b->ends[n] != begin && !b->talkers[n])
			return error_set(error, "out of memory");
	}
	begin = 0;
	for (size_t n = 0; n < (size_t)talkers; begin = b->ends[n++]) {
		if (n + 8 < (size_t)talkers && b->talkers[n + 8])
			__builtin_prefetch(b->talkers[n + 8], 1);
		if (n + 3 < (size_t)talkers && b->talkers[n + 3])
			latencies_prefetch(&b->talkers[n + 3]->latencies);
		if (b->ends[n] != begin &&
			note_rows(b->talkers[n], rows, b->order + begin, b->ends[n] - begin))
			return error_set(error, "out of memory");
	}
	return 0;
}

static struct value latency(const struct talker *t, unsigned int percent)
{
	if (!t->latencies.count)
		return (struct value){.kind = VALUE_UNKNOWN};
	return (struct value){
		.kind = VALUE_LATENCY, .number = latencies_percentile(&t->latencies, percent)};
}

static struct value fact_of(const struct talker *t, size_t fact)
{
	switch (fact) {
	case ATTEMPTS:
		return (struct value){.kind = VALUE_NUMBER, .number = t->attempts};
	case FAILURES:
		return (struct value){.kind = VALUE_NUMBER, .number = t->failures};
	case RATE:
		return (struct value){.kind = VALUE_RATE,
			.number = (uint64_t)((double)t->failures * 100000 / (double)t->attempts +
					     0.5)};
	case P50:
		return latency(t, 50);
	case P95:
		return latency(t, 95);
	case P99:
		return latency(t, 99);
	case FIRST:
		return (struct value){.kind = VALUE_SINCE, .wall_ns = t->first_ns};
	}
	return (struct value){.kind = VALUE_SINCE, .wall_ns = t->last_ns};
}

/* Cell of that number of a key. */
static struct bytes cell_of(struct bytes key, size_t cell)
{
	const uint8_t *end;

	while (cell--) {
		end = memchr(key.data, SEPARATOR, key.length);
		key.length -= (size_t)(end + 1 - key.data);
		key.data = end + 1;
	}
	end = memchr(key.data, SEPARATOR, key.length);
	return (struct bytes){key.data, end ? (size_t)(end - key.data) : key.length};
}

static int compare_cells(struct bytes a, struct bytes b)
{
	size_t most = a.length < b.length ? a.length : b.length;
	int order;

	/* Numbers have no zeros in front. */
	if (a.length != b.length && a.length && b.length && a.data[a.length - 1] <= '9' &&
		b.data[b.length - 1] <= '9' && !memchr(a.data, '.', a.length) &&
		!memchr(a.data, ':', a.length))
		return a.length < b.length ? -1 : 1;
	order = memcmp(a.data, b.data, most);
	return order ? order : (a.length > b.length) - (a.length < b.length);
}

static int compare_numbers(const struct value *a, const struct value *b)
{
	if (a->kind == VALUE_SINCE)
		return (a->wall_ns > b->wall_ns) - (a->wall_ns < b->wall_ns);
	if (a->kind != b->kind) /* what is unknown comes last */
		return a->kind == VALUE_UNKNOWN ? 1 : -1;
	return (a->number < b->number) - (a->number > b->number);
}

/* The largest first, but times and keys from the smallest. */
static int compare(const void *x, const void *y, void *context)
{
	const struct group *a = *(struct group *const *)x, *b = *(struct group *const *)y;
	const struct answer *top = context;
	int order;

	if (top->sort_fact == FACTS) {
		order = compare_cells(
			cell_of(a->key, top->sort_key), cell_of(b->key, top->sort_key));
	} else {
		struct value v = fact_of((const struct talker *)a->payload, top->sort_fact);
		struct value w = fact_of((const struct talker *)b->payload, top->sort_fact);

		order = compare_numbers(&v, &w);
	}
	return order ? order : compare_cells(a->key, b->key);
}

static void put_header(const struct answer *a, struct text *line)
{
	for (size_t i = 0; i < a->key_count; i++) {
		const struct column_kind *kind = a->keys[i];
		size_t length = line->length;

		if (a->format == FORMAT_CSV) {
			value_put_csv_header(kind->value, kind->name, line);
			text_char(line, ',');
			continue;
		}
		text_string(line, kind->value == VALUE_SINCE ? "TIME" : kind->header);
		length = line->length - length;
		text_spaces(line, length < (size_t)kind->width ? (size_t)kind->width - length : 0);
		text_char(line, ' ');
	}
	values_put_header(a->format, facts, fact_kinds, FACTS, line);
}

static void put_row(const struct answer *a, const struct group *group, struct text *line)
{
	const struct talker *talker = (const struct talker *)group->payload;
	struct value values[FACTS];
	size_t start;

	for (size_t i = 0; i < a->key_count; i++) {
		struct bytes cell = cell_of(group->key, i);
		size_t width = (size_t)a->keys[i]->width;

		if (a->format == FORMAT_JSON)
			text_char(line, i ? ',' : '{');
		text_put(line, cell);
		if (a->format == FORMAT_CSV)
			text_char(line, ',');
		if (a->format == FORMAT_COLUMNS)
			text_spaces(line, 1 + (cell.length < width ? width - cell.length : 0));
	}
	for (size_t i = 0; i < FACTS; i++)
		values[i] = fact_of(talker, i);
	start = line->length;
	values_put_row(a->format, facts, fact_kinds, values, FACTS, line);
	if (a->format == FORMAT_JSON && !line->failed)
		line->data[start] = ','; /* the object has begun already */
}

static int print(struct answer *a, const struct merge *merge, FILE *out, struct error *error)
{
	struct text line = {0};
	int status = 0;

	(void)merge;
	groups_sort(&a->groups, compare, a);
	if (a->format != FORMAT_JSON)
		put_header(a, &line);
	for (size_t i = 0; i < a->groups.count && i < a->limit && !status; i++) {
		put_row(a, a->groups.groups[i], &line);
		status = text_write(&line, out);
	}
	if (!status)
		status = text_write(&line, out);
	text_release(&line);
	return status ? error_set(error, "out of memory") : 0;
}

static uint32_t needs(const struct answer *a)
{
	return a->key_bits | EVENT_BIT(EVENT_TIME) | EVENT_BIT(EVENT_OUTCOME) |
	       EVENT_BIT(EVENT_LATENCY);
}

const struct answer_kind answer_top = {
	create, destroy, add, print, true, .any_order = true, .needs = needs, .add_rows = add_rows};
