/* SPDX-License-Identifier: BSD-2-Clause */
/* Bytes that several owners share, counted. */
#ifndef TEXT_H
#define TEXT_H

#include "../formats/bytes.h"

struct text {
	uint32_t owners;
	size_t length;
	uint8_t data[];
};

/* A copy, with one owner. NULL: empty, or out of memory: both mean unknown. */
struct text *text_new(struct bytes bytes);

/* One owner more. Takes NULL and returns its argument. */
struct text *text_share(struct text *text);

/* One owner less; the last one frees it. Takes NULL. */
void text_release(struct text *text);

/* What *text holds is replaced; the new one is shared. */
void text_set(struct text **text, struct text *value);

/* The same with a copy; a text of the same bytes stays the object that it is. */
void text_replace(struct text **text, struct bytes bytes);

/* NULL is empty. Valid as long as an owner holds it. */
struct bytes text_bytes(const struct text *text);

#endif
