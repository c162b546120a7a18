/* SPDX-License-Identifier: BSD-2-Clause */
#include "trace_reader.h"
#include "pcapng.h"
#include "skip.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

/* Bytes of a batch that its head and its summary are in, as our recorder writes it. */
#define PEEK (1024 + SKIP_BYTES_MAX)
#define FETCH_MAX (RECORD_PLAIN_MAX + 4096) /* the block of a batch, as our recorder writes it */

struct trace_reader {
	const char *name;
	struct pcapng_reader *blocks;
	struct block block; /* of the batch that was found last */
	struct bytes record;
	uint32_t events; /* that it has */
	struct trace_facts facts;
	/* Where the batches stand, as a valid summary at the end of the file says. */
	int fd; /* of blocks; -1: it is not asked for a summary (any more) */
	uint64_t *offsets;
	size_t offset_count, offset_next;
};

/* Another open file than ours, whose offset others share. */
static int open_stdin(void)
{
	off_t offset = lseek(STDIN_FILENO, 0, SEEK_CUR);
	int fd = offset < 0 ? -1 : open("/proc/self/fd/0", O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return dup(STDIN_FILENO);
	lseek(fd, offset, SEEK_SET);
	return fd;
}

struct trace_reader *trace_reader_open(const char *name, struct error *error)
{
	struct trace_reader *r;
	struct stat status;
	int fd;

	fd = strcmp(name, "-") ? open(name, O_RDONLY | O_CLOEXEC) : open_stdin();
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
		r->fd = strcmp(name, "-") ? fd : -1;
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
	free(r->offsets);
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

/* True for a record of ours, which is yet to be checked; only PEEK bytes of it may be there. */
static bool find_record(const struct block *block, struct bytes *payload)
{
	if ((block->type != BLOCK_CUSTOM && block->type != BLOCK_CUSTOM_NO_COPY) ||
		!bytes_slice(block->body, 4, block->body.length - 4, payload) ||
		payload->length < 8 || memcmp(payload->data, RECORD_MAGIC, 8))
		return false;
	payload->length = block->length - BLOCK_LENGTH_MIN - 4;
	return true;
}

static int read_whole(struct trace_reader *r, struct error *error)
{
	struct bytes payload;
	int n = pcapng_reader_whole(r->blocks, &r->block, error);

	if (n > 0 && find_record(&r->block, &payload))
		r->record.data = payload.data;
	return n;
}

static int at_offset(const struct trace_reader *r, struct error *error)
{
	char where[32];

	snprintf(where, sizeof where, "offset %llu", (unsigned long long)r->block.offset);
	return error_prefix(error, where);
}

static bool is_there(const struct trace_reader *r, struct bytes part)
{
	const struct bytes *body = &r->block.body;

	return !part.length || part.data + part.length <= body->data + body->length;
}

/* Returns 1: the head of a batch, 0: something else, -1. */
static int parse_block(struct trace_reader *r, struct batch *head, struct error *error)
{
	struct bytes payload;
	int kind, n;

	if (!find_record(&r->block, &payload))
		return 0;
	r->facts.has_records = true;
	if (payload.length >= RECORD_COMMON_LENGTH &&
		payload.data[RECORD_AT_MAJOR] != RECORD_MAJOR) {
		if (r->facts.other_version)
			return 0;
		r->facts.other_version = true;
	}
	if (record_parse(payload, &r->record, &kind, error))
		return at_offset(r, error);
	if (kind == RECORD_SUMMARY) {
		n = read_whole(r, error);
		r->facts.closed = n > 0 && summary_is_valid(r->record, r->block.offset);
		return n < 0 ? -1 : 0;
	}
	if (kind != RECORD_BATCH)
		return 0;
	if (batch_parse_head(head, r->record, error))
		return at_offset(r, error);
	if (!is_there(r, head->header.host) || !is_there(r, head->header.backend)) {
		n = read_whole(r, error);
		if (n <= 0)
			return n;
		if (batch_parse_head(head, r->record, error))
			return at_offset(r, error);
	}
	if (!is_there(r, head->header.skip))
		head->header.skip.length = 0;
	r->events = head->events;
	r->facts.batches++;
	r->facts.events += r->events;
	return 1;
}

/* The whole block at that offset of the file, if it is one. */
static bool read_block_at(int fd, uint64_t offset, uint8_t *block, uint32_t length)
{
	return pread(fd, block, length, (off_t)offset) == (ssize_t)length &&
	       get_le32(block) == BLOCK_CUSTOM_NO_COPY && get_le32(block + 4) == length &&
	       get_le32(block + length - 4) == length;
}

/* Takes the offsets of a valid summary, if they are in order and before it. */
static void take_offsets(struct trace_reader *r, struct bytes record, uint64_t end)
{
	uint32_t at = get_le32(record.data + SUMMARY_AT_BATCHES);
	uint32_t length = get_le32(record.data + SUMMARY_AT_BATCHES + 4);
	struct bytes offsets;
	uint64_t before = 0;

	if (!bytes_slice(record, at, length, &offsets) || length % 8 || !length)
		return;
	r->offsets = malloc(length);
	for (uint32_t i = 0; r->offsets && i < length / 8; i++) {
		r->offsets[i] = get_le64(offsets.data + i * 8);
		if (r->offsets[i] <= before || r->offsets[i] >= end)
			return;
		before = r->offsets[i];
	}
	r->offset_count = r->offsets ? length / 8 : 0;
}

/*
 * Looks for the summary at the end of the file: with it what stands between the
 * batches, most of all packets, need not be read. Without it blocks are walked.
 */
static void find_offsets(struct trace_reader *r)
{
	struct stat status;
	struct bytes record;
	struct error ignored;
	uint8_t last[4], *block;
	uint64_t offset;
	uint32_t length;
	int kind, fd = r->fd;

	r->fd = -1;
	if (fd < 0 || fstat(fd, &status) || !S_ISREG(status.st_mode) || status.st_size < 4 ||
		pread(fd, last, 4, status.st_size - 4) != 4)
		return;
	length = get_le32(last);
	if (length < BLOCK_LENGTH_MIN + 4 + SUMMARY_HEADER_LENGTH || length % 4 ||
		length > BLOCK_LENGTH_MAX || length > (uint64_t)status.st_size)
		return;
	block = malloc(length);
	offset = (uint64_t)status.st_size - length;
	if (block && read_block_at(fd, offset, block, length) &&
		!memcmp(block + 12, RECORD_MAGIC, 8) &&
		!record_parse((struct bytes){block + 12, length - BLOCK_LENGTH_MIN - 4}, &record,
			&kind, &ignored) &&
		kind == RECORD_SUMMARY && summary_is_valid(record, offset))
		take_offsets(r, record, offset);
	free(block);
}

/* To the next batch, when it is known where that is. What stands there is checked as any block. */
static void go_to_batch(struct trace_reader *r)
{
	struct pcapng_position position = {0};

	while (r->offset_next < r->offset_count && r->offsets[r->offset_next] <= r->block.offset)
		r->offset_next++;
	if (r->offset_next == r->offset_count)
		return;
	position.offset = r->offsets[r->offset_next++];
	if (pcapng_reader_seek(r->blocks, position))
		r->offset_count = r->offset_next = 0;
}

int trace_reader_head(struct trace_reader *r, struct batch *head, struct error *error)
{
	int n;

	go_to_batch(r);
	while ((n = pcapng_reader_peek(r->blocks, RECORD_MAGIC, PEEK, &r->block, error)) != 0) {
		r->facts.closed = false; /* until a summary is the last thing in the file */
		if (n < 0)
			break;
		n = parse_block(r, head, error);
		if (n)
			break;
		if (r->fd >= 0 && trace_reader_seeks_freely(r)) {
			find_offsets(r);
			go_to_batch(r);
		}
	}
	return n < 0 ? error_prefix(error, r->name) : n;
}

int trace_reader_load(struct trace_reader *r, struct batch *batch, struct error *error)
{
	int n = read_whole(r, error);

	if (n > 0 && !batch_open(batch, r->record, error))
		return 1;
	batch->events = batch->late = 0;
	if (n > 0)
		return trace_reader_damaged(r, error);
	r->facts.batches--;
	r->facts.events -= r->events;
	return n ? error_prefix(error, r->name) : 0;
}

int trace_reader_damaged(struct trace_reader *r, struct error *error)
{
	r->facts.batches--;
	r->facts.events -= r->events;
	at_offset(r, error);
	return error_prefix(error, r->name);
}

uint64_t trace_reader_behind(const struct trace_reader *r, uint64_t offset)
{
	uint8_t head[8];

	if (!r->offset_count) {
		if (pcapng_reader_read_at(r->blocks, offset, head, sizeof head) != sizeof head)
			return 0;
		return offset + get_le32(head + 4);
	}
	for (size_t i = r->offset_next; i < r->offset_count; i++)
		if (r->offsets[i] > offset)
			return r->offsets[i];
	return 0;
}

/* Makes room and reads the bytes from out->data + from to before size. */
static bool fetch_bytes(const struct trace_reader *r, uint64_t offset, struct fetched *out,
	size_t from, size_t size)
{
	if (out->capacity < size) {
		uint8_t *grown = realloc(out->data, size);

		if (!grown)
			return false;
		out->data = grown;
		out->capacity = size;
	}
	return pcapng_reader_read_at(r->blocks, offset + from, out->data + from, size - from) ==
	       size - from;
}

static bool is_inside(struct bytes part, const uint8_t *end)
{
	return !part.length || part.data + part.length <= end;
}

bool trace_reader_fetch(const struct trace_reader *r, uint64_t offset, struct fetched *out,
	bool (*wants)(void *context, const struct batch *head), void *context)
{
	static const size_t payload_at = BLOCK_LENGTH_MIN;
	struct batch head = {0};
	struct error ignored;
	uint32_t length, type;
	size_t peek;
	int kind;

	if (!fetch_bytes(r, offset, out, 0, payload_at + RECORD_COMMON_LENGTH))
		return false;
	type = get_le32(out->data);
	length = get_le32(out->data + 4);
	if ((type != BLOCK_CUSTOM && type != BLOCK_CUSTOM_NO_COPY) || length % 4 ||
		length < BLOCK_LENGTH_MIN + 4 + BATCH_HEADER_MIN || length > FETCH_MAX)
		return false;
	peek = length < PEEK ? length : PEEK;
	if (!fetch_bytes(r, offset, out, 0, peek) ||
		record_parse((struct bytes){out->data + payload_at, length - BLOCK_LENGTH_MIN - 4},
			&out->record, &kind, &ignored) ||
		kind != RECORD_BATCH || batch_parse_head(&head, out->record, &ignored) ||
		!is_inside(head.header.host, out->data + peek) ||
		!is_inside(head.header.backend, out->data + peek) ||
		!is_inside(head.header.skip, out->data + peek) || !wants(context, &head) ||
		!fetch_bytes(r, offset, out, peek, length))
		return false;
	out->record.data = out->data + payload_at;
	return get_le32(out->data + length - 4) == length;
}

struct bytes trace_reader_record(const struct trace_reader *r)
{
	return r->record;
}

int trace_reader_next(struct trace_reader *r, struct batch *batch, struct error *error)
{
	int n = trace_reader_head(r, batch, error);

	n = n > 0 ? trace_reader_load(r, batch, error) : n;
	return n > 0 && batch_need(batch, EVENT_BITS, error) ? trace_reader_damaged(r, error) : n;
}

bool trace_reader_seeks_freely(const struct trace_reader *r)
{
	return pcapng_reader_seeks_freely(r->blocks);
}

struct pcapng_position trace_reader_position(const struct trace_reader *r)
{
	return pcapng_reader_position(r->blocks);
}

int trace_reader_seek(struct trace_reader *r, struct pcapng_position position)
{
	r->offset_next = 0;
	r->block.offset = position.offset ? position.offset - 1 : 0;
	return pcapng_reader_seek(r->blocks, position);
}

void trace_reader_set_growing(struct trace_reader *r, bool growing)
{
	if (growing)
		r->fd = -1;
	pcapng_reader_set_growing(r->blocks, growing);
}
