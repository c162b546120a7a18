/* SPDX-License-Identifier: BSD-2-Clause */
/* What a process was given as last, to tell whether it is the same now. */
#ifndef LAST_GIVEN_H
#define LAST_GIVEN_H

#include "../formats/event.h"
#include "shared_text.h"

#define GIVEN_TEXTS 7

struct last_given {
	struct process process; /* its texts are those below; without parent */
	uint64_t parent;        /* identity */
	struct shared_text *texts[GIVEN_TEXTS];
};

/* Whether it is the same in everything that is stored but the parent, and a caller's name. */
bool last_given_is(const struct last_given *last, const struct process *p, bool caller);

/*
 * Sets the identity of *p: the one of the last if all is the same (of a caller,
 * all but comm), else the new one. The texts of *p are then those of the last,
 * but for the comm of a caller. Returns whether it is new.
 */
bool last_given_identify(
	struct last_given *last, struct process *p, bool caller, uint64_t identity);

size_t last_given_bytes(const struct last_given *last);
void last_given_release(struct last_given *last);

#endif
