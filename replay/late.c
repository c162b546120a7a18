/* SPDX-License-Identifier: BSD-2-Clause */
#include "late.h"

#include <stdlib.h>

#define CAPACITY_MIN 64

void late_release(struct late *late)
{
	free(late->slots);
	memset(late, 0, sizeof *late);
}

/* The slot of that number, or the free one where it belongs. Never full. */
static struct late_slot *slot_of(const struct late *late, uint64_t number)
{
	size_t mask = late->capacity - 1;
	size_t i = (size_t)(number * UINT64_C(0x9e3779b97f4a7c15) >> 20) & mask;

	while (late->slots[i].used && late->slots[i].number != number)
		i = (i + 1) & mask;
	return &late->slots[i];
}

/* Into a table of that capacity, without those before first. */
static int rehash(struct late *late, size_t capacity, uint64_t first)
{
	struct late grown = {calloc(capacity, sizeof *grown.slots), 0, capacity};

	if (!grown.slots)
		return -1;
	for (size_t i = 0; i < late->capacity; i++)
		if (late->slots[i].used && late->slots[i].number >= first) {
			*slot_of(&grown, late->slots[i].number) = late->slots[i];
			grown.count++;
		}
	free(late->slots);
	*late = grown;
	return 0;
}

int late_add(struct late *late, const struct late_result *result)
{
	struct late_slot *slot;

	if (late->count * 4 >= late->capacity * 3 &&
		rehash(late, late->capacity ? late->capacity * 2 : CAPACITY_MIN, 0))
		return -1;
	slot = slot_of(late, result->number);
	late->count += !slot->used;
	*slot = (struct late_slot){result->number, result->result, true};
	return 0;
}

const struct result *late_find(const struct late *late, uint64_t number)
{
	const struct late_slot *slot;

	if (!late->count)
		return NULL;
	slot = slot_of(late, number);
	return slot->used ? &slot->result : NULL;
}

void late_forget(struct late *late, uint64_t number)
{
	/* Without memory for it the table stays as it is. */
	if (late->count)
		rehash(late, late->capacity, number);
}
