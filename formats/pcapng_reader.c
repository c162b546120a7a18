/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Every block is checked as a whole (minimum, multiple of four, maximum, both
 * lengths equal) before anything looks into it. After damage the framing is
 * lost; a record of ours is found again by its magic.
 */
#include "input.h"
#include "pcapng.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define READ_SIZE (64u << 10)
#define SKIP_MIN READ_SIZE /* shorter blocks are read and checked also when nobody wants them */
#define AHEAD 8192         /* read beyond what is asked for after a block was skipped */
#define PART 4096          /* bytes of a block that is read in parts */
#define PARTS_MAX 512
#define PARTS_LAST 5 /* and a bit: read with the end, of our batches what has no row of its own */
#define MAGIC_LENGTH 8
#define MAGIC_AT 12 /* in a Custom Block: behind type, length and enterprise number */

struct pcapng_reader {
	struct input *input;
	uint8_t *buffer;
	size_t capacity, start, end; /* unread bytes are start .. end */
	uint64_t offset;             /* in the file, of start */
	uint64_t block_length;       /* of the block that was given out and stands at start; or 0 */
	bool big_endian, is_pcapng, at_end, broken, lost, growing, skipping;
	bool parts[PARTS_MAX]; /* of the block at start, that are there */
};

struct pcapng_reader *pcapng_reader_new(int fd)
{
	struct pcapng_reader *r = calloc(1, sizeof *r);

	if (r) {
		r->capacity = READ_SIZE;
		r->buffer = malloc(r->capacity);
	}
	if (!r || !r->buffer) {
		free(r);
		close(fd);
		return NULL;
	}
	r->input = input_new(fd);
	if (!r->input) {
		free(r->buffer);
		free(r);
		return NULL;
	}
	return r;
}

void pcapng_reader_free(struct pcapng_reader *r)
{
	if (!r)
		return;
	input_free(r->input);
	free(r->buffer);
	free(r);
}

struct pcapng_position pcapng_reader_position(const struct pcapng_reader *r)
{
	return (struct pcapng_position){r->offset, r->big_endian};
}

static void consume(struct pcapng_reader *r, size_t length)
{
	r->start += length;
	r->offset += length;
}

int pcapng_reader_seek(struct pcapng_reader *r, struct pcapng_position position)
{
	uint64_t forward = position.offset - r->offset;

	if (position.offset > r->offset && forward <= r->end - r->start) {
		consume(r, (size_t)forward);
	} else {
		if (input_seek(r->input, position.offset))
			return -1;
		r->start = r->end = 0;
		r->offset = position.offset;
	}
	r->block_length = 0;
	r->big_endian = position.big_endian;
	r->is_pcapng = position.offset > 0;
	r->skipping = true;
	r->at_end = r->lost = false;
	return 0;
}

void pcapng_reader_set_growing(struct pcapng_reader *r, bool growing)
{
	r->growing = growing;
	r->at_end = false;
}

void pcapng_reader_is_plain(struct pcapng_reader *r)
{
	input_is_plain(r->input);
}

uint64_t pcapng_reader_find_members(struct pcapng_reader *r)
{
	return input_find_members(r->input);
}

bool pcapng_reader_seeks_freely(const struct pcapng_reader *r)
{
	return input_seeks_freely(r->input);
}

bool pcapng_reader_is_compressed(const struct pcapng_reader *r)
{
	return input_is_compressed(r->input);
}

size_t pcapng_reader_near(const struct pcapng_reader *r, uint64_t offset)
{
	return input_near(r->input, offset);
}

size_t pcapng_reader_read_at(
	const struct pcapng_reader *r, uint64_t offset, uint8_t *out, size_t size)
{
	return input_read_at(r->input, offset, out, size);
}

bool pcapng_reader_is_pcapng(const struct pcapng_reader *r)
{
	return r->is_pcapng;
}

bool pcapng_reader_is_broken(const struct pcapng_reader *r)
{
	return r->broken;
}

static uint32_t get32(const struct pcapng_reader *r, const uint8_t *p)
{
	return (uint32_t)(r->big_endian ? get_be(p, 4) : get_le(p, 4));
}

/* Room for length bytes from start on, and at least one more than there are. False: no memory. */
static bool make_room(struct pcapng_reader *r, size_t length)
{
	size_t capacity = r->capacity * 2 < length ? length : r->capacity * 2;
	uint8_t *grown;

	if (r->start) {
		memmove(r->buffer, r->buffer + r->start, r->end - r->start);
		r->end -= r->start;
		r->start = 0;
	}
	if (r->capacity >= length && r->capacity > r->end)
		return true;
	grown = realloc(r->buffer, capacity);
	if (!grown)
		return false;
	r->buffer = grown;
	r->capacity = capacity;
	return true;
}

/* Tries to have length bytes at start. Returns 1, 0: the file ends before, or -1. */
static int fill(struct pcapng_reader *r, size_t length, struct error *error)
{
	while (r->end - r->start < length && !r->at_end) {
		size_t n, room;

		if (!make_room(r, length)) {
			r->at_end = true;
			return error_set(error, "out of memory for %zu bytes", length);
		}
		room = r->capacity - r->end;
		if (r->skipping && room > length - r->end + AHEAD)
			room = length - r->end + AHEAD;
		r->skipping = false;
		if (input_read(r->input, r->buffer + r->end, room, &n, error)) {
			r->at_end = r->broken = true;
			r->growing = false;
			return -1;
		}
		r->at_end = n == 0;
		r->end += n;
	}
	return r->end - r->start >= length;
}

/* Loses the framing at the current block. */
#define DAMAGE(r, error, ...) ((r)->lost = true, damage((r)->offset, (error), __VA_ARGS__))
static int damage(uint64_t offset, struct error *error, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static int damage(uint64_t offset, struct error *error, const char *format, ...)
{
	char text[256];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof text, format, arguments);
	va_end(arguments);
	return error_set(error, "offset %llu: %s", (unsigned long long)offset, text);
}

/* Goes to the next Custom Block with the magic. Returns 1, 0: there is none, or -1. */
static int find_again(struct pcapng_reader *r, const char *magic, struct error *error)
{
	for (;;) {
		uint8_t *from, *found;
		int n = fill(r, MAGIC_AT + MAGIC_LENGTH + 1, error);

		if (n <= 0)
			return n;
		/* One byte on: not the block that was found damaged. */
		from = r->buffer + r->start + 1;
		found = memmem(
			from + MAGIC_AT, r->end - r->start - 1 - MAGIC_AT, magic, MAGIC_LENGTH);
		if (found) {
			consume(r, (size_t)(found - MAGIC_AT - (r->buffer + r->start)));
			from = r->buffer + r->start;
			/* 0x0BAD and 0x40000BAD in either order; the header may be lost too. */
			if (from[0] == 0xAD && from[1] == 0x0B)
				r->big_endian = false;
			else if (from[2] == 0x0B && from[3] == 0xAD)
				r->big_endian = true;
			else
				continue;
			return 1;
		}
		/* Keep what could be the beginning of one. */
		consume(r, r->end - r->start - (MAGIC_AT + MAGIC_LENGTH));
	}
}

static int first_block(struct pcapng_reader *r, struct error *error)
{
	static const struct {
		const char *bytes;
		size_t length;
		const char *what;
	} known[] = {
		{"\xa1\xb2\xc3\xd4", 4, "a pcap file, not pcapng"},
		{"\xd4\xc3\xb2\xa1", 4, "a pcap file, not pcapng"},
		{"\xa1\xb2\x3c\x4d", 4, "a pcap file, not pcapng"},
		{"\x4d\x3c\xb2\xa1", 4, "a pcap file, not pcapng"},
	};
	const uint8_t *p;
	int n = fill(r, 4, error);

	if (n < 0)
		return -1;
	p = r->buffer + r->start;
	if (!n && r->growing)
		return 0;
	if (r->end == r->start)
		return error_set(error, "the file is empty");
	if (n && get_le32(p) == BLOCK_SECTION) {
		r->is_pcapng = true;
		return 0;
	}
	r->at_end = true;
	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (r->end - r->start >= known[i].length &&
			!memcmp(p, known[i].bytes, known[i].length)) {
			r->start = r->end;
			return error_set(error, "%s", known[i].what);
		}
	r->start = r->end;
	return error_set(error, "not a pcapng file");
}

/* The byte order stands in the section header itself. */
static int section_order(struct pcapng_reader *r, const uint8_t *p, struct error *error)
{
	if (get_le(p + 8, 4) == BYTE_ORDER_MAGIC)
		r->big_endian = false;
	else if (get_be(p + 8, 4) == BYTE_ORDER_MAGIC)
		r->big_endian = true;
	else
		return DAMAGE(r, error, "section header without a byte-order magic");
	return 0;
}

/* What a file that ends inside a block is told; one that grows may go on. Returns 0 or -1. */
static int torn(struct pcapng_reader *r, uint32_t length, struct error *error)
{
	size_t left = r->end - r->start;

	if (r->growing)
		return 0;
	if (length)
		return DAMAGE(r, error, "the file ends after %zu of the %u bytes of a block", left,
			length);
	error_set(error, "offset %llu: the file ends after %zu bytes of a block",
		(unsigned long long)r->offset, left);
	consume(r, left);
	return -1;
}

/*
 * Goes behind the block that was given out last. Of one that was not read the end
 * is checked, which stands before the next one. Returns 0 or -1.
 */
static int leave_block(struct pcapng_reader *r, struct error *error)
{
	uint64_t length = r->block_length, offset = r->offset;
	int n;

	r->block_length = 0;
	if (length <= r->end - r->start) {
		consume(r, (size_t)length);
		return 0;
	}
	r->start = r->end = 0;
	r->skipping = true;
	if (input_seek(r->input, offset + length - 4)) {
		r->at_end = true;
		return error_set(error, "offset %llu: cannot go behind this block",
			(unsigned long long)offset);
	}
	r->offset = offset + length - 4;
	n = fill(r, 4, error);
	if (n < 0)
		return -1;
	if (!n || get32(r, r->buffer + r->start) != length) {
		r->lost = true;
		return damage(offset, error,
			n ? "block length %llu, but another one at its end"
			  : "the file ends inside the %llu bytes of a block",
			(unsigned long long)length);
	}
	consume(r, 4);
	return 0;
}

/* Reads all of the block at start and checks its end. Returns 1, 0 or -1. */
static int whole_block(
	struct pcapng_reader *r, uint32_t length, struct block *block, struct error *error)
{
	const uint8_t *p;
	int n = fill(r, length, error);

	if (n < 0)
		return -1;
	if (!n)
		return torn(r, length, error);
	p = r->buffer + r->start;
	if (get32(r, p + length - 4) != length)
		return DAMAGE(r, error, "block length %u, but %u at its end", length,
			get32(r, p + length - 4));
	block->body = (struct bytes){p + 8, length - BLOCK_LENGTH_MIN};
	r->block_length = length;
	return 1;
}

int pcapng_reader_peek(struct pcapng_reader *r, const char *magic, size_t peek, struct block *block,
	struct error *error)
{
	const uint8_t *p;
	uint32_t length;
	int n;

	if (r->growing)
		r->at_end = false;
	if (r->block_length && leave_block(r, error))
		return -1;
	if (!r->is_pcapng && !r->at_end && !r->offset && first_block(r, error))
		return -1;
	if (r->growing && !r->is_pcapng)
		return 0;
	if (r->lost) {
		n = find_again(r, magic, error);
		if (n <= 0)
			return n;
		r->lost = false;
	}
	n = fill(r, BLOCK_LENGTH_MIN, error);
	if (n < 0)
		return -1;
	if (!n && r->end == r->start)
		return 0;
	if (!n)
		return torn(r, 0, error);
	p = r->buffer + r->start;
	if (get_le32(p) == BLOCK_SECTION && section_order(r, p, error))
		return -1;
	length = get32(r, p + 4);
	if (length < BLOCK_LENGTH_MIN)
		return DAMAGE(
			r, error, "block length %u is less than %u", length, BLOCK_LENGTH_MIN);
	if (length % 4)
		return DAMAGE(r, error, "block length %u is not a multiple of 4", length);
	if (length > BLOCK_LENGTH_MAX)
		return DAMAGE(
			r, error, "block length %u is more than %u", length, BLOCK_LENGTH_MAX);
	block->type = get32(r, p);
	block->offset = r->offset;
	block->length = length;
	block->big_endian = r->big_endian;
	if (length <= SKIP_MIN || length <= peek + BLOCK_LENGTH_MIN ||
		!input_seeks_freely(r->input) || r->growing)
		return whole_block(r, length, block, error);
	if (peek > input_near(r->input, r->offset) - 8)
		peek = input_near(r->input, r->offset) - 8;
	n = fill(r, 8 + peek, error);
	if (n < 0)
		return -1;
	if (!n)
		return torn(r, length, error);
	block->body = (struct bytes){r->buffer + r->start + 8, peek};
	r->block_length = length;
	return 1;
}

int pcapng_reader_whole(struct pcapng_reader *r, struct block *block, struct error *error)
{
	if (block->body.length == block->length - BLOCK_LENGTH_MIN)
		return 1;
	r->block_length = 0;
	r->skipping = true;
	return whole_block(r, block->length, block, error);
}

bool pcapng_reader_in_parts(struct pcapng_reader *r, struct block *block)
{
	size_t length = block->length, there = (r->end - r->start) / PART;
	size_t last = length / PART > PARTS_LAST ? length / PART - PARTS_LAST : 0;
	uint8_t *from;

	if (r->end - r->start >= length || length > PARTS_MAX * PART || r->growing ||
		input_is_compressed(r->input) || !input_seeks_freely(r->input) ||
		!make_room(r, length))
		return false;
	last = last < there ? there : last;
	from = r->buffer + last * PART;
	length -= last * PART;
	if (input_read_at(r->input, r->offset + last * PART, from, length) != length ||
		get32(r, from + length - 4) != block->length)
		return false;
	for (size_t i = 0; i < PARTS_MAX; i++)
		r->parts[i] = i < there || i >= last;
	block->body.data = r->buffer + 8;
	return true;
}

int pcapng_reader_part(struct pcapng_reader *r, struct bytes part)
{
	size_t from = (size_t)(part.data - r->buffer) / PART, behind;
	size_t last = from * PART + (size_t)(part.data - r->buffer) % PART + part.length, end;

	for (; from * PART < last; from = behind) {
		behind = from + 1;
		if (r->parts[from])
			continue;
		while (behind * PART < last && !r->parts[behind])
			behind++;
		end = behind * PART < r->block_length ? behind * PART : (size_t)r->block_length;
		if (input_read_at(r->input, r->offset + from * PART, r->buffer + from * PART,
			    end - from * PART) != end - from * PART)
			return -1;
		memset(r->parts + from, true, behind - from);
	}
	return 0;
}

int pcapng_reader_next(
	struct pcapng_reader *r, const char *magic, struct block *block, struct error *error)
{
	return pcapng_reader_peek(r, magic, BLOCK_LENGTH_MAX, block, error);
}
