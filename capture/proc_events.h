/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What happens to processes, as the proc connector of the kernel tells it
 * (Documentation/driver-api/connector.rst, linux/cn_proc.h): fork, exec, new
 * ids, a new name, exit. A message is in our queue before the process goes on.
 */
#ifndef PROC_EVENTS_H
#define PROC_EVENTS_H

#include "../formats/bytes.h"
#include "../formats/error.h"

enum proc_change_kind {
	CHANGE_FORK = 1, /* a process, not a thread */
	CHANGE_EXEC,
	CHANGE_UID,
	CHANGE_GID,
	CHANGE_COMM,
	CHANGE_EXIT, /* of the thread that is the group's leader */
};

struct proc_change {
	enum proc_change_kind kind;
	uint32_t pid, tid; /* in the initial PID namespace */
	uint64_t time_ns;  /* CLOCK_BOOTTIME */
	union {
		uint32_t parent; /* fork */
		struct {
			uint32_t real, effective; /* uid or gid */
		};
		uint8_t comm[16];
		bool by_itself; /* exit: by a call of its own, not by a signal */
	};
};

struct proc_events;

/* Gets each change, those of one process in their order. */
typedef void proc_events_change(void *context, const struct proc_change *change);

/* NULL: this kernel, or this namespace, does not tell. */
struct proc_events *proc_events_open(struct error *error);
void proc_events_close(struct proc_events *events);

/* Readable after an exec, until silenced; needs no lock. */
int proc_events_bell(const struct proc_events *events);
void proc_events_silence(struct proc_events *events);

/* Readable when there is something to drain. */
int proc_events_queue(const struct proc_events *events);

/*
 * Hands out all that happened before the call, and perhaps some more. Returns
 * 0, or 1: changes before the end of this call were lost.
 */
int proc_events_drain(struct proc_events *events, proc_events_change *change, void *context);

/*
 * Of one message as it was received. boot_ns: what CLOCK_BOOTTIME is ahead of
 * CLOCK_MONOTONIC. false: not a change that is of interest, or malformed.
 */
bool proc_events_parse(struct bytes message, uint64_t boot_ns, struct proc_change *change);

#endif
