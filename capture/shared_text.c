/* SPDX-License-Identifier: BSD-2-Clause */
#include "shared_text.h"

#include <stdlib.h>

struct shared_text *shared_text_new(struct bytes bytes)
{
	struct shared_text *text = bytes.length ? malloc(sizeof *text + bytes.length) : NULL;

	if (!text)
		return NULL;
	text->owners = 1;
	text->length = bytes.length;
	memcpy(text->data, bytes.data, bytes.length);
	return text;
}

struct shared_text *shared_text_share(struct shared_text *text)
{
	if (text)
		text->owners++;
	return text;
}

void shared_text_release(struct shared_text *text)
{
	if (text && !--text->owners)
		free(text);
}

void shared_text_set(struct shared_text **text, struct shared_text *value)
{
	struct shared_text *old = *text;

	*text = shared_text_share(value);
	shared_text_release(old);
}

void shared_text_replace(struct shared_text **text, struct bytes bytes)
{
	struct shared_text *old = *text;

	if (bytes_equal(shared_text_bytes(old), bytes))
		return;
	*text = shared_text_new(bytes);
	shared_text_release(old);
}

struct bytes shared_text_bytes(const struct shared_text *text)
{
	return text ? (struct bytes){text->data, text->length} : (struct bytes){NULL, 0};
}
