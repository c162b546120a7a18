/* SPDX-License-Identifier: BSD-2-Clause */
/* The capture backends, in the order of preference. Adding one is adding a row. */
#ifndef BACKEND_H
#define BACKEND_H

#include <stddef.h>

#include "../formats/error.h"

#define BACKEND_PROGRAMS_MAX 10

/* What a backend can do without, in a kernel that refuses it: the first is tried first. */
enum feature {
	FEATURE_DESCRIBE = 1, /* the programs tell of the caller what the kernel knows */
	FEATURE_OUTCOME = 2,  /* the tracepoint that tells how attempts end */
	FEATURE_CLOSE = 4,    /* the hook of a program that closes its socket */
	FEATURE_IPV6 = 8,
	FEATURE_REFUSAL = 16, /* by programs of cgroups */
	FEATURES_ALL = 31,
};

/* What tells the outcomes that the kernel did not show to state_changed: a bit for each. */
enum again {
	/* Functions that end an attempt, or sockops: cheaper. For what interrupts end only. */
	AGAIN_AT_END = 1,
	AGAIN_AT_STATE = 2, /* the tracepoint, a second time: any kernel that has it once */
};

/* Compiled programs, embedded. begin NULL: there is none. */
struct backend_object {
	const char *begin, *end;
};

struct backend {
	const char *name, *hooks;
	struct backend_object object;
	struct backend_object older; /* the same for kernels before 5.12, see bpf/common.h */
	struct backend_object plain; /* without FEATURE_OUTCOME; NULL: by leaving it out */
	/* A row without name ends it. First what ends an attempt, last what begins one. */
	struct backend_program {
		const char *name;
		enum feature feature; /* 0: needed */
		int counts_misses;    /* each run that the kernel leaves out is an attempt */
		enum again again;     /* it is part of that one; 0: of both */
		/* Not NULL: a return probe that is in the list already, of this function too. */
		const char *also_of;
	} programs[BACKEND_PROGRAMS_MAX + 1];
	int on_cgroup;    /* the programs attach to the cgroup v2 root, but for the tracepoint */
	int on_functions; /* they attach to functions of the kernel: see first_attach.h */
	int can_hold;     /* can keep an attempt back until it fails */
	enum again again; /* what to try first */
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
