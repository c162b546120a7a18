/* SPDX-License-Identifier: BSD-2-Clause */
/* Compressed bodies of batches: zstd. */
#ifndef COMPRESS_H
#define COMPRESS_H

#include "bytes.h"
#include "error.h"
#include "record.h"

struct compressor;

/* NULL: out of memory. */
struct compressor *compressor_new(void);
void compressor_free(struct compressor *compressor);

/*
 * Compresses the body of an encoded batch in place, if that makes it smaller.
 * Returns the new length of the record.
 */
size_t compressor_pack(
	struct compressor *compressor, uint8_t record[static RECORD_PAYLOAD_MAX], size_t length);

/* A body that was decompressed, and what that needs. All zero: nothing yet. */
struct unpacked {
	uint8_t *data;
	size_t capacity;
	struct ZSTD_DCtx_s *context;
};

/* Into unpacked->data, which stays valid until the next call. It must become exactly length bytes.
 */
int unpack(struct unpacked *unpacked, struct bytes packed, uint32_t length, struct error *error);
void unpacked_release(struct unpacked *unpacked);

#endif
