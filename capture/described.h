/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the programs in the kernel said of processes, by the ids under which their
 * attempts name them. Bounded: what was not asked for the longest is forgotten.
 */
#ifndef DESCRIBED_H
#define DESCRIBED_H

#include "../formats/event.h"

#define DESCRIPTIONS_MAX 8192             /* more than the kernel remembers to have sent */
#define DESCRIPTION_BYTES_MAX (32u << 20) /* of all together */

struct description {
	uint64_t id;
	/*
	 * All but uid, gid, comm, user, container and unit, as far as it is known; see
	 * struct process. Without parent.
	 */
	struct process process;
	uint64_t parent_start_ns; /* 0: unknown */
	struct bytes parent_comm;
	bool same_image; /* it executes what its parent executes, exe and arguments */
};

struct described;

/*
 * root_cgroup: a process at the root of cgroup v2 is in "/"; else the cgroup is
 * not known there, for it may be in one of v1. NULL: out of memory.
 */
struct described *described_new(bool root_cgroup);
void described_free(struct described *described);

/* A sample_process as it came out of the ring. -1: malformed, or no memory. */
int described_take(struct described *described, const void *sample, size_t length);

/* NULL: there is none, or it was forgotten. Valid until described_take(). */
const struct description *described_find(struct described *described, uint64_t id);

size_t described_bytes(const struct described *described);

#endif
