/* SPDX-License-Identifier: BSD-2-Clause */
/* Writes a trace: one pcapng section with our records in it. */
#ifndef TRACE_WRITER_H
#define TRACE_WRITER_H

#include "batch_builder.h"

/* What stands at the head of each file. The bytes are borrowed until trace_writer_new() returns. */
struct trace_info {
	uint8_t session[16];
	uint32_t file; /* number in the session, from 1 */
	struct clock_anchor anchor;
	struct bytes host, boot_id, kernel, hardware, recorder, backend;
	struct bytes filters; /* in words, and where they ran */
	bool packets;         /* a synthetic packet for each event, before its batch */
	bool live; /* with packets: only they are written at once, batches when they are large */
};

struct trace_writer;

/*
 * Writes the head of the file to fd, which stays the caller's. name is for
 * messages and must live as long as the writer. NULL: see error.
 */
struct trace_writer *trace_writer_new(
	int fd, const char *name, const struct trace_info *info, struct error *error);

/* Gets whole blocks in their order, instead of a file. */
typedef int trace_sink(void *context, const uint8_t *block, size_t length, struct error *error);
struct trace_writer *trace_writer_new_sink(trace_sink *sink, void *context, const char *name,
	const struct trace_info *info, struct error *error);

/* Goes on in a file at size bytes: its head stands there already. Of info, only the first three. */
struct trace_writer *trace_writer_resume(int fd, const char *name, uint64_t size,
	const struct trace_info *info, struct error *error);

/* The same for a sink, which got the head already. */
struct trace_writer *trace_writer_resume_sink(trace_sink *sink, void *context, const char *name,
	uint64_t size, const struct trace_info *info, struct error *error);

/* Such a file's trace record, which is written before the first batch. Copies it. -1: no memory. */
int trace_writer_keep_trace(struct trace_writer *writer, struct bytes record, struct error *error);

/* From now on batches are compressed. -1: out of memory. */
int trace_writer_compress(struct trace_writer *writer, struct error *error);

void trace_writer_free(struct trace_writer *writer);

/*
 * Encodes what the builder holds (nothing is fine: then only the counters are
 * news) and writes it. header->file is set; header->sequence is the caller's.
 * The host and the backend in it must live as long as the writer.
 * After an error the file is cut back to its last whole block, if it can be.
 */
int trace_writer_batch(struct trace_writer *writer, struct batch_builder *builder,
	struct batch_header *header, struct error *error);

/* Interface statistics and summary, as of the last batch. */
int trace_writer_finish(struct trace_writer *writer, struct error *error);

/* Bytes written so far. */
uint64_t trace_writer_size(const struct trace_writer *writer);

#endif
