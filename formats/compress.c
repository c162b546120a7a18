/* SPDX-License-Identifier: BSD-2-Clause */
#include "compress.h"

#include <stdlib.h>
#include <zstd.h>

#define LEVEL 3 /* higher ones take several times as long for a few per cent */

struct compressor {
	ZSTD_CCtx *context;
	uint8_t packed[RECORD_PAYLOAD_MAX];
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

size_t compressor_pack(
	struct compressor *c, uint8_t record[static RECORD_PAYLOAD_MAX], size_t length)
{
	uint32_t offset = get_le32(record + BATCH_AT_BODY);
	uint32_t plain = get_le32(record + BATCH_AT_BODY + 4);
	size_t packed;

	/* The body stands last. */
	if (!plain || offset + plain != length)
		return length;
	packed = ZSTD_compressCCtx(
		c->context, c->packed, sizeof c->packed, record + offset, plain, LEVEL);
	if (ZSTD_isError(packed) || packed >= plain)
		return length;
	memcpy(record + offset, c->packed, packed);
	put_le(record + BATCH_AT_BODY + 4, packed, 4);
	record[BATCH_AT_COMPRESSION] = COMPRESSION_ZSTD;
	length = offset + packed;
	put_le(record + RECORD_AT_LENGTH, length, 4);
	return length;
}

int unpack(struct unpacked *u, struct bytes packed, uint32_t length, struct error *error)
{
	size_t n;

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
	n = ZSTD_decompressDCtx(u->context, u->data, length, packed.data, packed.length);
	if (ZSTD_isError(n))
		return error_set(error, "cannot decompress the body: %s", ZSTD_getErrorName(n));
	if (n != length)
		return error_set(error, "the body decompresses to %zu bytes, not to %u", n, length);
	return 0;
}

void unpacked_release(struct unpacked *u)
{
	ZSTD_freeDCtx(u->context);
	free(u->data);
	memset(u, 0, sizeof *u);
}
