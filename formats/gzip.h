/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A trace as a gzip file (RFC 1952) in which a reader can go to any place: many
 * members, of which each tells its lengths in an extra field of its own, a table
 * of them at the end, in the extra fields of empty members, and a last, empty one
 * that says where the table begins. Whoever does not know the fields sees gzip.
 */
#ifndef GZIP_H
#define GZIP_H

#include "bytes.h"
#include "error.h"

/* The layout on disk; tcpconnect-trace(5) specifies it. Integers are little-endian. */
#define GZIP_MAGIC "\x1f\x8b\x08\x04" /* deflate, with extra fields and nothing else */
#define GZIP_ID_MEMBER "TM"
#define GZIP_ID_TABLE "TT"
#define GZIP_ID_END "TE"

enum {
	GZIP_AT_EXTRA_LENGTH = 10, /* u16, of the fields */
	GZIP_AT_ID = 12,           /* of the only one */
	GZIP_AT_LENGTH = 14,       /* u16, of what follows */
	GZIP_AT_FIELD = 16,
	GZIP_TRAILER_LENGTH = 8,    /* u32 CRC-32, u32 length, both of what is decompressed */
	GZIP_NOTHING_LENGTH = 2,    /* of deflate's data for nothing */
	GZIP_ENTRY_LENGTH = 8,      /* u32 length of the member, u32 of what it becomes */
	GZIP_ENTRIES_MAX = 8191,    /* of a member of the table; all but the last have as many */
	GZIP_END_AT_TABLE = 16,     /* u64, offset of the first member of the table */
	GZIP_END_AT_LENGTH = 24,    /* u64, of all that is decompressed */
	GZIP_END_AT_COUNT = 32,     /* u32, entries of the table */
	GZIP_END_AT_CRC = 36,       /* u32, CRC-32 of all entries */
	GZIP_END_FIELD_LENGTH = 24, /* from GZIP_END_AT_TABLE */
	GZIP_END_LENGTH = 50,
};

#define GZIP_MEMBER_HEADER (GZIP_AT_FIELD + GZIP_ENTRY_LENGTH)
#define GZIP_MEMBER_MAX (1u << 20)                /* bytes that a member becomes */
#define GZIP_PACKED_MAX (GZIP_MEMBER_MAX + 4096u) /* of a member */
#define GZIP_MEMBERS_MAX (1u << 20)

struct gzip_writer;

/* Writes to fd, which stays the caller's; name, for messages, must live as long. NULL: no memory.
 */
struct gzip_writer *gzip_writer_new(int fd, const char *name);
void gzip_writer_free(struct gzip_writer *writer);

/*
 * Takes whole blocks of a trace, as trace_sink; context: struct gzip_writer. Packets
 * are members of their own, which readers of records leave alone. So is a batch, not
 * compressed once more, and a long one two, up to its body and the body: who skips
 * it reads the first.
 */
int gzip_writer_blocks(void *context, const uint8_t *blocks, size_t length, struct error *error);

/* What is left, and the table. */
int gzip_writer_finish(struct gzip_writer *writer, struct error *error);

/* The table of a file, as far as it can be checked without its members. */
struct gzip_members;

/* NULL: the file, from begin on, has none that is in order, or no memory. Borrows fd. */
struct gzip_members *gzip_members_open(int fd, uint64_t begin);
void gzip_members_free(struct gzip_members *members);

/* Of all that is decompressed. */
uint64_t gzip_members_length(const struct gzip_members *members);

/* How many bytes there are from offset to the end of the member that holds it; 0 at the end. */
size_t gzip_members_near(const struct gzip_members *members, uint64_t offset);

/* A member, decompressed. All zero: none yet. */
struct gzip_member {
	uint8_t *packed, *plain; /* owned */
	size_t packed_capacity, plain_capacity;
	size_t number; /* plus 1 */
};

enum gzip_state {
	GZIP_DAMAGED = -1, /* does not become what it says, or cannot be read */
	GZIP_GOOD = 0,
	GZIP_OTHERWISE = 1 /* there is another member than the table says: it is not to be used */
};

/*
 * What stands at offset, at most size bytes, no more than are in its member, which
 * is kept for the next call; 0 at the end. Several threads may read, with a member each.
 */
enum gzip_state gzip_members_read(const struct gzip_members *members, uint64_t offset,
	struct gzip_member *kept, uint8_t *out, size_t size, size_t *length);
void gzip_member_release(struct gzip_member *member);

#endif
