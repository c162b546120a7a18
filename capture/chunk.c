/* SPDX-License-Identifier: BSD-2-Clause */
#include "chunk.h"

#include <stdlib.h>
#include <string.h>

struct chunk *chunk_new(const uint8_t *blocks, size_t length, uint32_t events)
{
	struct chunk *chunk = malloc(sizeof *chunk + length);

	if (!chunk)
		return NULL;
	*chunk = (struct chunk){.events = events, .length = length};
	memcpy(chunk->data, blocks, length);
	return chunk;
}

struct chunk *chunk_new_file(int64_t wall_ns)
{
	struct chunk *chunk = malloc(sizeof *chunk);

	if (chunk)
		*chunk = (struct chunk){.opens_file = true, .wall_ns = wall_ns};
	return chunk;
}

void chunks_append(struct chunks *c, struct chunk *chunk)
{
	chunk->next = NULL;
	if (c->last)
		c->last->next = chunk;
	else
		c->first = chunk;
	c->last = chunk;
	c->bytes += sizeof *chunk + chunk->length;
	c->events += chunk->events;
}

struct chunk *chunks_take(struct chunks *c)
{
	struct chunk *chunk = c->first;

	if (!chunk)
		return NULL;
	c->first = chunk->next;
	if (!c->first)
		c->last = NULL;
	c->bytes -= sizeof *chunk + chunk->length;
	c->events -= chunk->events;
	return chunk;
}

void chunks_clear(struct chunks *c)
{
	while (c->first)
		free(chunks_take(c));
}
