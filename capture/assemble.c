/* SPDX-License-Identifier: BSD-2-Clause */
#include "assemble.h"
#include "undecided.h"

#include <linux/types.h>
#include <stdlib.h>

#include "../bpf/tcpconnect.h"

#define WAITING_MAX 8192 /* a power of two; more attempts open at once are handed on early */

/* As it came, with what came later put in: it is made into an event once, when it goes. */
struct waiting {
	struct sample_attempt sample;
	bool listed; /* among the undecided: something more was to come */
};

struct assemble {
	uint64_t hold_ns, rejected;
	struct assemble_handlers handlers;
	struct undecided *undecided;
	struct process process; /* of the event that is given: all but what a sample says stays */
	uint32_t head, tail; /* head is the oldest; both count on and are taken modulo the size */
	struct waiting queue[WAITING_MAX];
};

struct assemble *assemble_new(uint64_t hold_ns, const struct assemble_handlers *handlers)
{
	struct assemble *a = calloc(1, sizeof *a);

	if (!a)
		return NULL;
	a->hold_ns = hold_ns;
	a->handlers = *handlers;
	a->process = (struct process){.euid = UNKNOWN_ID,
		.egid = UNKNOWN_ID,
		.loginuid = UNKNOWN_ID,
		.audit_session = UNKNOWN_ID};
	a->undecided = undecided_new(OPEN_MAX + WAITING_MAX);
	if (!a->undecided) {
		free(a);
		return NULL;
	}
	return a;
}

void assemble_free(struct assemble *a)
{
	if (!a)
		return;
	undecided_free(a->undecided);
	free(a);
}

uint64_t assemble_rejected(const struct assemble *a)
{
	return a->rejected;
}

static struct waiting *slot(struct assemble *a, uint32_t number)
{
	return &a->queue[number % WAITING_MAX];
}

static struct address address_of(const uint8_t bytes[16], uint8_t family)
{
	struct address address = {.family = family};

	memcpy(address.bytes, bytes, sizeof address.bytes);
	if (family == 4)
		memset(address.bytes + 4, 0, sizeof address.bytes - 4);
	return address;
}

/* A source of all zeros is one that was not chosen yet. */
static struct address source_of(const uint8_t bytes[16], uint8_t family)
{
	uint64_t halves[2];

	memcpy(halves, bytes, sizeof halves);
	return address_of(bytes, halves[0] | halves[1] ? family : 0);
}

static struct result result_of(const struct sample_end *end)
{
	return (struct result){
		.outcome = end->result,
		.error = end->error,
		.retransmits = end->retransmits,
		.latency_us = end->latency_ns / 1000 + (end->latency_ns % 1000 >= 500),
	};
}

static uint64_t give(struct assemble *a, const struct sample_attempt *s)
{
	struct event event = {
		.time_ns = s->time_ns,
		.process = &a->process,
		.tid = s->tid,
		.flags = (s->flags & SAMPLE_MAPPED ? EVENT_MAPPED : 0) |
			 (s->flags & SAMPLE_NONBLOCKING ? EVENT_NONBLOCKING : 0) |
			 (s->flags & SAMPLE_SUBFLOW ? EVENT_SUBFLOW : 0),
		.returned = s->returned,
		.net_ns = s->net_ns,
		.saddr = source_of(s->saddr, s->family),
		.daddr = address_of(s->daddr, s->family),
		.lport = s->lport,
		.dport = s->dport,
		.result = result_of(&s->end),
	};

	a->process.pid = s->pid;
	a->process.uid = s->uid;
	a->process.gid = s->gid;
	a->process.start_ns = s->start_ns;
	a->process.comm = (struct bytes){s->comm, strnlen((const char *)s->comm, sizeof s->comm)};
	return a->handlers.event(a->handlers.context, &event, s->process);
}

static void give_oldest(struct assemble *a)
{
	uint32_t at = a->head++;
	struct waiting *w = slot(a, at);
	uint64_t number = give(a, &w->sample);
	struct undecided_entry *entry;

	if (!w->listed)
		return;
	entry = undecided_find(a->undecided, w->sample.id);
	if (!entry || !entry->waiting || entry->number != at)
		return; /* the id, against all rules, came twice */
	if (w->sample.flags & SAMPLE_UNDECIDED && number != ASSEMBLE_NO_RESULT)
		*entry = (struct undecided_entry){w->sample.id, number, false};
	else
		undecided_remove(a->undecided, w->sample.id);
}

/* Returns whether the sample is one. Looked at where it is: it is copied once. */
static bool take_attempt(struct assemble *a, const uint8_t *sample, size_t length)
{
	struct waiting *w;
	uint8_t family, result;

	if (length != sizeof w->sample)
		return false;
	family = sample[offsetof(struct sample_attempt, family)];
	result = sample[offsetof(struct sample_attempt, end.result)];
	if ((family != 4 && family != 6) || result > RESULT_ABANDONED)
		return false;
	if (a->tail - a->head == WAITING_MAX)
		give_oldest(a);
	w = slot(a, a->tail);
	memcpy(&w->sample, sample, sizeof w->sample);
	w->listed = w->sample.flags & SAMPLE_UNDECIDED || !(w->sample.flags & SAMPLE_COMPLETE);
	if (w->listed)
		undecided_add(a->undecided, &(struct undecided_entry){w->sample.id, a->tail, true});
	a->tail++;
	return true;
}

/* The attempt of that id if it waits here still, else NULL. */
static struct waiting *find_waiting(struct assemble *a, uint64_t id)
{
	struct undecided_entry *entry = undecided_find(a->undecided, id);

	return entry && entry->waiting ? slot(a, (uint32_t)entry->number) : NULL;
}

/* Looked at where it is, like an attempt. */
static void take_source(struct assemble *a, const uint8_t *sample)
{
	struct waiting *w;
	uint64_t id;

	memcpy(&id, sample + offsetof(struct sample_source, id), sizeof id);
	w = find_waiting(a, id);
	if (!w || w->sample.flags & SAMPLE_COMPLETE)
		return;
	memcpy(w->sample.saddr, sample + offsetof(struct sample_source, saddr),
		sizeof w->sample.saddr);
	memcpy(w->sample.daddr, sample + offsetof(struct sample_source, daddr),
		sizeof w->sample.daddr);
	memcpy(&w->sample.lport, sample + offsetof(struct sample_source, lport),
		sizeof w->sample.lport);
	memcpy(&w->sample.net_ns, sample + offsetof(struct sample_source, net_ns),
		sizeof w->sample.net_ns);
	memcpy(&w->sample.start_ns, sample + offsetof(struct sample_source, start_ns),
		sizeof w->sample.start_ns);
	memcpy(&w->sample.process, sample + offsetof(struct sample_source, process),
		sizeof w->sample.process);
	w->sample.flags |= SAMPLE_COMPLETE;
}

/* The last that is heard of an attempt: no source will come either. */
static void take_outcome(struct assemble *a, const struct sample_outcome *s)
{
	struct undecided_entry entry;
	struct waiting *w;
	struct result result;

	if (!undecided_take(a->undecided, s->id, &entry))
		return;
	if (!entry.waiting) {
		result = result_of(&s->end);
		a->handlers.result(a->handlers.context, entry.number, &result);
		return;
	}
	w = slot(a, (uint32_t)entry.number);
	if (!(w->sample.flags & SAMPLE_UNDECIDED)) { /* against all rules: its source may come */
		undecided_add(a->undecided, &entry);
		return;
	}
	w->listed = false;
	w->sample.end = s->end;
	w->sample.flags &= ~SAMPLE_UNDECIDED;
	w->sample.flags |= SAMPLE_COMPLETE;
}

void assemble_sample(struct assemble *a, const void *sample, size_t length)
{
	struct sample_outcome outcome;
	__u32 kind = 0;

	if (length >= sizeof kind)
		memcpy(&kind, sample, sizeof kind);
	if (kind == SAMPLE_ATTEMPT && take_attempt(a, sample, length))
		return;
	if (kind == SAMPLE_SOURCE && length == sizeof(struct sample_source)) {
		take_source(a, sample);
		return;
	}
	if (kind == SAMPLE_OUTCOME && length == sizeof outcome) {
		memcpy(&outcome, sample, sizeof outcome);
		if (outcome.end.result <= RESULT_ABANDONED) {
			take_outcome(a, &outcome);
			return;
		}
	}
	a->rejected++;
}

static uint64_t due(const struct assemble *a, const struct waiting *w)
{
	return w->sample.flags & SAMPLE_COMPLETE ? 0 : w->sample.time_ns + a->hold_ns;
}

void assemble_release(struct assemble *a, uint64_t now_ns)
{
	while (a->head != a->tail && due(a, slot(a, a->head)) <= now_ns)
		give_oldest(a);
}

uint64_t assemble_deadline(const struct assemble *a)
{
	return a->head == a->tail ? UINT64_MAX : due(a, &a->queue[a->head % WAITING_MAX]);
}
