/* SPDX-License-Identifier: BSD-2-Clause */
/* Events as rows of columns, JSON or CSV, for both programs. */
#ifndef COLUMNS_H
#define COLUMNS_H

#include <stdio.h>

#include "error.h"
#include "rows.h"

/* What the user asked for. All zero: the default. */
struct columns_choice {
	const char *style; /* "bcc", "bcc2019", "libbpf"; NULL: ours */
	const char *names; /* -o: column names with commas between; NULL: the usual ones */
	bool host;         /* first of the usual ones */
	bool time, clock, uid, lport;
	bool result; /* behind the usual ones, and then */
	bool query;
	bool detail; /* lines below each row, of our style */
	enum value_format format;
	bool colour; /* escape sequences, of our style */
	bool adapt;  /* columns of our style become wider with what they show */
};

struct columns;

/* Returns 0, or -1: no columns_new() with this choice, see error. */
int columns_check(const struct columns_choice *choice, struct error *error);

/* NULL: see error (an unknown style or column, a choice that the style cannot show). */
struct columns *columns_new(const struct columns_choice *choice, struct error *error);
void columns_free(struct columns *columns);

/* Some column shows how attempts ended. */
bool columns_need_result(const struct columns *columns);

/* Which columns of events are shown, by EVENT_BIT(). */
uint32_t columns_need(const struct columns *columns);

/*
 * Each writes one line, but for the header of JSON, which has none. Errors of the
 * stream are the caller's to check, with ferror(). -1: out of memory.
 */
int columns_header(struct columns *columns, FILE *out);
int columns_print(struct columns *columns, const struct columns_row *row, FILE *out);

/*
 * The same with a line for each row of so many runs, of which each is of one batch. But for a
 * terminal some lines are kept back until the flush.
 */
int columns_print_runs(struct columns *columns, const struct rows *runs, size_t count, FILE *out);
int columns_flush(struct columns *columns, FILE *out);

/*
 * For several threads that print parts of the same, with columns of one choice
 * each: what the time counts from; adds lines; and what was added, for a text whose
 * memory is used again.
 */
void columns_begin(struct columns *columns, int64_t first_ns);
void columns_put_runs(struct columns *columns, const struct rows *runs, size_t count);
void columns_take(struct columns *columns, struct text *text);

#endif
