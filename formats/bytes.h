/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Borrowed bytes, and integers in them. Payloads of ours are little-endian;
 * the framing of pcapng is in the order of its section.
 */
#ifndef BYTES_H
#define BYTES_H

#include <endian.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Not terminated, not owned; may hold any byte. Valid as long as its owner says. */
struct bytes {
	const uint8_t *data;
	size_t length;
};

/* n bytes, at most 8, little-endian. */
static inline uint64_t get_le(const uint8_t *p, unsigned int n)
{
	uint64_t value = 0;

	for (unsigned int i = 0; i < n; i++)
		value |= (uint64_t)p[i] << (8 * i);
	return value;
}

static inline uint64_t get_be(const uint8_t *p, unsigned int n)
{
	uint64_t value = 0;

	for (unsigned int i = 0; i < n; i++)
		value = value << 8 | p[i];
	return value;
}

/* One instruction each, which get_le() is not. */
static inline uint16_t get_le16(const uint8_t *p)
{
	uint16_t value;

	memcpy(&value, p, sizeof value);
	return le16toh(value);
}

static inline uint32_t get_le32(const uint8_t *p)
{
	uint32_t value;

	memcpy(&value, p, sizeof value);
	return le32toh(value);
}

static inline uint64_t get_le64(const uint8_t *p)
{
	uint64_t value;

	memcpy(&value, p, sizeof value);
	return le64toh(value);
}

static inline void put_le(uint8_t *p, uint64_t value, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		p[i] = (uint8_t)(value >> (8 * i));
}

static inline void put_le16(uint8_t *p, uint16_t value)
{
	value = htole16(value);
	memcpy(p, &value, sizeof value);
}

static inline void put_le32(uint8_t *p, uint32_t value)
{
	value = htole32(value);
	memcpy(p, &value, sizeof value);
}

static inline void put_le64(uint8_t *p, uint64_t value)
{
	value = htole64(value);
	memcpy(p, &value, sizeof value);
}

/*
 * Part of whole: length bytes at offset. Returns false, and leaves part alone,
 * when that reaches beyond the end.
 */
static inline bool bytes_slice(
	struct bytes whole, uint64_t offset, uint64_t length, struct bytes *part)
{
	if (offset > whole.length || length > whole.length - offset)
		return false;
	part->data = whole.data + offset;
	part->length = (size_t)length;
	return true;
}

static inline bool bytes_equal(struct bytes a, struct bytes b)
{
	return a.length == b.length && (!a.length || !memcmp(a.data, b.data, a.length));
}

static inline struct bytes bytes_of(const char *string)
{
	return (struct bytes){(const uint8_t *)string, strlen(string)};
}

#endif
