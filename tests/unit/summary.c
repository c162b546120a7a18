/* SPDX-License-Identifier: BSD-2-Clause */
/* What the summary of a file says of its batches, and what is made of it when it lies. */
#include "unit.h"
#include "../../formats/filter.h"
#include "../../formats/pcapng.h"
#include "../../formats/trace_reader.h"
#include "../../formats/trace_writer.h"

#include <sys/stat.h>
#include <zlib.h>

#define EVENTS 7 /* of a batch */

static struct process process_of(uint64_t number)
{
	return (struct process){.identity = 1 + number,
		.pid = 100 + (uint32_t)number,
		.uid = 1000 + (uint32_t)number,
		.comm = bytes_of(number % 2 ? "odd" : "even")};
}

static struct event event_of(uint64_t number, const struct process *process)
{
	struct event event = {.number = number,
		.time_ns = 5000 + number,
		.process = process,
		.daddr = {4, {10, 0, (uint8_t)(number >> 8), (uint8_t)number}},
		.dport = (uint16_t)(1 + number)};

	return event;
}

static void write_batches(
	struct trace_writer *writer, struct batch_builder *builder, uint32_t count)
{
	struct batch_header header = {.session = "0123456789abcde", .backend = bytes_of("fentry")};
	struct error error;

	for (uint32_t i = 0; i < count; i++) {
		for (uint32_t k = 0; k < EVENTS; k++) {
			struct process process = process_of(header.sequence + k);
			struct event event = event_of(header.sequence + k, &process);

			assert_int_equal(batch_builder_add(builder, &event), 0);
		}
		header.host = bytes_of(i % 2 ? "one" : "another");
		header.anchor = (struct clock_anchor){6000 + i, 1000000};
		header.counters.seen = header.counters.recorded = header.sequence + EVENTS;
		header.dropped = i;
		assert_int_equal(trace_writer_batch(writer, builder, &header, &error), 0);
		header.sequence += EVENTS;
	}
}

/* A trace of so many batches, with the values of all or without. */
static int new_trace(uint32_t count, bool values)
{
	struct trace_info info = {.session = "0123456789abcde", .file = 1};
	struct batch_builder *builder = batch_builder_new();
	int fd = memory_file("", 0);
	struct error error;
	struct trace_writer *writer = trace_writer_new(fd, "out", &info, &error);

	assert_non_null(writer);
	if (values)
		assert_int_equal(batch_builder_skip(builder), 0);
	write_batches(writer, builder, count);
	assert_int_equal(trace_writer_finish(writer, &error), 0);
	trace_writer_free(writer);
	batch_builder_free(builder);
	return fd;
}

static struct trace_reader *open_trace(int fd)
{
	struct trace_reader *reader;
	static char name[64]; /* the readers borrow it */
	struct error error;

	snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
	reader = trace_reader_open(name, &error);
	assert_non_null(reader);
	return reader;
}

struct file {
	uint8_t *data, *record; /* the summary */
	size_t length, record_length;
};

static struct file load(int fd)
{
	struct stat status;
	struct file file;

	assert_int_equal(fstat(fd, &status), 0);
	file.length = (size_t)status.st_size;
	file.data = malloc(file.length);
	assert_int_equal(pread(fd, file.data, file.length, 0), file.length);
	file.record = file.data + file.length - get_le32(file.data + file.length - 4) + 12;
	file.record_length = get_le32(file.record + 12);
	close(fd);
	return file;
}

static void sign(const struct file *file)
{
	put_le(file->record + 116, 0, 4);
	put_le(file->record + 116, crc32(0, file->record, (uInt)file->record_length), 4);
}

static bool may_hold_uid(struct bytes skip, uint32_t uid)
{
	uint8_t value[4];

	put_le(value, uid, 4);
	return skip_may_hold(skip, skip_hash(SKIP_UID, (struct bytes){value, 4}));
}

static void heads_come_from_the_summary(void **state)
{
	enum { BATCHES = 300 };
	int fd = new_trace(BATCHES, true);
	struct trace_reader *reader = open_trace(fd), *walker;
	struct batch head = {0}, real = {0};
	uint64_t before;
	struct error error;

	(void)state;
	for (uint32_t i = 0; i < BATCHES; i++) {
		uint32_t wrong = 0;

		assert_int_equal(trace_reader_head(reader, &head, &error), 1);
		assert_int_equal(head.header.sequence, i * EVENTS);
		assert_int_equal(head.header.dropped, i);
		assert_int_equal(head.header.anchor.boot_ns, 6000 + i);
		assert_int_equal(head.events, EVENTS);
		assert_true(bytes_equal(head.header.host, bytes_of(i % 2 ? "one" : "another")));
		assert_true(bytes_equal(head.header.backend, bytes_of("fentry")));
		for (uint32_t uid = 1000; uid < 1000 + BATCHES * EVENTS; uid++)
			assert_true(may_hold_uid(head.header.skip, uid));
		for (uint32_t uid = 100000; uid < 110000; uid++)
			wrong += may_hold_uid(head.header.skip, uid);
		assert_in_range(wrong, 0, 500);
	}
	assert_int_equal(trace_reader_head(reader, &head, &error), 0);
	assert_int_equal(trace_reader_head(reader, &head, &error), 0);
	assert_true(trace_reader_facts(reader).closed);
	assert_true(trace_reader_facts(reader).is_pcapng);
	assert_true(trace_reader_facts(reader).has_records);
	assert_int_equal(trace_reader_facts(reader).batches, BATCHES);
	assert_int_equal(trace_reader_facts(reader).events, BATCHES * EVENTS);
	/* The same again, of a file that is closed; then they are the same as those of the batches.
	 */
	assert_true(trace_reader_park(reader) > 0);
	walker = open_trace(fd);
	for (uint32_t i = 0; i < BATCHES; i++) {
		assert_int_equal(trace_reader_head(reader, &head, &error), 1);
		assert_int_equal(trace_reader_head(walker, &real, &error), 1);
		assert_int_equal(trace_reader_look(walker, &real, &error), 1);
		assert_int_equal(trace_reader_look(walker, &real, &error), 0);
		assert_false(may_hold_uid(real.header.skip, 1000 + (i + 1) * EVENTS) &&
			     may_hold_uid(real.header.skip, 5000 + i));
		assert_int_equal(head.header.sequence, real.header.sequence);
		assert_memory_equal(
			&head.header.counters, &real.header.counters, sizeof head.header.counters);
		if (i % 3)
			continue;
		assert_int_equal(trace_reader_load(walker, &real, &error), 1);
		assert_int_equal(real.events, EVENTS);
	}
	assert_int_equal(trace_reader_head(reader, &head, &error), 0);
	assert_true(trace_reader_facts(reader).closed);
	trace_reader_free(walker);
	trace_reader_free(reader);
	/* What it takes not to read them. */
	before = bytes_read();
	reader = open_trace(fd);
	while (trace_reader_head(reader, &head, &error) > 0)
		continue;
	assert_in_range(bytes_read() - before, BATCHES * 232, BATCHES * 232 + 40000);
	trace_reader_free(reader);
	batch_release(&head);
	batch_release(&real);
	close(fd);
}

static void unknown_values_are_no_filter(void **state)
{
	int fd = new_trace(3, false);
	struct trace_reader *reader = open_trace(fd);
	struct batch head = {0};
	struct error error;

	(void)state;
	assert_int_equal(trace_reader_head(reader, &head, &error), 1);
	assert_int_equal(head.header.skip.length, 0);
	assert_true(may_hold_uid(head.header.skip, 4242));
	trace_reader_free(reader);
	batch_release(&head);
	close(fd);
}

/* All events of the bytes, and the lines about what is wrong. */
struct reading {
	uint64_t events;
	unsigned int errors;
	char first[512];
};

static struct reading read_bytes(const uint8_t *data, size_t length)
{
	struct trace_reader *reader;
	struct reading reading = {.first = ""};
	int fd = memory_file(data, length), n;
	struct batch batch = {0};
	unsigned int calls = 0;
	struct error error;

	reader = open_trace(fd);
	while ((n = trace_reader_next(reader, &batch, &error)) != 0) {
		assert_true(++calls < 1000);
		reading.events += n > 0 ? batch.events : 0;
		if (n < 0 && !reading.errors++)
			memcpy(reading.first, error.text, sizeof reading.first);
	}
	trace_reader_free(reader);
	batch_release(&batch);
	close(fd);
	return reading;
}

static void a_head_that_lies_is_told_and_not_believed(void **state)
{
	/* sequence, wall clock, events, host, dropped */
	static const unsigned int at[] = {40, 56, 124, 144, 192};
	struct file file = load(new_trace(5, true));
	uint8_t *heads = file.record + get_le32(file.record + 128);

	(void)state;
	for (unsigned int i = 0; i < COUNT(at); i++)
		for (unsigned int batch = 0; batch < 5; batch++) {
			uint8_t *byte = heads + batch * 224 + at[i];
			struct reading reading;

			*byte ^= 1;
			sign(&file);
			reading = read_bytes(file.data, file.length);
			assert_int_equal(reading.errors, 1);
			assert_contains(reading.first, "the summary at the end says otherwise");
			assert_int_equal(reading.events, 5 * EVENTS);
			*byte ^= 1;
		}
	free(file.data);
}

/* Without damage to the batches nothing else than a summary's hiding them can lose events. */
static void a_hostile_summary_does_no_harm(void **state)
{
	struct file file = load(new_trace(5, true));
	uint64_t random = 5;

	(void)state;
	for (size_t i = 8; i < file.record_length; i++)
		for (unsigned int k = 0; k < 3; k++) {
			uint8_t saved = file.record[i];

			if (i >= 12 && i < 16)
				continue; /* its own length: not to sign what is not there */
			file.record[i] = k ? (uint8_t)random_next(&random) : (uint8_t)~saved;
			sign(&file);
			assert_in_range(read_bytes(file.data, file.length).events, 0, 5 * EVENTS);
			file.record[i] = saved;
		}
	free(file.data);
}

static void a_summary_of_before_is_read(void **state)
{
	struct file file = load(new_trace(5, true));
	struct reading reading;

	(void)state;
	put_le(file.record + 16, 128, 4);
	sign(&file);
	reading = read_bytes(file.data, file.length);
	assert_int_equal(reading.events, 5 * EVENTS);
	assert_int_equal(reading.errors, 0);
	free(file.data);
}

/* More batches than heads that fit: the rest is read; nothing is lost between them. */
static void heads_are_as_many_as_fit(void **state)
{
	enum { BATCHES = 1500 };
	int fd = new_trace(BATCHES, true);
	struct trace_reader *reader = open_trace(fd);
	struct batch head = {0};
	unsigned int copies = 0;
	struct file file;
	struct error error;

	(void)state;
	for (uint32_t i = 0; i < BATCHES; i++) {
		int n;

		assert_int_equal(trace_reader_head(reader, &head, &error), 1);
		assert_int_equal(head.header.sequence, i * EVENTS);
		n = i % 2 ? 0 : trace_reader_look(reader, &head, &error);
		assert_in_range(n, 0, 1);
		copies += (unsigned int)n;
	}
	assert_int_equal(trace_reader_head(reader, &head, &error), 0);
	assert_int_equal(trace_reader_park(reader), 0);
	assert_true(trace_reader_facts(reader).closed);
	trace_reader_free(reader);
	batch_release(&head);
	file = load(fd);
	assert_in_range(file.record_length, 262140 - 232, 262140);
	assert_in_range(copies * 2, get_le32(file.record + 132) / 224 - 2,
		get_le32(file.record + 132) / 224 + 2);
	free(file.data);
}

/* Values are added up to a limit; with more there is none, and it stays so. */
static void a_file_of_too_many_values_has_no_filter(void **state)
{
	static uint8_t out[SKIP_FILE_BYTES_MAX];
	struct skip_set set = {0}, more = {0};
	uint32_t wrong = 0;
	size_t length;

	(void)state;
	for (uint32_t i = 0; i < SKIP_FILE_ITEMS_MAX; i++)
		skip_add(i % 2 ? &set : &more,
			skip_hash(SKIP_PID, (struct bytes){(uint8_t *)&i, 4}));
	skip_add_all(&set, &more);
	skip_add_all(&set, &more);
	assert_int_equal(set.count, SKIP_FILE_ITEMS_MAX);
	length = skip_encode_file(&set, out);
	assert_int_equal(length, SKIP_FILE_BYTES_MAX);
	for (uint32_t i = 0; i < SKIP_FILE_ITEMS_MAX; i++)
		assert_true(skip_may_hold((struct bytes){out, length},
			skip_hash(SKIP_PID, (struct bytes){(uint8_t *)&i, 4})));
	for (uint32_t i = 0; i < 100000; i++)
		wrong += skip_may_hold((struct bytes){out, length},
			skip_hash(SKIP_UID, (struct bytes){(uint8_t *)&i, 4}));
	assert_in_range(wrong, 4000, 5200); /* 4.7 % */
	skip_add(&set, 12345);
	assert_int_equal(skip_encode_file(&set, out), 0);
	skip_add(&set, 12346);
	assert_int_equal(skip_encode_file(&set, out), 0);
	skip_clear(&set);
	skip_add(&set, 12346);
	assert_int_equal(skip_encode_file(&set, out), SKIP_HEADER + 8);
	skip_add_all(&set, NULL);
	assert_int_equal(skip_encode_file(&set, out), 0);
	skip_clear(&set);
	skip_add(&set, 0); /* which is how a free slot looks */
	assert_int_equal(skip_encode_file(&set, out), 0);
	skip_release(&set);
	skip_release(&more);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(heads_come_from_the_summary),
		cmocka_unit_test(unknown_values_are_no_filter),
		cmocka_unit_test(a_head_that_lies_is_told_and_not_believed),
		cmocka_unit_test(a_hostile_summary_does_no_harm),
		cmocka_unit_test(a_summary_of_before_is_read),
		cmocka_unit_test(heads_are_as_many_as_fit),
		cmocka_unit_test(a_file_of_too_many_values_has_no_filter),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
