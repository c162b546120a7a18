/* SPDX-License-Identifier: BSD-2-Clause */
/* Numbers for keys of some words, from 1 in the order of their first appearance. */
#ifndef NUMBERS_H
#define NUMBERS_H

#include <stddef.h>
#include <stdint.h>

/* All zero but for words is an empty table. */
struct numbers {
	unsigned int words; /* of a key */
	uint32_t count;
	size_t slot_count; /* a power of two */
	uint64_t *slots;   /* of the key, and its number each */
};

static inline uint64_t numbers_hash(const uint64_t *key, unsigned int words)
{
	uint64_t hash = 0;

	for (unsigned int i = 0; i < words; i++) {
		hash = (hash ^ key[i]) * UINT64_C(0x9e3779b97f4a7c15);
		hash ^= hash >> 32;
	}
	return hash;
}

/* For a key with that hash, which will be asked for soon. */
static inline void numbers_prefetch(const struct numbers *numbers, uint64_t hash)
{
	if (numbers->slots)
		__builtin_prefetch(
			numbers->slots + (hash & (numbers->slot_count - 1)) * (numbers->words + 1));
}

/* Of a key with that hash, that is not there yet. 0: out of memory. */
uint32_t numbers_add(struct numbers *numbers, const uint64_t *key, uint64_t hash);

/* Where the key is, or where it would be. */
static inline uint64_t *numbers_find(
	const struct numbers *n, const uint64_t *key, uint64_t hash, unsigned int words)
{
	size_t at = hash;

	for (;; at++) {
		uint64_t *slot = n->slots + (at & (n->slot_count - 1)) * (words + 1);
		uint64_t different = 0;

		for (unsigned int i = 0; i < words; i++)
			different |= slot[i] ^ key[i];
		if (!different || !slot[words])
			return slot;
	}
}

/* Of a key with that hash. words: numbers->words, best as a constant. 0: out of memory. */
static inline uint32_t numbers_get(
	struct numbers *numbers, const uint64_t *key, uint64_t hash, unsigned int words)
{
	uint32_t number =
		numbers->slots ? (uint32_t)numbers_find(numbers, key, hash, words)[words] : 0;

	return number ? number : numbers_add(numbers, key, hash);
}

void numbers_release(struct numbers *numbers);

#endif
