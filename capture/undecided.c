/* SPDX-License-Identifier: BSD-2-Clause */
/* A hash table with chains, and a list in the order of their coming, over one array of nodes. */
#include "undecided.h"

#include <stdlib.h>

#define NONE 0 /* nodes are numbered from 1; 0 is also the head of the list */

struct node {
	struct undecided_entry entry;
	uint32_t chained;      /* the next one of the bucket, or of the free ones */
	uint32_t older, newer; /* in the list, a ring that begins and ends at node 0 */
};

struct undecided {
	uint32_t limit, count, mask;
	uint32_t free, used; /* nodes from used + 1 on were never taken */
	uint32_t *buckets;
	struct node *nodes;
};

struct undecided *undecided_new(uint32_t limit)
{
	struct undecided *u = calloc(1, sizeof *u);
	uint32_t buckets = 16;

	if (!u)
		return NULL;
	while (buckets < limit)
		buckets *= 2;
	u->limit = limit;
	u->mask = buckets - 1;
	u->buckets = calloc(buckets, sizeof *u->buckets);
	u->nodes = calloc((size_t)limit + 1, sizeof *u->nodes);
	if (!u->buckets || !u->nodes) {
		undecided_free(u);
		return NULL;
	}
	return u;
}

void undecided_free(struct undecided *u)
{
	if (!u)
		return;
	free(u->buckets);
	free(u->nodes);
	free(u);
}

uint32_t undecided_count(const struct undecided *u)
{
	return u->count;
}

/* The place that refers to the node of that id, or where one would be chained. */
static uint32_t *find_link(struct undecided *u, uint64_t id)
{
	uint32_t *link = &u->buckets[(id * 0x9e3779b97f4a7c15u >> 32) & u->mask];

	while (*link != NONE && u->nodes[*link].entry.id != id)
		link = &u->nodes[*link].chained;
	return link;
}

struct undecided_entry *undecided_find(struct undecided *u, uint64_t id)
{
	uint32_t number = *find_link(u, id);

	return number == NONE ? NULL : &u->nodes[number].entry;
}

bool undecided_take(struct undecided *u, uint64_t id, struct undecided_entry *entry)
{
	uint32_t *link = find_link(u, id), number = *link;
	struct node *node = &u->nodes[number];

	if (number == NONE)
		return false;
	*entry = node->entry;
	*link = node->chained;
	u->nodes[node->older].newer = node->newer;
	u->nodes[node->newer].older = node->older;
	node->chained = u->free;
	u->free = number;
	u->count--;
	return true;
}

void undecided_remove(struct undecided *u, uint64_t id)
{
	struct undecided_entry removed;

	undecided_take(u, id, &removed);
}

void undecided_add(struct undecided *u, const struct undecided_entry *entry)
{
	uint32_t *link = find_link(u, entry->id), number;
	struct node *node;

	if (*link != NONE || u->count == u->limit) { /* rarely */
		undecided_remove(u, entry->id);
		if (u->count == u->limit)
			undecided_remove(u, u->nodes[u->nodes[0].newer].entry.id);
		link = find_link(u, entry->id);
	}
	number = u->free != NONE ? u->free : ++u->used;
	node = &u->nodes[number];
	if (number == u->free)
		u->free = node->chained;
	*node = (struct node){.entry = *entry, .older = u->nodes[0].older};
	*link = number;
	u->nodes[node->older].newer = number;
	u->nodes[0].older = number;
	u->count++;
}
