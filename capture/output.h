/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The write side of a recording: events go in, trace files come out. The
 * recorder calls it from its one thread; nothing here waits for a disk while
 * a recording runs. Numbers of events, batches and what is lost on the way to
 * the file are its business.
 *
 *   output_new      looks at the place, before anything is attached
 *   output_start    once it is attached: makes the file
 *   output_event .. while it runs; output_tick() at output_deadline()
 *   output_finish   after the last event
 */
#ifndef OUTPUT_H
#define OUTPUT_H

#include "../formats/event.h"
#include "../formats/error.h"
#include "host.h"
#include "retention.h"

struct output;

struct output_options {
	const char *name; /* "-": standard output */
	bool overwrite;
	bool unbuffered;   /* a batch for each event */
	uint64_t flush_ms; /* a batch is written this long after its first event */
	/* Numbered files, if one of these or a limit is given; 0: not. */
	uint64_t rotate_bytes;
	uint64_t rotate_seconds; /* at full multiples of the wall clock */
	struct retention retention;
	uint64_t queue_bytes;     /* that may wait for the disk */
	bool compress_while_live; /* batches as they come, too */
	bool compress_finished, gzip_finished;
	bool print_finished;
	const char *command; /* for each finished file; NULL: none */
	/* One line for the user, from any thread. */
	void (*say)(void *context, const struct error *text);
};

/* What the capture side has counted up to now; .recorded is not used. */
typedef struct counters output_counters(void *context);

/*
 * Borrows the options. count is asked whenever a batch is written. NULL: see
 * error.
 */
struct output *output_new(const struct output_options *options, output_counters *count,
	void *context, struct error *error);

/* The directory belongs to another user. */
bool output_is_foreign(const struct output *output);

/* Whether the options ask for numbered files. */
bool output_is_numbered(const struct output_options *options);

/*
 * Makes the file with its head, and the threads: signals are to be blocked and
 * privileges dropped before. Takes what a crash left. Borrows host.
 */
int output_start(struct output *output, const struct host *host, struct error *error);

/* Takes the event, of which number is ignored; returns the number that it has got. */
uint64_t output_event(struct output *output, const struct event *event);

/* The result of the event of that number, whether its batch is still here or not. */
void output_result(struct output *output, uint64_t number, const struct result *result);

/* Writes what is buffered, or only the counters. */
void output_flush(struct output *output);

/* To be called after each round of events and at output_deadline(): writes what is due. */
void output_tick(struct output *output, const struct clock_anchor *now);

/* Becomes readable when output_tick() is due for another reason than time. */
int output_fd(const struct output *output);

/* When output_tick() is due, ns of CLOCK_BOOTTIME; UINT64_MAX: nothing waits. */
uint64_t output_deadline(const struct output *output);

/* Ends the file and begins the next, which has a number even if the first had none. */
void output_rotate(struct output *output);

/* Sets recorded, and adds to lost what did not get into a file. */
void output_count(const struct output *output, struct counters *counters);

/* Returns -1, with the reason, once writing has failed for good. Then nothing is taken any more. */
int output_failed(const struct output *output, struct error *error);

/*
 * After the last event: the last batch, with the final counters, the end of the
 * file, and all that is still to be finished. impatient() is asked while it
 * waits for a disk: true ends that, what is not written then is lost.
 */
int output_finish(struct output *output, bool (*impatient)(void *context), void *context,
	struct error *error);

void output_free(struct output *output);

#endif
