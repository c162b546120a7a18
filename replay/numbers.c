/* SPDX-License-Identifier: BSD-2-Clause */
#include "numbers.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define SLOTS_MIN 256

static int grow(struct numbers *n)
{
	struct numbers grown = *n;
	size_t size = n->words + 1;

	grown.slot_count = n->slot_count ? n->slot_count * 2 : SLOTS_MIN;
	grown.slots = calloc(grown.slot_count, size * sizeof *grown.slots);
	if (!grown.slots)
		return -1;
	for (size_t at = 0; at < n->slot_count; at++) {
		const uint64_t *slot = n->slots + at * size;

		if (slot[n->words])
			memcpy(numbers_find(&grown, slot, numbers_hash(slot, n->words), n->words),
				slot, size * sizeof *slot);
	}
	free(n->slots);
	*n = grown;
	return 0;
}

uint32_t numbers_add(struct numbers *n, const uint64_t *key, uint64_t hash)
{
	uint64_t *slot;

	/* Mostly empty: what is looked for is found at the first look. */
	if (n->count >= n->slot_count / 4 && (n->count > UINT32_MAX / 4 || grow(n)))
		return 0;
	slot = numbers_find(n, key, hash, n->words);
	memcpy(slot, key, n->words * sizeof *key);
	slot[n->words] = ++n->count;
	return n->count;
}

void numbers_release(struct numbers *n)
{
	free(n->slots);
	memset(n, 0, sizeof *n);
}
