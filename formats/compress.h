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
 * Compresses the body of an encoded batch, which stands last in the record, in
 * place, if that makes it smaller: each column of events as a frame of its own,
 * so that a reader decompresses what it asks for. Returns the new length of the
 * record.
 */
size_t compressor_pack(
	struct compressor *compressor, uint8_t record[static RECORD_PLAIN_MAX], size_t length);

/* A frame of a compressed body: what it becomes, and where. */
struct frame {
	struct bytes packed;
	uint32_t offset, length;
	bool done;
};

#define FRAMES_MAX 32 /* a body of more is decompressed as a whole */

/* A body under decompression, and what that needs. All zero: nothing yet. */
struct unpacked {
	uint8_t *data;
	size_t capacity;
	struct ZSTD_DCtx_s *context;
	struct frame frames[FRAMES_MAX];
	size_t count;
};

/*
 * Looks at a body that becomes exactly length bytes, which unpack_part() then
 * puts into unpacked->data. It borrows packed. -1: it does not, or no memory.
 */
int unpack(struct unpacked *unpacked, struct bytes packed, uint32_t length, struct error *error);

/* Makes sure that these bytes are in unpacked->data; those behind its end are not asked for. */
int unpack_part(struct unpacked *unpacked, uint64_t offset, uint64_t length, struct error *error);

void unpacked_release(struct unpacked *unpacked);

#endif
