/* SPDX-License-Identifier: BSD-2-Clause */
/* An answer to which several threads add: each to one of its own, which are joined in the end. */
#ifndef SHARES_H
#define SHARES_H

#include "answer.h"
#include "pool.h"

struct shares;

/*
 * Of an answer of that kind, which can be joined and was made by that choice; it is
 * borrowed. NULL: see error.
 */
struct shares *shares_new(struct pool *pool, const struct answer_kind *kind,
	const struct answer_choice *choice, struct answer *answer, struct error *error);
void shares_free(struct shares *shares);

/* All return 0, or -1: rows could not be added, now or before; see error. */
int shares_add(struct shares *shares, const struct rows *rows, struct error *error);

/* What was added is: no batch is held any more. */
int shares_settle(struct shares *shares, struct error *error);

/* All that was added is in the answer, which has to be destroyed before the shares. To be called
 * once. */
int shares_join(struct shares *shares, struct error *error);

#endif
