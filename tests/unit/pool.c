/* SPDX-License-Identifier: BSD-2-Clause */
/* Threads of the reader: each task is done once, and by somebody, however many threads there are.
 */
#include "unit.h"

#include <errno.h>
#include <pthread.h>

/* As many threads begin as may. */
static unsigned int may_begin;

static int begin_thread(
	pthread_t *id, const pthread_attr_t *attributes, void *(*start)(void *), void *argument)
{
	if (!may_begin)
		return EAGAIN;
	may_begin--;
	return pthread_create(id, attributes, start, argument);
}

#define pthread_create begin_thread
#include "../../replay/heap.c"
#include "../../replay/pool.c"
#undef pthread_create

#define TASKS 2000

struct counted {
	struct task task;
	unsigned int runs, thread; /* written by who runs it */
};

static void count_run(struct task *task, unsigned int thread)
{
	struct counted *c = (struct counted *)task;

	c->runs++;
	c->thread = thread;
}

static void begin(struct counted *tasks, size_t count)
{
	memset(tasks, 0, count * sizeof *tasks);
	for (size_t i = 0; i < count; i++)
		tasks[i].task.run = count_run;
}

/* threads are wanted, of which so many beside the first can begin. */
static void do_all(unsigned int threads, unsigned int can_begin)
{
	static struct counted tasks[TASKS];
	struct pool *pool = pool_new(threads);

	assert_non_null(pool);
	may_begin = can_begin;
	begin(tasks, TASKS);
	for (size_t i = 0; i < TASKS; i++)
		pool_submit(pool, &tasks[i].task);
	for (size_t i = TASKS; i-- > 0;)
		pool_wait(pool, &tasks[i].task);
	assert_true(pool_threads(pool) <= threads);
	pool_free(pool);
	for (size_t i = 0; i < TASKS; i++) {
		assert_int_equal(tasks[i].runs, 1);
		assert_true(tasks[i].thread < threads && tasks[i].thread <= can_begin);
	}
}

static void each_task_is_done_once(void **state)
{
	(void)state;
	for (unsigned int threads = 1; threads <= 8; threads++)
		do_all(threads, threads);
}

static void what_threads_cannot_begin_the_others_do(void **state)
{
	(void)state;
	for (unsigned int can_begin = 0; can_begin < 3; can_begin++)
		do_all(5, can_begin);
}

static void what_is_taken_back_was_done_or_is_not(void **state)
{
	static struct counted tasks[TASKS];
	struct pool *pool = pool_new(3);
	unsigned int done = 0;

	(void)state;
	assert_non_null(pool);
	may_begin = 2;
	begin(tasks, TASKS);
	for (size_t i = 0; i < TASKS; i++)
		pool_submit(pool, &tasks[i].task);
	for (size_t i = TASKS; i-- > 0;) {
		pool_take_back(pool, &tasks[i].task);
		assert_int_equal(tasks[i].task.state, TASK_RESTS);
		assert_true(tasks[i].runs <= 1);
		done += tasks[i].runs;
		tasks[i].runs = 0;
	}
	pool_free(pool);
	/* None of them ran later. */
	for (size_t i = 0; i < TASKS; i++)
		assert_int_equal(tasks[i].runs, 0);
	assert_true(done <= TASKS);
}

/* A task may be given again when it rests. */
static void a_task_is_given_again(void **state)
{
	struct counted again = {.task = {.run = count_run}};
	struct pool *pool = pool_new(2);

	(void)state;
	assert_non_null(pool);
	may_begin = 1;
	for (unsigned int i = 1; i <= 1000; i++) {
		pool_submit(pool, &again.task);
		pool_wait(pool, &again.task);
		assert_int_equal(again.runs, i);
	}
	pool_free(pool);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_task_is_done_once),
		cmocka_unit_test(what_threads_cannot_begin_the_others_do),
		cmocka_unit_test(what_is_taken_back_was_done_or_is_not),
		cmocka_unit_test(a_task_is_given_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
