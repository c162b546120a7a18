/* SPDX-License-Identifier: BSD-2-Clause */
/* What /proc says of a process. */
#ifndef PROC_READ_H
#define PROC_READ_H

#include "../formats/event.h"

#define PROC_TEXT_MAX 4096 /* of exe, args, cgroup: PATH_MAX; longer args are cut */
#define PROC_COMM_MAX 64   /* names of kernel threads are longer than those of programs */

struct proc_reading {
	uint64_t begin_ns, end_ns; /* CLOCK_BOOTTIME before the first look and after the last */
	/*
	 * At the end it was certainly not inside an exec whose change is not yet told
	 * of. Otherwise the next exec after end_ns may be the one that was read.
	 */
	bool settled;
	/* Unknown is what /proc hides; pid and what it cannot know (user, parent ..) too. */
	struct process process;
	char comm[PROC_COMM_MAX];
	char exe[PROC_TEXT_MAX], args[PROC_TEXT_MAX + 1], cgroup[2 * PROC_TEXT_MAX];
};

/* 0 if the pids of /proc are those of the samples: the initial PID namespace. Else -1. */
int proc_read_usable(void);

/*
 * Reads all of it; all that is known is of one process, even if the pid is
 * reused meanwhile. Without args they are not looked at. -1: no such process.
 */
int proc_read(uint32_t pid, bool args, struct proc_reading *reading);

/* Of the contents of a file each, into reading->process; for the tests. 0, or -1: malformed. */
int proc_parse_stat(struct bytes text, struct proc_reading *reading);
void proc_parse_status(struct bytes text, struct process *process);

/* The path in the text of /proc/PID/cgroup; empty if there is none. */
struct bytes proc_parse_cgroup(struct bytes text);

#endif
