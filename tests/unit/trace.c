/* SPDX-License-Identifier: BSD-2-Clause */
/* Whole files: what the writer puts into them, what the reader makes of them. */
#include "unit.h"
#include "../../formats/pcapng.h"
#include "../../formats/trace_reader.h"
#include "../../formats/trace_writer.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <zlib.h>

#define RECORD_MOST 262140 /* tcpconnect-trace(5), Limits */

static struct trace_info info_of(uint32_t file)
{
	return (struct trace_info){
		.session = "0123456789abcde",
		.file = file,
		.anchor = {1000, 2000000000},
		.host = bytes_of("host"),
		.boot_id = bytes_of("boot"),
		.kernel = bytes_of("Linux 6.1"),
		.hardware = bytes_of("x86_64"),
		.recorder = bytes_of("tcpconnect-rec 0.1"),
		.backend = bytes_of("fentry"),
		.filters = bytes_of("port 443"),
	};
}

static int new_file(void)
{
	return memory_file("", 0);
}

static struct trace_writer *start(int fd, uint32_t file)
{
	struct trace_info info = info_of(file);
	struct error error;
	struct trace_writer *writer = trace_writer_new(fd, "out.pcapng", &info, &error);

	if (!writer)
		fail_msg("%s", error.text);
	return writer;
}

/* A batch of some events with the times first, first + 1 ..; the names differ. */
static int write_batch(
	struct trace_writer *writer, uint32_t events, uint64_t first, struct error *error)
{
	struct batch_builder *builder = batch_builder_new();
	struct batch_header header = {
		.session = "0123456789abcde",
		.sequence = first,
		.anchor = {1000, 2000000000},
		.counters = {100 + first, 90 + first, 5, 4, 1},
		.host = bytes_of("host"),
		.backend = bytes_of("fentry"),
	};
	int status;

	for (uint32_t i = 0; i < events; i++) {
		struct event event = {
			.time_ns = first + i,
			.process = &(struct process){.pid = i + 1, .comm = bytes_of("curl")},
			.daddr = {4, {10, 0, 0, 1}},
			.dport = 443,
		};

		assert_int_equal(batch_builder_add(builder, &event), 0);
	}
	status = trace_writer_batch(writer, builder, &header, error);
	batch_builder_free(builder);
	return status;
}

static void must_write_batch(struct trace_writer *writer, uint32_t events, uint64_t first)
{
	struct error error;

	if (write_batch(writer, events, first, &error))
		fail_msg("%s", error.text);
}

static void finish(struct trace_writer *writer)
{
	struct error error;

	if (trace_writer_finish(writer, &error))
		fail_msg("%s", error.text);
	trace_writer_free(writer);
}

/* Trace with three batches of 1, 0 and 2 events, finished. */
static int small_trace(void)
{
	int fd = new_file();
	struct trace_writer *writer = start(fd, 1);

	must_write_batch(writer, 1, 5000);
	must_write_batch(writer, 0, 5001);
	must_write_batch(writer, 2, 4000);
	finish(writer);
	return fd;
}

static struct bytes content(int fd)
{
	struct stat status;
	uint8_t *data;

	assert_int_equal(fstat(fd, &status), 0);
	data = malloc((size_t)status.st_size + 1);
	assert_non_null(data);
	assert_int_equal(pread(fd, data, (size_t)status.st_size, 0), status.st_size);
	return (struct bytes){data, (size_t)status.st_size};
}

/* Where each block of a little-endian file begins. Returns how many there are. */
static size_t find_blocks(struct bytes file, size_t *offsets, size_t most)
{
	size_t count = 0;

	for (size_t at = 0; at < file.length; at += get_le32(file.data + at + 4)) {
		assert_true(count < most);
		offsets[count++] = at;
	}
	return count;
}

struct reading {
	struct trace_facts facts;
	unsigned int batches, errors;
	uint32_t events;
	char error[512]; /* the first */
};

/* Reads all of it. The fd is closed. */
static struct reading read_fd(int fd)
{
	struct reading reading = {.error = ""};
	struct trace_reader *reader;
	struct batch batch = {0};
	struct error error;
	char name[64];
	int n;

	snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
	reader = trace_reader_open(name, &error);
	assert_non_null(reader);
	assert_string_equal(trace_reader_name(reader), name);
	while ((n = trace_reader_next(reader, &batch, &error)) != 0) {
		if (n < 0) {
			if (!reading.errors++)
				memcpy(reading.error, error.text, sizeof reading.error);
			assert_memory_equal(error.text, name, strlen(name));
			assert_true(reading.errors < 20);
			continue;
		}
		reading.batches++;
		reading.events += batch.events;
	}
	reading.facts = trace_reader_facts(reader);
	trace_reader_free(reader);
	batch_release(&batch);
	close(fd);
	return reading;
}

static struct reading read_bytes(const void *data, size_t length)
{
	return read_fd(memory_file(data, length));
}

static void what_is_written_is_read(void **state)
{
	struct reading reading = read_fd(small_trace());

	(void)state;
	assert_int_equal(reading.errors, 0);
	assert_int_equal(reading.batches, 3);
	assert_int_equal(reading.events, 3);
	assert_true(reading.facts.is_pcapng);
	assert_true(reading.facts.has_records);
	assert_true(reading.facts.closed);
	assert_int_equal(reading.facts.batches, 3);
	assert_int_equal(reading.facts.events, 3);
}

static void the_events_are_those_written(void **state)
{
	int fd = small_trace();
	struct trace_reader *reader;
	struct batch batch = {0};
	struct event event;
	struct error error;
	char name[64];

	(void)state;
	snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
	reader = trace_reader_open(name, &error);
	assert_int_equal(trace_reader_next(reader, &batch, &error), 1);
	assert_int_equal(trace_reader_next(reader, &batch, &error), 1);
	assert_int_equal(batch.events, 0);
	assert_int_equal(trace_reader_next(reader, &batch, &error), 1);
	assert_int_equal(batch.header.file, 1);
	assert_int_equal(batch.header.sequence, 4000);
	batch_event(&batch, 1, &event);
	assert_int_equal(event.time_ns, 4001);
	assert_int_equal(event.process->pid, 2);
	assert_int_equal(event.dport, 443);
	assert_true(bytes_equal(event.process->comm, bytes_of("curl")));
	assert_true(bytes_equal(batch.header.host, bytes_of("host")));
	assert_int_equal(trace_reader_next(reader, &batch, &error), 0);
	assert_int_equal(trace_reader_next(reader, &batch, &error), 0);
	batch_release(&batch);
	trace_reader_free(reader);
	close(fd);
}

/* The order of the blocks, and the trace record, as tcpconnect-trace(5) has them. */
static void the_file_is_as_the_manual_says(void **state)
{
	static const uint32_t types[] = {BLOCK_SECTION, BLOCK_INTERFACE, 0xbad, 0xbad, 0xbad, 0xbad,
		BLOCK_STATISTICS, 0x40000bad};
	static const char *const texts[] = {
		"host", "boot", "Linux 6.1", "tcpconnect-rec 0.1", "fentry", "port 443"};
	static const uint8_t section[] = {0x0a, 0x0d, 0x0d, 0x0a, 84, 0, 0, 0, 0x4d, 0x3c, 0x2b,
		0x1a, 1, 0, 0, 0, 255, 255, 255, 255, 255, 255, 255, 255, 2, 0, 6, 0, 'x', '8', '6',
		'_', '6', '4', 0, 0, 3, 0, 9, 0, 'L', 'i', 'n', 'u', 'x', ' ', '6', '.', '1', 0, 0,
		0, 4, 0, 18, 0, 't', 'c', 'p', 'c', 'o', 'n', 'n', 'e', 'c', 't', '-', 'r', 'e',
		'c', ' ', '0', '.', '1', 0, 0, 0, 0, 0, 0, 84, 0, 0, 0};
	int fd = small_trace();
	struct bytes file = content(fd);
	size_t at[COUNT(types)];
	const uint8_t *record;

	(void)state;
	assert_int_equal(find_blocks(file, at, COUNT(at)), COUNT(types));
	for (size_t i = 0; i < COUNT(types); i++)
		assert_int_equal(get_le32(file.data + at[i]), types[i]);
	assert_memory_equal(file.data, section, sizeof section);
	assert_int_equal(get_le16(file.data + at[1] + 8), 101);
	assert_int_equal(get_le32(file.data + at[2] + 8), RECORD_PEN);
	record = file.data + at[2] + 12;
	assert_memory_equal(record, "\x89TCPCON\n\1\1\0\0", 12);
	assert_int_equal(get_le32(record + 16), 112);
	assert_memory_equal(record + 24, "0123456789abcde", 16);
	assert_int_equal(get_le32(record + 40), 1);
	assert_int_equal(get_le64(record + 48), 1000);
	assert_int_equal(get_le64(record + 56), 2000000000);
	for (unsigned int i = 0; i < 6; i++) {
		assert_int_equal(get_le32(record + 64 + 8 * i + 4), strlen(texts[i]));
		assert_memory_equal(
			record + get_le32(record + 64 + 8 * i), texts[i], strlen(texts[i]));
	}
	free((void *)file.data);
	close(fd);
}

static void the_statistics_are_those_of_the_last_batch(void **state)
{
	int fd = small_trace();
	struct bytes file = content(fd);
	size_t at[8];
	const uint8_t *p;

	(void)state;
	find_blocks(file, at, COUNT(at));
	p = file.data + at[6];
	assert_int_equal(get_le32(p + 8), 0);
	assert_int_equal(get_le32(p + 12), 2000000000ull >> 32);
	assert_int_equal(get_le32(p + 16), 2000000000);
	/* starttime, endtime: the high half first. */
	assert_memory_equal(p + 20, "\2\0\10\0\0\0\0\0\0\x94\x35\x77", 12);
	assert_memory_equal(p + 32, "\3\0\10\0\0\0\0\0\0\x94\x35\x77", 12);
	assert_memory_equal(p + 44, "\4\0\10\0", 4);
	assert_int_equal(get_le64(p + 48), 4100);
	assert_memory_equal(p + 56, "\5\0\10\0", 4);
	assert_int_equal(get_le64(p + 60), 4);
	assert_memory_equal(p + 68, "\6\0\10\0", 4);
	assert_int_equal(get_le64(p + 72), 4095);
	free((void *)file.data);
	close(fd);
}

static void the_summary_says_where_everything_is(void **state)
{
	int fd = small_trace();
	struct bytes file = content(fd);
	size_t at[8];
	uint8_t *record;
	uint32_t length, crc;

	(void)state;
	find_blocks(file, at, COUNT(at));
	/* Found from the end. */
	assert_int_equal(file.length - get_le32(file.data + file.length - 4), at[7]);
	record = (uint8_t *)file.data + at[7] + 12;
	length = get_le32(record + 12);
	assert_int_equal(length, 152 + 3 * 8 + 3 * 224 + strlen("hostfentry"));
	assert_int_equal(record[8], 3);
	assert_int_equal(get_le32(record + 16), 152);
	assert_int_equal(get_le64(record + 40), at[7]);
	assert_int_equal(get_le64(record + 48), 2000000000 + 3000);
	assert_int_equal(get_le64(record + 56), 2000000000 + 4000);
	assert_int_equal(get_le64(record + 64), 3);
	assert_int_equal(get_le64(record + 72), 4100);
	assert_int_equal(get_le64(record + 80), 4090);
	assert_int_equal(get_le64(record + 88), 5);
	assert_int_equal(get_le64(record + 96), 4);
	assert_int_equal(get_le64(record + 104), 1);
	assert_int_equal(get_le32(record + 112), 1);
	assert_int_equal(get_le32(record + 120), 152);
	assert_int_equal(get_le32(record + 124), 24);
	for (unsigned int i = 0; i < 3; i++)
		assert_int_equal(get_le64(record + 152 + 8 * i), at[3 + i]);
	assert_int_equal(get_le32(record + 128), 152 + 24);
	assert_int_equal(get_le32(record + 132), 3 * 224);
	assert_int_equal(get_le64(record + 136), 0); /* the builder did not know the values */
	assert_int_equal(get_le64(record + 144), 3);
	for (unsigned int i = 0; i < 3; i++) {
		const uint8_t *head = record + 152 + 24 + 224 * i,
			      *batch = file.data + at[3 + i] + 12;

		assert_memory_equal(head, "\0\0\0\0\0\0\0\0", 8);
		assert_memory_equal(head + 8, batch + 8, 144 - 8);
		assert_memory_equal(head + get_le32(head + 144), "host", 4);
		assert_memory_equal(head + get_le32(head + 152), "fentry", 6);
		assert_int_equal(get_le64(head + 160), 0);
		assert_int_equal(get_le64(head + 168), 0);
		assert_memory_equal(head + 176, batch + 176, 224 - 176);
	}
	crc = get_le32(record + 116);
	put_le(record + 116, 0, 4);
	assert_int_equal(crc32(0, record, length), crc);
	free((void *)file.data);
	close(fd);
}

static void a_trace_without_events_has_no_times(void **state)
{
	int fd = new_file();
	struct trace_writer *writer = start(fd, 1);
	struct bytes file;
	size_t at[8], count;
	struct reading reading;

	(void)state;
	finish(writer);
	file = content(fd);
	count = find_blocks(file, at, COUNT(at));
	assert_int_equal(count, 5);
	assert_int_equal(get_le64(file.data + at[4] + 12 + 48), 0);
	assert_int_equal(get_le64(file.data + at[4] + 12 + 56), 0);
	assert_int_equal(get_le64(file.data + at[4] + 12 + 120), 0); /* absent */
	free((void *)file.data);
	reading = read_fd(fd);
	assert_true(reading.facts.closed);
	assert_int_equal(reading.batches, 0);
	assert_int_equal(reading.errors, 0);
}

static void without_summary_a_trace_is_open(void **state)
{
	int fd = new_file();
	struct trace_writer *writer = start(fd, 1);
	struct reading reading;

	(void)state;
	must_write_batch(writer, 2, 0);
	trace_writer_free(writer);
	reading = read_fd(fd);
	assert_false(reading.facts.closed);
	assert_true(reading.facts.has_records);
	assert_int_equal(reading.events, 2);
	assert_int_equal(reading.errors, 0);
}

static void a_changed_summary_proves_nothing(void **state)
{
	int fd = small_trace();
	struct bytes file = content(fd);
	size_t at[8];

	(void)state;
	find_blocks(file, at, COUNT(at));
	for (size_t i = at[7] + 12; i < at[7] + 12 + 152 + 24 + 3 * 224; i++)
		for (unsigned int bit = 0; bit < 8; bit += 7) {
			struct reading reading;

			((uint8_t *)file.data)[i] ^= (uint8_t)(1u << bit);
			reading = read_bytes(file.data, file.length);
			if (reading.facts.closed)
				fail_msg("byte %zu of the summary may change", i - at[7] - 12);
			assert_int_equal(reading.events, 3);
			((uint8_t *)file.data)[i] ^= (uint8_t)(1u << bit);
		}
	free((void *)file.data);
	close(fd);
}

/* closed: a valid summary stands at the end. */
static void what_follows_the_summary_opens_the_trace_again(void **state)
{
	static const char *const tails[] = {
		"\7\0\0\0\14\0\0\0\14\0\0\0", /* a block */
		"\7\0\0\0\20\0\0\0....\20\0\0\0",
		"\7\0\0\0\20\0\0\0....\21\0\0\0", /* a damaged one */
		"\7\0\0\0\20\0\0\0....",          /* a cut one */
		"\7\0\0\0",
	};
	static const size_t lengths[] = {12, 16, 16, 12, 4};
	int fd = small_trace();
	struct bytes file = content(fd);

	(void)state;
	for (size_t i = 0; i < COUNT(tails); i++) {
		uint8_t *longer = malloc(file.length + lengths[i]);
		struct reading reading;

		memcpy(longer, file.data, file.length);
		memcpy(longer + file.length, tails[i], lengths[i]);
		reading = read_bytes(longer, file.length + lengths[i]);
		free(longer);
		assert_int_equal(reading.events, 3);
		assert_int_equal(reading.errors, i >= 2);
		if (reading.facts.closed)
			fail_msg("closed in spite of tail %zu", i);
	}
	free((void *)file.data);
	close(fd);
}

static void a_moved_summary_proves_nothing(void **state)
{
	int fd = small_trace();
	struct bytes file = content(fd);
	uint8_t *two = malloc(2 * file.length);
	struct reading reading;

	(void)state;
	memcpy(two, file.data, file.length);
	memcpy(two + file.length, file.data, file.length);
	reading = read_bytes(two, 2 * file.length);
	assert_int_equal(reading.events, 6);
	assert_int_equal(reading.errors, 0);
	assert_false(reading.facts.closed);
	free(two);
	free((void *)file.data);
	close(fd);
}

/* The framing in the other byte order, the records as they are. */
static void a_section_may_be_big_endian(void **state)
{
	int fd = small_trace();
	struct bytes file = content(fd);
	uint8_t *p = (uint8_t *)file.data;
	size_t at[8], count = find_blocks(file, at, COUNT(at));
	struct reading reading;

	(void)state;
	for (size_t i = 0; i < count; i++) {
		uint32_t length = get_le32(p + at[i] + 4);
		const size_t words[] = {at[i], at[i] + 4, at[i] + 8, at[i] + length - 4};

		for (size_t k = 0; k < COUNT(words); k++)
			put_le(p + words[k], get_be(p + words[k], 4), 4);
	}
	reading = read_bytes(p, file.length);
	assert_int_equal(reading.errors, 0);
	assert_int_equal(reading.events, 3);
	assert_true(reading.facts.closed);
	free(p);
	close(fd);
}

/* As a recorder of before wrote it: offsets, and nothing else of the batches. */
static void shorten_summary(uint8_t *record)
{
	uint32_t length = get_le32(record + 12);

	put_le(record + 16, 128, 4);
	put_le(record + 116, 0, 4);
	put_le(record + 116, crc32(0, record, length), 4);
}

static void other_records_are_skipped_or_told(void **state)
{
	static const struct {
		size_t offset;
		uint8_t value;
		const char *message; /* NULL: skipped in silence */
	} cases[] = {
		{0, 0x77, NULL}, /* a custom block of somebody else */
		{8, 77, NULL},   /* a kind that is not known */
		{9, 2, "format version 2.0"},
		{10, 9, NULL}, /* a newer minor version */
		{183, 1, NULL},
		{182, 1, "cannot decompress"},
		{15, 1, "record length"},
	};
	int fd = small_trace();
	struct bytes file = content(fd);
	uint8_t *p = (uint8_t *)file.data;
	size_t at[8];
	char where[32];

	(void)state;
	find_blocks(file, at, COUNT(at));
	shorten_summary(p + at[7] + 12);
	snprintf(where, sizeof where, ": offset %zu: ", at[3]);
	for (size_t i = 0; i < COUNT(cases); i++) {
		uint8_t *byte = p + at[3] + 12 + cases[i].offset, saved = *byte;
		bool reads = cases[i].offset == 10 || cases[i].offset == 183;
		struct reading reading;

		*byte = cases[i].value;
		reading = read_bytes(p, file.length);
		*byte = saved;
		assert_int_equal(reading.errors, cases[i].message ? 1 : 0);
		assert_int_equal(reading.batches, reads ? 3 : 2);
		assert_int_equal(reading.events, reads ? 3 : 2); /* those behind it are read */
		assert_true(reading.facts.closed);
		if (cases[i].message) {
			assert_contains(reading.error, cases[i].message);
			assert_contains(reading.error, where);
		}
	}
	/* Any enterprise number is accepted. */
	put_le(p + at[3] + 8, 4711, 4);
	assert_int_equal(read_bytes(p, file.length).events, 3);
	free(p);
	close(fd);
}

static void small_custom_blocks_are_skipped(void **state)
{
	int fd = small_trace();
	struct bytes file = content(fd);
	uint8_t *longer = malloc(file.length + 64);

	(void)state;
	/* 0 to 8 bytes of body, in front of everything but the section header. */
	for (uint32_t body = 0; body <= 16; body += 4) {
		uint32_t head = get_le32(file.data + 4), length = 12 + body;
		struct reading reading;

		memcpy(longer, file.data, head);
		memset(longer + head, 0x89, length);
		put_le(longer + head, BLOCK_CUSTOM, 4);
		put_le(longer + head + 4, length, 4);
		put_le(longer + head + length - 4, length, 4);
		if (body == 12) /* the magic and no more */
			memcpy(longer + head + 12, RECORD_MAGIC, 8);
		memcpy(longer + head + length, file.data + head, file.length - head);
		reading = read_bytes(longer, file.length + length);
		assert_int_equal(reading.events, 3);
		assert_int_equal(reading.errors, body == 12);
	}
	free(longer);
	free((void *)file.data);
	close(fd);
}

/* The magic of a file that has none of ours. */
static void foreign_files_are_told(void **state)
{
	int fd = small_trace();
	struct bytes file = content(fd);
	struct reading reading = read_bytes(file.data, get_le32(file.data + 4));

	(void)state;
	assert_true(reading.facts.is_pcapng);
	assert_false(reading.facts.has_records);
	assert_int_equal(reading.errors, 0);
	reading = read_bytes("hello", 5);
	assert_false(reading.facts.is_pcapng);
	assert_int_equal(reading.errors, 1);
	assert_contains(reading.error, "not a pcapng file");
	free((void *)file.data);
	close(fd);
}

static void files_that_cannot_be_opened(void **state)
{
	struct error error;

	(void)state;
	assert_null(trace_reader_open("/nonexistent/t.pcapng", &error));
	assert_string_equal(
		error.text, "/nonexistent/t.pcapng: cannot open: No such file or directory");
	assert_null(trace_reader_open("/", &error));
	assert_contains(error.text, "/: is a directory");
	trace_reader_free(NULL);
	trace_writer_free(NULL);
}

static void a_dash_is_standard_input(void **state)
{
	int fd = small_trace(), saved = dup(STDIN_FILENO);
	struct trace_reader *reader;
	struct batch batch = {0};
	struct error error;

	(void)state;
	lseek(fd, 0, SEEK_SET);
	assert_int_equal(dup2(fd, STDIN_FILENO), STDIN_FILENO);
	reader = trace_reader_open("-", &error);
	assert_int_equal(trace_reader_next(reader, &batch, &error), 1);
	assert_string_equal(trace_reader_name(reader), "standard input");
	batch_release(&batch);
	trace_reader_free(reader);
	assert_true(fcntl(STDIN_FILENO, F_GETFD) >= 0); /* not closed */
	assert_int_equal(dup2(saved, STDIN_FILENO), STDIN_FILENO);
	close(saved);
	close(fd);
}

static void a_full_disk_is_told_at_once(void **state)
{
	int fd = open("/dev/full", O_WRONLY);
	struct trace_info info = info_of(1);
	struct error error;

	(void)state;
	assert_true(fd >= 0);
	assert_null(trace_writer_new(fd, "out.pcapng", &info, &error));
	assert_string_equal(error.text, "out.pcapng: cannot write: No space left on device");
	close(fd);
}

static void a_closed_pipe_is_told(void **state)
{
	struct trace_writer *writer;
	struct error error;
	int fds[2];

	(void)state;
	assert_int_equal(pipe(fds), 0);
	writer = start(fds[1], 1);
	close(fds[0]);
	assert_int_equal(write_batch(writer, 1, 0, &error), -1);
	assert_contains(error.text, strerror(EPIPE));
	trace_writer_free(writer);
	close(fds[1]);
}

/*
 * The disk fills in the middle of a block: nothing of the block stays, what
 * was written is a whole trace, and when there is room again it goes on.
 */
static void a_block_that_does_not_fit_is_backed_out(void **state)
{
	char name[] = "/tmp/unit-trace-XXXXXX";
	int fd = mkstemp(name);
	struct trace_writer *writer;
	struct rlimit old, limit;
	struct reading reading;
	struct error error;
	struct stat status;
	uint64_t whole;

	(void)state;
	assert_true(fd >= 0);
	unlink(name);
	writer = start(fd, 1);
	must_write_batch(writer, 3, 0);
	whole = trace_writer_size(writer);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	for (unsigned int room = 0; room < 300; room += 99) {
		limit = old;
		limit.rlim_cur = whole + room;
		assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
		assert_int_equal(write_batch(writer, 50, 3, &error), -1);
		assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
		assert_string_equal(error.text, "out.pcapng: cannot write: File too large");
		assert_int_equal(trace_writer_size(writer), whole);
		assert_int_equal(fstat(fd, &status), 0);
		assert_int_equal(status.st_size, whole);
	}
	must_write_batch(writer, 4, 3);
	finish(writer);
	reading = read_fd(fd);
	assert_int_equal(reading.errors, 0);
	assert_int_equal(reading.batches, 2);
	assert_int_equal(reading.events, 7);
	assert_true(reading.facts.closed);
}

static void a_trace_record_stays_below_the_limit(void **state)
{
	enum { OTHERS = 112 + 41 }; /* the header and the texts of info_of() */
	static uint8_t text[RECORD_PAYLOAD_MAX + 1];
	static const struct {
		size_t length;
		bool fits;
	} cases[] = {
		{70000, true},
		{RECORD_MOST - OTHERS, true},
		{RECORD_MOST - OTHERS + 1, false},
		{RECORD_PAYLOAD_MAX - OTHERS + 1, false},
		{sizeof text, false},
	};

	(void)state;
	memset(text, 'x', sizeof text);
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct trace_info info = info_of(1);
		struct trace_writer *writer;
		struct error error;
		int fd = new_file();

		info.filters = (struct bytes){text, cases[i].length};
		writer = trace_writer_new(fd, "out.pcapng", &info, &error);
		if (!!writer != cases[i].fits)
			fail_msg("filters of %zu bytes", cases[i].length);
		if (writer) {
			finish(writer);
			assert_true(read_fd(fd).facts.closed);
		} else {
			assert_contains(error.text, "out.pcapng: ");
			close(fd);
		}
	}
}

static void a_summary_names_the_batches_that_fit(void **state)
{
	enum { BATCHES = 33000 };
	struct reading reading;
	int fd = new_file();
	struct trace_writer *writer = start(fd, 1);
	struct batch_builder *builder = batch_builder_new();
	uint64_t third = 0, summary;
	struct error error;
	uint8_t *record;
	struct stat status;
	uint32_t length;

	(void)state;
	for (unsigned int i = 0; i < BATCHES; i++) {
		struct batch_header header = {.session = "0123456789abcde"};

		if (i == 2)
			third = trace_writer_size(writer);
		assert_int_equal(trace_writer_batch(writer, builder, &header, &error), 0);
	}
	batch_builder_free(builder);
	finish(writer);
	assert_int_equal(fstat(fd, &status), 0);
	record = malloc(RECORD_PAYLOAD_MAX);
	assert_int_equal(pread(fd, record, 4, status.st_size - 4), 4);
	summary = (uint64_t)status.st_size - get_le32(record);
	assert_true(pread(fd, record, RECORD_PAYLOAD_MAX, (off_t)summary + 12) > 0);
	length = get_le32(record + 12);
	assert_in_range(length, 32000 * 8, RECORD_MOST);
	assert_int_equal(get_le32(record + 124), length - 152);
	assert_int_equal(get_le64(record + 152 + 2 * 8), third);
	assert_int_equal(get_le64(record + 144), BATCHES);
	free(record);
	reading = read_fd(fd);
	assert_true(reading.facts.closed);
	assert_int_equal(reading.batches, BATCHES);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_written_is_read),
		cmocka_unit_test(the_events_are_those_written),
		cmocka_unit_test(the_file_is_as_the_manual_says),
		cmocka_unit_test(the_statistics_are_those_of_the_last_batch),
		cmocka_unit_test(the_summary_says_where_everything_is),
		cmocka_unit_test(a_trace_without_events_has_no_times),
		cmocka_unit_test(without_summary_a_trace_is_open),
		cmocka_unit_test(a_changed_summary_proves_nothing),
		cmocka_unit_test(what_follows_the_summary_opens_the_trace_again),
		cmocka_unit_test(a_moved_summary_proves_nothing),
		cmocka_unit_test(a_section_may_be_big_endian),
		cmocka_unit_test(other_records_are_skipped_or_told),
		cmocka_unit_test(small_custom_blocks_are_skipped),
		cmocka_unit_test(foreign_files_are_told),
		cmocka_unit_test(files_that_cannot_be_opened),
		cmocka_unit_test(a_dash_is_standard_input),
		cmocka_unit_test(a_full_disk_is_told_at_once),
		cmocka_unit_test(a_closed_pipe_is_told),
		cmocka_unit_test(a_block_that_does_not_fit_is_backed_out),
		cmocka_unit_test(a_trace_record_stays_below_the_limit),
		cmocka_unit_test(a_summary_names_the_batches_that_fit),
	};

	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN); /* of RLIMIT_FSIZE: an error is wanted instead */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
