/* SPDX-License-Identifier: BSD-2-Clause */
/* The fields of struct process that a batch stores, a column each: adding one is adding a row. */
#ifndef PROCESS_FIELD_H
#define PROCESS_FIELD_H

#include "event.h"

enum field_kind {
	FIELD_U32,
	FIELD_U64,
	FIELD_ID,     /* int64_t, UNKNOWN_ID: stored as 1 + id, 0 unknown */
	FIELD_TEXT,   /* struct bytes: stored as 1 + row of the strings, 0 empty */
	FIELD_PARENT, /* const struct process *: stored as 1 + row of the processes, 0 NULL */
};

struct process_field {
	uint16_t column; /* enum column_id */
	enum field_kind kind;
	size_t at; /* offset in struct process */
	const char *what;
};

enum { PROCESS_FIELDS = 21 };

extern const struct process_field process_fields[PROCESS_FIELDS];

/*
 * A copy with its texts and ancestors, up to ANCESTORS_MAX of them, in one piece
 * of memory: for free(). NULL: out of memory.
 */
struct process *process_copy(const struct process *process);

#endif
