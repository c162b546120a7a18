/* SPDX-License-Identifier: BSD-2-Clause */
#include "chunk.h"

#include <stdlib.h>
#include <string.h>

#define GROW_BYTES (256u << 10) /* what is not needed of it stays untouched */

int chunk_append(struct chunk **chunk, const uint8_t *blocks, size_t length)
{
	struct chunk *c = *chunk;

	if (!c || length > c->capacity - c->length) {
		size_t used = c ? c->length : 0, capacity = used + length + GROW_BYTES;

		c = realloc(c, sizeof *c + capacity);
		if (!c)
			return -1;
		if (!*chunk)
			*c = (struct chunk){.capacity = capacity};
		c->capacity = capacity;
		*chunk = c;
	}
	memcpy(c->data + c->length, blocks, length);
	c->length += length;
	return 0;
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

void chunks_spare(struct chunks *c, struct chunks *spare, uint64_t most)
{
	struct chunk *chunk;

	while ((chunk = chunks_take(c)))
		if (chunk->opens_file || spare->bytes + chunk->capacity > most) {
			free(chunk);
		} else {
			/* So long it counts with all of its memory. */
			chunk->length = chunk->capacity;
			chunk->events = 0;
			chunks_append(spare, chunk);
		}
}
