/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From samples to events: checks each sample, joins the two halves of an
 * attempt that the cgroup backend sends, and hands events on in the order of
 * their attempts, each with its outcome if that is known already. An outcome
 * that comes later is handed on by itself. An attempt whose second half does
 * not come is handed on without it after a while.
 */
#ifndef ASSEMBLE_H
#define ASSEMBLE_H

#include "../formats/event.h"

struct assemble;

#define ASSEMBLE_NO_RESULT UINT64_MAX

struct assemble_handlers {
	/*
	 * Gets each event, to keep or to change; what it points to is borrowed. described: the id
	 * under which its process was described, 0: it was not. Returns the event's number, by
	 * which its result is told later, or ASSEMBLE_NO_RESULT: that is not wanted.
	 */
	uint64_t (*event)(void *context, struct event *event, uint64_t described);
	void (*result)(void *context, uint64_t number, const struct result *result);
	void *context;
};

/* hold_ns: how long to wait for the second half. NULL: out of memory. */
struct assemble *assemble_new(uint64_t hold_ns, const struct assemble_handlers *handlers);
void assemble_free(struct assemble *assemble);

/* Takes what came out of the ring, of any length and content. */
void assemble_sample(struct assemble *assemble, const void *sample, size_t length);

/* Hands on what is complete or has waited long enough at now_ns (CLOCK_BOOTTIME); UINT64_MAX: all.
 */
void assemble_release(struct assemble *assemble, uint64_t now_ns);

/* When assemble_release() is due next; UINT64_MAX: nothing waits. */
uint64_t assemble_deadline(const struct assemble *assemble);

/* Samples that were not understood; each may have been an attempt. */
uint64_t assemble_rejected(const struct assemble *assemble);

#endif
