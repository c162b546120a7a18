/* SPDX-License-Identifier: BSD-2-Clause */
#include "trace_writer.h"
#include "compress.h"
#include "escape.h"
#include "packets.h"
#include "pcapng.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>
#include <zlib.h>

/* Option codes of the draft: 4.1, 4.2, 4.6. */
enum {
	SHB_HARDWARE = 2,
	SHB_OS = 3,
	SHB_USERAPPL = 4,
	IF_NAME = 2,
	IF_DESCRIPTION = 3,
	IF_TSRESOL = 9,
	IF_FILTER = 11,
	ISB_STARTTIME = 2,
	ISB_ENDTIME = 3,
	ISB_IFRECV = 4,
	ISB_IFDROP = 5,
	ISB_FILTERACCEPT = 6,
};

/* The enterprise number belongs to the payload too. */
#define RECORD_MOST (RECORD_PAYLOAD_MAX - 4)
#define BLOCK_CAPACITY (BLOCK_LENGTH_MIN + 4 + RECORD_PAYLOAD_MAX + 4)

/*
 * Wireshark 4.0 and 4.4 learn live how many packets came, and then read as many
 * records: each Custom Block leaves one packet unread until more come. So when
 * somebody watches, batches are gathered, and only packets are written at once.
 */
#define HELD_EVENTS 1000u
struct held {
	bool any;
	struct batch_builder *builder;
	struct batch_header header; /* of the last one, sequence of the first event held */
	struct batch batch;
	uint8_t record[RECORD_PLAIN_MAX];
};

/* Headers of batches, for the summary, whose names stand in texts. */
#define HEADS_MAX ((RECORD_MOST - SUMMARY_HEADER_LENGTH) / (8 + BATCH_HEADER_LENGTH))
struct heads {
	size_t count, length;
	uint8_t headers[HEADS_MAX][BATCH_HEADER_LENGTH];
	uint8_t texts[4096];
};

struct trace_writer {
	trace_sink *sink;
	void *context;
	int fd;
	struct compressor *compressor; /* NULL: bodies stay plain */
	const char *name;
	uint64_t size;
	uint32_t file;
	uint8_t session[16];
	struct clock_anchor start;
	struct packets *packets; /* NULL: none are written */
	struct held *held;       /* NULL: each batch is written at once */
	/* Its trace record, until it is written: behind the first packets. */
	uint8_t *trace;
	size_t trace_length;
	/* For the summary. */
	struct batch_header last;
	uint64_t events;
	int64_t first_ns, last_ns; /* wall clock */
	uint64_t *batches;
	size_t batch_count, batch_capacity;
	struct heads *heads;    /* of the first of them; NULL: none yet */
	struct skip_set values; /* of all of them */
	uint8_t record[RECORD_PLAIN_MAX];
	uint8_t block[BLOCK_CAPACITY];
};

/* trace_sink */
static int write_fd(void *context, const uint8_t *p, size_t length, struct error *error)
{
	struct trace_writer *w = context;
	size_t done = 0;

	while (done < length) {
		ssize_t n = write(w->fd, p + done, length - done);
		int saved = errno;

		if (n < 0 && saved == EINTR)
			continue;
		if (n < 0) {
			/* Back out the part of a block; a pipe cannot, and needs not. */
			if (done && (lseek(w->fd, (off_t)w->size, SEEK_SET) < 0 ||
					    ftruncate(w->fd, (off_t)w->size) < 0))
				done = 0;
			return error_set(error, "%s: cannot write: %s", w->name, strerror(saved));
		}
		done += (size_t)n;
	}
	return 0;
}

/* packets_write; context: struct trace_writer. Whole blocks. */
static int write_blocks(void *context, const uint8_t *blocks, size_t length, struct error *error)
{
	struct trace_writer *w = context;

	if (w->sink(w->context, blocks, length, error))
		return -1;
	w->size += length;
	return 0;
}

static int write_block(struct trace_writer *w, struct block_writer *block, struct error *error)
{
	if (block_end(block))
		return error_set(
			error, "%s: a block is larger than %u bytes", w->name, BLOCK_CAPACITY);
	return write_blocks(w, block->data, block->length, error);
}

static int write_record(struct trace_writer *w, uint32_t type, const uint8_t *record, size_t length,
	struct error *error)
{
	struct block_writer block = {.data = w->block, .capacity = sizeof w->block};

	block_begin(&block, type);
	block_u32(&block, RECORD_PEN);
	block_bytes(&block, (struct bytes){record, length});
	return write_block(w, &block, error);
}

static int write_section(struct trace_writer *w, const struct trace_info *info, struct error *error)
{
	struct block_writer block = {.data = w->block, .capacity = sizeof w->block};

	block_begin(&block, BLOCK_SECTION);
	block_u32(&block, BYTE_ORDER_MAGIC);
	block_u16(&block, 1);
	block_u16(&block, 0);
	block_u64(&block, UINT64_MAX); /* section length: not known while writing */
	block_option(&block, SHB_HARDWARE, info->hardware);
	block_option(&block, SHB_OS, info->kernel);
	block_option(&block, SHB_USERAPPL, info->recorder);
	block_options_end(&block);
	return write_block(w, &block, error);
}

#define HOST_MAX 255u
#define DESCRIPTION_MAX (ESCAPED_MAX(HOST_MAX) + 100)

/* Wireshark shows it for each packet: the host, and that no packet was ever sent. */
static struct bytes description(const struct trace_info *info, char out[static DESCRIPTION_MAX])
{
	static const char before[] = "TCP connection attempts of ";
	static const char behind[] = ", recorded in the kernel; packets are synthetic";
	struct bytes host = info->host;
	size_t length = sizeof before - 1;

	if (host.length > HOST_MAX)
		host.length = HOST_MAX;
	memcpy(out, before, length);
	length += escape_column(host, out + length);
	memcpy(out + length, behind, sizeof behind);
	return bytes_of(out);
}

static int write_interface(
	struct trace_writer *w, const struct trace_info *info, struct error *error)
{
	struct block_writer block = {.data = w->block, .capacity = sizeof w->block};
	uint8_t filter[512] = {0}; /* the first byte, 0: a string (4.2) */
	char text[DESCRIPTION_MAX];
	size_t length = info->filters.length;

	if (length > sizeof filter - 1)
		length = sizeof filter - 1;
	if (length)
		memcpy(filter + 1, info->filters.data, length);
	block_begin(&block, BLOCK_INTERFACE);
	block_u16(&block, LINKTYPE_RAW);
	block_u16(&block, 0);
	block_u32(&block, 0); /* no limit to the length of a packet */
	block_option(&block, IF_NAME, bytes_of("tcpconnect"));
	block_option(&block, IF_DESCRIPTION,
		info->packets ? description(info, text)
			      : bytes_of("outgoing TCP connection attempts of this host, recorded "
					 "in the kernel; packets, if any, are synthetic"));
	block_option(&block, IF_TSRESOL, (struct bytes){(const uint8_t *)"\x09", 1}); /* ns */
	if (length)
		block_option(&block, IF_FILTER, (struct bytes){filter, length + 1});
	block_options_end(&block);
	return write_block(w, &block, error);
}

/* Begins a record of that kind in w->record. */
static void begin_record(struct trace_writer *w, uint8_t kind, uint32_t header_length)
{
	memset(w->record, 0, header_length);
	memcpy(w->record + RECORD_AT_MAGIC, RECORD_MAGIC, 8);
	w->record[RECORD_AT_KIND] = kind;
	w->record[RECORD_AT_MAJOR] = RECORD_MAJOR;
	w->record[RECORD_AT_MINOR] = RECORD_MINOR;
	put_le(w->record + RECORD_AT_HEADER_LENGTH, header_length, 4);
	memcpy(w->record + RECORD_AT_SESSION, w->session, sizeof w->session);
}

static int write_trace(struct trace_writer *w, const struct trace_info *info, struct error *error)
{
	const struct {
		unsigned int at;
		struct bytes text;
	} texts[] = {
		{TRACE_AT_HOST, info->host},
		{TRACE_AT_BOOT_ID, info->boot_id},
		{TRACE_AT_KERNEL, info->kernel},
		{TRACE_AT_RECORDER, info->recorder},
		{TRACE_AT_BACKEND, info->backend},
		{TRACE_AT_FILTERS, info->filters},
	};
	size_t length = TRACE_HEADER_LENGTH;

	begin_record(w, RECORD_TRACE, TRACE_HEADER_LENGTH);
	put_le(w->record + TRACE_AT_FILE, info->file, 4);
	put_le(w->record + TRACE_AT_BOOT_NS, info->anchor.boot_ns, 8);
	put_le(w->record + TRACE_AT_WALL_NS, (uint64_t)info->anchor.wall_ns, 8);
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		size_t n = texts[i].text.length;

		if (n > RECORD_MOST - length)
			return error_set(
				error, "%s: the filters are too long to be recorded", w->name);
		if (!n)
			continue;
		memcpy(w->record + length, texts[i].text.data, n);
		put_le(w->record + texts[i].at, length, 4);
		put_le(w->record + texts[i].at + 4, n, 4);
		length += n;
	}
	put_le(w->record + RECORD_AT_LENGTH, length, 4);
	if (!w->packets)
		return write_record(w, BLOCK_CUSTOM, w->record, length, error);
	return trace_writer_keep_trace(w, (struct bytes){w->record, length}, error);
}

int trace_writer_keep_trace(struct trace_writer *w, struct bytes record, struct error *error)
{
	w->trace = malloc(record.length);
	if (!w->trace)
		return error_set(error, "%s: out of memory", w->name);
	memcpy(w->trace, record.data, record.length);
	w->trace_length = record.length;
	return 0;
}

/*
 * Wireshark 4.0 takes the time of the first record for the beginning of the
 * file, and a Custom Block has none: so the first packets stand before it.
 */
static int write_kept_trace(struct trace_writer *w, struct error *error)
{
	if (w->trace && write_record(w, BLOCK_CUSTOM, w->trace, w->trace_length, error))
		return -1;
	free(w->trace);
	w->trace = NULL;
	return 0;
}

/* Returns -1: out of memory. */
static int open_packets(struct trace_writer *w, const struct trace_info *info)
{
	if (!info->packets)
		return 0;
	w->packets = packets_new();
	if (!w->packets || !info->live)
		return w->packets ? 0 : -1;
	w->held = calloc(1, sizeof *w->held);
	if (w->held)
		w->held->builder = batch_builder_new();
	return w->held && w->held->builder ? 0 : -1;
}

static struct trace_writer *create(
	const char *name, const struct trace_info *info, struct error *error)
{
	struct trace_writer *w = calloc(1, sizeof *w);

	if (!w) {
		error_set(error, "%s: out of memory", name);
		return NULL;
	}
	w->name = name;
	w->file = info->file;
	w->start = info->anchor;
	w->last.anchor = info->anchor;
	memcpy(w->session, info->session, sizeof w->session);
	if (open_packets(w, info)) {
		error_set(error, "%s: out of memory", name);
		trace_writer_free(w);
		return NULL;
	}
	return w;
}

static struct trace_writer *with_head(
	struct trace_writer *w, const struct trace_info *info, struct error *error)
{
	if (write_section(w, info, error) || write_interface(w, info, error) ||
		write_trace(w, info, error)) {
		trace_writer_free(w);
		return NULL;
	}
	return w;
}

static struct trace_writer *create_fd(
	int fd, const char *name, const struct trace_info *info, struct error *error)
{
	struct trace_writer *w = create(name, info, error);

	if (w) {
		w->fd = fd;
		w->sink = write_fd;
		w->context = w;
	}
	return w;
}

struct trace_writer *trace_writer_new(
	int fd, const char *name, const struct trace_info *info, struct error *error)
{
	struct trace_writer *w = create_fd(fd, name, info, error);

	return w ? with_head(w, info, error) : NULL;
}

struct trace_writer *trace_writer_resume_sink(trace_sink *sink, void *context, const char *name,
	uint64_t size, const struct trace_info *info, struct error *error)
{
	struct trace_writer *w = create(name, info, error);

	if (w) {
		w->sink = sink;
		w->context = context;
		w->size = size;
	}
	return w;
}

struct trace_writer *trace_writer_new_sink(trace_sink *sink, void *context, const char *name,
	const struct trace_info *info, struct error *error)
{
	struct trace_writer *w = trace_writer_resume_sink(sink, context, name, 0, info, error);

	return w ? with_head(w, info, error) : NULL;
}

struct trace_writer *trace_writer_resume(
	int fd, const char *name, uint64_t size, const struct trace_info *info, struct error *error)
{
	struct trace_writer *w = create_fd(fd, name, info, error);

	if (w)
		w->size = size;
	return w;
}

int trace_writer_compress(struct trace_writer *w, struct error *error)
{
	if (!w->compressor)
		w->compressor = compressor_new();
	return w->compressor ? 0 : error_set(error, "%s: out of memory", w->name);
}

void trace_writer_free(struct trace_writer *w)
{
	if (!w)
		return;
	compressor_free(w->compressor);
	packets_free(w->packets);
	if (w->held) {
		batch_builder_free(w->held->builder);
		batch_release(&w->held->batch);
	}
	free(w->held);
	free(w->trace);
	free(w->batches);
	free(w->heads);
	skip_release(&w->values);
	free(w);
}

uint64_t trace_writer_size(const struct trace_writer *w)
{
	return w->size;
}

/* Makes a reference of the header one to the texts. False: there is no room. */
static bool keep_text(struct heads *heads, uint8_t *header, unsigned int at, const uint8_t *record)
{
	const uint8_t *text = record + get_le32(header + at), *known = NULL;
	size_t length = get_le32(header + at + 4);

	if (length && heads->length)
		known = memmem(heads->texts, heads->length, text, length);
	if (!known && length > sizeof heads->texts - heads->length)
		return false;
	if (!known) {
		memcpy(heads->texts + heads->length, text, length);
		known = heads->texts + heads->length;
		heads->length += length;
	}
	put_le(header + at, length ? (uint64_t)(known - heads->texts) : 0, 4);
	return true;
}

/* Of the batch in w->record, if those of all before it were kept. Without memory there is none. */
static void keep_head(struct trace_writer *w)
{
	struct heads *heads = w->heads;
	uint8_t *header;

	if (!heads)
		heads = w->heads = calloc(1, sizeof *heads);
	if (!heads || heads->count < w->batch_count || heads->count == HEADS_MAX)
		return;
	header = heads->headers[heads->count];
	memcpy(header, w->record, BATCH_HEADER_LENGTH);
	/* Who searches for records after damage must not take it for one. */
	memset(header + RECORD_AT_MAGIC, 0, RECORD_AT_KIND - RECORD_AT_MAGIC);
	memset(header + BATCH_AT_SKIP, 0, BATCH_AT_BODY_LENGTH - BATCH_AT_SKIP);
	heads->count += keep_text(heads, header, BATCH_AT_HOST, w->record) &&
			keep_text(heads, header, BATCH_AT_BACKEND, w->record);
}

static int remember_batch(struct trace_writer *w, uint64_t offset, struct error *error)
{
	if (w->batch_count == w->batch_capacity) {
		size_t capacity = w->batch_capacity ? w->batch_capacity * 2 : 64;
		uint64_t *grown = realloc(w->batches, capacity * sizeof *grown);

		if (!grown)
			return error_set(error, "%s: out of memory", w->name);
		w->batches = grown;
		w->batch_capacity = capacity;
	}
	keep_head(w);
	w->batches[w->batch_count++] = offset;
	return 0;
}

static int64_t wall_ns(const struct clock_anchor *anchor, uint64_t time_ns)
{
	return anchor->wall_ns + (int64_t)(time_ns - anchor->boot_ns);
}

static int write_batch(struct trace_writer *w, const struct batch_header *header, uint32_t events,
	size_t length, struct error *error);

/* Writes what a builder holds, part of a batch of which so many events are still to come. */
static int write_part(struct trace_writer *w, struct batch_builder *builder,
	struct batch_header *part, uint64_t recorded, struct error *error)
{
	uint32_t events = batch_builder_count(builder);
	size_t length;

	part->counters.recorded = recorded;
	length = batch_builder_encode(builder, part, w->record);
	if (write_batch(w, part, events, length, error))
		return -1;
	part->sequence += events;
	part->gap = (struct gap){0};
	return 0;
}

/* The batch in w->record is too large, although compressed: written as several plain ones. */
static int write_split(struct trace_writer *w, const struct batch_header *header, size_t length,
	struct error *error)
{
	struct batch_builder *builder = batch_builder_new();
	struct batch_header part = *header;
	uint8_t *copy = malloc(length);
	struct batch batch = {0};
	struct late_result late;
	struct event event;
	int status = -1;

	if (!builder || !copy) {
		error_set(error, "%s: out of memory", w->name);
		goto out;
	}
	memcpy(copy, w->record, length);
	if (batch_parse(&batch, (struct bytes){copy, length}, error))
		goto out;
	for (uint32_t row = 0; row < batch.events; row++) {
		batch_event(&batch, row, &event);
		if (batch_builder_add(builder, &event) &&
			(write_part(w, builder, &part,
				 header->counters.recorded - (batch.events - row), error) ||
				batch_builder_add(builder, &event)))
			goto out;
	}
	for (uint32_t row = 0; row < batch.late; row++) {
		batch_late_result(&batch, row, &late);
		if (batch_builder_add_late(builder, &late) &&
			(write_part(w, builder, &part, header->counters.recorded, error) ||
				batch_builder_add_late(builder, &late)))
			goto out;
	}
	status = write_part(w, builder, &part, header->counters.recorded, error);
out:
	batch_builder_free(builder);
	batch_release(&batch);
	free(copy);
	return status;
}

/* Writes the record that stands in w->record. */
static int write_batch(struct trace_writer *w, const struct batch_header *header, uint32_t events,
	size_t length, struct error *error)
{
	uint64_t offset;

	if (w->compressor)
		length = compressor_pack(w->compressor, w->record, length);
	if (length > RECORD_MOST)
		return write_split(w, header, length, error);
	if (write_kept_trace(w, error))
		return -1;
	offset = w->size;
	if (write_record(w, BLOCK_CUSTOM, w->record, length, error) ||
		remember_batch(w, offset, error))
		return -1;
	w->last = *header;
	if (events) {
		int64_t first = wall_ns(&header->anchor, header->first_ns);
		int64_t last = wall_ns(&header->anchor, header->last_ns);

		if (!w->events || first < w->first_ns)
			w->first_ns = first;
		if (!w->events || last > w->last_ns)
			w->last_ns = last;
		w->events += events;
	}
	return 0;
}

static int write_held(struct trace_writer *w, struct error *error)
{
	struct held *held = w->held;
	uint32_t events = batch_builder_count(held->builder);
	struct batch_header header = held->header;
	size_t length;

	held->header.sequence += events;
	header.counters.recorded = held->header.sequence;
	length = batch_builder_encode(held->builder, &header, w->record);
	return write_batch(w, &header, events, length, error);
}

/* Adds the batch in w->record to what is held. */
static int hold_batch(struct trace_writer *w, const struct batch_header *header, size_t length,
	struct error *error)
{
	struct held *held = w->held;
	uint64_t sequence = held->any ? held->header.sequence : header->sequence;
	struct late_result late;
	struct event event;

	memcpy(held->record, w->record, length); /* which is written to when the builder is full */
	if (batch_parse(&held->batch, (struct bytes){held->record, length}, error))
		return -1;
	held->header = *header;
	held->header.sequence = sequence;
	held->any = true;
	for (uint32_t row = 0; row < held->batch.events; row++) {
		batch_event(&held->batch, row, &event);
		if (batch_builder_add(held->builder, &event) &&
			(write_held(w, error) || batch_builder_add(held->builder, &event)))
			return -1;
	}
	for (uint32_t row = 0; row < held->batch.late; row++) {
		batch_late_result(&held->batch, row, &late);
		if (batch_builder_add_late(held->builder, &late) &&
			(write_held(w, error) || batch_builder_add_late(held->builder, &late)))
			return -1;
	}
	return batch_builder_count(held->builder) < HELD_EVENTS ? 0 : write_held(w, error);
}

int trace_writer_batch(struct trace_writer *w, struct batch_builder *builder,
	struct batch_header *header, struct error *error)
{
	uint32_t events = batch_builder_count(builder);
	size_t length;

	header->file = w->file;
	length = batch_builder_encode(builder, header, w->record);
	if (events)
		skip_add_all(&w->values, batch_builder_values(builder));
	if (w->packets && packets_of_batch(w->packets, (struct bytes){w->record, length},
				  w->sink != write_fd, write_blocks, w, error))
		return -1;
	return w->held ? hold_batch(w, header, length, error)
		       : write_batch(w, header, events, length, error);
}

/* A pcapng timestamp: the high 32 bits stand first (4.3), whatever the byte order. */
static void option_time(struct block_writer *block, uint16_t code, int64_t time_ns)
{
	block_option_u64(block, code, (uint64_t)time_ns >> 32 | (uint64_t)time_ns << 32);
}

static int write_statistics(struct trace_writer *w, struct error *error)
{
	struct block_writer block = {.data = w->block, .capacity = sizeof w->block};
	const struct counters *c = &w->last.counters;
	uint64_t end = (uint64_t)w->last.anchor.wall_ns;

	block_begin(&block, BLOCK_STATISTICS);
	block_u32(&block, 0); /* interface */
	block_u32(&block, (uint32_t)(end >> 32));
	block_u32(&block, (uint32_t)end);
	option_time(&block, ISB_STARTTIME, w->start.wall_ns);
	option_time(&block, ISB_ENDTIME, w->last.anchor.wall_ns);
	block_option_u64(&block, ISB_IFRECV, c->seen);
	block_option_u64(&block, ISB_IFDROP, c->lost);
	block_option_u64(&block, ISB_FILTERACCEPT, c->seen - c->filtered);
	block_options_end(&block);
	return write_block(w, &block, error);
}

/* Puts that into the record at length. Returns its end. */
static size_t put_part(uint8_t *record, unsigned int at, size_t length, size_t part)
{
	put_le(record + at, part ? length : 0, 4);
	put_le(record + at + 4, part, 4);
	return length + part;
}

/* The texts come behind the headers, whose references count from their own first byte. */
static size_t put_heads(struct trace_writer *w, size_t length, size_t count)
{
	const struct heads *heads = w->heads;
	size_t texts = length + count * BATCH_HEADER_LENGTH;

	put_part(w->record, SUMMARY_AT_HEADS, length, count * BATCH_HEADER_LENGTH);
	for (size_t i = 0; i < count; i++, length += BATCH_HEADER_LENGTH) {
		uint8_t *header = w->record + length;

		memcpy(header, heads->headers[i], BATCH_HEADER_LENGTH);
		for (unsigned int at = BATCH_AT_HOST; at <= BATCH_AT_BACKEND; at += 8)
			if (get_le32(header + at + 4))
				put_le(header + at, texts - length + get_le32(header + at), 4);
	}
	memcpy(w->record + texts, heads->texts, heads->length);
	return texts + heads->length;
}

/* Offsets, then the summary for skipping, then heads: of each what fits. Returns the length. */
static size_t put_parts(struct trace_writer *w)
{
	size_t length = SUMMARY_HEADER_LENGTH, count = (RECORD_MOST - length) / 8, skip;

	/* A reader that finds fewer than there are walks on from the last. */
	count = w->batch_count < count ? w->batch_count : count;
	for (size_t i = 0; i < count; i++)
		put_le(w->record + length + i * 8, w->batches[i], 8);
	length = put_part(w->record, SUMMARY_AT_BATCHES, length, count * 8);
	skip = skip_encode_file(&w->values, w->record + length);
	if (skip <= RECORD_MOST - length)
		length = put_part(w->record, SUMMARY_AT_SKIP, length, skip);
	if (!w->heads || w->heads->length > RECORD_MOST - length)
		return length;
	count = (RECORD_MOST - length - w->heads->length) / BATCH_HEADER_LENGTH;
	count = w->heads->count < count ? w->heads->count : count;
	return count ? put_heads(w, length, count) : length;
}

static int write_summary(struct trace_writer *w, struct error *error)
{
	const struct counters *c = &w->last.counters;
	size_t length;

	begin_record(w, RECORD_SUMMARY, SUMMARY_HEADER_LENGTH);
	put_le(w->record + SUMMARY_AT_OWN_OFFSET, w->size, 8);
	put_le(w->record + SUMMARY_AT_FIRST_NS, (uint64_t)w->first_ns, 8);
	put_le(w->record + SUMMARY_AT_LAST_NS, (uint64_t)w->last_ns, 8);
	put_le(w->record + SUMMARY_AT_EVENTS, w->events, 8);
	put_le(w->record + SUMMARY_AT_SEEN, c->seen, 8);
	put_le(w->record + SUMMARY_AT_RECORDED, c->recorded, 8);
	put_le(w->record + SUMMARY_AT_FILTERED, c->filtered, 8);
	put_le(w->record + SUMMARY_AT_LOST, c->lost, 8);
	put_le(w->record + SUMMARY_AT_PARTIAL, c->partial, 8);
	put_le(w->record + SUMMARY_AT_FILE, w->file, 4);
	put_le(w->record + SUMMARY_AT_COUNT, w->batch_count, 8);
	length = put_parts(w);
	put_le(w->record + RECORD_AT_LENGTH, length, 4);
	put_le(w->record + SUMMARY_AT_CRC, crc32(0, w->record, (unsigned int)length), 4);
	return write_record(w, BLOCK_CUSTOM_NO_COPY, w->record, length, error);
}

int trace_writer_finish(struct trace_writer *w, struct error *error)
{
	if (w->held && w->held->any && write_held(w, error))
		return -1;
	return write_kept_trace(w, error) || write_statistics(w, error) || write_summary(w, error)
		       ? -1
		       : 0;
}
