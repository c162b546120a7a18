/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A process from its birth to its exit, as a list of versions: each holds from
 * its time until that of the next newer one. Every change that the kernel tells
 * of begins a version. A reading of /proc is of the version in which all of it
 * lies; until it is settled, or the process is seen to go on without a change,
 * it may have shown an exec that was not told of yet, and is not used.
 */
#ifndef PROCESS_LIFE_H
#define PROCESS_LIFE_H

#include "proc_events.h"
#include "proc_read.h"
#include "last_given.h"

#define VERSIONS_MAX 64 /* of a process; older ones are forgotten */

/* What changes together. */
enum version_group { GROUP_IMAGE, GROUP_COMM, GROUP_UIDS, GROUP_GIDS, GROUPS };

enum version_origin {
	ORIGIN_NONE = 0, /* not known */
	ORIGIN_READ,     /* by the last reading: as sure as that is */
	ORIGIN_SURE,
};

struct version {
	struct version *older;
	uint64_t from_ns;
	uint64_t read_begin_ns, read_end_ns; /* of the last reading; 0: none */
	bool settled;                        /* that reading is */
	uint8_t origin[GROUPS];
	struct shared_text *exe, *args;
	uint32_t flags; /* PROCESS_ARGS_CUT */
	uint8_t comm[16], comm_length;
	uint32_t uid, euid, gid, egid;
	/* These change without notice: as of the last reading. */
	int64_t loginuid, audit_session;
	uint32_t mount_ns;
	struct shared_text *cgroup, *container, *unit;
};

struct life {
	uint32_t pid;
	uint64_t birth_ns; /* when its fork was told of; 0: it was there before */
	uint64_t exit_ns;  /* UINT64_MAX: it lives */
	uint64_t read_ns;  /* end of the last reading, whatever became of it */
	uint64_t start_ns; /* as in struct process; the next two too */
	uint32_t pid_inside, pid_ns;
	uint32_t ppid, born_of; /* its parent; the one at its birth, 0 unknown */
	uint64_t parent_ns;     /* it had that parent then */
	uint64_t alone_ns;      /* it had but one thread then: at its birth or exec; 0: unknown */
	bool threads_have_ids;  /* a thread changed its own ids: they are not those of the others */
	struct version *newest; /* never NULL */
	struct last_given last[2]; /* as the caller, without comm; as an ancestor, with it */
	uint64_t stamp;            /* another one whenever something of it changed, by the table */
	size_t counted;            /* bytes, by the table that it is in */
	struct life *same_slot;    /* list of a hash */
	struct life *before, *after; /* list by age */
};

/* from_ns: nothing changed between then and now. NULL: out of memory. */
struct life *life_new(uint32_t pid, uint64_t from_ns);
void life_free(struct life *life);

/* Bytes that it holds, about. */
size_t life_bytes(const struct life *life);

/* The version of that time; NULL: forgotten, or before its birth. */
struct version *life_at(const struct life *life, uint64_t time_ns);

/*
 * A reading that began after all changes that it was told of. -1: it is of
 * another process that has the same pid.
 */
int life_read(struct life *life, const struct proc_reading *reading);

/* What was read at that time or later was another process with that pid. */
void life_unread(struct life *life, uint64_t time_ns);

/* Exec, ids, comm of this process, exit. */
void life_change(struct life *life, const struct proc_change *change);

/* Whether that group can be relied on. */
bool version_knows(const struct version *version, enum version_group group);

#endif
