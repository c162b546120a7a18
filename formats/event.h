/* SPDX-License-Identifier: BSD-2-Clause */
/* A connection attempt as plain data: what backends produce, traces hold and columns show. */
#ifndef EVENT_H
#define EVENT_H

#include <stdint.h>

#include "bytes.h"

#define EVENT_MAPPED 1u /* asked for as an IPv4-mapped address on an AF_INET6 socket */

/* In network byte order; an IPv4 address occupies the first four bytes, the others are zero. */
struct address {
	uint8_t family; /* 4, 6, or 0: unknown */
	uint8_t bytes[16];
};

/* Who called connect(), as it was then. Ids are those of the initial namespaces. */
struct process {
	uint32_t pid; /* of the process (thread group) */
	uint32_t uid; /* real */
	uint32_t gid;
	struct bytes comm; /* of the calling thread; empty: unknown */
};

struct event {
	uint64_t time_ns; /* CLOCK_BOOTTIME of the recorded host */
	struct process process;
	uint32_t tid;
	uint32_t flags;
	struct address saddr; /* unknown when the call failed before one was chosen */
	struct address daddr;
	uint16_t lport; /* 0: unknown */
	uint16_t dport;
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
	uint64_t partial; /* recorded, but with the source lost */
};

#endif
