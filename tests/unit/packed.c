/* SPDX-License-Identifier: BSD-2-Clause */
/* Batches of finished files: larger, encoded, and with a summary by which they are skipped. */
#include "unit.h"
#include "../../formats/filter.h"
#include "../../formats/skip.h"
#include "../../formats/trace_reader.h"
#include "../../formats/trace_writer.h"

#include <fcntl.h>

/* The event of that number; noise: nothing in it compresses. */
static struct event make_event(uint64_t number, bool noise)
{
	static const struct process process = {
		.identity = 1, .pid = 10, .uid = 1000, .comm = {(const uint8_t *)"curl", 4}};
	uint64_t state = number;
	struct event e = {.number = number, .process = &process, .tid = 10, .dport = 443};

	e.time_ns = 1000000 + number * 1000 - random_next(&state) % 5000; /* not quite in order */
	e.daddr.family = 6;
	e.daddr.bytes[0] = 0x20;
	e.result = (struct result){OUTCOME_ESTABLISHED, 0, 1, random_next(&state) % 100000};
	if (noise) {
		uint64_t low = random_next(&state), high = random_next(&state);

		memcpy(e.daddr.bytes, &low, 8);
		memcpy(e.daddr.bytes + 8, &high, 8);
		e.time_ns = 1000000 + (random_next(&state) >> 8);
		e.result.latency_us = random_next(&state);
		e.lport = (uint16_t)random_next(&state);
		e.net_ns = (uint32_t)random_next(&state);
		e.saddr = e.daddr;
		e.saddr.bytes[3] = (uint8_t)~e.saddr.bytes[3];
		e.answered = random_next(&state);
		e.query = (struct bytes){(const uint8_t *)"www.example.net", number % 16};
	}
	return e;
}

static void assert_same(const struct event *a, const struct event *b)
{
	assert_int_equal(a->number, b->number);
	assert_int_equal(a->time_ns, b->time_ns);
	assert_memory_equal(&a->daddr, &b->daddr, sizeof a->daddr);
	assert_memory_equal(&a->saddr, &b->saddr, sizeof a->saddr);
	assert_int_equal(a->lport, b->lport);
	assert_int_equal(a->dport, b->dport);
	assert_int_equal(a->net_ns, b->net_ns);
	assert_int_equal(a->result.latency_us, b->result.latency_us);
	assert_int_equal(a->answered, b->answered);
	assert_true(bytes_equal(a->query, b->query));
	assert_int_equal(a->process->uid, b->process->uid);
}

/* Writes as many events as fit into one batch, to a file by that pattern for mkstemp(3). */
static int write_trace(char *name, bool noise, bool compress, uint64_t *count)
{
	struct trace_info info = {.session = "0123456789abcde", .file = 1};
	struct batch_header header = {.session = "0123456789abcde", .host = bytes_of("host")};
	struct batch_builder *builder = batch_builder_new();
	struct trace_writer *writer;
	struct error error;
	int fd = mkstemp(name);

	assert_true(fd >= 0);
	writer = trace_writer_new(fd, name, &info, &error);
	assert_non_null(writer);
	assert_non_null(builder);
	if (compress) {
		assert_int_equal(trace_writer_compress(writer, &error), 0);
		assert_int_equal(batch_builder_skip(builder), 0);
		batch_builder_pack(builder);
	}
	for (*count = 0;; ++*count) {
		struct event event = make_event(*count, noise);

		if (batch_builder_add(builder, &event))
			break;
	}
	header.counters.seen = header.counters.recorded = *count;
	assert_int_equal(trace_writer_batch(writer, builder, &header, &error), 0);
	assert_int_equal(trace_writer_finish(writer, &error), 0);
	trace_writer_free(writer);
	batch_builder_free(builder);
	return fd;
}

/* Returns how many batches became of as many events as fit into one. */
static uint64_t write_and_read(bool noise, uint64_t *count)
{
	struct trace_reader *reader;
	struct batch batch = {0};
	struct error error;
	char name[] = "/tmp/unit-packed-XXXXXX";
	int fd = write_trace(name, noise, true, count);
	uint64_t batches = 0, read = 0;

	reader = trace_reader_open(name, &error);
	assert_non_null(reader);
	while (trace_reader_next(reader, &batch, &error) > 0) {
		assert_int_equal(batch.header.sequence, read);
		assert_int_equal(batch.header.counters.recorded, read + batch.events);
		assert_true(trace_reader_record(reader).length <= RECORD_PAYLOAD_MAX - 4);
		for (uint32_t row = 0; row < batch.events; row++, read++) {
			struct event wanted = make_event(read, noise), event;

			batch_event(&batch, row, &event);
			assert_same(&event, &wanted);
		}
		batches++;
	}
	assert_int_equal(read, *count);
	assert_true(trace_reader_facts(reader).closed);
	trace_reader_free(reader);
	batch_release(&batch);
	close(fd);
	unlink(name);
	return batches;
}

static void a_full_batch_is_read_back(void **context)
{
	uint64_t count;

	(void)context;
	assert_int_equal(write_and_read(false, &count), 1);
	assert_int_equal(count, BATCH_EVENTS_MAX);
}

static void what_does_not_compress_is_written_in_parts(void **context)
{
	uint64_t count;

	(void)context;
	assert_true(write_and_read(true, &count) > 1);
	assert_true(count > 10000);
}

static void columns_are_read_when_they_are_asked_for(void **context)
{
	char name[] = "/tmp/unit-packed-XXXXXX";
	struct trace_reader *reader;
	struct batch batch = {0};
	struct error error;
	uint64_t count, before;
	int fd = write_trace(name, true, false, &count);

	(void)context;
	/* Twice: the second time the file ends before the rest is asked for. */
	for (int cut = 0; cut < 2; cut++) {
		reader = trace_reader_open(name, &error);
		assert_non_null(reader);
		assert_int_equal(trace_reader_head(reader, &batch, &error), 1);
		assert_int_equal(trace_reader_load_parts(reader, &batch, &error), 1);
		assert_int_equal(batch.events, count);
		before = bytes_read();
		assert_int_equal(batch_need(&batch, EVENT_BIT(EVENT_LATENCY), &error), 0);
		assert_in_range(bytes_read() - before, 8 * count - 4096, 8 * count + 2 * 4096);
		for (uint32_t row = 0; row < count; row++)
			assert_int_equal(column_get(&batch.latency, row),
				make_event(row, true).result.latency_us);
		if (cut)
			assert_int_equal(ftruncate(fd, 4096), 0);
		assert_int_equal(batch_need(&batch, EVENT_BITS, &error), -cut);
		for (uint32_t row = 0; row < batch.events; row++) {
			struct event wanted = make_event(row, true), event;

			batch_event(&batch, row, &event);
			assert_same(&event, &wanted);
		}
		trace_reader_free(reader);
	}
	assert_int_equal(batch.events, 0);
	assert_contains(error.text, "the file ends inside the body");
	batch_release(&batch);
	close(fd);
	unlink(name);
}

static uint64_t hash_of(uint32_t number)
{
	uint8_t value[4];

	put_le(value, number, 4);
	return skip_hash(SKIP_UID, (struct bytes){value, 4});
}

static void a_summary_never_denies_what_is_there(void **context)
{
	static struct skip_set set;
	static uint8_t out[SKIP_BYTES_MAX];
	static const uint32_t sizes[] = {1, 10, 1000, 4000, SKIP_ITEMS_MAX};

	(void)context;
	for (size_t i = 0; i < COUNT(sizes); i++) {
		struct bytes summary = {out, 0};
		uint32_t wrong = 0;

		skip_clear(&set);
		for (uint32_t n = 0; n < sizes[i]; n++) {
			skip_add(&set, hash_of(n));
			skip_add(&set, hash_of(n));
		}
		assert_int_equal(set.count, sizes[i]);
		summary.length = skip_encode(&set, out);
		assert_in_range(summary.length, SKIP_HEADER + 1, SKIP_BYTES_MAX);
		for (uint32_t n = 0; n < sizes[i]; n++)
			assert_true(skip_may_hold(summary, hash_of(n)));
		for (uint32_t n = 0; n < 10000; n++)
			wrong += skip_may_hold(summary, hash_of(1000000 + n));
		/* 2.4 % of those that are not, with room for all. */
		assert_true(sizes[i] > 4000 || wrong < 400);
	}
	skip_add(&set, hash_of(SKIP_ITEMS_MAX));
	assert_int_equal(skip_encode(&set, out), 0);
}

static void a_summary_that_makes_no_sense_says_nothing(void **context)
{
	uint8_t summary[16] = {64, 0, 0, 0, 4};

	(void)context;
	assert_false(skip_may_hold((struct bytes){summary, 16}, 1));
	assert_true(skip_may_hold((struct bytes){summary, 15}, 1));
	assert_true(skip_may_hold((struct bytes){summary, 7}, 1));
	assert_true(skip_may_hold((struct bytes){NULL, 0}, 1));
	summary[0] = 0;
	assert_true(skip_may_hold((struct bytes){summary, 16}, 1));
	summary[0] = 65;
	assert_true(skip_may_hold((struct bytes){summary, 16}, 1));
}

/* Expressions of which something is known, and the batch of one event that they may match. */
static void an_expression_is_looked_for_in_the_summary(void **context)
{
	static const struct {
		const char *text;
		bool skips;
	} cases[] = {
		{"dst host 192.0.2.1", false},
		{"dst host 192.0.2.2", true},
		{"host 192.0.2.2", true},
		{"dst net 192.0.2.0/25", false},
		{"dst net 192.0.3.0/25", true},
		{"dst net 192.0.0.0/17 and tcp port 443", false},
		{"dst net 193.0.0.0/9", true},
		{"dst net 192.0.0.0/7", false},
		{"src host 0.0.0.0", false},
		{"net 0.0.0.0/8", false},
		{"dst port 443", false},
		{"dst port 80", true},
		{"port 80", false},
		{"dst portrange 440-450 and dst host 192.0.2.1", false},
		{"dst portrange 20-22", true},
		{"dst host 192.0.2.2 or dst port 443", false},
		{"not dst host 192.0.2.2", false},
		{"dst host 2001:db8::1", true},
		{"tcp[tcpflags] & tcp-syn != 0 and dst port 80", false},
	};
	static struct skip_set set;
	static uint8_t out[SKIP_BYTES_MAX];
	struct bytes summary = {out, 0};

	(void)context;
	skip_add_address(&set, 4, (const uint8_t[]){192, 0, 2, 1});
	skip_add(&set, skip_hash(SKIP_PORT, (struct bytes){(const uint8_t[]){443 & 255, 1}, 2}));
	summary.length = skip_encode(&set, out);
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct filter filter = {0};
		struct error error;

		assert_int_equal(filter_set_expression(&filter, cases[i].text, &error), 0);
		if (filter_skips(&filter, summary) != cases[i].skips)
			fail_msg("%s", cases[i].text);
		filter_release(&filter);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_full_batch_is_read_back),
		cmocka_unit_test(what_does_not_compress_is_written_in_parts),
		cmocka_unit_test(columns_are_read_when_they_are_asked_for),
		cmocka_unit_test(a_summary_never_denies_what_is_there),
		cmocka_unit_test(a_summary_that_makes_no_sense_says_nothing),
		cmocka_unit_test(an_expression_is_looked_for_in_the_summary),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
