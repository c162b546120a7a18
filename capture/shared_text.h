/* SPDX-License-Identifier: BSD-2-Clause */
/* Bytes that several owners share, counted. */
#ifndef SHARED_TEXT_H
#define SHARED_TEXT_H

#include "../formats/bytes.h"

struct shared_text {
	uint32_t owners;
	size_t length;
	uint8_t data[];
};

/* A copy, with one owner. NULL: empty, or out of memory: both mean unknown. */
struct shared_text *shared_text_new(struct bytes bytes);

/* One owner more. Takes NULL and returns its argument. */
struct shared_text *shared_text_share(struct shared_text *text);

/* One owner less; the last one frees it. Takes NULL. */
void shared_text_release(struct shared_text *text);

/* What *text holds is replaced; the new one is shared. */
void shared_text_set(struct shared_text **text, struct shared_text *value);

/* The same with a copy; a text of the same bytes stays the object that it is. */
void shared_text_replace(struct shared_text **text, struct bytes bytes);

/* NULL is empty. Valid as long as an owner holds it. */
struct bytes shared_text_bytes(const struct shared_text *text);

#endif
