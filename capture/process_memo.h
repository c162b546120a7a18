/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An answer, and for which samples it holds as it is: most come from a process
 * that connects again and again while nothing happens to it and its ancestors.
 */
#ifndef PROCESS_MEMO_H
#define PROCESS_MEMO_H

#include "process_cache.h"
#include "process_table.h"

struct process_memo {
	size_t count;   /* of the chain; 0: no answer */
	size_t unknown; /* the one of the chain that is not in the table; 0: all are */
	struct process chain[1 + ANCESTORS_MAX];
	struct shared_text *held[1 + ANCESTORS_MAX][GIVEN_TEXTS]; /* texts of the chain */
	char pod[36];                       /* behind chain[0].container, perhaps */
	uint64_t stamps[1 + ANCESTORS_MAX]; /* of the lives */
	uint64_t table_stamp;               /* with it they were compared last */
	uint64_t from_ns, until_ns;
	bool leader, complete;
	uint64_t described; /* the id of the description that they came with; 0: none */
	struct last_given facts;
};

/* Whether the answer holds for these too. Sets the name of the caller. */
bool process_memo_holds(
	struct process_memo *memo, struct process_table *table, const struct process_facts *facts);

/*
 * The same for an event and the description that it names (NULL: none), if nothing in the table
 * changed since it was looked at last: that is all that is read of it, as one.
 */
bool process_memo_recall(struct process_memo *memo, const struct process_table *table,
	const struct event *event, const struct description *described);

/*
 * The chain was filled in: works out for what it holds. complete: nothing of the
 * caller itself was read, all is described. How long after a reading it holds is
 * fresh_ns, and ancestor_fresh_ns for that of an ancestor.
 */
void process_memo_keep(struct process_memo *memo, struct process_table *table,
	const struct process_facts *facts, bool complete, uint64_t fresh_ns,
	uint64_t ancestor_fresh_ns);

/* Forgets the answer. */
void process_memo_clear(struct process_memo *memo);

#endif
