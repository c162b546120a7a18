/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef HEAP_H
#define HEAP_H

/*
 * To be called once, before much is allocated: puts the first megabytes of the
 * heap into large pages, and keeps what is freed. Where a fault is dear (a guest
 * whose host keeps the page tables: more than 10 us) those of the buffers are a
 * fifth of what a query takes. Without large pages all is only slower.
 */
void heap_prepare(void);

/* The same for the heap of a thread that begins. Returns what it is to free() when it ends. */
void *heap_prepare_thread(void);

#endif
