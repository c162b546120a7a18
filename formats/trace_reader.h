/* SPDX-License-Identifier: BSD-2-Clause */
/* Reads the batches of a trace, in the order of the file, from anything that can be read. */
#ifndef TRACE_READER_H
#define TRACE_READER_H

#include "batch.h"
#include "pcapng.h"

#include <sys/stat.h>

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
 * The same in steps. The head is only the header of the batch and the numbers
 * of rows; trace_reader_load() then decodes it, as batch_open(), or the next
 * trace_reader_head() skips it unread. trace_reader_damaged() is for what
 * batch_need() then finds: it completes the message, and the batch does not count.
 */
int trace_reader_head(struct trace_reader *reader, struct batch *head, struct error *error);

/*
 * The head may come from the summary of the file, with the file's summary for skipping.
 * Then this reads that of the batch, with its own one. Returns 1; 0: it did already;
 * -1: it is damaged, or the summary lied, which then is not believed any more: the
 * next trace_reader_head() is this batch again, as it is.
 */
int trace_reader_look(struct trace_reader *reader, struct batch *head, struct error *error);
int trace_reader_load(struct trace_reader *reader, struct batch *batch, struct error *error);

/*
 * The same, but the columns of events may be read when batch_need() asks for them, which
 * has to be before the next call. trace_reader_record() may have holes then.
 */
int trace_reader_load_parts(struct trace_reader *reader, struct batch *batch, struct error *error);
int trace_reader_damaged(struct trace_reader *reader, struct error *error);

/* The bytes of the batch that was loaded last, until the next call. */
struct bytes trace_reader_record(const struct trace_reader *reader);

/* Where the batch stands that was found last, and how to come back, also with another reader. */
struct pcapng_position trace_reader_position(const struct trace_reader *reader);
int trace_reader_seek(struct trace_reader *reader, struct pcapng_position position);

/*
 * For reading ahead, of a file that seeks freely: where the batch behind the one
 * at that offset should stand; 0: nobody knows. And the record of the batch at an
 * offset, also while another thread uses the reader: true if there is one without
 * a fault, whose head is wanted; false says nothing else.
 */
uint64_t trace_reader_behind(const struct trace_reader *reader, uint64_t offset);

struct fetched {
	uint8_t *data; /* owned */
	size_t capacity;
	struct bytes record;
};

bool trace_reader_fetch(const struct trace_reader *reader, uint64_t offset, struct fetched *out,
	bool (*wants)(void *context, const struct batch *head), void *context);

/* As pcapng_reader_set_growing() and pcapng_reader_seeks_freely(). */
void trace_reader_set_growing(struct trace_reader *reader, bool growing);
bool trace_reader_seeks_freely(const struct trace_reader *reader);

/*
 * After the last head: if all came from the summary, closes the file; trace_reader_head()
 * then gives them again, and they cannot be loaded. Returns the bytes that it holds, 0: it cannot.
 */
size_t trace_reader_park(struct trace_reader *reader);

const struct stat *trace_reader_status(const struct trace_reader *reader);
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
