/* SPDX-License-Identifier: BSD-2-Clause */
/* Attempts whose outcome or other half is still to come, by their id. Bounded: the oldest go first.
 */
#ifndef UNDECIDED_H
#define UNDECIDED_H

#include <stdbool.h>
#include <stdint.h>

struct undecided;

struct undecided_entry {
	uint64_t id;
	uint64_t number; /* of the event, or where it waits */
	bool waiting;    /* the second */
};

/* For up to limit entries. NULL: out of memory. All memory is taken here. */
struct undecided *undecided_new(uint32_t limit);
void undecided_free(struct undecided *undecided);

/*
 * The entry of that id, which stands for no other, to be read and changed until
 * the next call; NULL: there is none.
 */
struct undecided_entry *undecided_find(struct undecided *undecided, uint64_t id);

/* Adds one, in place of one with the same id, and of the oldest if there is no room. */
void undecided_add(struct undecided *undecided, const struct undecided_entry *entry);

void undecided_remove(struct undecided *undecided, uint64_t id);

/* The same, and gives what it was. Returns false if there was none. */
bool undecided_take(struct undecided *undecided, uint64_t id, struct undecided_entry *entry);

uint32_t undecided_count(const struct undecided *undecided);

#endif
