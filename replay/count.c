/* SPDX-License-Identifier: BSD-2-Clause */
/* -c: as tcpconnect(8) of bcc prints it (its print formats, to the byte): IPv4, then IPv6. */
#include "answer.h"
#include "groups.h"

#include <stdlib.h>

/* Also the order of those with the same count. */
struct key {
	uint8_t family, has_source;
	uint8_t saddr[16], daddr[16];
	uint8_t dport[2]; /* big-endian */
};

struct answer {
	struct groups groups; /* of uint64_t */
	enum value_format format;
	bool zeros;
};

static void destroy(struct answer *a)
{
	if (!a)
		return;
	groups_release(&a->groups);
	free(a);
}

static struct answer *create(const struct answer_choice *choice, struct error *error)
{
	struct answer *a = calloc(1, sizeof *a);

	if (!a) {
		error_set(error, "out of memory");
		return NULL;
	}
	a->groups.payload_size = sizeof(uint64_t);
	a->format = choice->format;
	a->zeros = choice->style;
	return a;
}

static int add(struct answer *a, const struct columns_row *row, struct error *error)
{
	const struct event *e = row->event;
	struct key key = {.family = e->daddr.family,
		.has_source = e->saddr.family != 0,
		.dport = {(uint8_t)(e->dport >> 8), (uint8_t)e->dport}};
	uint64_t *count;
	bool is_new;

	memcpy(key.saddr, e->saddr.bytes, 16);
	memcpy(key.daddr, e->daddr.bytes, 16);
	count = groups_get(&a->groups, (struct bytes){(uint8_t *)&key, sizeof key}, &is_new);
	if (!count)
		return error_set(error, "out of memory");
	++*count;
	return 0;
}

static uint64_t count_of(const struct group *group)
{
	uint64_t count;

	memcpy(&count, group->payload, sizeof count);
	return count;
}

static int compare(const void *a, const void *b, void *context)
{
	const struct group *x = *(struct group *const *)a, *y = *(struct group *const *)b;
	uint64_t m = count_of(x), n = count_of(y);

	(void)context;
	if (x->key.data[0] != y->key.data[0])
		return x->key.data[0] < y->key.data[0] ? -1 : 1;
	if (m != n)
		return m > n ? -1 : 1;
	return memcmp(x->key.data, y->key.data, sizeof(struct key));
}

static int print(struct answer *a, const struct merge *merge, FILE *out, struct error *error)
{
	static const struct value_column columns[] = {
		{"saddr", "LADDR", 25}, {"daddr", "RADDR", 25}, {"dport", "RPORT", 20},
		{"connects", "CONNECTS", 10}, {"", "", 0}, /* the last one is not padded */
	};
	static const enum value_kind kinds[] = {
		VALUE_ADDRESS, VALUE_ADDRESS, VALUE_NUMBER, VALUE_NUMBER, VALUE_WORD};
	size_t count = a->format == FORMAT_COLUMNS ? 5 : 4;
	struct text line = {0};
	int status = 0;

	(void)merge;
	groups_sort(&a->groups, compare, NULL);
	if (a->format == FORMAT_COLUMNS)
		text_char(&line, '\n');
	values_put_header(a->format, columns, kinds, count, &line);
	for (size_t i = 0; i < a->groups.count && !status; i++) {
		const struct group *group = a->groups.groups[i];
		struct address saddr, daddr;
		struct key key;

		memcpy(&key, group->key.data, sizeof key);
		saddr.family = daddr.family = key.family;
		memcpy(saddr.bytes, key.saddr, 16);
		memcpy(daddr.bytes, key.daddr, 16);
		values_put_row(a->format, columns, kinds,
			(struct value[]){
				{.kind = key.has_source || a->zeros ? VALUE_ADDRESS : VALUE_UNKNOWN,
					.of = &saddr},
				{.kind = VALUE_ADDRESS, .of = &daddr},
				{.kind = VALUE_NUMBER, .number = get_be(key.dport, 2)},
				{.kind = VALUE_NUMBER, .number = count_of(group)},
				{.kind = VALUE_WORD},
			},
			count, &line);
		status = text_write(&line, out);
	}
	if (!status)
		status = text_write(&line, out);
	text_release(&line);
	return status ? error_set(error, "out of memory") : 0;
}

const struct answer_kind answer_count = {create, destroy, add, print, false, .any_order = true};
