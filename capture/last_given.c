/* SPDX-License-Identifier: BSD-2-Clause */
#include "last_given.h"
#include "../formats/process_field.h"

static const size_t text_members[GIVEN_TEXTS] = {offsetof(struct process, exe),
	offsetof(struct process, args), offsetof(struct process, cgroup),
	offsetof(struct process, user), offsetof(struct process, container),
	offsetof(struct process, unit), offsetof(struct process, comm)};

bool last_given_is(const struct last_given *last, const struct process *p, bool caller)
{
	for (size_t i = 0; i < PROCESS_FIELDS; i++) {
		const struct process_field *field = &process_fields[i];
		const void *a = (const char *)&last->process + field->at;
		const void *b = (const char *)p + field->at;

		if (caller && field->at == offsetof(struct process, comm))
			continue;
		if ((field->kind == FIELD_U32 && memcmp(a, b, sizeof(uint32_t))) ||
			((field->kind == FIELD_U64 || field->kind == FIELD_ID) &&
				memcmp(a, b, sizeof(uint64_t))) ||
			(field->kind == FIELD_TEXT &&
				!bytes_equal(*(const struct bytes *)a, *(const struct bytes *)b)))
			return false;
	}
	return true;
}

bool last_given_identify(struct last_given *last, struct process *p, bool caller, uint64_t identity)
{
	uint64_t parent = p->parent ? p->parent->identity : 0;
	bool same =
		last->process.identity && last->parent == parent && last_given_is(last, p, caller);

	if (!same) {
		struct process new = *p;

		for (size_t i = 0; i < GIVEN_TEXTS; i++) {
			struct bytes *text = (struct bytes *)((char *)&new + text_members[i]);

			shared_text_replace(&last->texts[i], *text);
			*text = shared_text_bytes(last->texts[i]);
		}
		last->parent = parent;
		last->process = new;
		last->process.parent = NULL;
		last->process.identity = identity;
	}
	p->identity = last->process.identity;
	for (size_t i = 0; i < GIVEN_TEXTS; i++)
		if (!caller || text_members[i] != offsetof(struct process, comm))
			memcpy((char *)p + text_members[i],
				(char *)&last->process + text_members[i], sizeof(struct bytes));
	return !same;
}

size_t last_given_bytes(const struct last_given *last)
{
	size_t bytes = 0;

	for (size_t i = 0; i < GIVEN_TEXTS; i++)
		bytes += shared_text_bytes(last->texts[i]).length;
	return bytes;
}

void last_given_release(struct last_given *last)
{
	for (size_t i = 0; i < GIVEN_TEXTS; i++)
		shared_text_release(last->texts[i]);
}
