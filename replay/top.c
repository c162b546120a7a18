/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * --top: the talkers in order. The cells of their keys were made once, in the format
 * that is printed.
 */
#include "answer.h"
#include "talkers.h"

#include <stdlib.h>

#define ROWS_USUAL 10

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
	struct talkers talkers;
	size_t sort_fact, sort_key; /* FACTS: by that key */
	uint64_t limit;
};

static void destroy(struct answer *a)
{
	if (!a)
		return;
	talkers_release(&a->talkers);
	free(a);
}

static int choose_keys(struct answer *a, const char *names, struct error *error)
{
	for (const char *name = names;;) {
		size_t length = strcspn(name, ",");
		const struct column_kind *kind = column_kind_find(name, length);

		if (!kind)
			return column_kind_unknown(name, length, error);
		if (a->talkers.key_count == TALKER_KEYS_MAX)
			return error_set(error, "more than %d columns", TALKER_KEYS_MAX);
		a->talkers.keys[a->talkers.key_count++] = kind;
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
	for (size_t i = 0; i < a->talkers.key_count; i++)
		if (!strcmp(a->talkers.keys[i]->name, sort)) {
			a->sort_fact = FACTS;
			a->sort_key = i;
			return 0;
		}
	return error_set(
		error, "--sort: '%s' is neither a column of --top nor one of:%s", sort, known);
}

static struct answer *create(const struct answer_choice *choice, struct error *error)
{
	struct answer *a = calloc(1, sizeof *a);

	if (!a) {
		error_set(error, "out of memory");
		return NULL;
	}
	a->talkers.format = choice->format;
	a->limit = choice->limit ? choice->limit : ROWS_USUAL;
	if (choose_keys(a, choice->top, error)) {
		error_prefix(error, "--top");
	} else if (!choose_sort(a, choice->sort, error)) {
		talkers_prepare(&a->talkers);
		return a;
	}
	destroy(a);
	return NULL;
}

static struct value latency(const struct talker *t, unsigned int percent)
{
	if (!latencies_count(&t->latencies))
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
		end = memchr(key.data, TALKER_SEPARATOR, key.length);
		key.length -= (size_t)(end + 1 - key.data);
		key.data = end + 1;
	}
	end = memchr(key.data, TALKER_SEPARATOR, key.length);
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

/* The largest first, but times from the earliest; what is unknown comes last. */
static uint64_t rank_of(const struct talker *t, size_t fact)
{
	struct value value = fact_of(t, fact);

	if (value.kind == VALUE_SINCE)
		return (uint64_t)value.wall_ns ^ UINT64_C(1) << 63;
	if (value.kind == VALUE_UNKNOWN)
		return UINT64_MAX;
	return value.number < UINT64_MAX ? UINT64_MAX - 1 - value.number : 0;
}

/* By rank, or by a key; then by all keys. */
static int compare(const void *x, const void *y, void *context)
{
	const struct group *a = *(struct group *const *)x, *b = *(struct group *const *)y;
	const struct answer *top = context;
	uint64_t v = talker_entry(a)->rank, w = talker_entry(b)->rank;
	int order = (v > w) - (v < w);

	if (top->sort_fact == FACTS)
		order = compare_cells(
			cell_of(a->key, top->sort_key), cell_of(b->key, top->sort_key));
	return order ? order : compare_cells(a->key, b->key);
}

/* What costs something is found out once for each, not in each comparison. */
static void sort(struct answer *a)
{
	for (size_t i = 0; a->sort_fact < FACTS && i < a->talkers.groups.count; i++) {
		struct talker_entry *entry = talker_entry(a->talkers.groups.groups[i]);

		entry->rank = rank_of(entry->talker, a->sort_fact);
	}
	groups_sort(&a->talkers.groups, compare, a);
}

static void put_header(const struct answer *a, struct text *line)
{
	for (size_t i = 0; i < a->talkers.key_count; i++) {
		const struct column_kind *kind = a->talkers.keys[i];
		size_t length = line->length;

		if (a->talkers.format == FORMAT_CSV) {
			value_put_csv_header(kind->value, kind->name, line);
			text_char(line, ',');
			continue;
		}
		text_string(line, kind->value == VALUE_SINCE ? "TIME" : kind->header);
		length = line->length - length;
		text_spaces(line, length < (size_t)kind->width ? (size_t)kind->width - length : 0);
		text_char(line, ' ');
	}
	values_put_header(a->talkers.format, facts, fact_kinds, FACTS, line);
}

static void put_row(const struct answer *a, const struct group *group, struct text *line)
{
	const struct talker *talker = talker_entry(group)->talker;
	struct value values[FACTS];
	size_t start;

	for (size_t i = 0; i < a->talkers.key_count; i++) {
		struct bytes cell = cell_of(group->key, i);
		size_t width = (size_t)a->talkers.keys[i]->width;

		if (a->talkers.format == FORMAT_JSON)
			text_char(line, i ? ',' : '{');
		text_put(line, cell);
		if (a->talkers.format == FORMAT_CSV)
			text_char(line, ',');
		if (a->talkers.format == FORMAT_COLUMNS)
			text_spaces(line, 1 + (cell.length < width ? width - cell.length : 0));
	}
	for (size_t i = 0; i < FACTS; i++)
		values[i] = fact_of(talker, i);
	start = line->length;
	values_put_row(a->talkers.format, facts, fact_kinds, values, FACTS, line);
	if (a->talkers.format == FORMAT_JSON && !line->failed)
		line->data[start] = ','; /* the object has begun already */
}

static int print(struct answer *a, const struct merge *merge, FILE *out, struct error *error)
{
	struct text line = {0};
	int status = 0;

	(void)merge;
	sort(a);
	if (a->talkers.format != FORMAT_JSON)
		put_header(a, &line);
	for (size_t i = 0; i < a->talkers.groups.count && i < a->limit && !status; i++) {
		put_row(a, a->talkers.groups.groups[i], &line);
		status = text_write(&line, out);
	}
	if (!status)
		status = text_write(&line, out);
	text_release(&line);
	return status ? error_set(error, "out of memory") : 0;
}

static int add(struct answer *a, const struct columns_row *row, struct error *error)
{
	return talkers_add(&a->talkers, row) ? error_set(error, "out of memory") : 0;
}

static int add_rows(struct answer *a, const struct rows *rows, struct error *error)
{
	return talkers_add_rows(&a->talkers, rows) ? error_set(error, "out of memory") : 0;
}

static int join(struct answer *a, struct answer *other, struct error *error)
{
	return talkers_join(&a->talkers, &other->talkers) ? error_set(error, "out of memory") : 0;
}

static uint32_t needs(const struct answer *a)
{
	return talkers_need(&a->talkers);
}

const struct answer_kind answer_top = {create, destroy, add, print, true, .any_order = true,
	.needs = needs, .add_rows = add_rows, .join = join};
