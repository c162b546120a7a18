/* SPDX-License-Identifier: BSD-2-Clause */
#include "printer.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>

#define PIECES_MAX (2 * THREADS_MAX)
#define HELD_MAX 64 /* batches that a piece holds: a bound on memory */
#define SOME 64     /* runs that are printed at a time */

/* Rows of a batch that stand behind each other. Short: another core reads it. */
struct run {
	uint16_t batch, count, found_count;
};

struct piece {
	struct task task; /* the first member */
	struct printer *printer;
	uint32_t count, run_count, found_count, held_count;
	struct held *held[HELD_MAX];   /* each once */
	struct rows batches[HELD_MAX]; /* of the same: what their rows have in common */
	struct text text;
	struct run runs[PRINTER_ROWS]; /* of what follows */
	uint32_t rows[PRINTER_ROWS];
	struct found found[PRINTER_ROWS];
};

struct printer {
	struct pool *pool;
	FILE *out;
	struct columns *columns[THREADS_MAX]; /* for each thread */
	bool started, failed;
	struct error error;
	/* A ring: those from first on are given to the pool, the one behind them takes rows. */
	struct piece *pieces[PIECES_MAX];
	size_t piece_count, first, given;
	uint64_t marks;
};

void printer_free(struct printer *p)
{
	if (!p)
		return;
	for (; p->given; p->given--, p->first = (p->first + 1) % p->piece_count)
		pool_take_back(p->pool, &p->pieces[p->first]->task);
	for (size_t i = 0; i < p->piece_count && p->pieces[i]; i++) {
		for (uint32_t k = 0; k < p->pieces[i]->held_count; k++)
			held_release(p->pieces[i]->held[k]);
		text_release(&p->pieces[i]->text);
		free(p->pieces[i]);
	}
	for (unsigned int i = 0; i < pool_threads(p->pool); i++)
		columns_free(p->columns[i]);
	free(p);
}

/* task: of a piece */
static void print(struct task *task, unsigned int thread)
{
	struct piece *piece = (struct piece *)task;
	struct columns *columns = piece->printer->columns[thread];
	const struct run *run = piece->runs, *end = run + piece->run_count;
	const uint32_t *rows = piece->rows;
	const struct found *found = piece->found;

	while (run < end) {
		struct rows some[SOME];
		size_t n = 0;

		for (; run < end && n < SOME; run++) {
			some[n] = piece->batches[run->batch];
			some[n].rows = rows;
			some[n].count = run->count;
			some[n].found = found;
			some[n++].found_count = run->found_count;
			rows += run->count;
			found += run->found_count;
		}
		columns_put_runs(columns, some, n);
	}
	columns_take(columns, &piece->text);
}

struct printer *printer_new(
	struct pool *pool, const struct columns_choice *choice, FILE *out, struct error *error)
{
	struct printer *p = calloc(1, sizeof *p);

	if (!p) {
		error_set(error, "out of memory");
		return NULL;
	}
	p->pool = pool;
	p->out = out;
	p->piece_count = 2 * (size_t)pool_threads(pool);
	for (unsigned int i = 0; i < pool_threads(pool); i++) {
		p->columns[i] = columns_new(choice, error);
		if (!p->columns[i]) {
			printer_free(p);
			return NULL;
		}
	}
	for (size_t i = 0; i < p->piece_count; i++) {
		p->pieces[i] = malloc(sizeof **p->pieces);
		if (!p->pieces[i]) {
			error_set(error, "out of memory");
			printer_free(p);
			return NULL;
		}
		memset(p->pieces[i], 0, offsetof(struct piece, runs));
		p->pieces[i]->task.run = print;
		p->pieces[i]->printer = p;
	}
	return p;
}

/* Writes the first of those that were given away. */
static void write_first(struct printer *p)
{
	struct piece *piece = p->pieces[p->first];

	pool_wait(p->pool, &piece->task);
	for (uint32_t i = 0; i < piece->held_count; i++)
		held_release(piece->held[i]);
	piece->count = piece->run_count = piece->found_count = piece->held_count = 0;
	p->first = (p->first + 1) % p->piece_count;
	p->given--;
	if (p->failed)
		return;
	if (text_write(&piece->text, p->out))
		p->failed = error_set(&p->error, "out of memory");
	if (ferror_unlocked(p->out))
		p->failed = error_set(
			&p->error, "cannot write to standard output: %s", strerror(errno));
}

static struct piece *current(struct printer *p)
{
	return p->pieces[(p->first + p->given) % p->piece_count];
}

/* Gives the piece that takes rows away; then another one does. */
static void give(struct printer *p)
{
	pool_submit(p->pool, &current(p)->task);
	if (++p->given == p->piece_count)
		write_first(p);
}

/* What time columns count from. */
static void begin(struct printer *p, const struct rows *rows)
{
	for (unsigned int i = 0; i < pool_threads(p->pool); i++)
		columns_begin(p->columns[i], rows_wall_ns(rows, 0));
	p->started = true;
}

/* As many of the rows as have room, which go from them. */
static void add(struct printer *p, struct held *held, struct rows *rows)
{
	struct piece *piece = current(p);
	struct run *run = &piece->runs[piece->run_count++];
	uint32_t room = PRINTER_ROWS - piece->count;
	uint32_t count = rows->count < room ? rows->count : room, found = piece->found_count;

	if (!piece->count)
		p->marks++;
	if (held->mark != p->marks) {
		held->mark = p->marks;
		held->users++;
		held->place = piece->held_count++;
		piece->held[held->place] = held;
		piece->batches[held->place] = *rows;
		piece->batches[held->place].batch = &held->batch;
	}
	for (uint32_t i = 0; i < count; i++)
		piece->rows[piece->count++] = rows->rows[i];
	rows->rows += count;
	rows->count -= count;
	for (; rows->found_count && rows->found->row <= piece->rows[piece->count - 1];
		rows->found++, rows->found_count--)
		piece->found[piece->found_count++] = *rows->found;
	*run = (struct run){
		(uint16_t)held->place, (uint16_t)count, (uint16_t)(piece->found_count - found)};
	if (piece->count == PRINTER_ROWS || piece->held_count == HELD_MAX)
		give(p);
}

int printer_add(struct printer *p, struct held *held, const struct rows *rows, struct error *error)
{
	struct rows left = *rows;

	if (!p->started)
		begin(p, rows);
	while (left.count && !p->failed)
		add(p, held, &left);
	if (p->failed)
		*error = p->error;
	return p->failed ? -1 : 0;
}

int printer_flush(struct printer *p, struct error *error)
{
	if (current(p)->count)
		give(p);
	while (p->given)
		write_first(p);
	if (p->failed)
		*error = p->error;
	return p->failed ? -1 : 0;
}
