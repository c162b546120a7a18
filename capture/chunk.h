/* SPDX-License-Identifier: BSD-2-Clause */
/* What the writer is given: whole blocks, or that the next file begins. */
#ifndef CHUNK_H
#define CHUNK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct chunk {
	struct chunk *next;
	bool opens_file; /* no bytes, but the next file */
	int64_t wall_ns; /* when it begins */
	uint32_t events;
	size_t length, capacity;
	uint8_t data[];
};

/* Appends blocks to the chunk, NULL: to a new one. -1: out of memory, then it is as it was. */
int chunk_append(struct chunk **chunk, const uint8_t *blocks, size_t length);
struct chunk *chunk_new_file(int64_t wall_ns);

/* All zero: empty. */
struct chunks {
	struct chunk *first, *last;
	uint64_t bytes, events; /* of memory that is used; in them */
};

void chunks_append(struct chunks *chunks, struct chunk *chunk);
/* The first one leaves it, unfreed. NULL: it is empty. */
struct chunk *chunks_take(struct chunks *chunks);
void chunks_clear(struct chunks *chunks);
/* The same, but empty ones go to spare, as long as those have less than so many bytes of memory. */
void chunks_spare(struct chunks *chunks, struct chunks *spare, uint64_t most);

#endif
