/* SPDX-License-Identifier: BSD-2-Clause */
#include "skip.h"

#include <stdlib.h>

#define HASHES 4 /* bits that a value sets: with 8 bits for each, 2.4 % wrong answers */
#define SLOTS_MIN 1024

/* FNV-1a, and the end of MurmurHash3, so that all bits count. */
uint64_t skip_hash(enum skip_kind kind, struct bytes value)
{
	uint64_t h = (UINT64_C(14695981039346656037) ^ (uint8_t)kind) * UINT64_C(1099511628211);

	for (size_t i = 0; i < value.length; i++)
		h = (h ^ value.data[i]) * UINT64_C(1099511628211);
	h = (h ^ h >> 33) * UINT64_C(0xff51afd7ed558ccd);
	h = (h ^ h >> 33) * UINT64_C(0xc4ceb9fe1a85ec53);
	return h ^ h >> 33;
}

static const uint8_t prefixes[2][4] = {{8, 16, 24, 32}, {32, 48, 64, 128}};

unsigned int skip_prefix(uint8_t family, unsigned int bits)
{
	unsigned int longest = 0;

	for (size_t i = 0; i < 4; i++)
		if (prefixes[family == 6][i] <= bits)
			longest = prefixes[family == 6][i];
	return longest;
}

uint64_t skip_hash_prefix(uint8_t family, const uint8_t *address, unsigned int bits)
{
	uint8_t value[17] = {(uint8_t)bits};

	memcpy(value + 1, address, bits / 8);
	return skip_hash(
		family == 6 ? SKIP_IPV6 : SKIP_IPV4, (struct bytes){value, family == 6 ? 17 : 5});
}

void skip_add_address(struct skip_set *set, uint8_t family, const uint8_t *address)
{
	for (size_t i = 0; i < 4; i++)
		skip_add(set, skip_hash_prefix(family, address, prefixes[family == 6][i]));
}

static void give_up(struct skip_set *set)
{
	set->count = SKIP_FILE_ITEMS_MAX + 1;
}

/* Returns false if it is there already. */
static bool put(struct skip_set *set, uint64_t hash)
{
	uint32_t slot = (uint32_t)hash & (set->capacity - 1);

	for (; set->slots[slot]; slot = (slot + 1) & (set->capacity - 1))
		if (set->slots[slot] == hash)
			return false;
	set->slots[slot] = hash;
	return true;
}

static int grow(struct skip_set *set)
{
	struct skip_set grown = {.capacity = set->capacity ? set->capacity * 2 : SLOTS_MIN};

	grown.slots = calloc(grown.capacity, sizeof *grown.slots);
	if (!grown.slots)
		return -1;
	for (uint32_t i = 0; i < set->capacity; i++)
		if (set->slots[i])
			put(&grown, set->slots[i]);
	free(set->slots);
	set->slots = grown.slots;
	set->capacity = grown.capacity;
	return 0;
}

void skip_add(struct skip_set *set, uint64_t hash)
{
	if (set->count > SKIP_FILE_ITEMS_MAX)
		return;
	/* A hash of 0 can be had by trying; without a summary nothing is missed. */
	if (!hash || (set->count * 4 >= set->capacity * 3 && grow(set)))
		give_up(set);
	else
		set->count += put(set, hash);
}

void skip_add_all(struct skip_set *set, const struct skip_set *more)
{
	if (!more || more->count > SKIP_FILE_ITEMS_MAX)
		give_up(set);
	else
		for (uint32_t i = 0; more->count && i < more->capacity; i++)
			if (more->slots[i])
				skip_add(set, more->slots[i]);
}

void skip_clear(struct skip_set *set)
{
	if (set->count && set->capacity)
		memset(set->slots, 0, set->capacity * sizeof *set->slots);
	set->count = 0;
}

void skip_release(struct skip_set *set)
{
	free(set->slots);
	memset(set, 0, sizeof *set);
}

static uint32_t bit_of(uint64_t hash, unsigned int i, uint32_t bits)
{
	uint32_t h = (uint32_t)hash + i * ((uint32_t)(hash >> 32) | 1);

	return (uint32_t)((uint64_t)h * bits >> 32);
}

static size_t encode(const struct skip_set *set, uint8_t first, size_t bytes_max, uint8_t *out)
{
	uint32_t bits = (set->count * 8 + 63) / 64 * 64, most = (uint32_t)bytes_max * 8;

	bits = bits < most ? bits : most;
	memset(out, 0, SKIP_HEADER + bits / 8);
	put_le(out, bits, 4);
	out[4] = HASHES;
	out[5] = first;
	for (uint32_t i = 0; i < set->capacity; i++)
		for (unsigned int k = 0; set->slots[i] && k < HASHES; k++) {
			uint32_t bit = bit_of(set->slots[i], first + k, bits);

			out[SKIP_HEADER + bit / 8] |= (uint8_t)(1u << bit % 8);
		}
	return SKIP_HEADER + bits / 8;
}

size_t skip_encode(const struct skip_set *set, uint8_t *out)
{
	if (!set->count || set->count > SKIP_ITEMS_MAX)
		return 0;
	return encode(set, 0, SKIP_BYTES_MAX - SKIP_HEADER, out);
}

size_t skip_encode_file(const struct skip_set *set, uint8_t *out)
{
	if (!set->count || set->count > SKIP_FILE_ITEMS_MAX)
		return 0;
	return encode(set, HASHES, SKIP_FILE_BYTES_MAX - SKIP_HEADER, out);
}

bool skip_may_hold(struct bytes summary, uint64_t hash)
{
	uint32_t bits;

	if (summary.length < SKIP_HEADER)
		return true;
	bits = get_le32(summary.data);
	if (!bits || bits % 8 || bits / 8 > summary.length - SKIP_HEADER)
		return true;
	for (unsigned int k = 0; k < summary.data[4]; k++) {
		uint32_t bit = bit_of(hash, summary.data[5] + k, bits);

		if (!(summary.data[SKIP_HEADER + bit / 8] >> bit % 8 & 1))
			return false;
	}
	return true;
}
