/* SPDX-License-Identifier: BSD-2-Clause */
#include "compress.h"
#include "pack.h"

#include <stdlib.h>
#include <zstd.h>

#define COLUMNS_MAX 256
#define LEVEL 3          /* higher ones take several times as long for a few per cent */
#define LEVEL_PLAIN (-1) /* repeats only: what is left stands there as it is */
#define FRAME_HEAD 9     /* RFC 8878: of a frame that says its length in 4 bytes */
#define FRAME_BLOCK (128u << 10)
#define FRAME_BLOCK_HEAD 3

/*
 * Columns that most queries read. What decompression takes is most of what a reader
 * does: half the time for a twentieth more of a file. What level 3 finds in addresses
 * is short and far apart, and saves nothing. To be packed, which takes no time to undo,
 * they may take some tenths of a bit more of each event than compressed.
 */
static const struct {
	uint16_t column;
	int level;
	unsigned int tenths;
} columns_read[] = {
	{EVENT_PROCESS, LEVEL_PLAIN, 15},
	{EVENT_LATENCY, LEVEL_PLAIN, 15},
	{EVENT_SADDR, 1, 0},
	{EVENT_DADDR, 1, 15},
	{EVENT_DPORT, LEVEL, 15},
	{EVENT_OUTCOME, LEVEL, 15},
};

struct compressor {
	ZSTD_CCtx *context;
	uint8_t first[RECORD_PLAIN_MAX], packed[RECORD_PLAIN_MAX];
	uint8_t column[PACK_BYTES_MAX];
	uint64_t values[PACK_ROWS_MAX];
	uint8_t directory[COLUMNS_MAX * COLUMN_ENTRY_LENGTH]; /* as it was */
};

struct compressor *compressor_new(void)
{
	struct compressor *c = calloc(1, sizeof *c);

	if (!c)
		return NULL;
	c->context = ZSTD_createCCtx();
	if (!c->context) {
		free(c);
		return NULL;
	}
	return c;
}

void compressor_free(struct compressor *c)
{
	if (!c)
		return;
	ZSTD_freeCCtx(c->context);
	free(c);
}

/* A part of the body: a column of events, or all up to the first one. */
struct part {
	uint32_t begin, end;
	uint8_t *entry; /* NULL: it is none */
	uint32_t moved; /* where it begins, and what it takes, when columns are packed */
	uint32_t takes;
};

/* The one that begins at offset. */
static struct part find_part(uint8_t *body, uint32_t columns, uint32_t offset, uint32_t length)
{
	struct part part = {.begin = offset, .end = length};

	for (uint32_t i = 0; i < columns; i++) {
		uint8_t *entry = body + i * COLUMN_ENTRY_LENGTH;
		uint32_t begin = get_le32(entry + COLUMN_AT_OFFSET);
		uint16_t id = get_le16(entry + COLUMN_AT_ID);

		if (id >> 8 != TABLE_EVENTS || !entry[COLUMN_AT_WIDTH])
			continue;
		if (begin == offset)
			part.entry = entry;
		if (begin > offset && begin < part.end)
			part.end = begin;
	}
	return part;
}

/* Lengths: the body before it is compressed, its first frame, and all others. */
struct packed_body {
	uint32_t plain;
	size_t first, packed;
};

/* A frame that holds the bytes as they are. Returns its length; 0: there is no room. */
static size_t store(uint8_t *out, size_t room, const uint8_t *data, size_t length)
{
	size_t blocks = length ? (length + FRAME_BLOCK - 1) / FRAME_BLOCK : 1;
	uint8_t *start = out;

	if (room < FRAME_HEAD + blocks * FRAME_BLOCK_HEAD + length)
		return 0;
	put_le32(out, ZSTD_MAGICNUMBER);
	out[4] = 0xa0; /* one segment, whose length follows in 4 bytes */
	put_le32(out + 5, (uint32_t)length);
	out += FRAME_HEAD;
	for (size_t i = 0; i < blocks; i++) {
		size_t n = length < FRAME_BLOCK ? length : FRAME_BLOCK;

		put_le(out, (i + 1 == blocks) | n << 3, FRAME_BLOCK_HEAD); /* type 0: as it is */
		memcpy(out + FRAME_BLOCK_HEAD, data, n);
		out += FRAME_BLOCK_HEAD + n;
		data += n;
		length -= n;
	}
	return (size_t)(out - start);
}

/* Puts the values of a column into c->values, if it is one that can be packed. */
static bool get_values(
	struct compressor *c, const uint8_t *body, const struct part *part, uint32_t rows)
{
	uint8_t width = part->entry[COLUMN_AT_WIDTH], encoding = part->entry[COLUMN_AT_ENCODING];
	struct column column = {body + part->begin, get_le64(part->entry + COLUMN_AT_BASE), width};

	if (rows > PACK_ROWS_MAX || part->end - part->begin != rows * width ||
		(encoding != ENCODING_PLAIN && encoding != ENCODING_PLANES))
		return false;
	if (encoding == ENCODING_PLANES) {
		column_undo_bits(column.data, 8u * width, rows, c->column, NULL);
		column.data = c->column;
	}
	column_values(&column, 0, rows, c->values);
	return true;
}

/* Compresses or packs a part, to the end of what is. Returns what that takes; 0: it cannot. */
static size_t pack_part(struct compressor *c, const uint8_t *body, struct part *part, uint32_t rows,
	uint8_t *out, size_t room)
{
	uint8_t entry[COLUMN_ENTRY_LENGTH];
	unsigned int tenths = 0;
	int level = LEVEL;
	size_t compressed, packed;

	for (size_t i = 0; part->entry && i < sizeof columns_read / sizeof *columns_read; i++)
		if (columns_read[i].column == get_le16(part->entry + COLUMN_AT_ID)) {
			level = columns_read[i].level;
			tenths = columns_read[i].tenths;
		}
	part->takes = part->end - part->begin;
	compressed =
		ZSTD_compressCCtx(c->context, out, room, body + part->begin, part->takes, level);
	if (ZSTD_isError(compressed))
		return 0;
	if (!part->entry || !get_values(c, body, part, rows))
		return compressed;
	memcpy(entry, part->entry, sizeof entry);
	packed = pack_column(c->values, rows, c->column, entry);
	if (packed >= part->takes || packed > compressed + (size_t)rows * tenths / 80)
		return compressed;
	memcpy(part->entry, entry, sizeof entry);
	part->takes = (uint32_t)packed;
	return store(out, room, c->column, packed);
}

/* The columns are where the parts have moved to. */
static void move_columns(uint8_t *body, uint32_t columns, const struct part *parts, size_t count)
{
	for (uint32_t i = 0; i < columns; i++) {
		uint8_t *at = body + i * COLUMN_ENTRY_LENGTH + COLUMN_AT_OFFSET;
		uint32_t offset = get_le32(at);
		size_t k = count - 1;

		while (k && offset < parts[k].begin)
			k--;
		/* Without data it may be at the end of all. */
		offset = offset == parts[k].end ? parts[k].takes : offset - parts[k].begin;
		put_le32(at, parts[k].moved + offset);
	}
}

/* Puts the frames into c->first and c->packed. False: they do not make it smaller. */
static bool pack_parts(struct compressor *c, uint8_t *body, uint32_t columns, uint32_t rows,
	struct packed_body *out)
{
	struct part parts[FRAMES_MAX] = {find_part(body, columns, 0, out->plain)};
	size_t count = 1, n;

	/* The first one says where the others are: it comes last. */
	parts[0].takes = parts[0].end;
	for (; parts[count - 1].end < out->plain && count < FRAMES_MAX; count++)
		parts[count] = find_part(body, columns, parts[count - 1].end, out->plain);
	for (size_t i = 1; i < count; i++) {
		parts[i].moved = parts[i - 1].moved + parts[i - 1].takes;
		n = pack_part(c, body, &parts[i], rows, c->packed + out->packed,
			sizeof c->packed - out->packed);
		if (!n)
			return false;
		out->packed += n;
	}
	move_columns(body, columns, parts, count);
	out->first = pack_part(c, body, &parts[0], rows, c->first, sizeof c->first);
	if (!out->first || out->first + out->packed >= out->plain ||
		parts[count - 1].end != out->plain)
		return false;
	out->plain = parts[count - 1].moved + parts[count - 1].takes;
	return true;
}

size_t compressor_pack(struct compressor *c, uint8_t record[static RECORD_PLAIN_MAX], size_t length)
{
	uint32_t offset = get_le32(record + BATCH_AT_BODY);
	uint32_t columns = get_le16(record + BATCH_AT_COLUMNS);
	struct packed_body body = {.plain = get_le32(record + BATCH_AT_BODY + 4)};

	if (!body.plain || offset + body.plain != length || columns > COLUMNS_MAX)
		return length;
	memcpy(c->directory, record + offset, columns * COLUMN_ENTRY_LENGTH);
	if (!pack_parts(c, record + offset, columns, get_le32(record + BATCH_AT_EVENTS), &body)) {
		memcpy(record + offset, c->directory, columns * COLUMN_ENTRY_LENGTH);
		return length;
	}
	memcpy(record + offset, c->first, body.first);
	memcpy(record + offset + body.first, c->packed, body.packed);
	length = offset + body.first + body.packed;
	put_le(record + BATCH_AT_BODY + 4, body.first + body.packed, 4);
	put_le(record + BATCH_AT_BODY_LENGTH, body.plain, 4);
	put_le(record + RECORD_AT_LENGTH, length, 4);
	record[BATCH_AT_COMPRESSION] = COMPRESSION_ZSTD;
	return length;
}

/* Finds the frames. False: they do not say how long they become, or are too many. */
static bool find_frames(struct unpacked *u, struct bytes packed, uint32_t length)
{
	uint32_t offset = 0;

	for (u->count = 0; packed.length; u->count++) {
		size_t size = ZSTD_findFrameCompressedSize(packed.data, packed.length);
		unsigned long long becomes = ZSTD_getFrameContentSize(packed.data, packed.length);

		if (ZSTD_isError(size) || becomes > length - offset || u->count == FRAMES_MAX)
			return false;
		u->frames[u->count] =
			(struct frame){{packed.data, size}, offset, (uint32_t)becomes, false};
		offset += (uint32_t)becomes;
		packed.data += size;
		packed.length -= size;
	}
	return offset == length;
}

int unpack(struct unpacked *u, struct bytes packed, uint32_t length, struct error *error)
{
	if (length > RECORD_LENGTH_MAX)
		return error_set(
			error, "body of %u bytes, %u are the most", length, RECORD_LENGTH_MAX);
	if (!u->context)
		u->context = ZSTD_createDCtx();
	if (length > u->capacity) {
		free(u->data);
		u->data = malloc(length);
		u->capacity = u->data ? length : 0;
	}
	if (!u->context || (length && !u->data))
		return error_set(error, "out of memory for a body of %u bytes", length);
	if (!find_frames(u, packed, length)) {
		u->frames[0] = (struct frame){packed, 0, length, false};
		u->count = 1;
		return unpack_part(u, 0, length, error);
	}
	return 0;
}

int unpack_part(struct unpacked *u, uint64_t offset, uint64_t length, struct error *error)
{
	for (size_t i = 0; i < u->count; i++) {
		struct frame *f = &u->frames[i];
		size_t n;

		if (f->done || f->offset >= offset + length || f->offset + f->length <= offset)
			continue;
		n = ZSTD_decompressDCtx(u->context, u->data + f->offset, f->length, f->packed.data,
			f->packed.length);
		if (ZSTD_isError(n))
			return error_set(
				error, "cannot decompress the body: %s", ZSTD_getErrorName(n));
		if (n != f->length)
			return error_set(error, "the body decompresses to %zu bytes, not to %u", n,
				f->length);
		f->done = true;
	}
	return 0;
}

void unpacked_release(struct unpacked *u)
{
	ZSTD_freeDCtx(u->context);
	free(u->data);
	memset(u, 0, sizeof *u);
}
