/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"
#include "../../capture/assemble.h"

#include <linux/types.h>

#include "../../bpf/tcpconnect.h"

#define WAITING_MOST 8192
#define HOLD 1000

/* What was handed on, copied: the event is borrowed. */
static struct {
	struct event events[3 * WAITING_MOST];
	char comms[3 * WAITING_MOST][SAMPLE_COMM_SIZE + 1];
	size_t count;
	uint64_t described; /* of the last */
} given;

static uint64_t give(void *context, struct event *event, uint64_t described)
{
	assert_ptr_equal(context, &given);
	given.described = described;
	assert_true(given.count < COUNT(given.events));
	assert_true(event->process->comm.length <= SAMPLE_COMM_SIZE);
	given.events[given.count] = *event;
	memcpy(given.comms[given.count], event->process->comm.data, event->process->comm.length);
	given.comms[given.count][event->process->comm.length] = '\0';
	return given.count++;
}

/* The last late result, and how many came. */
static struct {
	uint64_t number;
	struct result result;
	size_t count;
} late;

static void give_result(void *context, uint64_t number, const struct result *result)
{
	assert_ptr_equal(context, &given);
	late.number = number;
	late.result = *result;
	late.count++;
}

static struct assemble *start(void)
{
	struct assemble *a =
		assemble_new(HOLD, &(struct assemble_handlers){give, give_result, &given});

	assert_non_null(a);
	given.count = late.count = 0;
	return a;
}

static struct sample_attempt attempt_of(uint64_t socket, uint32_t ordinal, uint32_t flags)
{
	return (struct sample_attempt){
		.kind = SAMPLE_ATTEMPT,
		.flags = flags,
		.time_ns = 10000,
		.id = socket << 8 | ordinal,
		.pid = 7,
		.tid = 8,
		.uid = 1000,
		.gid = 100,
		.dport = 443,
		.comm = "curl",
		.daddr = {10, 0, 0, 1},
		.family = 4,
	};
}

static struct sample_source source_of(uint64_t socket, uint32_t ordinal)
{
	return (struct sample_source){
		.kind = SAMPLE_SOURCE,
		.id = socket << 8 | ordinal,
		.saddr = {10, 0, 0, 2},
		.daddr = {10, 0, 0, 1},
		.lport = 40000,
	};
}

static void send_attempt(
	struct assemble *a, uint64_t socket, uint32_t ordinal, uint32_t flags, uint64_t time_ns)
{
	struct sample_attempt sample = attempt_of(socket, ordinal, flags);

	sample.time_ns = time_ns;
	assemble_sample(a, &sample, sizeof sample);
}

static void send_source(struct assemble *a, uint64_t socket, uint32_t ordinal)
{
	struct sample_source sample = source_of(socket, ordinal);

	assemble_sample(a, &sample, sizeof sample);
}

static void complete_attempts_pass_at_once(void **state)
{
	struct assemble *a = start();
	struct sample_attempt sample = attempt_of(1, 1, SAMPLE_COMPLETE);
	const struct event *e = &given.events[0];

	(void)state;
	memcpy(sample.saddr, (uint8_t[]){10, 0, 0, 2}, 4);
	sample.lport = 40000;
	sample.process = 77;
	assert_true(assemble_deadline(a) == UINT64_MAX);
	assemble_sample(a, &sample, sizeof sample);
	assert_int_equal(assemble_deadline(a), 0);
	assemble_release(a, 0);
	assert_int_equal(given.count, 1);
	assert_true(assemble_deadline(a) == UINT64_MAX);
	assert_int_equal(e->time_ns, 10000);
	assert_int_equal(e->process->pid, 7);
	assert_int_equal(given.described, 77);
	assert_int_equal(e->tid, 8);
	assert_int_equal(e->process->uid, 1000);
	assert_int_equal(e->process->gid, 100);
	assert_string_equal(given.comms[0], "curl");
	assert_int_equal(e->flags, 0);
	assert_int_equal(e->saddr.family, 4);
	assert_memory_equal(e->saddr.bytes, "\x0a\0\0\2", 4);
	assert_int_equal(e->daddr.family, 4);
	assert_memory_equal(e->daddr.bytes, "\x0a\0\0\1", 4);
	assert_int_equal(e->lport, 40000);
	assert_int_equal(e->dport, 443);
	assert_int_equal(assemble_rejected(a), 0);
	assemble_free(a);
	assemble_free(NULL);
}

static void what_is_unknown_stays_unknown(void **state)
{
	struct assemble *a = start();
	struct sample_attempt sample = attempt_of(1, 1, SAMPLE_COMPLETE | SAMPLE_MAPPED);

	(void)state;
	assemble_sample(a, &sample, sizeof sample);
	sample.family = 6;
	memset(sample.daddr, 0xaa, 16);
	sample.flags = SAMPLE_COMPLETE | 0x80;
	memset(sample.comm, 'x', sizeof sample.comm); /* not terminated */
	assemble_sample(a, &sample, sizeof sample);
	memset(sample.comm, 0, sizeof sample.comm);
	memset(sample.daddr, 0, 16);
	sample.saddr[15] = 1;
	assemble_sample(a, &sample, sizeof sample);
	assemble_release(a, UINT64_MAX);
	assert_int_equal(given.count, 3);
	assert_int_equal(given.events[0].flags, EVENT_MAPPED);
	assert_int_equal(given.events[0].saddr.family, 0);
	assert_int_equal(given.events[0].lport, 0);
	assert_int_equal(given.events[1].flags, 0);
	assert_int_equal(given.events[1].daddr.family, 6);
	assert_int_equal(given.events[1].daddr.bytes[15], 0xaa);
	assert_int_equal(given.events[1].saddr.family, 0);
	assert_string_equal(given.comms[1], "xxxxxxxxxxxxxxxx");
	assert_string_equal(given.comms[2], "");
	assert_int_equal(given.events[2].saddr.family, 6);
	assert_int_equal(given.events[2].daddr.family, 6); /* :: is an address to connect to */
	assemble_free(a);
}

/* The rest of an IPv4 address is zero, whatever the sample holds there. */
static void ipv4_addresses_have_four_bytes(void **state)
{
	struct assemble *a = start();
	struct sample_attempt sample = attempt_of(1, 1, SAMPLE_COMPLETE);

	(void)state;
	memset(sample.daddr, 0xaa, 16);
	memset(sample.saddr, 0xbb, 16);
	assemble_sample(a, &sample, sizeof sample);
	assemble_release(a, 0);
	assert_memory_equal(
		given.events[0].daddr.bytes, "\xaa\xaa\xaa\xaa\0\0\0\0\0\0\0\0\0\0\0", 16);
	assert_memory_equal(
		given.events[0].saddr.bytes, "\xbb\xbb\xbb\xbb\0\0\0\0\0\0\0\0\0\0\0", 16);
	assemble_free(a);
}

static void the_halves_of_an_attempt_are_joined(void **state)
{
	struct assemble *a = start();
	struct sample_source source = source_of(5, 2);

	(void)state;
	memcpy(source.daddr, (uint8_t[]){127, 0, 0, 1}, 4); /* of connect() to 0.0.0.0 */
	source.process = 78;
	send_attempt(a, 5, 2, 0, 10000);
	assemble_release(a, 10000);
	assert_int_equal(given.count, 0);
	assemble_sample(a, &source, sizeof source);
	assert_int_equal(assemble_deadline(a), 0);
	assemble_release(a, 0);
	assert_int_equal(given.count, 1);
	assert_int_equal(given.events[0].lport, 40000);
	assert_int_equal(given.events[0].dport, 443);
	assert_int_equal(given.events[0].saddr.family, 4);
	assert_memory_equal(given.events[0].saddr.bytes, "\x0a\0\0\2", 4);
	assert_memory_equal(given.events[0].daddr.bytes, "\x7f\0\0\1", 4);
	assert_int_equal(assemble_rejected(a), 0);
	assert_int_equal(given.described, 78);
	assemble_free(a);
}

/* The socket and the number of the attempt must both be the same; the others stay without. */
static void a_source_belongs_to_one_attempt(void **state)
{
	static const struct {
		uint64_t socket;
		uint32_t ordinal;
	} attempts[] = {{5, 1}, {5, 2}, {6, 2}, {5, 3}, {1ull << 32 | 5, 2}};
	struct assemble *a = start();

	(void)state;
	for (size_t i = 0; i < COUNT(attempts); i++)
		send_attempt(a, attempts[i].socket, attempts[i].ordinal, 0, 10000 + i);
	send_source(a, 5, 2);
	send_source(a, 5, 2); /* once more: there is none left that wants it */
	send_source(a, 7, 1);
	send_source(a, 6, 1);
	assemble_release(a, UINT64_MAX);
	assert_int_equal(given.count, COUNT(attempts));
	for (size_t i = 0; i < COUNT(attempts); i++) {
		assert_int_equal(given.events[i].time_ns, 10000 + i);
		assert_int_equal(given.events[i].lport, i == 1 ? 40000 : 0);
	}
	assemble_free(a);
}

static void a_source_does_not_change_a_complete_attempt(void **state)
{
	struct assemble *a = start();

	(void)state;
	send_attempt(a, 5, 1, SAMPLE_COMPLETE, 10000);
	send_source(a, 5, 1);
	assemble_release(a, UINT64_MAX);
	assert_int_equal(given.events[0].lport, 0);
	assert_int_equal(given.events[0].saddr.family, 0);
	assemble_free(a);
}

static void a_late_source_is_ignored(void **state)
{
	struct assemble *a = start();

	(void)state;
	send_attempt(a, 5, 1, 0, 10000);
	assemble_release(a, 10000 + HOLD);
	assert_int_equal(given.count, 1);
	assert_int_equal(given.events[0].saddr.family, 0);
	send_source(a, 5, 1);
	assemble_release(a, UINT64_MAX);
	assert_int_equal(given.count, 1);
	assert_int_equal(assemble_rejected(a), 0);
	assemble_free(a);
}

static void an_attempt_waits_for_its_time_and_no_longer(void **state)
{
	struct assemble *a = start();

	(void)state;
	send_attempt(a, 5, 1, 0, 10000);
	assert_int_equal(assemble_deadline(a), 10000 + HOLD);
	assemble_release(a, 10000 + HOLD - 1);
	assert_int_equal(given.count, 0);
	assemble_release(a, assemble_deadline(a));
	assert_int_equal(given.count, 1);
	assert_true(assemble_deadline(a) == UINT64_MAX);
	assemble_free(a);
}

/* A complete one waits behind one that waits: the order is that of the attempts. */
static void order_is_kept(void **state)
{
	struct assemble *a = start();

	(void)state;
	send_attempt(a, 1, 1, 0, 10000);
	send_attempt(a, 2, 1, SAMPLE_COMPLETE, 10001);
	send_attempt(a, 3, 1, 0, 10002);
	assert_int_equal(assemble_deadline(a), 10000 + HOLD);
	assemble_release(a, 10002);
	assert_int_equal(given.count, 0);
	send_source(a, 3, 1);
	assemble_release(a, 10002);
	assert_int_equal(given.count, 0);
	send_source(a, 1, 1);
	assemble_release(a, 10002);
	assert_int_equal(given.count, 3);
	for (unsigned int i = 0; i < 3; i++)
		assert_int_equal(given.events[i].time_ns, 10000 + i);
	assemble_free(a);
}

static void too_many_waiting_are_handed_on_early_and_in_order(void **state)
{
	enum { MOST = 2 * WAITING_MOST + 77 };
	struct assemble *a = start();

	(void)state;
	for (uint32_t i = 0; i < MOST; i++) {
		send_attempt(a, i, 1, 0, 10000 + i);
		/* One that was handed on early can no longer be joined; a waiting one can. */
		if (i == WAITING_MOST) {
			send_source(a, 0, 1);
			send_source(a, 1, 1);
		}
		assert_int_equal(given.count, i < WAITING_MOST ? 0 : i - WAITING_MOST + 1);
	}
	assemble_release(a, UINT64_MAX);
	assert_int_equal(given.count, MOST);
	for (uint32_t i = 0; i < MOST; i++) {
		assert_int_equal(given.events[i].time_ns, 10000 + i);
		assert_int_equal(given.events[i].lport, i == 1 ? 40000 : 0);
	}
	assemble_free(a);
}

static void send_outcome(struct assemble *a, uint64_t socket, uint32_t ordinal, uint8_t result)
{
	struct sample_outcome sample = {
		.kind = SAMPLE_OUTCOME,
		.id = socket << 8 | ordinal,
		.end = {.latency_ns = 1234567, .retransmits = 3, .error = 111, .result = result},
	};

	assemble_sample(a, &sample, sizeof sample);
}

static void an_outcome_stands_with_the_event_or_comes_later(void **state)
{
	struct assemble *a = start();

	(void)state;
	/* While it waits for its source: no source will come any more. */
	send_attempt(a, 1, 1, SAMPLE_UNDECIDED, 10000);
	send_outcome(a, 1, 1, RESULT_FAILED);
	send_outcome(a, 1, 1, RESULT_ESTABLISHED); /* once more: ignored */
	assemble_release(a, 10000);
	assert_int_equal(given.count, 1);
	assert_int_equal(given.events[0].result.outcome, OUTCOME_FAILED);
	assert_int_equal(given.events[0].result.error, 111);
	assert_int_equal(given.events[0].result.retransmits, 3);
	assert_int_equal(given.events[0].result.latency_us, 1235);
	/* Handed on already. */
	send_attempt(a, 2, 1, SAMPLE_COMPLETE | SAMPLE_UNDECIDED, 10001);
	send_attempt(a, 3, 1, SAMPLE_COMPLETE | SAMPLE_UNDECIDED, 10002);
	assemble_release(a, 10002);
	assert_int_equal(given.count, 3);
	assert_int_equal(given.events[1].result.outcome, OUTCOME_PENDING);
	assert_int_equal(late.count, 0);
	send_outcome(a, 3, 1, RESULT_ABANDONED);
	assert_int_equal(late.count, 1);
	assert_int_equal(late.number, 2);
	assert_int_equal(late.result.outcome, OUTCOME_ABANDONED);
	send_outcome(a, 3, 1, RESULT_FAILED);
	send_outcome(a, 1, 1, RESULT_FAILED);
	send_outcome(a, 4, 1, RESULT_FAILED); /* of nobody */
	assert_int_equal(late.count, 1);
	send_outcome(a, 2, 1, RESULT_ESTABLISHED);
	assert_int_equal(late.count, 2);
	assert_int_equal(late.number, 1);
	assert_int_equal(assemble_rejected(a), 0);
	assemble_free(a);
}

/* One that says that it has ended takes no outcome; one that ended inside the call has it. */
static void decided_attempts_take_no_outcome(void **state)
{
	struct assemble *a = start();
	struct sample_attempt sample = attempt_of(1, 1, SAMPLE_COMPLETE);

	(void)state;
	sample.end = (struct sample_end){
		.latency_ns = 499, .error = 101, .result = RESULT_FAILED, .retransmits = 0};
	assemble_sample(a, &sample, sizeof sample);
	send_attempt(a, 2, 1, 0, 10000);
	send_outcome(a, 1, 1, RESULT_ESTABLISHED);
	send_outcome(a, 2, 1, RESULT_ESTABLISHED);
	assemble_release(a, UINT64_MAX);
	assert_int_equal(given.events[0].result.outcome, OUTCOME_FAILED);
	assert_int_equal(given.events[0].result.error, 101);
	assert_int_equal(given.events[0].result.latency_us, 0);
	assert_int_equal(given.events[1].result.outcome, OUTCOME_PENDING);
	assert_int_equal(late.count, 0);
	assemble_free(a);
}

static void samples_that_are_none_are_counted(void **state)
{
	struct assemble *a = start();
	struct sample_attempt attempt = attempt_of(1, 1, SAMPLE_COMPLETE);
	struct sample_source source = source_of(1, 1);
	uint8_t bytes[2 * sizeof attempt] = {0};
	uint64_t rejected = 0;

	(void)state;
	/* Each kind with each length but its own; none is read beyond its end. */
	for (size_t length = 0; length <= sizeof bytes; length++)
		for (unsigned int kind = 1; kind <= 3; kind++) {
			uint8_t *copy;

			memcpy(bytes, &attempt, sizeof attempt);
			bytes[0] = (uint8_t)kind;
			if (length == (kind == 1          ? sizeof attempt
					      : kind == 2 ? sizeof source
							  : sizeof(struct sample_outcome)))
				continue;
			copy = exact_copy(bytes, length);
			assemble_sample(a, copy, length);
			assert_int_equal(assemble_rejected(a), ++rejected);
			free(copy);
		}
	for (unsigned int kind = 0; kind < 256; kind++) {
		if (kind == SAMPLE_ATTEMPT || kind == SAMPLE_SOURCE)
			continue;
		attempt.kind = source.kind = kind;
		assemble_sample(a, &attempt, sizeof attempt);
		assemble_sample(a, &source, sizeof source);
		rejected += 2;
	}
	attempt.kind = SAMPLE_ATTEMPT;
	for (unsigned int family = 0; family < 256; family++) {
		attempt.family = (uint8_t)family;
		if (family == 4 || family == 6)
			continue;
		assemble_sample(a, &attempt, sizeof attempt);
		rejected++;
	}
	assert_int_equal(assemble_rejected(a), rejected);
	assemble_release(a, UINT64_MAX);
	assert_int_equal(given.count, 0);
	assemble_free(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(complete_attempts_pass_at_once),
		cmocka_unit_test(what_is_unknown_stays_unknown),
		cmocka_unit_test(ipv4_addresses_have_four_bytes),
		cmocka_unit_test(the_halves_of_an_attempt_are_joined),
		cmocka_unit_test(a_source_belongs_to_one_attempt),
		cmocka_unit_test(a_source_does_not_change_a_complete_attempt),
		cmocka_unit_test(a_late_source_is_ignored),
		cmocka_unit_test(an_attempt_waits_for_its_time_and_no_longer),
		cmocka_unit_test(order_is_kept),
		cmocka_unit_test(too_many_waiting_are_handed_on_early_and_in_order),
		cmocka_unit_test(an_outcome_stands_with_the_event_or_comes_later),
		cmocka_unit_test(decided_attempts_take_no_outcome),
		cmocka_unit_test(samples_that_are_none_are_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
