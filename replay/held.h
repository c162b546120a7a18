/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A batch for those that print its rows after its source has gone on: it is
 * counted, and takes over what the source had of it.
 */
#ifndef HELD_H
#define HELD_H

#include "../formats/rows.h"

struct held {
	struct batch batch; /* a copy of the source's, which owns the memory until it leaves */
	bool left;          /* now this one owns it */
	uint8_t *bytes;
	unsigned int users; /* counted by the thread that reads */
	uint64_t mark;      /* of the last user */
};

void held_release(struct held *held);

#endif
