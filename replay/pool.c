/* SPDX-License-Identifier: BSD-2-Clause */
#include "pool.h"
#include "heap.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

struct pool {
	pthread_mutex_t lock; /* of all but threads, started and ids */
	pthread_cond_t work, rest;
	struct task queue; /* a ring: first is next, last is previous */
	unsigned int threads, started, idle;
	bool stop;
	struct worker {
		struct pool *pool;
		unsigned int number;
		pthread_t id;
	} workers[THREADS_MAX];
};

struct pool *pool_new(unsigned int threads)
{
	struct pool *p = calloc(1, sizeof *p);

	if (!p)
		return NULL;
	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->work, NULL);
	pthread_cond_init(&p->rest, NULL);
	p->queue.next = p->queue.previous = &p->queue;
	p->threads = threads < THREADS_MAX ? threads : THREADS_MAX;
	p->started = 1;
	return p;
}

void pool_free(struct pool *p)
{
	if (!p)
		return;
	pthread_mutex_lock(&p->lock);
	p->stop = true;
	pthread_cond_broadcast(&p->work);
	pthread_mutex_unlock(&p->lock);
	for (unsigned int i = 1; i < p->started; i++)
		pthread_join(p->workers[i].id, NULL);
	pthread_cond_destroy(&p->rest);
	pthread_cond_destroy(&p->work);
	pthread_mutex_destroy(&p->lock);
	free(p);
}

unsigned int pool_threads(const struct pool *p)
{
	return p->threads;
}

static void unlink_task(struct task *task)
{
	task->previous->next = task->next;
	task->next->previous = task->previous;
}

/* The lock is held, but not while it runs. */
static void run(struct pool *p, struct task *task, unsigned int thread)
{
	unlink_task(task);
	task->state = TASK_RUNS;
	pthread_mutex_unlock(&p->lock);
	task->run(task, thread);
	pthread_mutex_lock(&p->lock);
	task->state = TASK_RESTS;
}

/* argument: struct worker */
static void *work(void *argument)
{
	struct worker *w = argument;
	struct pool *p = w->pool;
	void *front = heap_prepare_thread();

	pthread_mutex_lock(&p->lock);
	while (!p->stop) {
		if (p->queue.next != &p->queue) {
			run(p, p->queue.next, w->number);
			pthread_cond_signal(&p->rest);
			continue;
		}
		p->idle++;
		pthread_cond_wait(&p->work, &p->lock);
		p->idle--;
	}
	pthread_mutex_unlock(&p->lock);
	free(front);
	return NULL;
}

/* One more, or none: then the others do its work. Signals are for the first thread. */
static void start(struct pool *p)
{
	struct worker *w = &p->workers[p->started];
	sigset_t all, before;

	w->pool = p;
	w->number = p->started;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	if (pthread_create(&w->id, NULL, work, w))
		p->threads = p->started;
	else
		p->started++;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
}

void pool_submit(struct pool *p, struct task *task)
{
	bool busy;

	pthread_mutex_lock(&p->lock);
	task->state = TASK_QUEUED;
	task->next = &p->queue;
	task->previous = p->queue.previous;
	task->previous->next = task->next->previous = task;
	busy = !p->idle;
	pthread_cond_signal(&p->work);
	pthread_mutex_unlock(&p->lock);
	if (busy && p->started < p->threads)
		start(p);
}

void pool_wait(struct pool *p, struct task *task)
{
	pthread_mutex_lock(&p->lock);
	while (task->state != TASK_RESTS) {
		if (task->state == TASK_QUEUED)
			run(p, task, 0);
		else if (p->queue.next != &p->queue)
			run(p, p->queue.next, 0);
		else
			pthread_cond_wait(&p->rest, &p->lock);
	}
	pthread_mutex_unlock(&p->lock);
}

void pool_take_back(struct pool *p, struct task *task)
{
	pthread_mutex_lock(&p->lock);
	if (task->state == TASK_QUEUED) {
		unlink_task(task);
		task->state = TASK_RESTS;
	}
	while (task->state != TASK_RESTS)
		pthread_cond_wait(&p->rest, &p->lock);
	pthread_mutex_unlock(&p->lock);
}

unsigned int pool_cores(void)
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN);
	cpu_set_t set;

	/* It fails where there are more than fit into the set. */
	if (!sched_getaffinity(0, sizeof set, &set))
		cores = CPU_COUNT(&set);
	return cores < 1 ? 1 : cores < THREADS_MAX ? (unsigned int)cores : THREADS_MAX;
}
