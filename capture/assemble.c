/* SPDX-License-Identifier: BSD-2-Clause */
#include "assemble.h"
#include "undecided.h"

#include <linux/types.h>
#include <stdlib.h>

#include "../bpf/tcpconnect.h"

#define WAITING_MAX 8192 /* a power of two; more attempts open at once are handed on early */

struct waiting {
	struct event event;
	struct process process;
	uint8_t comm[SAMPLE_COMM_SIZE];
	uint64_t id, described;
	bool complete, undecided;
};

struct assemble {
	uint64_t hold_ns, rejected;
	struct assemble_handlers handlers;
	struct undecided *undecided;
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

	memcpy(address.bytes, bytes, family == 4 ? 4 : 16);
	return address;
}

/* A source of all zeros is one that was not chosen yet. */
static struct address source_of(const uint8_t bytes[16], uint8_t family)
{
	static const uint8_t zero[16];

	return address_of(bytes, memcmp(bytes, zero, sizeof zero) ? family : 0);
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

static void give_oldest(struct assemble *a)
{
	uint32_t at = a->head++;
	struct waiting *w = slot(a, at);
	struct undecided_entry *entry = undecided_find(a->undecided, w->id);
	uint64_t number;

	w->process.comm.data = w->comm;
	w->event.process = &w->process;
	number = a->handlers.event(a->handlers.context, &w->event, w->described);
	if (!entry || !entry->waiting || entry->number != at)
		return; /* nothing more is to come; or the id, against all rules, came twice */
	if (w->undecided && number != ASSEMBLE_NO_RESULT)
		*entry = (struct undecided_entry){w->id, number, false};
	else
		undecided_remove(a->undecided, w->id);
}

static void take_attempt(struct assemble *a, const struct sample_attempt *s)
{
	struct waiting *w;

	if (a->tail - a->head == WAITING_MAX)
		give_oldest(a);
	if (s->flags & SAMPLE_UNDECIDED || !(s->flags & SAMPLE_COMPLETE))
		undecided_add(a->undecided, &(struct undecided_entry){s->id, a->tail, true});
	w = slot(a, a->tail++);
	memcpy(w->comm, s->comm, sizeof w->comm);
	w->id = s->id;
	w->described = s->process;
	w->complete = s->flags & SAMPLE_COMPLETE;
	w->undecided = s->flags & SAMPLE_UNDECIDED;
	w->process = (struct process){
		.pid = s->pid,
		.uid = s->uid,
		.gid = s->gid,
		.euid = UNKNOWN_ID,
		.egid = UNKNOWN_ID,
		.loginuid = UNKNOWN_ID,
		.audit_session = UNKNOWN_ID,
		.start_ns = s->start_ns,
		.comm = {NULL, strnlen((const char *)s->comm, sizeof s->comm)},
	};
	w->event = (struct event){
		.time_ns = s->time_ns,
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
}

/* The attempt of that id if it waits here still, else NULL. */
static struct waiting *find_waiting(struct assemble *a, uint64_t id)
{
	struct undecided_entry *entry = undecided_find(a->undecided, id);

	return entry && entry->waiting ? slot(a, (uint32_t)entry->number) : NULL;
}

static void take_source(struct assemble *a, const struct sample_source *s)
{
	struct waiting *w = find_waiting(a, s->id);
	uint8_t family;

	if (!w || w->complete)
		return;
	family = w->event.daddr.family;
	w->event.saddr = source_of(s->saddr, family);
	w->event.daddr = address_of(s->daddr, family);
	w->event.lport = s->lport;
	w->event.net_ns = s->net_ns;
	w->process.start_ns = s->start_ns;
	w->described = s->process;
	w->complete = true;
}

/* The last that is heard of an attempt: no source will come either. */
static void take_outcome(struct assemble *a, const struct sample_outcome *s)
{
	struct undecided_entry *entry = undecided_find(a->undecided, s->id);
	struct waiting *w = find_waiting(a, s->id);
	struct result result = result_of(&s->end);

	if (!entry || (w && !w->undecided))
		return;
	if (w) {
		w->event.result = result;
		w->complete = true;
		w->undecided = false;
		return;
	}
	a->handlers.result(a->handlers.context, entry->number, &result);
	undecided_remove(a->undecided, s->id);
}

void assemble_sample(struct assemble *a, const void *sample, size_t length)
{
	union {
		__u32 kind;
		struct sample_attempt attempt;
		struct sample_source source;
		struct sample_outcome outcome;
	} s;

	if (length >= sizeof s.kind && length <= sizeof s) {
		memcpy(&s, sample, length);
		if (s.kind == SAMPLE_ATTEMPT && length == sizeof s.attempt &&
			(s.attempt.family == 4 || s.attempt.family == 6) &&
			s.attempt.end.result <= RESULT_ABANDONED) {
			take_attempt(a, &s.attempt);
			return;
		}
		if (s.kind == SAMPLE_SOURCE && length == sizeof s.source) {
			take_source(a, &s.source);
			return;
		}
		if (s.kind == SAMPLE_OUTCOME && length == sizeof s.outcome &&
			s.outcome.end.result <= RESULT_ABANDONED) {
			take_outcome(a, &s.outcome);
			return;
		}
	}
	a->rejected++;
}

static uint64_t due(const struct assemble *a, const struct waiting *w)
{
	return w->complete ? 0 : w->event.time_ns + a->hold_ns;
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
