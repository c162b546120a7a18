/* SPDX-License-Identifier: BSD-2-Clause */
#include "trace_summary.h"

#include <stdlib.h>
#include <unistd.h>
#include <zlib.h>

#define TAIL 16384 /* the summary of most files is not larger: one read */

bool summary_is_valid(struct bytes record, uint64_t offset)
{
	static const uint8_t zero[4];
	const uint8_t *p = record.data;
	uLong crc;

	if (get_le32(p + RECORD_AT_HEADER_LENGTH) < SUMMARY_HEADER_MIN ||
		get_le64(p + SUMMARY_AT_OWN_OFFSET) != offset)
		return false;
	crc = crc32(0, p, SUMMARY_AT_CRC);
	crc = crc32(crc, zero, 4);
	crc = crc32(crc, p + SUMMARY_AT_CRC + 4, (uInt)(record.length - SUMMARY_AT_CRC - 4));
	return crc == get_le32(p + SUMMARY_AT_CRC);
}

struct source {
	/* Reads length bytes. False: they are not there. */
	bool (*read)(const void *context, uint64_t offset, uint8_t *out, size_t length);
	const void *context;
	uint64_t size;
	size_t tail; /* bytes that are read first, at most TAIL */
};

/* The last block of the file, whole. NULL: it is no summary, as far as its size tells. */
static uint8_t *read_last_block(const struct source *s, uint32_t *length)
{
	uint8_t tail[TAIL], *block;
	size_t n = s->size < s->tail ? (size_t)s->size : s->tail;

	if (n < 4 || !s->read(s->context, s->size - n, tail, n))
		return NULL;
	*length = get_le32(tail + n - 4);
	if (*length < BLOCK_LENGTH_MIN + 4 + SUMMARY_HEADER_MIN || *length % 4 ||
		*length > BLOCK_LENGTH_MAX || *length > s->size)
		return NULL;
	block = malloc(*length);
	if (!block)
		return NULL;
	if (*length <= n) {
		memcpy(block, tail + n - *length, *length);
		return block;
	}
	memcpy(block + *length - n, tail, n);
	if (s->read(s->context, s->size - *length, block, *length - n))
		return block;
	free(block);
	return NULL;
}

static bool is_pcapng(const struct source *s)
{
	uint8_t type[4];

	return s->read(s->context, 0, type, 4) && get_le32(type) == BLOCK_SECTION;
}

/* Behind the head that begins at p. NULL: it is not inside the heads. */
static const uint8_t *behind_head(const struct trace_summary *s, const uint8_t *p)
{
	size_t left = s->heads.length - (size_t)(p - s->heads.data);
	uint32_t length;

	if (left < BATCH_HEADER_MIN)
		return NULL;
	length = get_le32(p + RECORD_AT_HEADER_LENGTH);
	return length >= BATCH_HEADER_MIN && length <= left ? p + length : NULL;
}

static bool part(const struct trace_summary *s, unsigned int at, struct bytes *out)
{
	return bytes_slice(
		s->record, get_le32(s->record.data + at), get_le32(s->record.data + at + 4), out);
}

/* Those that are in order, all or none. */
static void take_offsets(struct trace_summary *s, uint64_t end)
{
	uint64_t before = 0;
	struct bytes offsets;

	if (!part(s, SUMMARY_AT_BATCHES, &offsets) || offsets.length % 8)
		return;
	for (size_t i = 0; i < offsets.length; i += 8) {
		uint64_t offset = get_le64(offsets.data + i);

		if (offset <= before || offset >= end)
			return;
		before = offset;
	}
	s->count = offsets.length / 8;
}

static void take_heads(struct trace_summary *s)
{
	const uint8_t *p;

	if (get_le32(s->record.data + RECORD_AT_HEADER_LENGTH) < SUMMARY_HEADER_LENGTH ||
		!part(s, SUMMARY_AT_HEADS, &s->heads))
		return;
	for (p = s->heads.data; s->head_count < s->count; s->head_count++) {
		p = behind_head(s, p);
		if (!p)
			break;
	}
	s->next = s->heads.data;
	s->complete = s->head_count == get_le64(s->record.data + SUMMARY_AT_COUNT);
	if (!part(s, SUMMARY_AT_SKIP, &s->skip))
		s->skip.length = 0;
}

static bool find(struct trace_summary *s, const struct source *source)
{
	struct error ignored;
	uint32_t length;
	int kind;

	memset(s, 0, sizeof *s);
	s->block = read_last_block(source, &length);
	if (s->block && get_le32(s->block) == BLOCK_CUSTOM_NO_COPY &&
		get_le32(s->block + 4) == length && !memcmp(s->block + 12, RECORD_MAGIC, 8) &&
		!record_parse((struct bytes){s->block + 12, length - BLOCK_LENGTH_MIN - 4},
			&s->record, &kind, &ignored) &&
		kind == RECORD_SUMMARY && summary_is_valid(s->record, source->size - length) &&
		is_pcapng(source)) {
		take_offsets(s, source->size - length);
		take_heads(s);
		return true;
	}
	summary_release(s);
	return false;
}

/* context: int */
static bool read_file(const void *context, uint64_t offset, uint8_t *out, size_t length)
{
	const int *fd = context;

	return pread(*fd, out, length, (off_t)offset) == (ssize_t)length;
}

bool summary_find(struct trace_summary *s, int fd, uint64_t size)
{
	return find(s, &(struct source){read_file, &fd, size, TAIL});
}

/* context: struct pcapng_reader */
static bool read_blocks(const void *context, uint64_t offset, uint8_t *out, size_t length)
{
	return pcapng_reader_read_at(context, offset, out, length) == length;
}

bool summary_find_packed(struct trace_summary *s, struct pcapng_reader *blocks)
{
	uint64_t length = pcapng_reader_find_members(blocks);

	/* Before the summary may stand packets, in a member of their own: not to be read. */
	return length && find(s, &(struct source){read_blocks, blocks, length, 4});
}

void summary_release(struct trace_summary *s)
{
	free(s->block);
	memset(s, 0, sizeof *s);
}

uint64_t summary_offset(const struct trace_summary *s, size_t number)
{
	return get_le64(
		s->record.data + get_le32(s->record.data + SUMMARY_AT_BATCHES) + number * 8);
}

/* The header, as the record of a batch without a body: its names stand in our record. */
static struct bytes head_at(struct trace_summary *s, size_t number)
{
	if (number < s->next_number) {
		s->next = s->heads.data;
		s->next_number = 0;
	}
	for (; s->next_number < number; s->next_number++)
		s->next = behind_head(s, s->next);
	return (struct bytes){s->next, (size_t)(s->record.data + s->record.length - s->next)};
}

int summary_head(struct trace_summary *s, size_t number, struct batch *head)
{
	struct error ignored;

	if (batch_parse_head(head, head_at(s, number), &ignored))
		return -1;
	head->header.skip = s->skip;
	return 0;
}

static struct bytes host_of(const uint8_t *header)
{
	return (struct bytes){
		header + get_le32(header + BATCH_AT_HOST), get_le32(header + BATCH_AT_HOST + 4)};
}

bool summary_agrees(struct trace_summary *s, size_t number, struct bytes record)
{
	const uint8_t *head = head_at(s, number).data;
	size_t length = get_le32(head + RECORD_AT_HEADER_LENGTH);

	if (length != get_le32(record.data + RECORD_AT_HEADER_LENGTH))
		return false;
	length = length < BATCH_HEADER_LENGTH ? length : BATCH_HEADER_LENGTH;
	/* All but the magic and what stands elsewhere in the record. */
	return !memcmp(head + RECORD_AT_KIND, record.data + RECORD_AT_KIND,
		       BATCH_AT_HOST - RECORD_AT_KIND) &&
	       !memcmp(head + BATCH_AT_BODY_LENGTH, record.data + BATCH_AT_BODY_LENGTH,
		       length - BATCH_AT_BODY_LENGTH) &&
	       bytes_equal(host_of(head), host_of(record.data));
}
