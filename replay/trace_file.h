/* SPDX-License-Identifier: BSD-2-Clause */
/* A file as a look at the heads of its batches shows it, before it is read. */
#ifndef TRACE_FILE_H
#define TRACE_FILE_H

#include "../formats/trace_reader.h"

#include <sys/types.h>

#define FILE_SESSIONS_MAX 64 /* of more the file is read as it stands, in its order */

struct file_session {
	uint8_t id[16];
	uint32_t number;  /* of the file in the session */
	int64_t first_ns; /* no event of the first batch with events is earlier; wall clock */
	bool has_events;
	uint64_t late; /* results of events of earlier batches */
};

struct trace_file {
	const char *name;
	/* Until a source takes it: of a stream, the one there is; or all that is to be known. */
	struct trace_reader *reader;
	size_t kept;             /* bytes that this one holds */
	bool is_stream;          /* a pipe: it can only be read once */
	struct trace_file *next; /* of the same session, in a source that follows */
	dev_t device;
	ino_t inode;
	struct file_session *sessions;
	size_t session_count;
	/* Of what was read up to now. */
	struct trace_facts facts;
	bool ended;
};

/* Gets the head of each batch. Returns whether it may be wanted. */
typedef bool file_head(void *context, const struct batch *head);

/*
 * Opens the file and, unless it is a stream, looks through it and closes it.
 * Damage is not told: reading tells it. keep: if nothing in it is wanted and its
 * summary says all there is to it, that is kept. Returns 0, or -1: it cannot be opened.
 */
int trace_file_open(struct trace_file *file, const char *name, bool keep, file_head *wants,
	void *context, struct error *error);

void trace_file_release(struct trace_file *file);

#endif
