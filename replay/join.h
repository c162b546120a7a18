/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The late results of one session, read ahead of its events from the files that
 * hold some: all at once when they are few, else those of the next half hour.
 */
#ifndef JOIN_H
#define JOIN_H

#include "session.h"
#include "trace_file.h"

/* NULL: out of memory. The session has it from then on. */
struct join *join_new(struct session *session);
void join_free(struct join *join);

/* The file holds results of the session. Both must outlive the join. -1: out of memory. */
int join_add(struct join *join, const struct trace_file *file, const struct file_session *part);

/* Before the first one is looked for: how many results there are, in all sessions. */
void join_plan(struct join *join, uint64_t late);

/* The result of that event of the session, which took place then; NULL: there is none. */
const struct result *join_find(struct join *join, uint64_t number, int64_t wall_ns);

#endif
