/* SPDX-License-Identifier: BSD-2-Clause */
/* The processes of this host: the cache, with /proc and the proc connector behind it. */
#ifndef PROCESSES_H
#define PROCESSES_H

#include "process_cache.h"

struct processes;

/*
 * Starts a thread that inherits signal mask and capabilities; the other functions
 * are for one thread. eager: read every program when it is executed; for backends whose samples do
 * not tell of it. *warning gets what is not recorded and why, else "". NULL: out
 * of memory.
 */
struct processes *processes_open(bool eager, bool with_args, struct error *warning);
void processes_close(struct processes *processes);

/* A sample_process, of unchecked length and content. */
void processes_describe(struct processes *processes, const void *sample, size_t length);

/*
 * A sample of that process and time came, and processes_find() will follow: as
 * process_cache_see(), unless it was looked at since. described: the id that the sample names;
 * 0: none.
 */
void processes_see(struct processes *processes, uint32_t pid, uint64_t time_ns, uint64_t described);

/* As process_cache_find(), for an event with no more of its process than a sample says. */
const struct process *processes_find(
	struct processes *processes, const struct event *event, uint64_t described);

#endif
