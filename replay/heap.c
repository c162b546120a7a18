/* SPDX-License-Identifier: BSD-2-Clause */
#include "heap.h"

#include <malloc.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define LARGE ((uintptr_t)2 << 20) /* a large page */
#define SIZE (8 * LARGE)           /* of what is to be in them */
#define FRONT ((uintptr_t)256 << 10)

#ifdef M_TOP_PAD /* glibc */
void heap_prepare(void)
{
	uintptr_t now = (uintptr_t)sbrk(0);
	uintptr_t begin = (now + FRONT + LARGE - 1) / LARGE * LARGE;
	void *volatile first;

	mallopt(M_MMAP_THRESHOLD, (int)LARGE);
	mallopt(M_TRIM_THRESHOLD, (int)(4 * SIZE));
	mallopt(M_TOP_PAD, (int)(SIZE + FRONT));
	/*
	 * A page that was touched is none of a large one any more: malloc() gets its
	 * memory, and notes the length of the rest, in front of the first of them.
	 */
	if (sbrk((intptr_t)(begin - FRONT - now)) == (void *)-1)
		return;
	first = malloc(FRONT / 4 * 3);
	free(first);
	madvise((void *)begin, SIZE, MADV_HUGEPAGE);
}

void *heap_prepare_thread(void)
{
	/*
	 * The first large page was touched: what malloc() notes of the heap stands there.
	 * Nothing else is to, so the rest of it is taken.
	 */
	void *front = malloc(LARGE - FRONT);
	uintptr_t begin = ((uintptr_t)front + LARGE - FRONT + LARGE - 1) / LARGE * LARGE;

	if (front)
		madvise((void *)begin, SIZE, MADV_HUGEPAGE);
	return front;
}
#else
void heap_prepare(void)
{
}

void *heap_prepare_thread(void)
{
	return NULL;
}
#endif
