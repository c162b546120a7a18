/* SPDX-License-Identifier: BSD-2-Clause */
/* Threads that do what is given to them, in that order. One thread gives, and helps when it waits.
 */
#ifndef POOL_H
#define POOL_H

#include <stdbool.h>

#define THREADS_MAX 64

/* To be embedded in what is to be done. All zero but for run: it rests. */
struct task {
	void (*run)(struct task *task, unsigned int thread); /* thread: below pool_threads() */
	enum task_state { TASK_RESTS, TASK_QUEUED, TASK_RUNS } state;
	struct task *next, *previous; /* in the queue */
};

struct pool;

/* threads: with the caller, which is thread 0; the others begin when there is work. NULL: no
 * memory. */
struct pool *pool_new(unsigned int threads);

/* What is still queued or runs must have been waited for or taken back. */
void pool_free(struct pool *pool);

unsigned int pool_threads(const struct pool *pool);

/* The rest is for the thread that called pool_new(). */

void pool_submit(struct pool *pool, struct task *task);

/* Until it rests. */
void pool_wait(struct pool *pool, struct task *task);

/* The same, but if it has not begun it is not done at all. */
void pool_take_back(struct pool *pool, struct task *task);

/* How many threads this process may run at a time. */
unsigned int pool_cores(void);

#endif
