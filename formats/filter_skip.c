/* SPDX-License-Identifier: BSD-2-Clause */
/* What of filter.h decides about a whole batch, by its summary. */
#include "filter.h"
#include "skip.h"

#define RANGE_MAX 256 /* values of one that are looked for */

static bool may_hold_number(struct bytes summary, enum skip_kind kind, uint32_t number)
{
	uint8_t value[4];

	put_le(value, number, 4);
	return skip_may_hold(
		summary, skip_hash(kind, (struct bytes){value, kind == SKIP_PORT ? 2 : 4}));
}

static bool may_hold_range(struct bytes summary, enum skip_kind kind, uint32_t low, uint32_t high)
{
	if (high < low || high - low >= RANGE_MAX)
		return true;
	for (uint32_t i = 0; i <= high - low; i++)
		if (may_hold_number(summary, kind, low + i))
			return true;
	return false;
}

/* Of a list that is negated nothing can be said: the summary may say yes of what is not there. */
static bool may_hold_list(struct bytes summary, enum skip_kind kind, const struct filter_list *list)
{
	for (size_t i = 0; i < list->count && !list->negated; i++)
		if (may_hold_range(summary, kind, list->ranges[i].low, list->ranges[i].high))
			return true;
	return !list->count || list->negated;
}

static bool may_hold_texts(struct bytes summary, const struct filter_texts *list)
{
	for (size_t i = 0; i < list->count && !list->negated; i++)
		if (skip_may_hold(summary, skip_hash(SKIP_COMM, bytes_of(list->texts[i]))))
			return true;
	return !list->count || list->negated;
}

/* An unknown source shows as the unspecified address, and is in no summary. */
static bool may_hold_need(struct bytes summary, const struct expression_need *need)
{
	static const struct address unspecified[] = {{.family = 4}, {.family = 6}};
	uint8_t network[16] = {0};
	unsigned int bits;

	if (!need->family)
		return need->side != SIDE_DESTINATION ||
		       may_hold_range(summary, SKIP_PORT, need->low, need->high);
	bits = skip_prefix(need->family, need->bits);
	if (!bits || (need->side != SIDE_DESTINATION &&
			     expression_need_address(need, &unspecified[need->family == 6])))
		return true;
	memcpy(network, need->network, bits / 8);
	return skip_may_hold(summary, skip_hash_prefix(need->family, network, bits));
}

bool filter_skips(const struct filter *f, struct bytes summary)
{
	const struct expression_need *needs = NULL;
	size_t count = f->expression ? expression_needs(f->expression, &needs) : 0;

	for (size_t i = 0; i < count; i++)
		if (!may_hold_need(summary, &needs[i]))
			return true;
	return !may_hold_list(summary, SKIP_PID, &f->pids) ||
	       !may_hold_list(summary, SKIP_UID, &f->uids) ||
	       !may_hold_list(summary, SKIP_PORT, &f->ports) || !may_hold_texts(summary, &f->comms);
}
