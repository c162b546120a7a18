/* SPDX-License-Identifier: BSD-2-Clause */
/* Proves from the batches of one trace what is missing: by counters and by sequence numbers. */
#ifndef LOSSES_H
#define LOSSES_H

#include "../formats/batch.h"

struct session_losses {
	uint8_t session[16];
	uint64_t next;            /* the sequence number that must come */
	uint64_t missing;         /* records between batches that are not there */
	uint64_t dropped_before;  /* the first batch */
	uint64_t dropped;         /* as of the last batch */
	struct counters counters; /* the same */
};

/* All zero: nothing seen yet. */
struct losses {
	struct session_losses *sessions;
	size_t count;
};

/* Takes note of the next batch of the file. Returns 0, or -1: out of memory. */
int losses_note(struct losses *losses, const struct batch *batch);

/*
 * Puts each finding as one line through report, as error text behind
 * "name: ". Returns the number of findings.
 */
size_t losses_report(const struct losses *losses, const char *name,
	void (*report)(void *context, const struct error *error), void *context);

void losses_release(struct losses *losses);

#endif
