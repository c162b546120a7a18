/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A batch for those that use its rows after its source has gone on: it is
 * counted, and takes over what the source had of it. In the end that is memory for
 * another batch.
 */
#ifndef HELD_H
#define HELD_H

#include "../formats/rows.h"
#include "../formats/trace_reader.h"

struct held {
	struct batch batch; /* a copy of the source's, which owns the memory until it leaves */
	struct fetched bytes;
	struct held **spares; /* where it goes in the end; NULL: it owns nothing */
	struct held *next;    /* of the spare ones */
	unsigned int users;   /* counted by the thread that reads */
	uint64_t mark;        /* of the last user, */
	uint32_t place;       /* and where that has it */
};

void held_release(struct held *held);

/* Frees the spare ones. */
void held_free_spares(struct held *spares);

#endif
