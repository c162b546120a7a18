/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Arbitrary sequences of samples. A model beside the assembler: every attempt
 * that is accepted is handed on exactly once, in order, joined with the source
 * that came for it; every other sample is counted.
 *
 * The input is a list of steps: a byte that says which, and what it needs.
 */
#include <assert.h>
#include <linux/types.h>
#include <stdlib.h>

#include "../../bpf/tcpconnect.h"
#include "../../capture/assemble.h"

#define WAITING_MOST 8192
#define HOLD 50
#define BURST_MAX (255 * 40) /* more than may wait */
#define ATTEMPTS_MAX (2 * BURST_MAX)

static struct attempt {
	struct sample_attempt sample;
	uint64_t described;
	uint16_t lport; /* with the source, if one came in time */
	bool complete, undecided;
	uint8_t outcome; /* that it must be handed on with */
} attempts[ATTEMPTS_MAX];

struct model {
	size_t accepted, given;
	uint64_t rejected;
	size_t late; /* the event whose outcome must come next; NONE: none must come */
	struct assemble *assemble;
};

#define NONE SIZE_MAX

static uint64_t give(void *context, struct event *event, uint64_t described)
{
	struct model *m = context;
	const struct attempt *a = &attempts[m->given++];

	assert(m->given <= m->accepted);
	assert(event->time_ns == a->sample.time_ns);
	assert(event->process->pid == a->sample.pid);
	assert(event->process->uid == a->sample.uid);
	assert(event->process->gid == a->sample.gid);
	assert(event->tid == a->sample.tid);
	assert(event->dport == a->sample.dport);
	assert(event->lport == a->lport);
	assert(event->daddr.family == a->sample.family);
	assert(!event->saddr.family || event->saddr.family == a->sample.family);
	assert(event->process->comm.length <= SAMPLE_COMM_SIZE);
	assert(!memcmp(event->process->comm.data, a->sample.comm, event->process->comm.length));
	assert(event->result.outcome == a->outcome);
	assert(described == a->described);
	return m->given - 1;
}

static void give_result(void *context, uint64_t number, const struct result *result)
{
	struct model *m = context;

	assert(number == m->late && result->outcome <= OUTCOME_ABANDONED);
	m->late = NONE;
}

static void expect_attempt(struct model *m, const uint8_t *bytes)
{
	struct attempt *a = &attempts[m->accepted];

	memcpy(&a->sample, bytes, sizeof a->sample);
	a->lport = a->sample.lport;
	a->described = a->sample.process;
	a->complete = a->sample.flags & SAMPLE_COMPLETE;
	a->undecided = a->sample.flags & SAMPLE_UNDECIDED;
	a->outcome = a->sample.end.result;
	m->accepted++;
}

/*
 * The attempt that an id means: the newest with it that expects to hear more.
 * One more with the same id takes the place of those before.
 */
static struct attempt *find(struct model *m, uint64_t id)
{
	for (size_t i = m->accepted; i-- > 0;) {
		struct attempt *a = &attempts[i];

		if (a->sample.id == id && (a->sample.flags & SAMPLE_UNDECIDED ||
						  !(a->sample.flags & SAMPLE_COMPLETE)))
			return a;
	}
	return NULL;
}

static void expect_source(struct model *m, const uint8_t *bytes)
{
	struct sample_source source;
	struct attempt *a;

	memcpy(&source, bytes, sizeof source);
	a = find(m, source.id);
	if (!a || a->complete || (size_t)(a - attempts) < m->given)
		return;
	a->lport = source.lport;
	a->described = source.process;
	a->complete = true;
}

static void expect_outcome(struct model *m, const uint8_t *bytes)
{
	struct sample_outcome sample;
	struct attempt *a;

	memcpy(&sample, bytes, sizeof sample);
	a = find(m, sample.id);
	if (!a || !a->undecided)
		return;
	a->undecided = false;
	if ((size_t)(a - attempts) < m->given) {
		m->late = (size_t)(a - attempts);
		return;
	}
	a->outcome = sample.end.result;
	a->complete = true;
}

static void send(struct model *m, const void *sample, size_t length)
{
	const uint8_t *bytes = sample;
	uint32_t kind = 0;

	if (length >= sizeof kind)
		memcpy(&kind, bytes, sizeof kind);
	if (kind == SAMPLE_ATTEMPT && length == sizeof(struct sample_attempt) &&
		(bytes[offsetof(struct sample_attempt, family)] == 4 ||
			bytes[offsetof(struct sample_attempt, family)] == 6) &&
		bytes[offsetof(struct sample_attempt, end.result)] <= RESULT_ABANDONED)
		expect_attempt(m, bytes);
	else if (kind == SAMPLE_SOURCE && length == sizeof(struct sample_source))
		expect_source(m, bytes);
	else if (kind == SAMPLE_OUTCOME && length == sizeof(struct sample_outcome) &&
		 bytes[offsetof(struct sample_outcome, end.result)] <= RESULT_ABANDONED)
		expect_outcome(m, bytes);
	else
		m->rejected++;
	assemble_sample(m->assemble, bytes, length);
	assert(m->late == NONE);
	assert(m->accepted - m->given <= WAITING_MOST);
	assert(assemble_rejected(m->assemble) == m->rejected);
}

static void send_raw(struct model *m, struct bytes raw)
{
	uint8_t *copy = malloc(raw.length + 1); /* so that a read beyond it is seen */

	assert(copy);
	memcpy(copy + 1, raw.data, raw.length); /* not aligned */
	send(m, copy + 1, raw.length);
	free(copy);
}

/* few: so that sockets and numbers meet again. */
static void send_attempt(struct model *m, uint8_t few)
{
	const struct sample_attempt sample = {
		.kind = SAMPLE_ATTEMPT,
		.flags = (few & 1 ? SAMPLE_COMPLETE : 0) | (few & 128 ? SAMPLE_UNDECIDED : 0),
		.time_ns = m->accepted,
		.id = few >> 1 & 31,
		.pid = (uint32_t)m->accepted,
		.comm = "comm",
		.family = few & 64 ? 6 : 4,
	};

	send(m, &sample, sizeof sample);
}

static void send_source(struct model *m, uint8_t few)
{
	const struct sample_source sample = {
		.kind = SAMPLE_SOURCE,
		.id = few >> 1 & 31,
		.saddr = {few & 1},
		.lport = few,
	};

	send(m, &sample, sizeof sample);
}

static void send_outcome(struct model *m, uint8_t few)
{
	const struct sample_outcome sample = {
		.kind = SAMPLE_OUTCOME,
		.id = few >> 1 & 31,
		.end = {.result = few >> 6},
	};

	send(m, &sample, sizeof sample);
}

static void release(struct model *m, uint64_t now_ns)
{
	assemble_release(m->assemble, now_ns);
	assert(assemble_deadline(m->assemble) > now_ns || now_ns == UINT64_MAX);
	assert((assemble_deadline(m->assemble) == UINT64_MAX) >= (m->given == m->accepted));
	/* What is complete and first does not wait. */
	assert(m->given == m->accepted || !attempts[m->given].complete);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes rest = {data, size}, raw;
	struct model m = {.late = NONE};
	const struct assemble_handlers handlers = {give, give_result, &m};

	m.assemble = assemble_new(HOLD, &handlers);

	assert(m.assemble);
	while (rest.length >= 2 && m.accepted <= ATTEMPTS_MAX - BURST_MAX) {
		uint8_t step = rest.data[0], value = rest.data[1];

		rest = (struct bytes){rest.data + 2, rest.length - 2};
		switch (step % 6) {
		case 0:
			send_attempt(&m, value);
			break;
		case 1:
			send_source(&m, value);
			break;
		case 2:
			release(&m, m.accepted + value);
			break;
		case 3: /* a burst of incomplete ones, or a few */
			for (unsigned int i = 0; i < value * (step >= 240 ? 40u : 1u); i++)
				send_attempt(&m, (uint8_t)(i << 1));
			break;
		case 5:
			send_outcome(&m, value);
			break;
		case 4:
			if (!bytes_slice(rest, 0, value, &raw))
				raw = rest;
			send_raw(&m, raw);
			rest = (struct bytes){rest.data + raw.length, rest.length - raw.length};
			break;
		}
	}
	release(&m, UINT64_MAX);
	assert(m.given == m.accepted);
	assemble_free(m.assemble);
	return 0;
}
