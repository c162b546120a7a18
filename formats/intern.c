/* SPDX-License-Identifier: BSD-2-Clause */
#include "intern.h"

#include <assert.h>
#include <stdlib.h>

/* Open addressing with linear probing, at most half full. slots: 1 + number, 0 free. */
struct intern {
	uint32_t limit, count, mask;
	size_t bytes_limit;
	uint32_t *slots;
	uint32_t *ends;    /* where string i ends in bytes */
	uint32_t *slot_of; /* string i */
	uint8_t *bytes;
};

/*
 * As FNV-1a, but of eight bytes at a time. An attacker who floods a batch costs at most its size
 * squared.
 */
static uint64_t hash(struct bytes s)
{
	uint64_t h = 14695981039346656037u + s.length, last = 0;

	for (; s.length >= sizeof last; s.data += sizeof last, s.length -= sizeof last) {
		h = (h ^ get_le64(s.data)) * 0x9e3779b97f4a7c15u;
		h ^= h >> 32;
	}
	for (size_t i = 0; i < s.length; i++)
		last = last << 8 | s.data[i];
	h = (h ^ last) * 0x9e3779b97f4a7c15u;
	return h ^ h >> 32;
}

struct intern *intern_new(uint32_t limit, size_t bytes_limit)
{
	struct intern *intern = calloc(1, sizeof *intern);
	uint32_t slots = 16;

	if (!intern)
		return NULL;
	while (slots < limit * 2)
		slots *= 2;
	intern->limit = limit;
	intern->mask = slots - 1;
	intern->bytes_limit = bytes_limit;
	intern->slots = calloc(slots, sizeof *intern->slots);
	intern->ends = calloc(limit, sizeof *intern->ends);
	intern->slot_of = calloc(limit, sizeof *intern->slot_of);
	intern->bytes = malloc(bytes_limit);
	if (!intern->slots || !intern->ends || !intern->slot_of || !intern->bytes) {
		intern_free(intern);
		return NULL;
	}
	return intern;
}

void intern_free(struct intern *intern)
{
	if (!intern)
		return;
	free(intern->slots);
	free(intern->ends);
	free(intern->slot_of);
	free(intern->bytes);
	free(intern);
}

/* A few strings are taken out one by one: a batch of one event must not cost a large memset. */
void intern_clear(struct intern *intern)
{
	if (intern->count > intern->mask / 16)
		memset(intern->slots, 0, ((size_t)intern->mask + 1) * sizeof *intern->slots);
	else
		for (uint32_t i = 0; i < intern->count; i++)
			intern->slots[intern->slot_of[i]] = 0;
	intern->count = 0;
}

uint32_t intern_count(const struct intern *intern)
{
	return intern->count;
}

size_t intern_bytes(const struct intern *intern)
{
	return intern->count ? intern->ends[intern->count - 1] : 0;
}

struct bytes intern_get(const struct intern *intern, uint32_t number)
{
	uint32_t start;

	assert(number < intern->count);
	start = number ? intern->ends[number - 1] : 0;
	return (struct bytes){intern->bytes + start, intern->ends[number] - start};
}

uint32_t intern_add(struct intern *intern, struct bytes string)
{
	size_t used = intern_bytes(intern);
	uint32_t slot = (uint32_t)hash(string) & intern->mask;

	for (; intern->slots[slot]; slot = (slot + 1) & intern->mask)
		if (bytes_equal(intern_get(intern, intern->slots[slot] - 1), string))
			return intern->slots[slot] - 1;
	if (intern->count == intern->limit || string.length > intern->bytes_limit - used)
		return UINT32_MAX;
	if (string.length)
		memcpy(intern->bytes + used, string.data, string.length);
	intern->ends[intern->count] = (uint32_t)(used + string.length);
	intern->slot_of[intern->count] = slot;
	intern->slots[slot] = ++intern->count;
	return intern->count - 1;
}
