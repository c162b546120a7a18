/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is done with the events that match, other than to print each: count them,
 * sum them up. One table of kinds; an option chooses one.
 */
#ifndef ANSWER_H
#define ANSWER_H

#include "merge.h"

/* What the user asked for. */
struct answer_choice {
	bool count, summary;
	const char *top;      /* columns that make a group */
	const char *sort;     /* of --top; NULL: by attempts */
	const char *fresh;    /* --new-since: a time */
	const char *timeline; /* a length of time */
	const char *style;    /* as of the columns */
	uint64_t limit;       /* rows of --top; 0: the usual number */
	enum value_format format;
	bool colour;
	int width; /* of the terminal; 0: none */
};

struct answer; /* of each kind its own */

struct answer_kind {
	/* NULL: see error (wrong usage). */
	struct answer *(*create)(const struct answer_choice *choice, struct error *error);
	void (*destroy)(struct answer *answer);
	/* Both return 0, or -1: see error. */
	int (*add)(struct answer *answer, const struct columns_row *row, struct error *error);
	int (*print)(
		struct answer *answer, const struct merge *merge, FILE *out, struct error *error);
	bool needs_results;
	bool any_order; /* the same answer in whatever order rows come */
	/* The columns of events that it looks at, by EVENT_BIT(); NULL: all. */
	uint32_t (*needs)(const struct answer *answer);
	/* Faster than add() for each; only with any_order. NULL: add() is called. */
	int (*add_rows)(struct answer *answer, const struct rows *rows, struct error *error);
	/*
	 * Adds all that the other one has, which is not to be used any more but to be destroyed,
	 * after this one. NULL: it cannot.
	 */
	int (*join)(struct answer *answer, struct answer *other, struct error *error);
};

/* Adds rows in the way that the kind knows. */
int answer_add_rows(const struct answer_kind *kind, struct answer *answer, const struct rows *rows,
	struct error *error);

extern const struct answer_kind answer_count, answer_top, answer_summary, answer_fresh,
	answer_timeline;

/* *kind NULL: none was asked for. Returns 0, or -1: more than one. */
int answer_choose(
	const struct answer_choice *choice, const struct answer_kind **kind, struct error *error);

#endif
