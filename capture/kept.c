/* SPDX-License-Identifier: BSD-2-Clause */
#include "kept.h"

#include "../formats/process_field.h"

#include <assert.h>
#include <stdlib.h>

struct slot {
	struct kept_event kept;
	struct process *process; /* owned */
	uint64_t age;            /* counts on; 0: free */
	uint32_t next_free;
};

struct kept {
	uint32_t limit, used, free; /* free: slot plus 1; slots from used on were never taken */
	uint64_t age;
	struct slot *slots;
};

struct kept *kept_new(uint32_t limit)
{
	struct kept *k = calloc(1, sizeof *k);

	if (!k)
		return NULL;
	k->limit = limit;
	k->slots = calloc(limit, sizeof *k->slots); /* pages that are not needed stay untouched */
	if (!k->slots) {
		free(k);
		return NULL;
	}
	return k;
}

void kept_free(struct kept *k)
{
	if (!k)
		return;
	for (uint32_t i = 0; i < k->used; i++)
		free(k->slots[i].process);
	free(k->slots);
	free(k);
}

int64_t kept_add(struct kept *k, const struct event *event, uint64_t number)
{
	uint32_t at = k->free ? k->free - 1 : k->used;
	struct process *process;
	struct slot *s;

	if (at == k->limit)
		return -1;
	process = process_copy(event->process);
	if (!process)
		return -1;
	s = &k->slots[at];
	if (k->free)
		k->free = s->next_free;
	else
		k->used++;
	s->kept = (struct kept_event){*event, number};
	s->process = process;
	s->kept.event.process = process;
	s->age = ++k->age;
	return at;
}

struct kept_event *kept_get(struct kept *k, uint64_t slot)
{
	assert(slot < k->used && k->slots[slot].age);
	return &k->slots[slot].kept;
}

void kept_remove(struct kept *k, uint64_t slot)
{
	struct slot *s = &k->slots[slot];

	assert(slot < k->used && s->age);
	free(s->process);
	s->process = NULL;
	s->age = 0;
	s->next_free = k->free;
	k->free = (uint32_t)slot + 1;
}

static int compare_age(const void *a, const void *b)
{
	const struct slot *const *x = a, *const *y = b;

	return ((*x)->age > (*y)->age) - ((*x)->age < (*y)->age);
}

void kept_visit(
	struct kept *k, void (*visit)(void *context, struct kept_event *event), void *context)
{
	struct slot **order = calloc((size_t)k->used + 1, sizeof(struct slot *));
	size_t count = 0;

	for (uint32_t i = 0; order && i < k->used; i++)
		if (k->slots[i].age)
			order[count++] = &k->slots[i];
	if (order)
		qsort(order, count, sizeof *order, compare_age);
	for (size_t i = 0; i < count; i++)
		visit(context, &order[i]->kept);
	free(order);
}
