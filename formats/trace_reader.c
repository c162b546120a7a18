/* SPDX-License-Identifier: BSD-2-Clause */
#include "trace_reader.h"
#include "pcapng.h"
#include "skip.h"
#include "trace_summary.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Bytes of a batch that its head and its summary are in, as our recorder writes it. */
#define PEEK (1024 + SKIP_BYTES_MAX)
#define FETCH_MAX (RECORD_PLAIN_MAX + 4096) /* the block of a batch, as our recorder writes it */

struct trace_reader {
	const char *name;
	int fd; /* of blocks, if that is there */
	struct stat status;
	struct pcapng_reader *blocks; /* NULL until it is needed */
	struct block block;           /* of the batch that was found last */
	struct bytes record;
	uint32_t events; /* that it has */
	struct trace_facts facts;
	struct trace_summary summary;
	size_t next; /* batch of the summary that is looked for */
	bool may_have_summary, sought;
	bool copied; /* the head that was found last is the summary's */
	bool ended;  /* it was told that the file cannot be read */
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
	struct trace_reader *r = calloc(1, sizeof *r);
	bool is_stdin = !strcmp(name, "-");

	if (!r) {
		error_set(error, "%s: out of memory", name);
		return NULL;
	}
	r->fd = is_stdin ? open_stdin() : open(name, O_RDONLY | O_CLOEXEC);
	if (r->fd < 0) {
		error_set(error, "%s: cannot open: %s", name, strerror(errno));
	} else if (!fstat(r->fd, &r->status) && S_ISDIR(r->status.st_mode)) {
		error_set(error, "%s: is a directory, a trace file is expected", name);
	} else {
		r->name = is_stdin ? "standard input" : name;
		r->may_have_summary = !is_stdin && S_ISREG(r->status.st_mode);
		return r;
	}
	trace_reader_free(r);
	return NULL;
}

static void close_blocks(struct trace_reader *r)
{
	if (!r->blocks && r->fd >= 0)
		close(r->fd);
	pcapng_reader_free(r->blocks);
	r->blocks = NULL;
	r->fd = -1;
}

void trace_reader_free(struct trace_reader *r)
{
	if (!r)
		return;
	close_blocks(r);
	summary_release(&r->summary);
	free(r);
}

static int need_blocks(struct trace_reader *r, struct error *error)
{
	if (r->blocks)
		return 0;
	if (r->fd >= 0)
		r->blocks = pcapng_reader_new(r->fd);
	if (!r->blocks) {
		r->fd = -1;
		return error_set(error, "out of memory");
	}
	if (r->summary.block)
		pcapng_reader_is_plain(r->blocks);
	return 0;
}

const struct stat *trace_reader_status(const struct trace_reader *r)
{
	return &r->status;
}

const char *trace_reader_name(const struct trace_reader *r)
{
	return r->name;
}

struct trace_facts trace_reader_facts(const struct trace_reader *r)
{
	struct trace_facts facts = r->facts;

	facts.is_pcapng = r->summary.block || (r->blocks && pcapng_reader_is_pcapng(r->blocks));
	return facts;
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

static bool is_inside(struct bytes part, const uint8_t *end)
{
	return !part.length || part.data + part.length <= end;
}

static bool is_there(const struct trace_reader *r, struct bytes part)
{
	return is_inside(part, r->block.body.data + r->block.body.length);
}

static void count_batch(struct trace_reader *r, const struct batch *head)
{
	r->events = head->events;
	r->facts.batches++;
	r->facts.events += r->events;
}

static void discount_batch(struct trace_reader *r)
{
	r->facts.batches--;
	r->facts.events -= r->events;
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
	count_batch(r, head);
	return 1;
}

/*
 * Looks for the summary at the end of the file: with it what stands between the
 * batches, most of all packets, need not be read. Without it blocks are walked.
 */
static void find_summary(struct trace_reader *r)
{
	struct error ignored;

	if (!r->may_have_summary)
		return;
	r->may_have_summary = false;
	if (!summary_find(&r->summary, r->fd, (uint64_t)r->status.st_size) &&
		(need_blocks(r, &ignored) || !summary_find_packed(&r->summary, r->blocks)))
		return;
	r->facts.has_records = true;
	/* Behind the last of several that do not say all there may be more. */
	if (!r->summary.complete && r->summary.head_count &&
		r->summary.head_count == r->summary.count)
		r->summary.head_count--;
	if (r->blocks)
		pcapng_reader_is_plain(r->blocks);
}

/* The first batch behind the one at hand; summary.count: none that is known. */
static size_t next_batch(struct trace_reader *r)
{
	const struct trace_summary *s = &r->summary;

	while (r->next < s->count && summary_offset(s, r->next) <= r->block.offset)
		r->next++;
	return r->next;
}

static void disbelieve(struct trace_reader *r)
{
	r->summary.head_count = 0;
	r->summary.complete = false;
}

/* What the summary says of the next batch. Returns 1; 0: nothing; it has to be read. */
static int copied_head(struct trace_reader *r, struct batch *head)
{
	size_t number = next_batch(r);

	if (number >= r->summary.head_count)
		return 0;
	if (summary_head(&r->summary, number, head)) {
		disbelieve(r);
		return 0;
	}
	r->block.offset = summary_offset(&r->summary, number);
	r->copied = true;
	count_batch(r, head);
	return 1;
}

/* To the next batch, when it is known where that is. What stands there is checked as any block. */
static void go_to_batch(struct trace_reader *r)
{
	struct pcapng_position position = {0};
	size_t number = next_batch(r);

	if (number == r->summary.count)
		return;
	position.offset = summary_offset(&r->summary, number);
	r->next++;
	if (pcapng_reader_seek(r->blocks, position))
		r->summary.count = r->next = 0;
}

static int read_head(struct trace_reader *r, struct batch *head, struct error *error)
{
	int n;

	while ((n = pcapng_reader_peek(r->blocks, RECORD_MAGIC, PEEK, &r->block, error)) != 0) {
		r->facts.closed = false; /* until a summary is the last thing in the file */
		n = n > 0 ? parse_block(r, head, error) : n;
		if (n)
			break;
	}
	return n < 0 ? error_prefix(error, r->name) : n;
}

int trace_reader_head(struct trace_reader *r, struct batch *head, struct error *error)
{
	bool sought = r->sought;
	int n;

	r->copied = r->sought = false;
	if (!sought) {
		find_summary(r);
		if (copied_head(r, head))
			return 1;
		if (r->summary.complete) {
			r->facts.closed = true;
			return 0;
		}
	}
	if (need_blocks(r, error)) {
		n = r->ended ? 0 : -1;
		r->ended = true;
		return n ? error_prefix(error, r->name) : 0;
	}
	go_to_batch(r);
	return read_head(r, head, error);
}

int trace_reader_look(struct trace_reader *r, struct batch *head, struct error *error)
{
	struct pcapng_position position = {.offset = r->block.offset};
	size_t number = r->next;
	int n;

	if (!r->copied)
		return 0;
	r->copied = false;
	discount_batch(r);
	if (need_blocks(r, error) || pcapng_reader_seek(r->blocks, position))
		return error_prefix(error, r->name);
	n = pcapng_reader_peek(r->blocks, RECORD_MAGIC, PEEK, &r->block, error);
	n = n > 0 ? parse_block(r, head, error) : n;
	if (n < 0)
		return error_prefix(error, r->name);
	if (n > 0 && summary_agrees(&r->summary, number, r->record))
		return 1;
	if (n > 0)
		discount_batch(r);
	disbelieve(r);
	error_set(error, "the summary at the end says otherwise of this batch");
	r->block.offset = position.offset;
	at_offset(r, error);
	r->block.offset--;
	return error_prefix(error, r->name);
}

/* context: struct pcapng_reader */
static int read_part(void *context, struct bytes part)
{
	return pcapng_reader_part(context, part);
}

/* All in front of the body is read; the rest when it is asked for. False: it cannot be done. */
static bool begin_parts(struct trace_reader *r)
{
	uint32_t body = get_le32(r->record.data + BATCH_AT_BODY);
	struct bytes payload, front;

	if (r->record.data[BATCH_AT_COMPRESSION] != COMPRESSION_NONE ||
		!pcapng_reader_in_parts(r->blocks, &r->block))
		return false;
	find_record(&r->block, &payload);
	r->record.data = payload.data;
	return bytes_slice(r->record, 0, body, &front) && !pcapng_reader_part(r->blocks, front);
}

static int load(struct trace_reader *r, struct batch *batch, bool parts, struct error *error)
{
	struct batch_source source = {0};
	int n = trace_reader_look(r, batch, error);

	if (n < 0) {
		batch->events = batch->late = 0;
		return -1;
	}
	if (parts && begin_parts(r))
		source = (struct batch_source){read_part, r->blocks};
	n = source.read ? 1 : read_whole(r, error);
	if (n > 0 && !batch_open_parts(batch, r->record, &source, error))
		return 1;
	batch->events = batch->late = 0;
	if (n > 0)
		return trace_reader_damaged(r, error);
	discount_batch(r);
	return n ? error_prefix(error, r->name) : 0;
}

int trace_reader_load(struct trace_reader *r, struct batch *batch, struct error *error)
{
	return load(r, batch, false, error);
}

int trace_reader_load_parts(struct trace_reader *r, struct batch *batch, struct error *error)
{
	return load(r, batch, true, error);
}

int trace_reader_damaged(struct trace_reader *r, struct error *error)
{
	discount_batch(r);
	at_offset(r, error);
	return error_prefix(error, r->name);
}

uint64_t trace_reader_behind(const struct trace_reader *r, uint64_t offset)
{
	uint8_t head[8];

	if (!r->summary.count) {
		if (pcapng_reader_read_at(r->blocks, offset, head, sizeof head) != sizeof head)
			return 0;
		return offset + get_le32(head + 4);
	}
	for (size_t i = r->next; i < r->summary.count; i++)
		if (summary_offset(&r->summary, i) > offset)
			return summary_offset(&r->summary, i);
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
	if (peek > pcapng_reader_near(r->blocks, offset))
		peek = pcapng_reader_near(r->blocks, offset);
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
	return r->blocks ? pcapng_reader_seeks_freely(r->blocks) : r->summary.block != NULL;
}

struct pcapng_position trace_reader_position(const struct trace_reader *r)
{
	if (r->copied || !r->blocks)
		return (struct pcapng_position){.offset = r->block.offset};
	return pcapng_reader_position(r->blocks);
}

int trace_reader_seek(struct trace_reader *r, struct pcapng_position position)
{
	struct error ignored;

	r->next = 0;
	r->sought = true;
	r->copied = false;
	r->block.offset = position.offset ? position.offset - 1 : 0;
	return need_blocks(r, &ignored) || pcapng_reader_seek(r->blocks, position) ? -1 : 0;
}

size_t trace_reader_park(struct trace_reader *r)
{
	if (!r->summary.complete)
		return 0;
	close_blocks(r);
	r->facts = (struct trace_facts){.has_records = true};
	r->block.offset = r->next = 0;
	r->copied = false;
	return sizeof *r + r->summary.record.length;
}

void trace_reader_set_growing(struct trace_reader *r, bool growing)
{
	struct error ignored;

	if (growing)
		r->may_have_summary = false;
	if (!need_blocks(r, &ignored))
		pcapng_reader_set_growing(r->blocks, growing);
}
