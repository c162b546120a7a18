/* SPDX-License-Identifier: BSD-2-Clause */
/* A table from keys, which are bytes, to what is counted for each. */
#ifndef GROUPS_H
#define GROUPS_H

#include "bytes.h"

struct group {
	struct bytes key;
	uint64_t hash;
	_Alignas(16) unsigned char payload[];
};

/* All zero but for payload_size is an empty table. */
struct groups {
	size_t payload_size;
	struct group **groups; /* in the order of their first appearance */
	size_t count, capacity;
	uint32_t *slots; /* 1 + index; a power of two */
	size_t slot_count;
};

/* The payload of the key, all zero when *is_new. NULL: out of memory. */
void *groups_get(struct groups *groups, struct bytes key, bool *is_new);

/* As qsort_r(3) does it with pointers to struct group *. */
void groups_sort(struct groups *groups, int (*compare)(const void *a, const void *b, void *context),
	void *context);

void groups_release(struct groups *groups);

#endif
