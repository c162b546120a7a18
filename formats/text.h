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
};

void text_release(struct text *text);

/* Room for so many more bytes at data + length, which the caller adds to length. NULL: failed. */
char *text_reserve(struct text *text, size_t length);

void text_put(struct text *text, struct bytes bytes);
void text_string(struct text *text, const char *string);
void text_char(struct text *text, char c);
void text_spaces(struct text *text, size_t count);
void text_unsigned(struct text *text, uint64_t number);

/* A number of thousandths, as "12.345". */
void text_thousandths(struct text *text, uint64_t number);

/* RFC 3339 in the zone of this machine, or in UTC; digits of the second's fraction: 0, 3, 6 or 9.
 */
void text_time(struct text *text, int64_t wall_ns, bool utc, unsigned int digits);

/*
 * Writes it out and empties it. Errors of the stream are the caller's to check.
 * -1: memory ran out, it is not complete.
 */
int text_write(struct text *text, FILE *out);

#endif
