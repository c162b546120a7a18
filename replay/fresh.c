/* SPDX-License-Identifier: BSD-2-Clause */
/* --new-since: which programs connect where since a time, and never did before. */
#include "../formats/when.h"
#include "answer.h"
#include "../formats/groups.h"

#include <stdlib.h>
#include <time.h>

struct known {
	bool before;
	uint64_t attempts;
	int64_t first_ns;
	struct address daddr;
	uint16_t dport;
	uint32_t exe_length, name_length; /* in the key, in this order */
};

struct answer {
	int64_t since_ns;
	enum value_format format;
	struct groups groups; /* of struct known */
	struct text key;
};

static void destroy(struct answer *a)
{
	if (!a)
		return;
	groups_release(&a->groups);
	text_release(&a->key);
	free(a);
}

static struct answer *create(const struct answer_choice *choice, struct error *error)
{
	struct answer *a = calloc(1, sizeof *a);
	struct timespec now;

	if (!a) {
		error_set(error, "out of memory");
		return NULL;
	}
	clock_gettime(CLOCK_REALTIME, &now);
	a->groups.payload_size = sizeof(struct known);
	a->format = choice->format;
	if (!when_parse(choice->fresh, now.tv_sec * INT64_C(1000000000) + now.tv_nsec, &a->since_ns,
		    error))
		return a;
	error_prefix(error, "--new-since");
	destroy(a);
	return NULL;
}

/* The program is its path, or its name when the path is not known. */
static int add(struct answer *a, const struct columns_row *row, struct error *error)
{
	const struct event *e = row->event;
	const struct process *p = e->process;
	struct bytes name = p->exe.length ? (struct bytes){NULL, 0} : p->comm;
	uint8_t port[2] = {(uint8_t)e->dport, (uint8_t)(e->dport >> 8)};
	struct known *known = NULL;
	bool is_new;

	a->key.length = 0;
	text_put(&a->key, p->exe);
	text_put(&a->key, name);
	text_char(&a->key, p->exe.length ? '/' : ' ');
	text_char(&a->key, (char)e->daddr.family);
	text_put(&a->key, (struct bytes){e->daddr.bytes, 16});
	text_put(&a->key, (struct bytes){port, 2});
	if (!a->key.failed)
		known = groups_get(
			&a->groups, (struct bytes){(uint8_t *)a->key.data, a->key.length}, &is_new);
	if (!known)
		return error_set(error, "out of memory");
	if (row->wall_ns < a->since_ns) {
		known->before = true;
		return 0;
	}
	if (!known->attempts || row->wall_ns < known->first_ns)
		known->first_ns = row->wall_ns;
	known->attempts++;
	known->daddr = e->daddr;
	known->dport = e->dport;
	known->exe_length = (uint32_t)p->exe.length;
	known->name_length = (uint32_t)name.length;
	return 0;
}

static const struct known *known_of(const struct group *group)
{
	return (const struct known *)group->payload;
}

static int compare(const void *x, const void *y, void *context)
{
	const struct group *a = *(struct group *const *)x, *b = *(struct group *const *)y;
	int64_t m = known_of(a)->first_ns, n = known_of(b)->first_ns;

	(void)context;
	return (m > n) - (m < n);
}

static struct value text(struct bytes bytes)
{
	return (struct value){.kind = bytes.length ? VALUE_TEXT : VALUE_UNKNOWN, .text = bytes};
}

static int print(struct answer *a, const struct merge *merge, FILE *out, struct error *error)
{
	static const struct value_column columns[] = {{"first", "FIRST", 32}, {"exe", "EXE", 30},
		{"comm", "COMM", 15}, {"daddr", "DADDR", 15}, {"dport", "DPORT", 5},
		{"attempts", "ATTEMPTS", 9}};
	static const enum value_kind kinds[] = {
		VALUE_SINCE, VALUE_TEXT, VALUE_TEXT, VALUE_ADDRESS, VALUE_NUMBER, VALUE_NUMBER};
	struct text line = {0};
	int status = 0;

	(void)merge;
	groups_sort(&a->groups, compare, NULL);
	values_put_header(a->format, columns, kinds, 6, &line);
	for (size_t i = 0; i < a->groups.count && !status; i++) {
		const struct known *known = known_of(a->groups.groups[i]);
		const uint8_t *key = a->groups.groups[i]->key.data;

		if (known->before || !known->attempts)
			continue;
		values_put_row(a->format, columns, kinds,
			(struct value[]){
				{.kind = VALUE_SINCE, .wall_ns = known->first_ns},
				text((struct bytes){key, known->exe_length}),
				text((struct bytes){key + known->exe_length, known->name_length}),
				{.kind = VALUE_ADDRESS, .of = &known->daddr},
				{.kind = VALUE_NUMBER, .number = known->dport},
				{.kind = VALUE_NUMBER, .number = known->attempts},
			},
			6, &line);
		status = text_write(&line, out);
	}
	if (!status)
		status = text_write(&line, out);
	text_release(&line);
	return status ? error_set(error, "out of memory") : 0;
}

const struct answer_kind answer_fresh = {create, destroy, add, print, .needs = NULL};
