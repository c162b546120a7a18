/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A batch for those that print its rows after its source has gone on: it is
 * counted, and takes over what the source had of it.
 */
#ifndef HELD_H
#define HELD_H

#include "rows.h"

struct held {
	struct batch batch; /* a copy of the source's, which owns the memory until it leaves */
	uint64_t generation;
	bool left; /* now this one owns it */
	uint8_t *bytes;
	unsigned int users; /* counted by the thread that reads */
	uint64_t mark;      /* of the last user */
};

/* A row of it, with what became known late: borrowed; or NULL. */
struct held_row {
	struct held *held;
	uint32_t row;
	const struct result *late;
};

void held_release(struct held *held);

#endif
