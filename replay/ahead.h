/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Batches that other threads read, decode and select from before their turn. It
 * is a guess which will be wanted, and changes nothing: what was not read ahead,
 * or not without a fault, is read again in its turn, in the usual way.
 */
#ifndef AHEAD_H
#define AHEAD_H

#include "pool.h"
#include "source.h"

/* For scan->lookahead. NULL: no memory. The pool must outlive it, and it all sources. */
struct lookahead *lookahead_new(struct pool *pool);
void lookahead_free(struct lookahead *lookahead);

/*
 * s->batch is a head that is wanted: has the next ones read ahead too. True: the
 * batch and its rows are there, as source_prepare() leaves them; false: not.
 */
bool ahead_take(struct source *source, struct scan *scan);

/* The reader of the source is no more used. */
void ahead_drop(struct source *source, struct scan *scan);

#endif
