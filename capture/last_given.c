/* SPDX-License-Identifier: BSD-2-Clause */
#include "last_given.h"

static const size_t text_members[GIVEN_TEXTS] = {offsetof(struct process, exe),
	offsetof(struct process, args), offsetof(struct process, cgroup),
	offsetof(struct process, user), offsetof(struct process, container),
	offsetof(struct process, unit), offsetof(struct process, comm)};

/* All numbers of a process stand between its identity and its texts, without a gap. */
#define NUMBERS_FROM offsetof(struct process, pid)
#define NUMBERS_TO offsetof(struct process, comm)
_Static_assert(NUMBERS_TO - NUMBERS_FROM == 8 * sizeof(uint32_t) + 5 * sizeof(uint64_t), "a gap");

static bool same_text(struct bytes a, struct bytes b)
{
	return a.length == b.length && (a.data == b.data || bytes_equal(a, b));
}

bool last_given_is(const struct last_given *last, const struct process *p, bool caller)
{
	const struct process *q = &last->process;

	if (memcmp((const char *)q + NUMBERS_FROM, (const char *)p + NUMBERS_FROM,
		    NUMBERS_TO - NUMBERS_FROM))
		return false;
	for (size_t i = 0; i < GIVEN_TEXTS; i++) {
		size_t at = text_members[i];

		if (!(caller && at == offsetof(struct process, comm)) &&
			!same_text(*(const struct bytes *)((const char *)q + at),
				*(const struct bytes *)((const char *)p + at)))
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
