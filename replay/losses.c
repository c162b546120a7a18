/* SPDX-License-Identifier: BSD-2-Clause */
#include "losses.h"

#include <inttypes.h>
#include <stdlib.h>

static struct session_losses *find(struct losses *losses, const uint8_t session[16])
{
	struct session_losses *grown;

	for (size_t i = 0; i < losses->count; i++)
		if (!memcmp(losses->sessions[i].session, session, 16))
			return &losses->sessions[i];
	grown = realloc(losses->sessions, (losses->count + 1) * sizeof *grown);
	if (!grown)
		return NULL;
	losses->sessions = grown;
	grown += losses->count++;
	memset(grown, 0, sizeof *grown);
	memcpy(grown->session, session, 16);
	grown->next = UINT64_MAX; /* nothing is known yet */
	return grown;
}

int losses_note(struct losses *losses, const struct batch *batch)
{
	const struct batch_header *h = &batch->header;
	struct session_losses *s = find(losses, h->session);

	if (!s)
		return -1;
	if (s->next == UINT64_MAX) {
		s->next = h->file == 1 ? 0 : h->sequence;
		s->dropped_before = h->file == 1 ? 0 : h->dropped;
	}
	if (h->sequence > s->next)
		s->missing += h->sequence - s->next;
	s->next = h->sequence + batch->events;
	s->dropped = h->dropped;
	s->counters = h->counters;
	return 0;
}

size_t losses_report(const struct losses *losses, const char *name,
	void (*report)(void *context, const struct error *error), void *context)
{
	struct error text;
	size_t findings = 0;

	for (size_t i = 0; i < losses->count; i++) {
		const struct session_losses *s = &losses->sessions[i];
		/* Holes in the numbers that are counted as lost already. */
		uint64_t dropped = s->dropped - s->dropped_before;
		const struct {
			uint64_t count;
			const char *what;
		} facts[] = {
			{s->counters.lost, "events were lost while recording"},
			{s->counters.partial,
				"events are without their source address, lost while recording"},
			{s->missing > dropped ? s->missing - dropped : 0,
				"events are missing from this file"},
		};

		for (size_t k = 0; k < sizeof facts / sizeof *facts; k++) {
			if (!facts[k].count)
				continue;
			error_set(&text, "%s: %" PRIu64 " %s", name, facts[k].count, facts[k].what);
			report(context, &text);
			findings++;
		}
	}
	return findings;
}

void losses_release(struct losses *losses)
{
	free(losses->sessions);
	memset(losses, 0, sizeof *losses);
}
