/* SPDX-License-Identifier: BSD-2-Clause */
/* A line under construction, as long as it takes. */
#ifndef TEXT_H
#define TEXT_H

#include <stdio.h>

#include "bytes.h"

/* All zero is an empty one. */
struct text {
	char *data; /* owned, not terminated */
	size_t length, capacity;
	bool failed; /* out of memory: what was put since then is lost */
	/* The second that text_time() put last: most events have that of the one before. */
	struct {
		uint64_t begin_ns; /* unsigned: hostile times wrap */
		bool valid, utc;
		char date[32], zone[8];
		char begin[24];                                 /* the same in seconds since 1970 */
		uint8_t date_length, zone_length, begin_length; /* of begin 0: not after 1970 */
	} time;
};

void text_release(struct text *text);

/* The slow half of text_reserve(). */
char *text_grow(struct text *text, size_t length);

/* So many bytes behind the text may be read and written. */
#define TEXT_SLACK 40

/* Room for so many more bytes at data + length, which the caller adds to length. NULL: failed. */
static inline char *text_reserve(struct text *text, size_t length)
{
	if (text->capacity - text->length >= length + TEXT_SLACK)
		return text->data + text->length;
	return text_grow(text, length);
}

static inline void text_put(struct text *text, struct bytes bytes)
{
	char *out = text_reserve(text, bytes.length);

	if (out && bytes.length) {
		memcpy(out, bytes.data, bytes.length);
		text->length += bytes.length;
	}
}

static inline void text_char(struct text *text, char c)
{
	char *out = text_reserve(text, 1);

	if (out) {
		*out = c;
		text->length++;
	}
}

/* The same for a part of a text: faster, as more than it is copied. */
static inline void text_put_part(
	struct text *text, const struct text *from, size_t offset, size_t length)
{
	char *out = text_reserve(text, length);

	if (!out)
		return;
	for (size_t i = 0; i < length; i += 32)
		memcpy(out + i, from->data + offset + i, 32);
	text->length += length;
}

/* In line: the length of what is constant is one too. */
static inline void text_string(struct text *text, const char *string)
{
	text_put(text, bytes_of(string));
}

void text_spaces(struct text *text, size_t count);
void text_unsigned(struct text *text, uint64_t number);

/* A number of thousandths, as "12.345". */
void text_thousandths(struct text *text, uint64_t number);

/* RFC 3339 in the zone of this machine, or in UTC; digits of the second's fraction: 0, 3, 6 or 9.
 */
void text_time(struct text *text, int64_t wall_ns, bool utc, unsigned int digits);

/* Nanoseconds since 1970: fast behind the same time as text_time() puts it. */
void text_nanoseconds(struct text *text, int64_t wall_ns);

/*
 * Writes it out and empties it. Errors of the stream are the caller's to check.
 * -1: memory ran out, it is not complete.
 */
int text_write(struct text *text, FILE *out);

#endif
