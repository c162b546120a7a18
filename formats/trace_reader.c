/* SPDX-License-Identifier: BSD-2-Clause */
#include "trace_reader.h"
#include "pcapng.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

struct trace_reader {
	const char *name;
	struct pcapng_reader *blocks;
	struct trace_facts facts;
};

struct trace_reader *trace_reader_open(const char *name, struct error *error)
{
	struct trace_reader *r;
	struct stat status;
	int fd;

	fd = strcmp(name, "-") ? open(name, O_RDONLY | O_CLOEXEC) : dup(STDIN_FILENO);
	if (fd < 0) {
		error_set(error, "%s: cannot open: %s", name, strerror(errno));
		return NULL;
	}
	if (!fstat(fd, &status) && S_ISDIR(status.st_mode)) {
		error_set(error, "%s: is a directory, a trace file is expected", name);
		close(fd);
		return NULL;
	}
	r = calloc(1, sizeof *r);
	if (!r) {
		close(fd);
	} else {
		r->name = strcmp(name, "-") ? name : "standard input";
		r->blocks = pcapng_reader_new(fd);
	}
	if (!r || !r->blocks) {
		free(r);
		error_set(error, "%s: out of memory", name);
		return NULL;
	}
	return r;
}

void trace_reader_free(struct trace_reader *r)
{
	if (!r)
		return;
	pcapng_reader_free(r->blocks);
	free(r);
}

const char *trace_reader_name(const struct trace_reader *r)
{
	return r->name;
}

struct trace_facts trace_reader_facts(const struct trace_reader *r)
{
	struct trace_facts facts = r->facts;

	facts.is_pcapng = pcapng_reader_is_pcapng(r->blocks);
	return facts;
}

/* A copied or damaged summary proves nothing. */
static bool summary_is_valid(struct bytes record, uint64_t offset)
{
	static const uint8_t zero[4];
	const uint8_t *p = record.data;
	uLong crc;

	if (get_le32(p + RECORD_AT_HEADER_LENGTH) < SUMMARY_HEADER_LENGTH ||
		get_le64(p + SUMMARY_AT_OWN_OFFSET) != offset)
		return false;
	crc = crc32(0, p, SUMMARY_AT_CRC);
	crc = crc32(crc, zero, 4);
	crc = crc32(crc, p + SUMMARY_AT_CRC + 4, (uInt)(record.length - SUMMARY_AT_CRC - 4));
	return crc == get_le32(p + SUMMARY_AT_CRC);
}

/* True for a record of ours, which is yet to be checked. */
static bool find_record(const struct block *block, struct bytes *payload)
{
	return (block->type == BLOCK_CUSTOM || block->type == BLOCK_CUSTOM_NO_COPY) &&
	       bytes_slice(block->body, 4, block->body.length - 4, payload) &&
	       payload->length >= 8 && !memcmp(payload->data, RECORD_MAGIC, 8);
}

/* Returns 1: a batch, 0: something else, -1. */
static int parse_block(
	struct trace_reader *r, const struct block *block, struct batch *batch, struct error *error)
{
	struct bytes payload, record;
	int kind;

	if (!find_record(block, &payload))
		return 0;
	r->facts.has_records = true;
	if (payload.length >= RECORD_COMMON_LENGTH &&
		payload.data[RECORD_AT_MAJOR] != RECORD_MAJOR) {
		if (r->facts.other_version)
			return 0;
		r->facts.other_version = true;
	}
	if (record_parse(payload, &record, &kind, error))
		return -1;
	if (kind == RECORD_SUMMARY)
		r->facts.closed = summary_is_valid(record, block->offset);
	if (kind != RECORD_BATCH)
		return 0;
	if (batch_parse(batch, record, error))
		return -1;
	r->facts.batches++;
	r->facts.events += batch->events;
	return 1;
}

int trace_reader_next(struct trace_reader *r, struct batch *batch, struct error *error)
{
	struct block block;
	int n;

	while ((n = pcapng_reader_next(r->blocks, RECORD_MAGIC, &block, error)) != 0) {
		r->facts.closed = false; /* until a summary is the last thing in the file */
		if (n < 0)
			break;
		n = parse_block(r, &block, batch, error);
		if (n > 0)
			return 1;
		if (n < 0) {
			char where[32];

			snprintf(where, sizeof where, "offset %llu",
				(unsigned long long)block.offset);
			error_prefix(error, where);
			break;
		}
	}
	return n < 0 ? error_prefix(error, r->name) : n;
}

/* True for a batch with events. What is damaged is told when it is read. */
static bool find_host(const struct block *block, struct bytes *host)
{
	struct bytes payload, record;
	struct error ignored;
	int kind;

	return find_record(block, &payload) && !record_parse(payload, &record, &kind, &ignored) &&
	       kind == RECORD_BATCH &&
	       get_le32(record.data + RECORD_AT_HEADER_LENGTH) >= BATCH_HEADER_LENGTH &&
	       get_le32(record.data + BATCH_AT_EVENTS) &&
	       bytes_slice(record, get_le32(record.data + BATCH_AT_HOST),
		       get_le32(record.data + BATCH_AT_HOST + 4), host);
}

int trace_reader_visit_hosts(
	struct trace_reader *r, bool (*visit)(void *context, struct bytes host), void *context)
{
	struct error ignored;
	struct block block;
	struct bytes host;
	bool more = true;
	int n;

	if (pcapng_reader_rewind(r->blocks))
		return -1;
	while (more && (n = pcapng_reader_next(r->blocks, RECORD_MAGIC, &block, &ignored)) != 0)
		if (n > 0 && find_host(&block, &host))
			more = visit(context, host);
	return pcapng_reader_rewind(r->blocks);
}
