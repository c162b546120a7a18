/* SPDX-License-Identifier: BSD-2-Clause */
/* A thread with the lock and the condition that it shares with the others. */
#ifndef THREAD_H
#define THREAD_H

#include <stdbool.h>

#include "../formats/error.h"

struct thread;

/* idle: it gets what others leave of CPU and disk. */
struct thread *thread_new(
	void (*run)(void *context), void *context, bool idle, struct error *error);

/* Separately, so that what run() uses can refer to the thread. -1: see error. */
int thread_start(struct thread *thread, struct error *error);

void thread_lock(struct thread *thread);
void thread_unlock(struct thread *thread);

/* With the lock: until thread_signal(), or so many ms (0: no limit). False: that was too long. */
bool thread_wait(struct thread *thread, unsigned int ms);
void thread_signal(struct thread *thread);

/*
 * Waits for its end. impatient (may be NULL) is asked ten times a second: true
 * ends the waiting a second later. Returns 0, or -1: it still runs.
 */
int thread_join(struct thread *thread, bool (*impatient)(void *context), void *context);
bool thread_is_over(const struct thread *thread);

/* Never started, or joined before. */
void thread_free(struct thread *thread);

#endif
