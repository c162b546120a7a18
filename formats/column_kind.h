/* SPDX-License-Identifier: BSD-2-Clause */
/* The columns that there are: adding one is adding a row to the table. */
#ifndef COLUMN_KIND_H
#define COLUMN_KIND_H

#include "batch.h"
#include "error.h"
#include "value.h"

/* One event and what a row can show of its recording. The bytes are borrowed. */
struct columns_row {
	const struct event *event;
	int64_t wall_ns; /* since 1970 */
	struct bytes host, backend;
};

/* What a cell depends on: it looks the same in all rows of a batch that have the same of it. */
enum column_about {
	ABOUT_EVENT, /* the row alone */
	ABOUT_RECORDING,
	ABOUT_PROCESS,
	ABOUT_CALL, /* flags, returned */
	ABOUT_NETNS,
	ABOUT_SOURCE,
	ABOUT_DESTINATION,
	ABOUT_FAMILY, /* of the destination */
	ABOUT_PORT,   /* of the destination */
	ABOUT_RESULT, /* but for the latency */
	ABOUT_QUERY,  /* but for the age of the answer */
};

struct rows;

struct column_kind {
	const char *name, *header;
	int width;
	enum value_kind value; /* when it is known */
	bool about_result;     /* it depends on how the attempt ended */
	bool extra;            /* only shown on request, also in JSON and CSV */
	enum column_about about;
	uint32_t needs; /* columns of events, by EVENT_BIT() */
	size_t port;    /* if it is one: its struct column in struct batch; or 0 */
	struct value (*get)(const struct columns_row *row);
	/* The same of a row of a batch, without its event. late: its late result; NULL: none. */
	struct value (*at)(const struct rows *rows, uint32_t i, const struct result *late);
};

enum { COLUMN_KINDS = 31 };

extern const struct column_kind column_kinds[COLUMN_KINDS];

/* The name need not be terminated. NULL: there is none. */
const struct column_kind *column_kind_find(const char *name, size_t length);

/* For an unknown name: says which there are. Returns -1. */
int column_kind_unknown(const char *name, size_t length, struct error *error);

#endif
