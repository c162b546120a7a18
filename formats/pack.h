/* SPDX-License-Identifier: BSD-2-Clause */
/* Columns of integers in as few bits as they need: ENCODING_BITS and ENCODING_PALETTE. */
#ifndef PACK_H
#define PACK_H

#include "column.h"
#include "record.h"

#define PACK_ROWS_MAX 16384
/* Of a packed column: integers of 8 bytes, and the largest palette. */
#define PACK_BYTES_MAX (PACK_ROWS_MAX * 8 + 128 * 8 + 3 * COLUMN_PART)

/*
 * Packs the values of 1 to PACK_ROWS_MAX rows, the way that takes least, and says so in the
 * column's entry of the directory, but for its offset. Returns the bytes that it takes.
 */
size_t pack_column(const uint64_t *values, uint32_t rows, uint8_t out[static PACK_BYTES_MAX],
	uint8_t entry[static COLUMN_ENTRY_LENGTH]);

#endif
