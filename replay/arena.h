/* SPDX-License-Identifier: BSD-2-Clause */
/* Memory for many small things that go together in the end. */
#ifndef ARENA_H
#define ARENA_H

#include <stddef.h>

#define ARENA_LINE 64 /* what is had from it begins at such a line of the cache */
#define ARENA_MAX 65536

/* All zero is an empty one. */
struct arena {
	struct arena_chunk *chunks; /* the one that is filled first */
	size_t used, size;          /* of that one */
};

/* At most ARENA_MAX bytes, all zero. NULL: out of memory. */
void *arena_get(struct arena *arena, size_t size);

void arena_release(struct arena *arena);

#endif
