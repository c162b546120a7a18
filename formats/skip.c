/* SPDX-License-Identifier: BSD-2-Clause */
#include "skip.h"

#define HASHES 4 /* bits that a value sets: with 8 bits for each, 2.4 % wrong answers */
#define BITS_MAX ((SKIP_BYTES_MAX - SKIP_HEADER) * 8)

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

void skip_add(struct skip_set *set, uint64_t hash)
{
	const uint32_t mask = SKIP_ITEMS_MAX * 2 - 1;
	uint32_t slot = (uint32_t)hash & mask;

	if (set->count > SKIP_ITEMS_MAX)
		return;
	for (; set->slots[slot]; slot = (slot + 1) & mask)
		if (set->hashes[set->slots[slot] - 1] == hash)
			return;
	if (set->count < SKIP_ITEMS_MAX) {
		set->hashes[set->count] = hash;
		set->slots[slot] = set->count + 1;
	}
	set->count++;
}

void skip_clear(struct skip_set *set)
{
	if (set->count)
		memset(set->slots, 0, sizeof set->slots);
	set->count = 0;
}

static uint32_t bit_of(uint64_t hash, unsigned int i, uint32_t bits)
{
	uint32_t h = (uint32_t)hash + i * ((uint32_t)(hash >> 32) | 1);

	return (uint32_t)((uint64_t)h * bits >> 32);
}

size_t skip_encode(const struct skip_set *set, uint8_t *out)
{
	uint32_t bits = (set->count * 8 + 63) / 64 * 64;

	if (!set->count || set->count > SKIP_ITEMS_MAX)
		return 0;
	bits = bits < BITS_MAX ? bits : BITS_MAX;
	memset(out, 0, SKIP_HEADER + bits / 8);
	put_le(out, bits, 4);
	out[4] = HASHES;
	for (uint32_t i = 0; i < set->count; i++)
		for (unsigned int k = 0; k < HASHES; k++) {
			uint32_t bit = bit_of(set->hashes[i], k, bits);

			out[SKIP_HEADER + bit / 8] |= (uint8_t)(1u << bit % 8);
		}
	return SKIP_HEADER + bits / 8;
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
		uint32_t bit = bit_of(hash, k, bits);

		if (!(summary.data[SKIP_HEADER + bit / 8] >> bit % 8 & 1))
			return false;
	}
	return true;
}
