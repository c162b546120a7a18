/* SPDX-License-Identifier: BSD-2-Clause */
#include "shares.h"

#include <stdlib.h>

#define FEW 128 /* rows: not worth to be given away */

struct share {
	struct task task; /* the first member */
	struct shares *all;
	struct held *held; /* NULL: there is nothing to be done */
	struct rows rows;
	uint32_t *numbers; /* of the rows */
	struct found *found;
	uint32_t capacity, found_capacity;
	int status;
	struct error error;
};

struct shares {
	struct pool *pool;
	const struct answer_kind *kind;
	struct answer *answers[THREADS_MAX]; /* of each thread; the first is not ours */
	struct share *shares;
	size_t count, next;
};

/* task: of a share */
static void add(struct task *task, unsigned int thread)
{
	struct share *share = (struct share *)task;
	struct shares *all = share->all;

	if (!share->status)
		share->status = answer_add_rows(
			all->kind, all->answers[thread], &share->rows, &share->error);
}

struct shares *shares_new(struct pool *pool, const struct answer_kind *kind,
	const struct answer_choice *choice, struct answer *answer, struct error *error)
{
	struct shares *s = calloc(1, sizeof *s);

	if (s)
		s->shares = calloc(2 * (size_t)pool_threads(pool), sizeof *s->shares);
	if (!s || !s->shares) {
		free(s);
		error_set(error, "out of memory");
		return NULL;
	}
	s->pool = pool;
	s->kind = kind;
	s->count = 2 * (size_t)pool_threads(pool);
	for (size_t i = 0; i < s->count; i++) {
		s->shares[i].task.run = add;
		s->shares[i].all = s;
	}
	s->answers[0] = answer;
	for (unsigned int i = 1; i < pool_threads(pool); i++) {
		s->answers[i] = kind->create(choice, error);
		if (!s->answers[i]) {
			shares_free(s);
			return NULL;
		}
	}
	return s;
}

void shares_free(struct shares *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->count; i++) {
		struct share *share = &s->shares[i];

		pool_take_back(s->pool, &share->task);
		if (share->held)
			held_release(share->held);
		free(share->numbers);
		free(share->found);
	}
	for (unsigned int i = 1; i < THREADS_MAX; i++)
		if (s->answers[i])
			s->kind->destroy(s->answers[i]);
	free(s->shares);
	free(s);
}

static int finish(struct shares *s, struct share *share, struct error *error)
{
	pool_wait(s->pool, &share->task);
	if (share->held)
		held_release(share->held);
	share->held = NULL;
	if (share->status)
		*error = share->error;
	return share->status;
}

/* Copies count elements into the array, or a larger one instead; NULL: none, or no memory. */
static void *copy(void *array, uint32_t *capacity, const void *from, uint32_t count, size_t size)
{
	if (count > *capacity) {
		free(array);
		array = malloc(count * size);
		*capacity = array ? count : 0;
	}
	return array && count ? memcpy(array, from, count * size) : array;
}

int shares_add(struct shares *s, const struct rows *rows, struct error *error)
{
	struct share *share = &s->shares[s->next];
	struct held *held;

	if (rows->count < FEW)
		return answer_add_rows(s->kind, s->answers[0], rows, error);
	if (finish(s, share, error))
		return -1;
	held = merge_held(rows);
	share->numbers =
		copy(share->numbers, &share->capacity, rows->rows, rows->count, sizeof *rows->rows);
	share->found = copy(share->found, &share->found_capacity, rows->found, rows->found_count,
		sizeof *rows->found);
	if (!held || !share->numbers || (rows->found_count && !share->found))
		return error_set(error, "out of memory");
	held->users++;
	share->held = held;
	share->rows = *rows;
	share->rows.batch = &held->batch;
	share->rows.rows = share->numbers;
	share->rows.found = share->found;
	pool_submit(s->pool, &share->task);
	s->next = (s->next + 1) % s->count;
	return 0;
}

int shares_settle(struct shares *s, struct error *error)
{
	int status = 0;

	for (size_t i = 0; i < s->count; i++)
		if (finish(s, &s->shares[i], error))
			status = -1;
	return status;
}

int shares_join(struct shares *s, struct error *error)
{
	int status = shares_settle(s, error);

	for (unsigned int i = 1; i < THREADS_MAX && !status; i++)
		if (s->answers[i])
			status = s->kind->join(s->answers[0], s->answers[i], error);
	return status;
}
