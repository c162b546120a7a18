/* SPDX-License-Identifier: BSD-2-Clause */
/* The bytes of a file or pipe, decompressed when it is gzip or zstd, which its first bytes tell. */
#ifndef INPUT_H
#define INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "error.h"

struct input;

/* Reads from fd, which the input closes. NULL: out of memory (fd is closed). */
struct input *input_new(int fd);
void input_free(struct input *input);

/*
 * Up to size bytes; at the end 0, which a file that grows may follow with more
 * later. -1: see error; what was read before is good.
 */
int input_read(struct input *input, uint8_t *out, size_t size, size_t *length, struct error *error);

/* The caller has seen that the file is not compressed: nothing of it has to be read to know it. */
void input_is_plain(struct input *input);

/*
 * If the file is a gzip file with a table of its members (gzip.h), it is read by
 * them from now on, and this is the length of what is decompressed; else 0.
 */
uint64_t input_find_members(struct input *input);

/*
 * True when input_seek() costs nothing, or little: neither a pipe nor compressed,
 * or a gzip file with a table of its members. Known once something was read.
 */
bool input_seeks_freely(const struct input *input);

/* Known once something was read. */
bool input_is_compressed(const struct input *input);

/*
 * How many bytes there are from offset on that come at the cost of the first: those
 * of the same member of a gzip file, if they are at least 256; otherwise SIZE_MAX.
 */
size_t input_near(const struct input *input, uint64_t offset);

/*
 * Goes to that offset in the (decompressed) bytes, from where it began to read.
 * Returns 0, or -1: it cannot, as with a pipe.
 */
int input_seek(struct input *input, uint64_t offset);

/*
 * What stands there, if input_seeks_freely(): also while another thread reads on.
 * Returns how many of size bytes there are.
 */
size_t input_read_at(const struct input *input, uint64_t offset, uint8_t *out, size_t size);

#endif
