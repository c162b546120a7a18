/* SPDX-License-Identifier: BSD-2-Clause */
/* The capture backends, in the order of preference. Adding one is adding a row. */
#ifndef BACKEND_H
#define BACKEND_H

#include <stddef.h>

#include "../formats/error.h"

#define BACKEND_PROGRAMS_MAX 4

struct backend {
	const char *name, *hooks;
	const char *object, *object_end; /* the compiled programs, embedded */
	struct backend_program {
		const char *name;
		const char *optional; /* what is not recorded without it; NULL: needed */
	} programs[BACKEND_PROGRAMS_MAX];
	int on_cgroup; /* the programs attach to the cgroup v2 root */
	/* 0, or -1 with what this machine lacks. A kernel may still refuse to load it. */
	int (*check)(struct error *missing);
};

/* A row without name ends it. */
extern const struct backend backends[];

/* NULL: there is none of that name. */
const struct backend *backend_find(const char *name);

/* Where cgroup v2 is mounted, copied to path. -1: it is not. */
int backend_cgroup_root(char *path, size_t size, struct error *missing);

#endif
