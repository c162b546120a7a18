/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The kernel waits for more than a tenth of a second when the first program is attached to
 * any of its functions (register_ftrace_direct(): synchronize_rcu_tasks()). So one that
 * does nothing is attached while the others are loaded.
 */
#ifndef FIRST_ATTACH_H
#define FIRST_ATTACH_H

struct first_attach;

/* Begins with it, in a thread. NULL: it could not, which costs only time. */
struct first_attach *first_attach_begin(void);

/* Waits until it is attached, or cannot be. NULL is allowed, and for the next one. */
void first_attach_wait(struct first_attach *first);

/* Detaches it. */
void first_attach_free(struct first_attach *first);

#endif
