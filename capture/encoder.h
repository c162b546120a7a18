/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Batches of the file that is being written: takes events and late results, and
 * gives whole blocks to the writer. A batch that finds its queue full is dropped
 * here, and the next one that does not says so.
 */
#ifndef ENCODER_H
#define ENCODER_H

#include "clock_watch.h"
#include "output.h"
#include "writer.h"

struct encoder;

/* NULL: out of memory. */
struct encoder *encoder_new(output_counters *count, void *context);
void encoder_free(struct encoder *encoder);

/* Before the first file. size_most: of a file, as told by encoder_size(); 0: nobody asks. */
void encoder_start(struct encoder *encoder, const struct trace_info *info, struct writer *writer,
	bool compress, uint64_t size_most);

/* The head of a file; its end, after the last batch, which tells what was dropped at any rate. */
void encoder_begin_file(struct encoder *encoder, const struct trace_info *info);
void encoder_end_file(struct encoder *encoder);

/* Returns the number that the event has got. */
uint64_t encoder_event(struct encoder *encoder, const struct event *event);
/* Of that event, whether its batch is still here or not. */
void encoder_result(struct encoder *encoder, uint64_t number, const struct result *result);

/* Writes a batch, also without events: then only the counters are news. */
void encoder_write(struct encoder *encoder);

/* Looks at the clocks, after each round of events. True: something waits to be written. */
bool encoder_look(struct encoder *encoder);
/* As they were then. */
const struct clock_anchor *encoder_now(const struct encoder *encoder);
/* Readable when the wall clock was set; -1: it is never told. */
int encoder_clock_fd(const struct encoder *encoder);

bool encoder_holds_something(const struct encoder *encoder);

/* When that began to wait, boot clock; UINT64_MAX: it does not. */
uint64_t encoder_waits_since(const struct encoder *encoder);

/* Bytes of the file without its end, with what is not written yet: that many at most. */
uint64_t encoder_size(const struct encoder *encoder);

/* Sets recorded; adds to lost and partial. */
void encoder_count(const struct encoder *encoder, struct counters *counters);

/* -1: nothing can be encoded any more, nothing is taken. */
int encoder_failed(const struct encoder *encoder, struct error *error);

/* From now on everything is dropped: the writer has failed. */
void encoder_fail(struct encoder *encoder, const struct error *why);

#endif
