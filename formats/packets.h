/* SPDX-License-Identifier: BSD-2-Clause */
/* The packets of a batch, and the process blocks that they refer to, for one file. */
#ifndef PACKETS_H
#define PACKETS_H

#include "error.h"
#include "bytes.h"

struct packets;

/* NULL: out of memory. */
struct packets *packets_new(void);
void packets_free(struct packets *packets);

/* Takes whole blocks. Returns 0 or -1. */
typedef int packets_write(void *context, const uint8_t *blocks, size_t length, struct error *error);

/*
 * Passes on a packet for each event of the batch record, which is not
 * compressed, in their order. at_once: each by itself, for a write that copies;
 * else many at a time, for one that costs. Returns 0, or -1: it is damaged, or
 * what write returned.
 */
int packets_of_batch(struct packets *packets, struct bytes record, bool at_once,
	packets_write *write, void *context, struct error *error);

#endif
