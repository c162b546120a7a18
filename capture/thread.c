/* SPDX-License-Identifier: BSD-2-Clause */
#include "thread.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define ASK_MS 100
#define LAST_CHANCE 10 /* times ASK_MS */
#define NICE_LOWEST 19
#define IOPRIO_WHO_PROCESS 1 /* linux/ioprio.h */
#define IOPRIO_IDLE (3 << 13)

struct thread {
	pthread_t id;
	pthread_mutex_t mutex;
	pthread_cond_t changed;
	void (*run)(void *context);
	void *context;
	bool idle, over, joined;
};

static void *start(void *argument)
{
	struct thread *t = argument;

	if (t->idle) {
		setpriority(PRIO_PROCESS, (id_t)gettid(), NICE_LOWEST);
		syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, IOPRIO_IDLE);
	}
	t->run(t->context);
	thread_lock(t);
	t->over = true;
	pthread_cond_broadcast(&t->changed);
	thread_unlock(t);
	return NULL;
}

struct thread *thread_new(void (*run)(void *context), void *context, bool idle, struct error *error)
{
	struct thread *t = calloc(1, sizeof *t);
	pthread_condattr_t attributes;

	if (!t) {
		error_set(error, "out of memory");
		return NULL;
	}
	t->run = run;
	t->context = context;
	t->idle = idle;
	pthread_mutex_init(&t->mutex, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&t->changed, &attributes);
	pthread_condattr_destroy(&attributes);
	return t;
}

int thread_start(struct thread *t, struct error *error)
{
	int number = pthread_create(&t->id, NULL, start, t);

	if (number)
		return error_set(error, "cannot start a thread: %s", strerror(number));
	return 0;
}

void thread_lock(struct thread *t)
{
	pthread_mutex_lock(&t->mutex);
}

void thread_unlock(struct thread *t)
{
	pthread_mutex_unlock(&t->mutex);
}

bool thread_wait(struct thread *t, unsigned int ms)
{
	struct timespec until;

	if (!ms)
		return !pthread_cond_wait(&t->changed, &t->mutex);
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += ms / 1000;
	until.tv_nsec += (long)(ms % 1000) * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_nsec -= 1000000000;
		until.tv_sec++;
	}
	return !pthread_cond_timedwait(&t->changed, &t->mutex, &until);
}

void thread_signal(struct thread *t)
{
	pthread_cond_broadcast(&t->changed);
}

int thread_join(struct thread *t, bool (*impatient)(void *context), void *context)
{
	int chances = -1; /* no end to the waiting */
	bool over;

	thread_lock(t);
	while (!t->over && chances != 0) {
		thread_wait(t, ASK_MS);
		if (chances > 0) {
			chances--;
			continue;
		}
		thread_unlock(t);
		if (impatient && impatient(context))
			chances = LAST_CHANCE;
		thread_lock(t);
	}
	over = t->over;
	thread_unlock(t);
	if (over && !t->joined) {
		pthread_join(t->id, NULL);
		t->joined = true;
	}
	return over ? 0 : -1;
}

bool thread_is_over(const struct thread *t)
{
	return t->joined;
}

void thread_free(struct thread *t)
{
	if (!t)
		return;
	pthread_cond_destroy(&t->changed);
	pthread_mutex_destroy(&t->mutex);
	free(t);
}
