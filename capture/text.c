/* SPDX-License-Identifier: BSD-2-Clause */
#include "text.h"

#include <stdlib.h>

struct text *text_new(struct bytes bytes)
{
	struct text *text = bytes.length ? malloc(sizeof *text + bytes.length) : NULL;

	if (!text)
		return NULL;
	text->owners = 1;
	text->length = bytes.length;
	memcpy(text->data, bytes.data, bytes.length);
	return text;
}

struct text *text_share(struct text *text)
{
	if (text)
		text->owners++;
	return text;
}

void text_release(struct text *text)
{
	if (text && !--text->owners)
		free(text);
}

void text_set(struct text **text, struct text *value)
{
	struct text *old = *text;

	*text = text_share(value);
	text_release(old);
}

void text_replace(struct text **text, struct bytes bytes)
{
	struct text *old = *text;

	if (bytes_equal(text_bytes(old), bytes))
		return;
	*text = text_new(bytes);
	text_release(old);
}

struct bytes text_bytes(const struct text *text)
{
	return text ? (struct bytes){text->data, text->length} : (struct bytes){NULL, 0};
}
