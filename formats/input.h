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

/* True when input_seek() costs nothing: neither a pipe nor compressed. */
bool input_seeks_freely(const struct input *input);

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
