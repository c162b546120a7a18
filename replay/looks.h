/* SPDX-License-Identifier: BSD-2-Clause */
/* Looks at files before they are read: many at a time, by the threads of a pool. */
#ifndef LOOKS_H
#define LOOKS_H

#include "../formats/filter.h"
#include "pool.h"
#include "trace_file.h"

#define HOST_MAX 255 /* bytes of a name; a writer cuts there too */

/* Of which hosts events are, as far as was seen. All zero: none. */
struct hosts {
	bool any, several;
	uint8_t length; /* of the first one */
	uint8_t first[HOST_MAX];
};

void hosts_note(struct hosts *hosts, struct bytes host);

/* What was seen of a file. */
struct look {
	struct trace_file *file; /* the caller's from then on; NULL: see error */
	struct hosts hosts;      /* of its events */
	struct error error;
};

/*
 * One file, whose name must outlive it. Of the filter only the heads of batches are
 * asked. keep: as trace_file_open() has it.
 */
void look_at(struct look *look, const struct filter *filter, const char *name, bool keep);

struct looks;

/* pool: NULL: all is done by the caller. What is given here must outlive it. NULL: no memory. */
struct looks *looks_new(
	struct pool *pool, const struct filter *filter, char *const *names, size_t count);
void looks_free(struct looks *looks);

/* The next one in the order of the names, borrowed until the next call; NULL: there are no more. */
struct look *looks_next(struct looks *looks, bool keep);

#endif
