/* SPDX-License-Identifier: BSD-2-Clause */
/* Packets of events: what tcpconnect-trace(5) says of them is checked by tests/decode.py too. */
#include "unit.h"
#include "../../formats/packet.h"
#include "../../formats/packets.h"
#include "../../formats/batch_builder.h"

#include <arpa/inet.h>

static const uint8_t session[16] = "\x01\x02\x03\x04\x00\x00\x00\x10";

static struct process some_process(const char *comm)
{
	return (struct process){.identity = 1,
		.pid = 1234,
		.uid = 1000,
		.euid = UNKNOWN_ID,
		.egid = UNKNOWN_ID,
		.loginuid = UNKNOWN_ID,
		.audit_session = UNKNOWN_ID,
		.comm = bytes_of(comm)};
}

static struct event some_event(const struct process *process)
{
	return (struct event){.number = 7,
		.process = process,
		.tid = process->pid,
		.saddr = {4, {192, 0, 2, 10}},
		.daddr = {4, {198, 51, 100, 7}},
		.lport = 40000,
		.dport = 443};
}

static char *comment_of(const struct event *event)
{
	static char out[PACKET_COMMENT_MAX + 1];
	/* On the heap, so that a write beyond the end is seen. */
	char *exact = malloc(PACKET_COMMENT_MAX);
	size_t length;

	assert_non_null(exact);
	length = packet_comment(event, exact);
	assert_true(length <= PACKET_COMMENT_MAX);
	memcpy(out, exact, length);
	out[length] = '\0';
	free(exact);
	return out;
}

static void a_comment_says_who_and_what_became_of_it(void **state)
{
	struct process process = some_process("curl");
	struct event event = some_event(&process);

	(void)state;
	assert_string_equal(comment_of(&event), "curl[1234] uid=1000");
	event.tid = 1235;
	process.user = bytes_of("alice");
	process.exe = bytes_of("/usr/bin/curl");
	process.container = bytes_of("0123");
	process.unit = bytes_of("a.service");
	process.args = (struct bytes){(const uint8_t *)"curl\0\0a b\0", 10};
	event.result = (struct result){OUTCOME_FAILED, 111, 3, 1500};
	assert_string_equal(comment_of(&event),
		"curl[1234] tid=1235 uid=1000(alice) result=ECONNREFUSED latency=1500us "
		"retransmits=2 exe=/usr/bin/curl container=0123 unit=a.service "
		"args=curl  a\\x20b");
	event.query = bytes_of("www.example.net");
	assert_string_equal(comment_of(&event),
		"curl[1234] tid=1235 uid=1000(alice) result=ECONNREFUSED latency=1500us "
		"retransmits=2 query=www.example.net exe=/usr/bin/curl container=0123 "
		"unit=a.service args=curl  a\\x20b");
	event.query.length = 0;
	event.result = (struct result){OUTCOME_ESTABLISHED, 0, 1, 5};
	process.args.length = process.unit.length = process.container.length = 0;
	assert_string_equal(comment_of(&event),
		"curl[1234] tid=1235 uid=1000(alice) result=ok latency=5us exe=/usr/bin/curl");
}

static void no_name_forges_a_field(void **state)
{
	struct process process = some_process("x[1] uid=0");
	struct event event = some_event(&process);

	(void)state;
	process.user = bytes_of("a) result=ok");
	process.exe = bytes_of("/a args=b\n[2]\\x20");
	process.args = bytes_of("result=ok exe=/b");
	event.query = bytes_of("a exe=/b");
	assert_string_equal(comment_of(&event),
		"x[1]\\x20uid=0[1234] uid=1000(a)\\x20result=ok) query=a\\x20exe=/b "
		"exe=/a\\x20args=b\\x0a[2]\\\\x20 args=result=ok\\x20exe=/b");
}

static void everything_at_its_longest_fits(void **state)
{
	static uint8_t long_text[70000];
	struct process process = some_process("");
	struct event event = some_event(&process);
	struct bytes all = {long_text, sizeof long_text};
	static const uint8_t fillings[] = {'a', ' ', 0, 0xff, '\\'};

	(void)state;
	process.pid = process.uid = UINT32_MAX;
	event.tid = 4000000000u;
	event.result = (struct result){OUTCOME_FAILED, 113, UINT32_MAX, UINT64_MAX};
	process.comm = process.exe = process.user = process.container = process.unit =
		process.args = event.query = all;
	for (size_t i = 0; i < COUNT(fillings); i++) {
		uint8_t block[PACKET_BLOCK_MAX];
		struct block_writer w = {.data = block, .capacity = sizeof block};
		struct packet_origin origin = {session, INT64_MAX, UINT32_MAX, NULL};
		const char *comment;

		memset(long_text, fillings[i], sizeof long_text);
		comment = comment_of(&event);
		assert_true(strlen(comment) > 900);
		assert_string_equal(comment + strlen(comment) - 4, "\\...");
		event.daddr.family = event.saddr.family = 6;
		packet_block(&w, &event, &origin);
		assert_false(w.overflow);
		w.length = 0;
		packet_process_block(&w, &process);
		assert_false(w.overflow);
	}
	/* A character of several bytes is kept whole or cut off whole. */
	for (size_t shift = 0; shift < 4; shift++) {
		memset(long_text, 'a', shift);
		for (size_t i = shift; i + 4 <= sizeof long_text; i += 4)
			memcpy(long_text + i, "\xf0\x9f\x98\x80", 4);
		assert_null(strstr(comment_of(&event), "\\xf0"));
		assert_null(strstr(comment_of(&event), "\\x9f"));
	}
}

static void cut_arguments_are_marked(void **state)
{
	static uint8_t text[4096];
	struct process process = some_process("a");
	struct event event = some_event(&process);

	(void)state;
	process.args = (struct bytes){(const uint8_t *)"a\0b", 3};
	process.flags = PROCESS_ARGS_CUT;
	assert_string_equal(comment_of(&event), "a[1234] uid=1000 args=a b\\...");
	/* Once, also where the word itself is cut. */
	memset(text, 'x', sizeof text);
	process.args = (struct bytes){text, sizeof text};
	assert_null(strstr(comment_of(&event), "\\...\\..."));
}

/* Sum of 16-bit words, folded: 0xffff over a part that holds its own checksum. */
static uint32_t folded(uint32_t sum, const uint8_t *p, size_t length)
{
	for (size_t i = 0; i < length; i += 2)
		sum += (uint32_t)get_be(p + i, 2);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

/* Whatever room the event leaves for the arguments. */
static void kept_texts_change_nothing(void **state)
{
	static struct packet_texts texts;
	static uint8_t args[1200];
	struct process process = some_process("curl");
	struct packet_origin origin = {session, 1, -1, NULL};
	const struct result results[] = {
		{0}, {OUTCOME_FAILED, 113, UINT32_MAX, UINT64_MAX}, {OUTCOME_ESTABLISHED, 0, 1, 5}};

	(void)state;
	memset(args, 'a', sizeof args);
	process.exe = bytes_of("/usr/bin/curl");
	process.user = bytes_of("alice");
	for (size_t length = 0; length < sizeof args; length++) {
		texts.process = NULL;
		process.args = (struct bytes){args, length};
		for (size_t i = 0; i < COUNT(results); i++) {
			uint8_t with[PACKET_BLOCK_MAX], without[PACKET_BLOCK_MAX];
			struct block_writer a = {.data = with, .capacity = sizeof with};
			struct block_writer b = {.data = without, .capacity = sizeof without};
			struct event event = some_event(&process);

			event.tid += (uint32_t)i;
			event.result = results[i];
			event.query = (struct bytes){args, i ? length % 100 : 0};
			origin.texts = &texts;
			packet_block(&a, &event, &origin);
			origin.texts = NULL;
			packet_block(&b, &event, &origin);
			assert_int_equal(a.length, b.length);
			assert_memory_equal(with, without, b.length);
		}
		assert_ptr_equal(texts.process, &process);
	}
}

static void checksums_are_right(void **state)
{
	struct process process = some_process("a");
	struct event event = some_event(&process);
	struct packet_origin origin = {session, 1, -1, NULL};
	uint8_t block[PACKET_BLOCK_MAX];
	struct block_writer w = {.data = block, .capacity = sizeof block};
	uint64_t random = 1;

	(void)state;
	for (int i = 0; i < 20000; i++) {
		bool v6 = i & 1;
		const uint8_t *ip = block + 28;
		const uint8_t *tcp = ip + (v6 ? 40 : 20);

		event.saddr.family = event.daddr.family = v6 ? 6 : 4;
		for (int k = 0; k < 16; k++) {
			/* Mostly ones, for carries. */
			event.saddr.bytes[k] =
				(uint8_t)(random_next(&random) | random_next(&random));
			event.daddr.bytes[k] =
				(uint8_t)(random_next(&random) | random_next(&random));
		}
		event.lport = (uint16_t)random_next(&random);
		event.dport = (uint16_t)random_next(&random);
		event.number = random_next(&random);
		packet_block(&w, &event, &origin);
		assert_int_equal(get_le32(block + 20), v6 ? 60 : 40);
		if (!v6)
			assert_int_equal(folded(0, ip, 20), 0xffff);
		assert_int_equal(
			folded(folded(6 + 20, v6 ? ip + 8 : ip + 12, v6 ? 32 : 8), tcp, 20),
			0xffff);
		assert_int_equal(get_be(tcp + 4, 4), (uint32_t)(0x10000000 + event.number));
	}
}

static void unknown_sources_are_unspecified(void **state)
{
	struct process process = some_process("a");
	struct event event = some_event(&process);
	struct packet_origin origin = {session, -5, -1, NULL};
	uint8_t block[PACKET_BLOCK_MAX];
	struct block_writer w = {.data = block, .capacity = sizeof block};

	(void)state;
	event.saddr.family = 0;
	event.lport = 0;
	packet_block(&w, &event, &origin);
	assert_int_equal(get_be(block + 28 + 12, 4), 0);
	assert_int_equal(get_be(block + 28 + 20, 2), 0);
	assert_int_equal(get_le64(block + 12), 0); /* before 1970 */
	event.daddr.family = 0;
	packet_block(&w, &event, &origin);
	assert_int_equal(w.length, 0);
}

/* packets_write: gathers. */
struct gathered {
	uint8_t *data;
	size_t length;
	unsigned int calls;
};

static int gather(void *context, const uint8_t *blocks, size_t length, struct error *error)
{
	struct gathered *g = context;

	(void)error;
	g->data = realloc(g->data, g->length + length);
	assert_non_null(g->data);
	memcpy(g->data + g->length, blocks, length);
	g->length += length;
	g->calls++;
	return 0;
}

/* Returns the pid after the last one. */
static uint32_t full_batch(uint8_t *record, size_t *length, uint32_t first_pid)
{
	struct batch_builder *builder = batch_builder_new();
	struct batch_header header = {.anchor = {0, 1000}};
	uint32_t pid = first_pid;

	assert_non_null(builder);
	memcpy(header.session, session, sizeof header.session);
	for (;;) {
		struct process process = some_process("many");
		struct event event = some_event(&process);

		process.pid = event.tid = pid;
		process.identity = pid;
		if (batch_builder_add(builder, &event))
			break;
		pid++;
	}
	*length = batch_builder_encode(builder, &header, record);
	batch_builder_free(builder);
	return pid;
}

/* More processes than are remembered: their blocks are written again, the numbers go on. */
static void processes_have_their_blocks(void **state)
{
	uint8_t *record = malloc(RECORD_PAYLOAD_MAX);
	struct packets *packets = packets_new();
	struct gathered g = {0};
	struct error error;
	size_t length, at = 0;
	uint32_t *pids = malloc(65536 * sizeof *pids);
	uint32_t blocks = 0, seen = 0, first = 1;

	(void)state;
	assert_true(record && packets && pids);
	for (int round = 0; round < 5; round++) {
		first = full_batch(record, &length, round == 4 ? 1 : first);
		assert_int_equal(packets_of_batch(packets, (struct bytes){record, length}, false,
					 gather, &g, &error),
			0);
	}
	assert_true(g.calls > 10);
	while (at < g.length) {
		uint32_t size = get_le32(g.data + at + 4);

		assert_int_equal(get_le32(g.data + at + size - 4), size);
		if (get_le32(g.data + at) == BLOCK_PROCESS) {
			assert_true(blocks < 65536);
			pids[blocks++] = get_le32(g.data + at + 8);
		} else {
			/* The last option but the end: the number of the block. */
			uint32_t number = get_le32(g.data + at + size - 12);

			assert_int_equal(get_le32(g.data + at + size - 16), 0x48001);
			assert_true(number < blocks);
			assert_int_equal(get_le32(g.data + at + size - 24), pids[number]);
			seen++;
		}
		at += size;
	}
	assert_true(seen > 8192 && blocks > 4096);
	packets_free(packets);
	packets_free(NULL);
	free(g.data);
	free(record);
	free(pids);
}

static void a_damaged_batch_is_refused(void **state)
{
	uint8_t *record = malloc(RECORD_PAYLOAD_MAX);
	struct packets *packets = packets_new();
	struct error error;
	size_t length;

	(void)state;
	assert_true(record && packets);
	full_batch(record, &length, 1);
	put_le(record + BATCH_AT_BODY, UINT32_MAX, 4);
	assert_int_equal(packets_of_batch(packets, (struct bytes){record, length}, false, gather,
				 NULL, &error),
		-1);
	packets_free(packets);
	free(record);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_comment_says_who_and_what_became_of_it),
		cmocka_unit_test(no_name_forges_a_field),
		cmocka_unit_test(everything_at_its_longest_fits),
		cmocka_unit_test(cut_arguments_are_marked),
		cmocka_unit_test(kept_texts_change_nothing),
		cmocka_unit_test(checksums_are_right),
		cmocka_unit_test(unknown_sources_are_unspecified),
		cmocka_unit_test(processes_have_their_blocks),
		cmocka_unit_test(a_damaged_batch_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
