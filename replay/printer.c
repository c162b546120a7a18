/* SPDX-License-Identifier: BSD-2-Clause */
#include "printer.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>

#define PIECES_MAX (2 * THREADS_MAX)
#define HELD_MAX 64 /* batches that a piece holds: a bound on memory */

struct piece {
	struct task task; /* the first member */
	struct printer *printer;
	uint32_t count, held_count;
	struct held *held[HELD_MAX]; /* each once */
	struct text text;
	struct piece_row {
		const struct held *held;
		uint32_t row;
		bool is_late;
		struct result late;
	} rows[PRINTER_ROWS];
};

struct printer {
	struct pool *pool;
	FILE *out;
	uint32_t bits;
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
	struct rows rows = {.bits = piece->printer->bits};
	struct columns_row row;
	struct event event;

	for (uint32_t i = 0; i < piece->count; i++) {
		const struct piece_row *from = &piece->rows[i];
		const struct batch *batch = &from->held->batch;

		rows.batch = batch;
		rows.generation = from->held->generation;
		rows.rows = &from->row;
		rows.start_ns = batch_wall_ns(batch, batch->header.first_ns);
		rows_get(&rows, 0, from->is_late ? &from->late : NULL, &event, &row);
		columns_put(columns, &row);
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
		memset(p->pieces[i], 0, offsetof(struct piece, rows));
		p->pieces[i]->task.run = print;
		p->pieces[i]->printer = p;
	}
	p->bits = columns_need(p->columns[0]);
	return p;
}

/* Writes the first of those that were given away. */
static void write_first(struct printer *p)
{
	struct piece *piece = p->pieces[p->first];

	pool_wait(p->pool, &piece->task);
	for (uint32_t i = 0; i < piece->held_count; i++)
		held_release(piece->held[i]);
	piece->count = piece->held_count = 0;
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
static void begin(struct printer *p, const struct held_row *row)
{
	const struct batch *b = &row->held->batch;
	int64_t wall_ns = batch_wall_ns(b, b->header.first_ns + column_get(&b->time, row->row));

	for (unsigned int i = 0; i < pool_threads(p->pool); i++)
		columns_begin(p->columns[i], wall_ns);
	p->started = true;
}

int printer_add(struct printer *p, const struct held_row *row, struct error *error)
{
	struct piece *piece = current(p);
	struct piece_row *to;

	if (!p->started)
		begin(p, row);
	if (!piece->count)
		p->marks++;
	if (p->failed) {
		*error = p->error;
		return -1;
	}
	if (row->held->mark != p->marks) {
		row->held->mark = p->marks;
		row->held->users++;
		piece->held[piece->held_count++] = row->held;
	}
	to = &piece->rows[piece->count++];
	to->held = row->held;
	to->row = row->row;
	to->is_late = row->late;
	if (row->late)
		to->late = *row->late;
	if (piece->count == PRINTER_ROWS || piece->held_count == HELD_MAX)
		give(p);
	return 0;
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
