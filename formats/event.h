/* SPDX-License-Identifier: BSD-2-Clause */
/* A connection attempt as plain data: what backends produce, traces hold and columns show. */
#ifndef EVENT_H
#define EVENT_H

#include <stdint.h>

#include "bytes.h"

/* Bits of struct event.flags. */
#define EVENT_MAPPED 1u      /* asked for as an IPv4-mapped address on an AF_INET6 socket */
#define EVENT_NONBLOCKING 2u /* the socket does not wait: connect(2) said EINPROGRESS */
#define EVENT_SUBFLOW 4u     /* a further MPTCP subflow, opened by the kernel for the process */
#define EVENT_FLAGS_KNOWN 7u

/* In network byte order; an IPv4 address occupies the first four bytes, the others are zero. */
struct address {
	uint8_t family; /* 4, 6, or 0: unknown */
	uint8_t bytes[16];
};

static inline bool address_equal(const struct address *a, const struct address *b)
{
	uint64_t x[2], y[2];

	memcpy(x, a->bytes, sizeof x);
	memcpy(y, b->bytes, sizeof y);
	return !((x[0] ^ y[0]) | (x[1] ^ y[1])) && a->family == b->family;
}

#define UNKNOWN_ID INT64_C(-1) /* of the ids below that are signed: 0 and 2^32 - 1 are ids too */

/*
 * A process as it was at the time of the call. Ids are those of the initial
 * namespaces. Texts are borrowed, as they were, hostile; empty: unknown.
 */
struct process {
	uint64_t identity; /* not 0: two with the same one are the same in everything but comm */
	uint32_t pid;      /* of the thread group; 0: unknown */
	uint32_t ppid;     /* 0: unknown */
	uint32_t uid, gid; /* real */
	int64_t euid, egid;
	int64_t loginuid, audit_session; /* 2^32 - 1: not set */
	uint64_t start_ns;               /* CLOCK_BOOTTIME when it was made; 0: unknown */
	uint32_t pid_inside;             /* pid in its own PID namespace; 0: unknown */
	uint32_t mount_ns, pid_ns;       /* inodes; 0: unknown */
	uint32_t flags;                  /* PROCESS_.. */
	struct bytes comm;               /* of the calling thread; of an ancestor: its own */
	struct bytes exe;
	struct bytes args; /* each ends with a NUL, as in /proc/PID/cmdline */
	struct bytes cgroup, user, container, unit;
	const struct process *parent; /* NULL: unknown */
};

#define PROCESS_ARGS_CUT 1u /* args are only the beginning */
#define ANCESTORS_MAX 16    /* parents of a caller that are recorded */

enum outcome {
	OUTCOME_PENDING = 0, /* not decided, or not known */
	OUTCOME_ESTABLISHED = 1,
	OUTCOME_FAILED = 2,
	OUTCOME_ABANDONED = 3, /* by the program, before it was decided */
};

/* How an attempt ended. All zero: pending. */
struct result {
	uint8_t outcome;      /* enum outcome */
	uint16_t error;       /* errno (asm-generic) of a failure; 0: unknown */
	uint32_t retransmits; /* of the SYN, plus 1; 0: unknown */
	uint64_t latency_us;  /* from the call to the outcome */
};

/* Of struct event.answered. */
#define ANSWERED_UNKNOWN 0u /* DNS answers were not recorded, or some are missing */
#define ANSWERED_NEVER 1u   /* they were, and none had the destination in it */
#define ANSWERED_AGE 2u     /* this plus the microseconds from the last one to the call */

struct event {
	uint64_t number;  /* in its session, from 0 */
	uint64_t time_ns; /* CLOCK_BOOTTIME of the recorded host, at the call */
	const struct process *process;
	uint32_t tid;
	uint32_t flags;       /* EVENT_.. */
	uint16_t returned;    /* by the kernel's connect function: errno plus 1; 0: unknown */
	uint32_t net_ns;      /* inode of the socket's network namespace; 0: unknown */
	struct address saddr; /* unknown when the call failed before one was chosen */
	struct address daddr;
	uint16_t lport; /* 0: unknown */
	uint16_t dport;
	struct result result;
	struct bytes
		query; /* the name that daddr was an answer for; empty: none. Borrowed, hostile */
	uint64_t answered; /* ANSWERED_.. */
};

/* The outcome of an event that was written before it was known. */
struct late_result {
	uint64_t number; /* of the event in its session */
	struct result result;
};

/* The boot clock and the wall clock read at the same moment. */
struct clock_anchor {
	uint64_t boot_ns; /* CLOCK_BOOTTIME */
	int64_t wall_ns;  /* CLOCK_REALTIME, since 1970 */
};

/* Cumulative over the session. When nothing is in flight, seen = recorded + filtered + lost. */
struct counters {
	uint64_t seen;
	uint64_t recorded;
	uint64_t filtered;
	uint64_t lost;
	uint64_t partial; /* parts of recorded events that were lost: a source, an outcome */
};

#endif
