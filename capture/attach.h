/* SPDX-License-Identifier: BSD-2-Clause */
/* Which of the backends runs. */
#ifndef ATTACH_H
#define ATTACH_H

#include <stdio.h>

#include "capture.h"
#include "options.h"

/*
 * The backend that the options name, or the first that this kernel takes; *chosen
 * is its name. What it does without is said on stderr. NULL: see error, with a
 * line for each backend.
 */
struct capture *attach(const struct rec_options *options, capture_sample *take, void *context,
	const char **chosen, struct error *error);

/* --list-backends: prints a line for each backend. Returns how many can run. */
int attach_list(FILE *out);

#endif
