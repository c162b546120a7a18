/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A thread that writes what it is given, so that a slow or full disk stops
 * nobody else. What cannot be written to a regular file is tried again every
 * second for as long as it takes; meanwhile a bounded queue fills. What was
 * written stays in memory until the disk has confirmed it, so that an error that
 * shows only then costs nothing either. Into a pipe or a device the first error
 * is the last.
 */
#ifndef WRITER_H
#define WRITER_H

#include "../formats/record.h"
#include "chunk.h"
#include "live_file.h"

struct writer;

/* Called by the thread. */
struct writer_hooks {
	/* A file is complete; takes it over. */
	void (*done)(void *context, const struct live_file *file);
	/* The disk is full. Returns how many files it has deleted. */
	int (*make_room)(void *context);
	/* writer_wants_next() or writer_failed() has something to tell. */
	void (*changed)(void *context);
	/* One line for the user. */
	void (*say)(void *context, const struct error *text);
	void *context;
};

/* Begins with the file, which it takes over, whatever happens. names: of the next ones. */
struct writer *writer_new(const struct live_file *first, struct names *names, uint64_t queue_bytes,
	const struct writer_hooks *hooks, struct error *error);

/* Something can be given. If so, of any length: the bound is exceeded by it at most. */
bool writer_has_room(struct writer *writer);

/* Whole blocks, with the number of events in them; takes it over. */
void writer_put(struct writer *writer, struct chunk *chunk, uint32_t events);
/* An empty chunk whose memory was used before. NULL: there is none. */
struct chunk *writer_spare(struct writer *writer);

/* What comes after it goes into the next file, which begins at wall_ns. -1: out of memory. */
int writer_next(struct writer *writer, int64_t wall_ns);

/* Why the queue does not empty. GAP_SLOW: no error. */
enum gap_reason writer_reason(struct writer *writer);

/* The file was deleted, or cannot grow: the next one is to begin. True once for each file. */
bool writer_wants_next(struct writer *writer);

/* Events that were given and that will not be in a file. */
uint64_t writer_dropped(struct writer *writer);

/*
 * Events that stand in a file, but the disk has not confirmed that it has them. While it writes
 * that is nothing to worry about; after writer_finish() they may be missing.
 */
uint64_t writer_unsure(struct writer *writer);

/* -1, with the reason: nothing can be written any more. */
int writer_failed(struct writer *writer, struct error *error);

/*
 * Writes what is left and ends the last file. What cannot be written now is
 * dropped. impatient() is asked ten times a second while that takes: true ends
 * the waiting. NULL: never.
 */
void writer_finish(struct writer *writer, bool (*impatient)(void *context), void *context);

/* False: it hangs in the kernel, and goes on using what it was given; writer_free() does nothing.
 */
bool writer_is_over(const struct writer *writer);
void writer_free(struct writer *writer);

#endif
