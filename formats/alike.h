/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What cells looked like that depend on the same thing, in memory. They are found by
 * what stands in the columns of the batch: no event is needed for it.
 */
#ifndef ALIKE_H
#define ALIKE_H

#include "rows.h"
#include "text.h"

struct alike_key {
	uint64_t scope, words[2]; /* scope 0: of nothing */
};

/* A line of the processor's cache: what is short is found by one look at memory. */
struct alike_slot {
	struct alike_key key;
	uint32_t length;
	char text[36]; /* or an offset in memory, if that is too short */
};

#define ALIKE(about) (1u << (about))

/* Freed by alike_release(). */
struct alike {
	unsigned int abouts; /* by ALIKE() */
	struct text memory;
	struct alike_slot *slots; /* in owned */
	void *owned;
};

#define ALIKE_SLOTS 4096                    /* a power of two */
#define ALIKE_ADDRESSES (UINT64_C(1) << 63) /* in a scope, which is that of all batches then */

/* Whether the key may be about all of these: few rows have one of them without the others. */
bool alike_go_together(unsigned int abouts);

/* -1: out of memory. */
int alike_init(struct alike *alike, unsigned int abouts);
void alike_release(struct alike *alike);

/* An address as two words, and its family, or 0: the same in all batches. */
static inline unsigned int alike_address(
	const struct batch *batch, uint64_t number, uint64_t words[static 2])
{
	uint32_t row = (uint32_t)number - 1;

	if (!number)
		return 0;
	if (row < batch->ipv4) {
		words[0] = (uint32_t)column_get(&batch->ipv4_address, row);
		return 4;
	}
	words[0] = column_get(&batch->ipv6_high, row - batch->ipv4);
	words[1] = column_get(&batch->ipv6_low, row - batch->ipv4);
	return 6;
}

static inline struct alike_key alike_destination_key(
	const struct batch *b, uint32_t row, unsigned int abouts)
{
	struct alike_key key = {0};

	if (abouts & ALIKE(ABOUT_DESTINATION))
		key.scope = alike_address(b, column_get(&b->daddr, row), key.words);
	if (abouts & ALIKE(ABOUT_PORT))
		key.scope |= (column_get(&b->dport, row) & UINT16_MAX) << 16;
	key.scope |= ALIKE_ADDRESSES;
	return key;
}

static inline struct alike_key alike_source_key(const struct batch *b, uint32_t row)
{
	struct alike_key key = {0};
	uint64_t family = column_get(&b->daddr, row) <= b->ipv4 ? 4 : 6;

	key.scope = alike_address(b, column_get(&b->saddr, row), key.words);
	key.scope |= ALIKE_ADDRESSES | family << 8;
	return key;
}

static inline struct alike_key alike_process_key(
	const struct batch *b, uint32_t row, unsigned int abouts)
{
	struct alike_key key = {0};

	if (abouts & ALIKE(ABOUT_PROCESS))
		key.words[0] = column_get(&b->process, row);
	if (abouts & ALIKE(ABOUT_SOURCE))
		key.words[0] |= column_get(&b->saddr, row) << 32;
	if (abouts & (ALIKE(ABOUT_SOURCE) | ALIKE(ABOUT_FAMILY)))
		key.words[1] = column_get(&b->daddr, row) <= b->ipv4;
	if (abouts & ALIKE(ABOUT_NETNS))
		key.words[1] |= column_get(&b->net_ns, row) << 32;
	return key;
}

static inline struct alike_key alike_result_key(
	const struct batch *b, uint32_t row, unsigned int abouts, const struct result *late)
{
	struct alike_key key = {0};
	struct result result;

	if (abouts & ALIKE(ABOUT_CALL))
		key.words[0] = (column_get(&b->flags, row) & UINT32_MAX) |
			       column_get(&b->returned, row) << 32;
	if (abouts & ALIKE(ABOUT_RESULT)) {
		if (!late)
			batch_result(b, row, &result);
		else
			result = *late;
		key.words[1] = result.outcome | (uint64_t)result.error << 8 |
			       (uint64_t)result.retransmits << 32;
	}
	return key;
}

static inline struct alike_key alike_query_key(const struct batch *b, uint32_t row)
{
	struct alike_key key = {0};

	key.words[0] = column_get(&b->query, row) << 32;
	if (!key.words[0])
		key.words[0] = column_get(&b->daddr, row);
	key.words[1] = column_get(&b->answered, row);
	if (key.words[1] <= ANSWERED_AGE + VALUE_OLD_US) /* only whether */
		key.words[1] = key.words[1] != ANSWERED_UNKNOWN;
	return key;
}

/* What the cells of a row of the batch depend on. late: its late result, or NULL. */
static inline struct alike_key alike_key_of(
	const struct alike *alike, const struct rows *rows, uint32_t row, const struct result *late)
{
	const unsigned int abouts = alike->abouts;
	struct alike_key key;

	if (abouts & (ALIKE(ABOUT_DESTINATION) | ALIKE(ABOUT_PORT)))
		return alike_destination_key(rows->batch, row, abouts);
	if (!(abouts & ~(ALIKE(ABOUT_SOURCE) | ALIKE(ABOUT_FAMILY))))
		return alike_source_key(rows->batch, row);
	if (abouts & ALIKE(ABOUT_QUERY))
		key = alike_query_key(rows->batch, row);
	else if (abouts & (ALIKE(ABOUT_CALL) | ALIKE(ABOUT_RESULT)))
		key = alike_result_key(rows->batch, row, abouts, late);
	else
		key = alike_process_key(rows->batch, row, abouts);
	key.scope = rows->generation;
	return key;
}

static inline bool alike_is(const struct alike_key *a, const struct alike_key *b)
{
	return !((a->scope ^ b->scope) | (a->words[0] ^ b->words[0]) | (a->words[1] ^ b->words[1]));
}

/* The two places for what has that key. */
static inline struct alike_slot *alike_slots(const struct alike *alike, const struct alike_key *key)
{
	const uint64_t odd = UINT64_C(0x9e3779b97f4a7c15);
	uint64_t hash = ((key->scope * odd ^ key->words[0]) * odd ^ key->words[1]) * odd;

	return &alike->slots[(hash >> 32) % (ALIKE_SLOTS / 2) * 2];
}

/* NULL: it is not remembered. */
static inline const struct alike_slot *alike_find(
	const struct alike_slot slots[static 2], const struct alike_key *key)
{
	if (alike_is(&slots[0].key, key))
		return slots;
	return alike_is(&slots[1].key, key) ? slots + 1 : NULL;
}

/* Adds what is remembered. */
static inline void alike_put(
	const struct alike *alike, const struct alike_slot *slot, struct text *text)
{
	uint32_t offset;
	char *out;

	if (slot->length > sizeof slot->text) {
		memcpy(&offset, slot->text, sizeof offset);
		text_put_part(text, &alike->memory, offset, slot->length);
		return;
	}
	out = text_reserve(text, slot->length);
	if (out) {
		memcpy(out, slot->text, sizeof slot->text); /* faster than less */
		text->length += slot->length;
	}
}

/* Instead of what was put into the two places before the last. */
void alike_remember(struct alike *alike, struct alike_slot slots[static 2],
	const struct alike_key *key, struct bytes cells);

#endif
