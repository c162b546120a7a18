/* SPDX-License-Identifier: BSD-2-Clause */
#include "assemble.h"

#include <linux/types.h>
#include <stdlib.h>

#include "../bpf/tcpconnect.h"

#define WAITING_MAX 8192 /* a power of two; more attempts open at once are handed on early */

struct waiting {
	struct event event;
	struct process process;
	uint8_t comm[SAMPLE_COMM_SIZE];
	uint64_t socket;
	uint32_t ordinal;
	bool complete;
};

struct assemble {
	uint64_t hold_ns, rejected;
	assemble_event *give;
	void *context;
	uint32_t head, tail; /* head is the oldest; both count on and are taken modulo the size */
	struct waiting queue[WAITING_MAX];
};

struct assemble *assemble_new(uint64_t hold_ns, assemble_event *give, void *context)
{
	struct assemble *a = calloc(1, sizeof *a);

	if (a) {
		a->hold_ns = hold_ns;
		a->give = give;
		a->context = context;
	}
	return a;
}

void assemble_free(struct assemble *a)
{
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

static bool is_zero(const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (p[i])
			return false;
	return true;
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
	return address_of(bytes, is_zero(bytes, 16) ? 0 : family);
}

static void give_oldest(struct assemble *a)
{
	struct waiting *w = slot(a, a->head++);

	w->process.comm.data = w->comm;
	w->event.process = &w->process;
	a->give(a->context, &w->event);
}

static void take_attempt(struct assemble *a, const struct sample_attempt *s)
{
	struct waiting *w;

	if (a->tail - a->head == WAITING_MAX)
		give_oldest(a);
	w = slot(a, a->tail++);
	memset(w, 0, sizeof *w);
	memcpy(w->comm, s->comm, sizeof w->comm);
	w->socket = s->socket;
	w->ordinal = s->ordinal;
	w->complete = s->flags & SAMPLE_COMPLETE;
	w->process = (struct process){
		.pid = s->pid,
		.uid = s->uid,
		.gid = s->gid,
		.euid = UNKNOWN_ID,
		.egid = UNKNOWN_ID,
		.loginuid = UNKNOWN_ID,
		.audit_session = UNKNOWN_ID,
		.comm = {NULL, strnlen((const char *)s->comm, sizeof s->comm)},
	};
	w->event = (struct event){
		.time_ns = s->time_ns,
		.tid = s->tid,
		.flags = s->flags & SAMPLE_MAPPED ? EVENT_MAPPED : 0,
		.saddr = source_of(s->saddr, s->family),
		.daddr = address_of(s->daddr, s->family),
		.lport = s->lport,
		.dport = s->dport,
	};
}

/* Its attempt is among the newest: both are sent by one thread, one after the other. */
static void take_source(struct assemble *a, const struct sample_source *s)
{
	for (uint32_t n = a->tail; n != a->head;) {
		struct waiting *w = slot(a, --n);
		uint8_t family = w->event.daddr.family;

		if (w->complete || w->socket != s->socket || w->ordinal != s->ordinal)
			continue;
		w->event.saddr = source_of(s->saddr, family);
		w->event.daddr = address_of(s->daddr, family);
		w->event.lport = s->lport;
		w->complete = true;
		return;
	}
}

void assemble_sample(struct assemble *a, const void *sample, size_t length)
{
	union {
		__u32 kind;
		struct sample_attempt attempt;
		struct sample_source source;
	} s;

	if (length >= sizeof s.kind && length <= sizeof s) {
		memcpy(&s, sample, length);
		if (s.kind == SAMPLE_ATTEMPT && length == sizeof s.attempt &&
			(s.attempt.family == 4 || s.attempt.family == 6)) {
			take_attempt(a, &s.attempt);
			return;
		}
		if (s.kind == SAMPLE_SOURCE && length == sizeof s.source) {
			take_source(a, &s.source);
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
