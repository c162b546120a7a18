/* SPDX-License-Identifier: BSD-2-Clause */
/* Which files a name on the command line stands for. */
#ifndef NAMES_H
#define NAMES_H

#include <stddef.h>

#include "../formats/error.h"

/* Owned strings. All zero: none. */
struct names {
	char **names;
	size_t count, capacity;
};

/*
 * Adds the name; of a directory the regular files in it and below that are called
 * *.pcapng, finished or .part, compressed or not, by name. Returns 0 or -1.
 */
int names_add(struct names *names, const char *name, struct error *error);
void names_release(struct names *names);

/* True for a name that would be taken from a directory. */
int name_is_trace(const char *name);

#endif
