/* SPDX-License-Identifier: BSD-2-Clause */
#include "kept.h"

#include "../formats/process_field.h"

#include <assert.h>
#include <stdlib.h>

struct slot {
	struct kept_event kept;
	struct process *process; /* owned, */
	uint8_t *query;          /* this too */
	uint64_t ticket;         /* 0: free */
	uint32_t next, previous; /* slot plus 1: the one added after, before; next of those that are
				    free */
};

struct kept {
	uint32_t limit, used, free; /* free: slot plus 1; slots from used on were never taken */
	uint32_t first, last;       /* slot plus 1 */
	uint32_t added;             /* counts on, and around */
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

static void free_copies(struct slot *s)
{
	free(s->process);
	free(s->query);
	s->process = NULL;
	s->query = NULL;
}

void kept_free(struct kept *k)
{
	if (!k)
		return;
	for (uint32_t i = 0; i < k->used; i++)
		free_copies(&k->slots[i]);
	free(k->slots);
	free(k);
}

bool kept_is_full(const struct kept *k)
{
	return !k->free && k->used == k->limit;
}

/* A slot's neighbour on one side, or the end of the list. */
static uint32_t *next_of(struct kept *k, uint32_t slot)
{
	return slot ? &k->slots[slot - 1].next : &k->first;
}

static uint32_t *previous_of(struct kept *k, uint32_t slot)
{
	return slot ? &k->slots[slot - 1].previous : &k->last;
}

uint64_t kept_add(struct kept *k, const struct event *event, uint64_t number)
{
	uint32_t at = k->free ? k->free - 1 : k->used;
	size_t query_length = event->query.length;
	struct process *process;
	uint8_t *query = NULL;
	struct slot *s;

	assert(!kept_is_full(k));
	process = process_copy(event->process);
	if (process && query_length)
		query = malloc(query_length);
	if (!process || (query_length && !query)) {
		free(process);
		return KEPT_NONE;
	}
	if (query)
		memcpy(query, event->query.data, query_length);
	s = &k->slots[at];
	if (k->free)
		k->free = s->next;
	else
		k->used++;
	if (!++k->added)
		k->added = 1;
	s->kept = (struct kept_event){*event, number};
	s->process = process;
	s->query = query;
	s->kept.event.process = process;
	s->kept.event.query.data = query;
	s->ticket = (uint64_t)k->added << 32 | at;
	s->next = 0;
	s->previous = k->last;
	*next_of(k, k->last) = at + 1;
	k->last = at + 1;
	return s->ticket;
}

struct kept_event *kept_get(struct kept *k, uint64_t ticket)
{
	uint32_t at = (uint32_t)ticket;

	return at < k->used && k->slots[at].ticket == ticket ? &k->slots[at].kept : NULL;
}

uint64_t kept_oldest(const struct kept *k)
{
	return k->first ? k->slots[k->first - 1].ticket : KEPT_NONE;
}

void kept_remove(struct kept *k, uint64_t ticket)
{
	uint32_t at = (uint32_t)ticket;
	struct slot *s = &k->slots[at];

	assert(at < k->used && s->ticket == ticket);
	free_copies(s);
	*next_of(k, s->previous) = s->next;
	*previous_of(k, s->next) = s->previous;
	s->ticket = 0;
	s->next = k->free;
	k->free = at + 1;
}
