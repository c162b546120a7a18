/* SPDX-License-Identifier: BSD-2-Clause */
/* Reads the batches of a trace, in the order of the file, from anything that can be read. */
#ifndef TRACE_READER_H
#define TRACE_READER_H

#include "batch.h"

struct trace_reader;

/* Opens name; "-" is standard input. NULL: see error. */
struct trace_reader *trace_reader_open(const char *name, struct error *error);
void trace_reader_free(struct trace_reader *reader);

/*
 * The next batch, borrowed until the next call. Returns 1; 0 at the end; -1 with
 * the reason when something is damaged, with the name and the offset. After -1
 * it may be called again and goes on behind the damage.
 */
int trace_reader_next(struct trace_reader *reader, struct batch *batch, struct error *error);

/*
 * To be called before the first batch: looks ahead through the headers of all
 * batches, and goes back to the start. Calls visit with the host of each one that
 * has events, until it returns false. Returns 0, or -1: it cannot go back, as with
 * a pipe; then nothing was read.
 */
int trace_reader_visit_hosts(struct trace_reader *reader,
	bool (*visit)(void *context, struct bytes host), void *context);

const char *trace_reader_name(const struct trace_reader *reader);

/* What was found up to now. */
struct trace_facts {
	bool is_pcapng;
	bool has_records;   /* at least one record of ours: not a foreign file */
	bool other_version; /* at least one of another major version, which was told once */
	bool closed;        /* a valid summary stands at the end */
	uint64_t events, batches;
};

struct trace_facts trace_reader_facts(const struct trace_reader *reader);

/* False for a file of which this version cannot read anything. */
static inline bool trace_is_readable(const struct trace_facts *facts)
{
	return facts->is_pcapng && (facts->batches || !facts->other_version);
}

#endif
