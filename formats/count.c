/* SPDX-License-Identifier: BSD-2-Clause */
#include "count.h"
#include "groups.h"

#include <stdlib.h>

/* Also the order of those with the same count. */
struct key {
	uint8_t family, has_source;
	uint8_t saddr[16], daddr[16];
	uint8_t dport[2]; /* big-endian */
};

struct count {
	struct groups groups; /* of uint64_t */
	enum value_format format;
	bool zeros;
};

void count_free(struct count *c)
{
	if (!c)
		return;
	groups_release(&c->groups);
	free(c);
}

struct count *count_new(enum value_format format, bool zeros, struct error *error)
{
	struct count *c = calloc(1, sizeof *c);

	if (!c) {
		error_set(error, "out of memory");
		return NULL;
	}
	c->groups.payload_size = sizeof(uint64_t);
	c->format = format;
	c->zeros = zeros;
	return c;
}

static int add(struct count *c, struct bytes key, uint64_t connects, struct error *error)
{
	bool is_new;
	uint64_t *count = groups_get(&c->groups, key, &is_new);

	if (!count)
		return error_set(error, "out of memory");
	*count += connects;
	return 0;
}

int count_add(struct count *c, const struct event *e, struct error *error)
{
	struct key key = {.family = e->daddr.family,
		.has_source = e->saddr.family != 0,
		.dport = {(uint8_t)(e->dport >> 8), (uint8_t)e->dport}};

	memcpy(key.saddr, e->saddr.bytes, 16);
	memcpy(key.daddr, e->daddr.bytes, 16);
	return add(c, (struct bytes){(uint8_t *)&key, sizeof key}, 1, error);
}

static uint64_t count_of(const struct group *group)
{
	uint64_t count;

	memcpy(&count, group->payload, sizeof count);
	return count;
}

int count_join(struct count *c, const struct count *other, struct error *error)
{
	for (size_t i = 0; i < other->groups.count; i++) {
		const struct group *group = other->groups.groups[i];

		if (add(c, group->key, count_of(group), error))
			return -1;
	}
	return 0;
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

int count_print(struct count *c, FILE *out, struct error *error)
{
	static const struct value_column columns[] = {
		{"saddr", "LADDR", 25}, {"daddr", "RADDR", 25}, {"dport", "RPORT", 20},
		{"connects", "CONNECTS", 10}, {"", "", 0}, /* the last one is not padded */
	};
	static const enum value_kind kinds[] = {
		VALUE_ADDRESS, VALUE_ADDRESS, VALUE_NUMBER, VALUE_NUMBER, VALUE_WORD};
	size_t count = c->format == FORMAT_COLUMNS ? 5 : 4;
	struct text line = {0};
	int status = 0;

	groups_sort(&c->groups, compare, NULL);
	if (c->format == FORMAT_COLUMNS)
		text_char(&line, '\n');
	values_put_header(c->format, columns, kinds, count, &line);
	for (size_t i = 0; i < c->groups.count && !status; i++) {
		const struct group *group = c->groups.groups[i];
		struct address saddr, daddr;
		struct key key;

		memcpy(&key, group->key.data, sizeof key);
		saddr.family = daddr.family = key.family;
		memcpy(saddr.bytes, key.saddr, 16);
		memcpy(daddr.bytes, key.daddr, 16);
		values_put_row(c->format, columns, kinds,
			(struct value[]){
				{.kind = key.has_source || c->zeros ? VALUE_ADDRESS : VALUE_UNKNOWN,
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
