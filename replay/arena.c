/* SPDX-License-Identifier: BSD-2-Clause */
#include "arena.h"

#include <stdint.h>
#include <sys/mman.h>

#define SMALL ((size_t)256 << 10) /* the first chunk, for who needs no more */
#define LARGE ((size_t)2 << 20)   /* a large page: one fault, one entry of the TLB */

struct arena_chunk { /* at its begin */
	struct arena_chunk *next;
	void *mapped;
	size_t length;
};

static size_t round_up(size_t size, size_t to)
{
	return (size + to - 1) / to * to;
}

static int add_chunk(struct arena *a)
{
	size_t size = a->chunks ? LARGE : SMALL;
	size_t length = a->chunks ? 2 * LARGE : SMALL; /* a large page in it, wherever it is */
	char *mapped =
		mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct arena_chunk *chunk;

	if (mapped == MAP_FAILED)
		return -1;
	chunk = (struct arena_chunk *)mapped;
	if (size == LARGE) {
		uintptr_t at = round_up((uintptr_t)mapped, LARGE);

		chunk = (struct arena_chunk *)at;
		madvise(chunk, LARGE, MADV_HUGEPAGE); /* without them it is only slower */
	}
	*chunk = (struct arena_chunk){a->chunks, mapped, length};
	a->chunks = chunk;
	a->size = size;
	a->used = round_up(sizeof *chunk, ARENA_LINE);
	return 0;
}

void *arena_get(struct arena *a, size_t size)
{
	char *got;

	size = round_up(size, ARENA_LINE);
	if (a->size - a->used < size && add_chunk(a))
		return NULL;
	got = (char *)a->chunks + a->used;
	a->used += size;
	return got;
}

void arena_release(struct arena *a)
{
	while (a->chunks) {
		struct arena_chunk *chunk = a->chunks;

		a->chunks = chunk->next;
		munmap(chunk->mapped, chunk->length);
	}
	a->used = a->size = 0;
}
