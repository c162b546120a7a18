/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who it was: the process of a sample as it was at the time of the sample, with
 * its ancestors. What cannot be proven to be of that process at that time is
 * unknown. Bounded in processes and in bytes.
 */
#ifndef PROCESS_CACHE_H
#define PROCESS_CACHE_H

#include "described.h"
#include "proc_events.h"
#include "proc_read.h"

/* Where the cache looks. */
struct process_source {
	/* As proc_read(); NULL: there is no /proc to look at. */
	int (*read)(void *context, uint32_t pid, bool with_args, struct proc_reading *reading);
	/* As proc_events_drain(); NULL: nobody tells of changes. */
	int (*drain)(void *context, proc_events_change *change, void *change_context);
	uint64_t (*now)(void *context); /* CLOCK_BOOTTIME, ns */
	void *context;
};

/* What a sample says of its caller. */
struct process_facts {
	uint64_t time_ns;
	uint32_t tid;
	/*
	 * pid, uid, gid and comm are known, the rest as far as it goes: what is known is
	 * taken as it is. Its identity, parent, user, container and unit are not looked at.
	 */
	struct process process;
	const struct description *described; /* what the kernel knows beyond that; NULL: nothing */
};

struct process_cache;

/* limit: of processes. NULL: out of memory. */
struct process_cache *process_cache_new(
	const struct process_source *source, size_t limit, bool with_args);
void process_cache_free(struct process_cache *cache);

/*
 * The process of the sample. Never NULL. It and its ancestors are valid until
 * the next call of this function, whatever the others do; comm, and what else
 * facts.process brings of a process that is not known here, as long as that is.
 * May read /proc.
 */
const struct process *process_cache_find(
	struct process_cache *cache, const struct process_facts *facts);

/*
 * The same for an event of which a sample was all that is known, if the last answer for its process
 * holds for it too; NULL: ask process_cache_find(). While others call the other functions of the
 * cache it may be called, by the thread that calls process_cache_find().
 */
const struct process *process_cache_recall(struct process_cache *cache, const struct event *event,
	const struct description *described);

/*
 * A sample of that process and time came and process_cache_find() will follow:
 * looks at once if there is anything to learn of it.
 */
void process_cache_see(struct process_cache *cache, uint32_t pid, uint64_t time_ns);

/* Takes the changes; reads what was executed since the last time if eager. */
void process_cache_follow(struct process_cache *cache, bool eager);

/* Processes in it, and bytes that they take, about. */
size_t process_cache_count(const struct process_cache *cache);
size_t process_cache_bytes(const struct process_cache *cache);

#endif
