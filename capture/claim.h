/* SPDX-License-Identifier: BSD-2-Clause */
/* Takes a name for one recorder alone, and what dead ones left under it. */
#ifndef CLAIM_H
#define CLAIM_H

#include "finisher.h"

struct claim {
	const struct names *names;
	bool numbered;  /* else the file of that very name, */
	bool overwrite; /* which may be replaced */
	/* One line for the user, of what cannot be taken over. */
	void (*say)(void *context, const struct error *text);
	void *context;
};

/*
 * Creates the first file, which begins at wall_ns, and gives the .part files of
 * dead runs to the finisher. -1: somebody else records to the name, or see error.
 */
int claim_name(const struct claim *claim, int64_t wall_ns, struct finisher *finisher,
	struct live_file *file, struct error *error);

#endif
