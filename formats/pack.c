/* SPDX-License-Identifier: BSD-2-Clause */
#include "pack.h"

#define PALETTE_MAX 128
#define SLOTS 512 /* a power of two, several times as large */

/* Different values, and which one each row has. */
struct palette {
	uint64_t values[PALETTE_MAX];
	unsigned int count;
	uint8_t numbers[PACK_ROWS_MAX];
};

static unsigned int bits_of(uint64_t most)
{
	return most ? 64 - (unsigned int)__builtin_clzll(most) : 0;
}

static unsigned int slot_of(uint64_t value)
{
	return (unsigned int)(value * UINT64_C(0x9e3779b97f4a7c15) >> 32) % SLOTS;
}

/* Of the values without their lowest bytes. False: there are more than most. */
static bool find_palette(struct palette *p, const uint64_t *values, uint32_t rows,
	unsigned int lowest, unsigned int most)
{
	uint8_t slots[SLOTS] = {0}; /* 1 + number */

	p->count = 0;
	for (uint32_t row = 0; row < rows; row++) {
		uint64_t value = values[row] >> (8 * lowest) << (8 * lowest);
		unsigned int slot = slot_of(value);

		while (slots[slot] && p->values[slots[slot] - 1] != value)
			slot = (slot + 1) % SLOTS;
		if (!slots[slot]) {
			if (p->count == most)
				return false;
			p->values[p->count++] = value;
			slots[slot] = (uint8_t)p->count;
		}
		p->numbers[row] = (uint8_t)(slots[slot] - 1);
	}
	return true;
}

/* Bits for the numbers of a palette, 1 to 7. */
static unsigned int number_bits(const struct palette *p)
{
	return p->count > 2 ? bits_of(p->count - 1) : 1;
}

/* The lowest bytes of the values above low. Returns where they end. */
static uint8_t *put_planes(
	uint8_t *out, const uint64_t *values, uint32_t rows, uint64_t low, unsigned int count)
{
	for (unsigned int k = 0; k < count; k++)
		for (uint32_t row = 0; row < rows; row++)
			*out++ = (uint8_t)((values[row] - low) >> (8 * k));
	return out;
}

/* One part: bits of these bytes, from shift on. There are column_groups() of them. */
static uint8_t *put_part(uint8_t *restrict out, const uint8_t *restrict bytes, uint32_t rows,
	unsigned int bits, unsigned int shift)
{
	uint8_t mask = (uint8_t)((1u << bits) - 1);

	memset(out, 0, column_part_length(bits, rows));
	for (uint32_t row = 0; row < rows; out += COLUMN_PART)
		for (unsigned int to = 0; to < 8; to += bits, row += COLUMN_PART)
			for (unsigned int k = 0; k < COLUMN_PART; k++)
				out[k] |= (uint8_t)((bytes[row + k] >> shift & mask) << to);
	return out;
}

static uint8_t *put_parts(uint8_t *out, uint8_t *bytes, uint32_t rows, unsigned int bits)
{
	unsigned int shift = 0;

	memset(bytes + rows, 0, column_groups(rows) - rows);
	for (unsigned int part = 4; part; part /= 2)
		if (bits & part) {
			out = put_part(out, bytes, rows, part, shift);
			shift += part;
		}
	return out;
}

static void put_entry(uint8_t *entry, enum encoding encoding, unsigned int bits, uint64_t base)
{
	entry[COLUMN_AT_ENCODING] = (uint8_t)encoding;
	entry[COLUMN_AT_WIDTH] = (uint8_t)bits;
	put_le64(entry + COLUMN_AT_BASE, base);
}

static size_t pack_bits(const uint64_t *values, uint32_t rows, uint64_t low, unsigned int bits,
	uint8_t *out, uint8_t *entry)
{
	uint8_t highest[PACK_ROWS_MAX], *end = put_planes(out, values, rows, low, bits / 8);

	put_entry(entry, ENCODING_BITS, bits, low);
	for (uint32_t row = 0; bits % 8 && row < rows; row++)
		highest[row] = (uint8_t)((values[row] - low) >> bits / 8 * 8);
	return (size_t)(put_parts(end, highest, rows, bits % 8) - out);
}

static size_t pack_palette(struct palette *p, const uint64_t *values, uint32_t rows,
	unsigned int lowest, uint8_t *out, uint8_t *entry)
{
	unsigned int bits = 8 * lowest + number_bits(p);
	uint8_t *end = out + column_palette_length(bits);

	put_entry(entry, ENCODING_PALETTE, bits, 0);
	memset(out, 0, column_palette_length(bits));
	for (unsigned int i = 0; i < p->count; i++)
		put_le64(out + i * sizeof(uint64_t), p->values[i]);
	end = put_planes(end, values, rows, 0, lowest);
	return (size_t)(put_parts(end, p->numbers, rows, number_bits(p)) - out);
}

size_t pack_column(const uint64_t *values, uint32_t rows, uint8_t out[static PACK_BYTES_MAX],
	uint8_t entry[static COLUMN_ENTRY_LENGTH])
{
	uint64_t low = values[0], high = low;
	struct palette palettes[2], *best = NULL, *next = palettes;
	unsigned int bits, lowest = 0;
	size_t length;

	for (uint32_t row = 1; row < rows; row++) {
		low = values[row] < low ? values[row] : low;
		high = values[row] > high ? values[row] : high;
	}
	bits = high > low ? bits_of(high - low) : 1;
	length = column_bits_length(bits, rows);
	/* Their numbers have to take less than the bits that are left. */
	for (unsigned int k = 0; 8 * k + 1 < bits; k++) {
		unsigned int left = bits - 8 * k - 1, with;
		size_t takes;

		if (!find_palette(next, values, rows, k, left < 7 ? 1u << left : PALETTE_MAX))
			continue;
		with = 8 * k + number_bits(next);
		takes = column_palette_length(with) + column_bits_length(with, rows);
		if (takes >= length)
			continue;
		length = takes;
		lowest = k;
		best = next;
		next = best == palettes ? palettes + 1 : palettes;
	}
	return best ? pack_palette(best, values, rows, lowest, out, entry)
		    : pack_bits(values, rows, low, bits, out, entry);
}
