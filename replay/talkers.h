/* SPDX-License-Identifier: BSD-2-Clause */
/* Attempts, failures and latencies for each combination of some columns. */
#ifndef TALKERS_H
#define TALKERS_H

#include "../formats/columns.h"
#include "../formats/groups.h"
#include "latencies.h"
#include "parts.h"

#define TALKER_KEYS_MAX PARTS_MAX
#define TALKER_SEPARATOR PARTS_SEPARATOR

/* In one line of the cache. */
struct talker {
	_Alignas(64) struct latencies latencies; /* of those that were established */
	uint64_t attempts, failures;
	int64_t first_ns, last_ns;
};

/* The payload of a group. */
struct talker_entry {
	struct talker *talker;
	uint64_t rank; /* for who sorts them */
};

/* All zero but for keys, key_count and format is one without talkers, to be prepared. */
struct talkers {
	const struct column_kind *keys[TALKER_KEYS_MAX];
	size_t key_count;
	enum value_format format; /* of the cells, which are the key of the group */
	struct groups groups;     /* of struct talker_entry */
	/* Below: of talkers.c. */
	struct text key;
	uint32_t key_bits;         /* of columns of events that the key is made of */
	struct parts parts;        /* none: the key of each row is made */
	struct talker **by_number; /* of the key; NULL: not yet */
	size_t number_capacity;
	struct talker **by_index; /* of the key in this batch, see parts_indexes(); the same */
	size_t index_capacity;
	struct arena arena; /* of talkers and their latencies */
};

/* Of a group of talkers->groups. */
static inline struct talker_entry *talker_entry(const struct group *group)
{
	return (struct talker_entry *)group->payload;
}

void talkers_prepare(struct talkers *talkers);
void talkers_release(struct talkers *talkers);

/* The columns of events that are looked at, by EVENT_BIT(). */
uint32_t talkers_need(const struct talkers *talkers);

/* All return 0, or -1: out of memory. */
int talkers_add(struct talkers *talkers, const struct columns_row *row);
int talkers_add_rows(struct talkers *talkers, const struct rows *rows);

/* Adds what the other ones have, of the same keys, who may lose it and must outlive these. */
int talkers_join(struct talkers *talkers, struct talkers *others);

#endif
