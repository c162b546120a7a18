/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A thread of low priority that finishes files, one after the other, says so
 * (--print-finished, --exec), and keeps the directory within its limits.
 */
#ifndef FINISHER_H
#define FINISHER_H

#include "finish.h"
#include "retention.h"

struct finisher;

struct finisher_options {
	struct finish_options finish;
	struct retention retention;
	bool print;          /* the names of finished files, on standard output */
	const char *command; /* to be run with the name behind it; NULL: none */
	void (*say)(void *context, const struct error *text);
	void *context;
};

/* Borrows names and options. */
struct finisher *finisher_new(
	const struct names *names, const struct finisher_options *options, struct error *error);

/* Takes the file over. */
void finisher_add(struct finisher *finisher, const struct live_file *file);

/* How many files it has not finished yet. */
size_t finisher_waiting(struct finisher *finisher);

/* From any thread: what must go, goes. Returns how many files. */
int finisher_expire(struct finisher *finisher);

/* The lowest number that is being written or will be added. */
void finisher_protect(struct finisher *finisher, uint64_t number);

/* Waits until all files are finished; impatient as in thread.h. */
void finisher_finish(struct finisher *finisher, bool (*impatient)(void *context), void *context);
/* As writer_is_over(). */
bool finisher_is_over(const struct finisher *finisher);
void finisher_free(struct finisher *finisher);

#endif
