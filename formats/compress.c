/* SPDX-License-Identifier: BSD-2-Clause */
#include "compress.h"

#include <stdlib.h>
#include <zstd.h>

#define LEVEL 3          /* higher ones take several times as long for a few per cent */
#define LEVEL_PLAIN (-1) /* repeats only: what is left stands there as it is */

/*
 * Columns that most queries read, of which decompression takes the most: half the
 * time for a twentieth more of a file. What level 3 finds in addresses is short and
 * far apart, and saves nothing.
 */
static const struct {
	uint16_t column;
	int level;
} levels[] = {
	{EVENT_PROCESS, LEVEL_PLAIN},
	{EVENT_LATENCY, LEVEL_PLAIN},
	{EVENT_SADDR, 1},
	{EVENT_DADDR, 1},
};

struct compressor {
	ZSTD_CCtx *context;
	uint8_t packed[RECORD_PLAIN_MAX];
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
	uint32_t end;
	int level;
};

static int level_of(uint16_t column)
{
	for (size_t i = 0; i < sizeof levels / sizeof *levels; i++)
		if (levels[i].column == column)
			return levels[i].level;
	return LEVEL;
}

/* The one that begins at offset. */
static struct part find_part(
	const uint8_t *body, uint32_t columns, uint32_t offset, uint32_t length)
{
	struct part part = {length, LEVEL};

	for (uint32_t i = 0; i < columns; i++) {
		const uint8_t *entry = body + i * COLUMN_ENTRY_LENGTH;
		uint32_t begin = get_le32(entry + COLUMN_AT_OFFSET);
		uint16_t id = get_le16(entry + COLUMN_AT_ID);

		if (id >> 8 != TABLE_EVENTS || !entry[COLUMN_AT_WIDTH])
			continue;
		if (begin == offset)
			part.level = level_of(id);
		if (begin > offset && begin < part.end)
			part.end = begin;
	}
	return part;
}

size_t compressor_pack(struct compressor *c, uint8_t record[static RECORD_PLAIN_MAX], size_t length)
{
	uint32_t offset = get_le32(record + BATCH_AT_BODY);
	uint32_t plain = get_le32(record + BATCH_AT_BODY + 4);
	uint32_t columns = get_le16(record + BATCH_AT_COLUMNS);
	const uint8_t *body = record + offset;
	size_t packed = 0;

	if (!plain || offset + plain != length)
		return length;
	for (uint32_t at = 0; at < plain;) {
		struct part part = find_part(body, columns, at, plain);
		size_t n = ZSTD_compressCCtx(c->context, c->packed + packed,
			sizeof c->packed - packed, body + at, part.end - at, part.level);

		if (ZSTD_isError(n))
			return length;
		packed += n;
		at = part.end;
	}
	if (packed >= plain)
		return length;
	memcpy(record + offset, c->packed, packed);
	put_le(record + BATCH_AT_BODY + 4, packed, 4);
	record[BATCH_AT_COMPRESSION] = COMPRESSION_ZSTD;
	length = offset + packed;
	put_le(record + RECORD_AT_LENGTH, length, 4);
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
