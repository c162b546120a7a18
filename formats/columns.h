/* SPDX-License-Identifier: BSD-2-Clause */
/* Events as rows of columns, for both programs. */
#ifndef COLUMNS_H
#define COLUMNS_H

#include <stdio.h>

#include "error.h"
#include "event.h"

/* One event and what a row can show of its recording. The bytes are borrowed. */
struct columns_row {
	const struct event *event;
	int64_t wall_ns; /* since 1970 */
	struct bytes host, backend;
};

/* What the user asked for. All zero: the default. */
struct columns_choice {
	const char *style; /* "bcc", "bcc2019", "libbpf"; NULL: ours */
	const char *names; /* -o: column names with commas between; NULL: the usual ones */
	bool host;         /* first of the usual ones */
	bool time, clock, uid, lport;
};

struct columns;

/* Returns 0, or -1: no columns_new() with this choice, see error. */
int columns_check(const struct columns_choice *choice, struct error *error);

/* NULL: see error (an unknown style or column, a choice that the style cannot show). */
struct columns *columns_new(const struct columns_choice *choice, struct error *error);
void columns_free(struct columns *columns);

/* Each writes one line. Errors of the stream are the caller's to check, with ferror(). */
void columns_header(struct columns *columns, FILE *out);
void columns_print(struct columns *columns, const struct columns_row *row, FILE *out);

#endif
