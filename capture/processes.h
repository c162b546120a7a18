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

/* As process_cache_see() and process_cache_find(). */
void processes_see(struct processes *processes, uint32_t pid, uint64_t time_ns);
const struct process *processes_find(
	struct processes *processes, const struct process_facts *facts);

#endif
