/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From samples to events: checks each sample, joins the two halves of an
 * attempt that the cgroup backend sends, and hands events on in the order of
 * their attempts. An attempt whose second half does not come (it failed before
 * its SYN) is handed on without it after a while.
 */
#ifndef ASSEMBLE_H
#define ASSEMBLE_H

#include "../formats/event.h"

struct assemble;

/* Gets each event; what it points to is borrowed. */
typedef void assemble_event(void *context, const struct event *event);

/* hold_ns: how long to wait for the second half. NULL: out of memory. */
struct assemble *assemble_new(uint64_t hold_ns, assemble_event *give, void *context);
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
