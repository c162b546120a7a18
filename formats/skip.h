/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The summary of a batch by which it is skipped, and that of a whole file: a Bloom
 * filter over the values that its events have. It never says no of a value that is
 * there.
 */
#ifndef SKIP_H
#define SKIP_H

#include "bytes.h"

/* What a value is, the first byte that is hashed. */
enum skip_kind {
	SKIP_PID = 1,  /* 4 bytes, little-endian */
	SKIP_UID = 2,  /* the same */
	SKIP_PORT = 3, /* of the destination; 2 bytes, little-endian */
	SKIP_COMM = 4, /* as it is */
	SKIP_IPV4 = 5, /* number of bits, then 4 bytes, those behind the prefix zero */
	SKIP_IPV6 = 6, /* the same, 16 bytes */
};

#define SKIP_HEADER 8
/* Of a batch; with more values it would hardly ever say no: there is none. */
#define SKIP_ITEMS_MAX 8192
#define SKIP_BYTES_MAX (SKIP_HEADER + 4096)
/* Of a file: with the most values 4.7 % wrong answers. */
#define SKIP_FILE_ITEMS_MAX (80u << 10)
#define SKIP_FILE_BYTES_MAX (SKIP_HEADER + (64u << 10))

/* Values, each once, as their hashes. All zero: none. At most 1 MiB. */
struct skip_set {
	uint32_t count; /* SKIP_FILE_ITEMS_MAX + 1: too many, or there was no memory for them */
	uint32_t capacity;
	uint64_t *slots; /* 0 free; owned */
};

uint64_t skip_hash(enum skip_kind kind, struct bytes value);

/* An address with its prefixes, or one prefix: the bytes behind it are taken as zero. */
void skip_add_address(struct skip_set *set, uint8_t family, const uint8_t *address);
uint64_t skip_hash_prefix(uint8_t family, const uint8_t *address, unsigned int bits);

/* The longest of the prefixes that are kept which is not longer than bits; 0: none is. */
unsigned int skip_prefix(uint8_t family, unsigned int bits);

void skip_add(struct skip_set *set, uint64_t hash);
void skip_clear(struct skip_set *set);
void skip_release(struct skip_set *set);

/* Adds those of another one; NULL: they are not known. */
void skip_add_all(struct skip_set *set, const struct skip_set *more);

/* Writes the summary of a batch. Returns its length, at most SKIP_BYTES_MAX; 0: there is none. */
size_t skip_encode(const struct skip_set *set, uint8_t *out);

/*
 * The same of a file, at most SKIP_FILE_BYTES_MAX. Its bits are other ones, so that a
 * value which a file seems to have does not seem to be in each of its batches.
 */
size_t skip_encode_file(const struct skip_set *set, uint8_t *out);

/* False: no event has that value. What is no summary may hold anything. */
bool skip_may_hold(struct bytes summary, uint64_t hash);

#endif
