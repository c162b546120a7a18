/* SPDX-License-Identifier: BSD-2-Clause */
#include "groups.h"

#include <stdlib.h>

#define SLOTS_MIN 256

static uint64_t hash_of(struct bytes key)
{
	uint64_t hash = key.length * UINT64_C(0x9e3779b97f4a7c15);

	for (; key.length >= 8; key.data += 8, key.length -= 8)
		hash = (hash ^ get_le64(key.data)) * UINT64_C(0xff51afd7ed558ccd) ^ hash >> 29;
	hash = (hash ^ get_le(key.data, (unsigned int)key.length)) * UINT64_C(0xc4ceb9fe1a85ec53);
	return hash ^ hash >> 32;
}

static int grow(struct groups *g)
{
	size_t slot_count = g->slot_count ? g->slot_count * 2 : SLOTS_MIN;
	uint32_t *slots = calloc(slot_count, sizeof *slots);
	struct group **grown = realloc(g->groups, slot_count / 2 * sizeof *grown);

	if (grown)
		g->groups = grown;
	if (!slots || !grown) {
		free(slots);
		return -1;
	}
	free(g->slots);
	g->slots = slots;
	g->slot_count = slot_count;
	g->capacity = slot_count / 2;
	for (size_t i = 0; i < g->count; i++) {
		size_t slot = g->groups[i]->hash & (slot_count - 1);

		while (slots[slot])
			slot = (slot + 1) & (slot_count - 1);
		slots[slot] = (uint32_t)i + 1;
	}
	return 0;
}

void *groups_get(struct groups *g, struct bytes key, bool *is_new)
{
	uint64_t hash = hash_of(key);
	struct group *group;
	size_t slot;

	if (g->count == g->capacity && (g->count > UINT32_MAX / 4 || grow(g)))
		return NULL;
	*is_new = false;
	for (slot = hash & (g->slot_count - 1); g->slots[slot];
		slot = (slot + 1) & (g->slot_count - 1)) {
		group = g->groups[g->slots[slot] - 1];
		if (group->hash == hash && bytes_equal(group->key, key))
			return group->payload;
	}
	group = calloc(1, sizeof *group + g->payload_size + key.length);
	if (!group)
		return NULL;
	group->hash = hash;
	if (key.length)
		memcpy(group->payload + g->payload_size, key.data, key.length);
	group->key = (struct bytes){group->payload + g->payload_size, key.length};
	g->groups[g->count++] = group;
	g->slots[slot] = (uint32_t)g->count;
	*is_new = true;
	return group->payload;
}

void groups_sort(struct groups *g, int (*compare)(const void *a, const void *b, void *context),
	void *context)
{
	if (g->count)
		qsort_r(g->groups, g->count, sizeof *g->groups, compare, context);
}

void groups_release(struct groups *g)
{
	for (size_t i = 0; i < g->count; i++)
		free(g->groups[i]);
	free(g->groups);
	free(g->slots);
	memset(g, 0, sizeof *g);
}
