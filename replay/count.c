/* SPDX-License-Identifier: BSD-2-Clause */
#include "answer.h"
#include "../formats/count.h"

static struct answer *create(const struct answer_choice *choice, struct error *error)
{
	return (struct answer *)count_new(choice->format, choice->style, error);
}

static void destroy(struct answer *a)
{
	count_free((struct count *)a);
}

static int add(struct answer *a, const struct columns_row *row, struct error *error)
{
	return count_add((struct count *)a, row->event, error);
}

static int print(struct answer *a, const struct merge *merge, FILE *out, struct error *error)
{
	(void)merge;
	return count_print((struct count *)a, out, error);
}

static int join(struct answer *a, struct answer *other, struct error *error)
{
	return count_join((struct count *)a, (struct count *)other, error);
}

static uint32_t needs(const struct answer *a)
{
	(void)a;
	return EVENT_BIT(EVENT_SADDR) | EVENT_BIT(EVENT_DADDR) | EVENT_BIT(EVENT_DPORT);
}

const struct answer_kind answer_count = {
	create, destroy, add, print, false, .any_order = true, .needs = needs, .join = join};
