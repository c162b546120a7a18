/* SPDX-License-Identifier: BSD-2-Clause */
/* The framing of pcapng (draft-ietf-opsawg-pcapng), as much of it as this product writes and reads.
 */
#ifndef PCAPNG_H
#define PCAPNG_H

#include "bytes.h"
#include "error.h"

#define BLOCK_SECTION 0x0A0D0D0Au    /* 4.1; a palindrome: the same in both byte orders */
#define BLOCK_INTERFACE 1u           /* 4.2 */
#define BLOCK_STATISTICS 5u          /* 4.6 */
#define BLOCK_PACKET 6u              /* 4.3, Enhanced Packet Block */
#define BLOCK_PROCESS 0x80000001u    /* Darwin Process Information Block, of Apple's libpcap */
#define BYTE_ORDER_MAGIC 0x1A2B3C4Du /* 4.1 */
#define LINKTYPE_RAW 101u            /* IPv4 or IPv6, told by the version nibble */

#define BLOCK_LENGTH_MIN 12u
#define BLOCK_LENGTH_MAX (16u << 20) /* as libpcap */

struct block {
	uint32_t type;
	uint32_t length;   /* with all */
	uint64_t offset;   /* in the file, of its first byte */
	struct bytes body; /* between the two lengths; borrowed until the next call */
	bool big_endian;   /* the order of its section */
};

struct pcapng_reader;

/*
 * Reads from fd, which the reader closes, streaming: a pipe will do, gzip and zstd
 * too. Takes files of at most BLOCK_LENGTH_MAX per block. NULL: out of memory (fd is
 * closed).
 */
struct pcapng_reader *pcapng_reader_new(int fd);
void pcapng_reader_free(struct pcapng_reader *reader);

/*
 * The next block of any type. Returns 1; 0 at the end of the file; -1 with the
 * reason ("offset N: ...") when something is wrong there. After -1 it may be
 * called again: it goes on at the next Custom Block whose payload starts with
 * magic (8 bytes), and returns 0 when there is none.
 */
int pcapng_reader_next(
	struct pcapng_reader *reader, const char *magic, struct block *block, struct error *error);

/*
 * The same, but of a long block in a file only the first bytes of the body are
 * sure to be there: at least peek, in a gzip file perhaps only those of the same
 * member (input_near()). pcapng_reader_whole() then reads the rest, and only then is
 * the end of the block checked. Returns as pcapng_reader_next().
 */
int pcapng_reader_peek(struct pcapng_reader *reader, const char *magic, size_t peek,
	struct block *block, struct error *error);
int pcapng_reader_whole(struct pcapng_reader *reader, struct block *block, struct error *error);

/*
 * For a block of which much may not be asked for, instead of pcapng_reader_whole(): its end is
 * checked, and there is room for it at block->body.data. False: it has to be read as a whole.
 * pcapng_reader_part() then reads bytes of it that are not there. Returns 0; -1: the file ends
 * before.
 */
bool pcapng_reader_in_parts(struct pcapng_reader *reader, struct block *block);
int pcapng_reader_part(struct pcapng_reader *reader, struct bytes part);

/* Where the block stands that was given out last. */
struct pcapng_position {
	uint64_t offset;
	bool big_endian; /* the order of its section */
};

struct pcapng_position pcapng_reader_position(const struct pcapng_reader *reader);

/* Makes the next block that which stands there. Returns 0, or -1: it cannot, as with a pipe. */
int pcapng_reader_seek(struct pcapng_reader *reader, struct pcapng_position position);

/* Of a file that grows: its end, also inside a block, is none; more is looked for at each call. */
void pcapng_reader_set_growing(struct pcapng_reader *reader, bool growing);

/* As input_is_plain() and input_find_members(); before anything was read. */
void pcapng_reader_is_plain(struct pcapng_reader *reader);
uint64_t pcapng_reader_find_members(struct pcapng_reader *reader);

/* As input_seeks_freely(), input_is_compressed(), input_near() and input_read_at(). */
bool pcapng_reader_seeks_freely(const struct pcapng_reader *reader);
bool pcapng_reader_is_compressed(const struct pcapng_reader *reader);
size_t pcapng_reader_near(const struct pcapng_reader *reader, uint64_t offset);
size_t pcapng_reader_read_at(
	const struct pcapng_reader *reader, uint64_t offset, uint8_t *out, size_t size);

/* True once a section header was read: the file is a pcapng file. */
bool pcapng_reader_is_pcapng(const struct pcapng_reader *reader);

/* True once the file could not be read further: its end was not seen. */
bool pcapng_reader_is_broken(const struct pcapng_reader *reader);

/*
 * A block under construction in a buffer of the caller, little-endian. Writing
 * beyond the capacity sets overflow and nothing else; check it at the end.
 */
struct block_writer {
	uint8_t *data;
	size_t capacity, length;
	bool overflow;
};

void block_begin(struct block_writer *w, uint32_t type);
void block_u16(struct block_writer *w, uint16_t value);
void block_u32(struct block_writer *w, uint32_t value);
void block_u64(struct block_writer *w, uint64_t value);
void block_bytes(struct block_writer *w, struct bytes bytes);

/* An option (3.5), padded. Longer than 65,535 bytes is cut. An empty value is left out. */
void block_option(struct block_writer *w, uint16_t code, struct bytes value);
void block_option_u64(struct block_writer *w, uint16_t code, uint64_t value);

/* opt_endofopt; only after block_option(). */
void block_options_end(struct block_writer *w);

/* Pads, completes both lengths. Returns 0, or -1 on overflow. */
int block_end(struct block_writer *w);

#endif
