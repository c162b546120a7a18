/* SPDX-License-Identifier: BSD-2-Clause */
/* What a file is after it was finished: the same events, in fewer batches. */
#include "unit.h"
#include "../../capture/finish.h"
#include "../../formats/gzip.h"
#include "../../formats/trace_reader.h"
#include "../../formats/trace_writer.h"

#include <fcntl.h>
#include <sys/stat.h>

#define S INT64_C(1000000000)

static char directory[64];
static struct names names;
static struct live_file file;
static struct trace_writer *writer;
static struct batch_builder *builder;
static struct batch_header header;

static int begin(void **state)
{
	struct trace_info info = {.session = "0123456789abcde",
		.file = 1,
		.anchor = {1000, 2 * S},
		.host = bytes_of("host"),
		.backend = bytes_of("fentry")};
	struct error error;
	char path[96];

	(void)state;
	snprintf(directory, sizeof directory, "/tmp/unit-finish-XXXXXX");
	assert_non_null(mkdtemp(directory));
	snprintf(path, sizeof path, "%s/out.pcapng", directory);
	assert_int_equal(names_open(&names, path, &error), 0);
	assert_int_equal(live_file_create(&file, &names, 7, 1764000000 * S, &error), 0);
	writer = trace_writer_new(file.fd, "out", &info, &error);
	builder = batch_builder_new();
	assert_non_null(writer);
	assert_non_null(builder);
	header = (struct batch_header){.session = "0123456789abcde",
		.anchor = info.anchor,
		.host = info.host,
		.backend = info.backend};
	return 0;
}

static int end(void **state)
{
	(void)state;
	unlinkat(names.dir, file.name, 0);
	live_file_close(&file);
	names_close(&names);
	trace_writer_free(writer);
	batch_builder_free(builder);
	return rmdir(directory);
}

/* A batch of events, the first at time_ns; the clocks are those of header. */
static void batch(uint32_t events, uint64_t time_ns)
{
	struct process process = {.identity = 1, .pid = 10, .comm = bytes_of("curl")};
	struct error error;

	for (uint32_t i = 0; i < events; i++) {
		struct event event = {.time_ns = time_ns + i,
			.process = &process,
			.daddr = {4, {127, 0, 0, 1}},
			.dport = (uint16_t)(header.sequence + i)};

		assert_int_equal(batch_builder_add(builder, &event), 0);
	}
	header.counters.seen += events;
	header.counters.recorded += events;
	assert_int_equal(trace_writer_batch(writer, builder, &header, &error), 0);
	header.sequence += events;
}

static bool never(void *context)
{
	(void)context;
	return false;
}

static enum finished finish_as(bool gzip)
{
	const struct finish_options options = {.compress = true, .gzip = gzip};
	struct error error = {""};

	return finish_file(&names, &file, &options, never, NULL, &error);
}

static enum finished finish(void)
{
	return finish_as(false);
}

static struct trace_reader *reopen(void)
{
	static char path[PATH_MAX + NAME_SIZE];
	struct error error;
	struct trace_reader *reader;

	snprintf(path, sizeof path, "%s%s", names.path, file.name);
	reader = trace_reader_open(path, &error);
	assert_non_null(reader);
	return reader;
}

/* Wall times in seconds of all events, as the finished file says; returns the number of batches. */
static size_t wall_times(int64_t *out, size_t most)
{
	struct trace_reader *reader = reopen();
	struct batch b = {0};
	struct error error;
	size_t batches = 0, count = 0;

	while (trace_reader_next(reader, &b, &error) > 0) {
		batches++;
		for (uint32_t row = 0; row < b.events && count < most; row++) {
			struct event event;

			batch_event(&b, row, &event);
			assert_int_equal(event.number, event.dport);
			out[count++] = batch_wall_ns(&b, event.time_ns) / S;
		}
	}
	assert_int_equal(count, most);
	assert_true(trace_reader_facts(reader).closed);
	batch_release(&b);
	trace_reader_free(reader);
	return batches;
}

static void small_batches_become_one(void **state)
{
	int64_t walls[60];

	(void)state;
	for (uint64_t i = 0; i < 20; i++)
		batch(3, 1000 + i * S);
	assert_int_equal(finish(), FINISH_DONE);
	assert_int_equal(wall_times(walls, 60), 1);
	assert_int_equal(walls[0], 2);
	assert_int_equal(walls[59], 21);
	assert_string_equal(file.name, "out_00007_20251124T160000Z.pcapng");
}

static void wall_times_stay_when_the_clock_was_set(void **state)
{
	int64_t walls[12];

	(void)state;
	header.anchor.wall_ns += 100000 * S;
	batch(3, 1000);
	header.anchor.wall_ns += 7200 * S; /* two hours forward */
	batch(3, 1000 + 10 * S);
	header.anchor.wall_ns -= 36000 * S; /* ten hours back */
	batch(3, 1000 + 20 * S);
	header.anchor.wall_ns += 500000; /* half a millisecond: slewed */
	batch(3, 1000 + 30 * S);
	assert_int_equal(finish(), FINISH_DONE);
	assert_int_equal(wall_times(walls, 12), 3);
	assert_int_equal(walls[0], 100002);
	assert_int_equal(walls[3], 107212);
	assert_int_equal(walls[6], 100002 + 7200 - 36000 + 20);
	assert_int_equal(walls[9], 100002 + 7200 - 36000 + 30);
}

static void late_results_join_their_events(void **state)
{
	struct late_result late = {4, {.outcome = OUTCOME_FAILED, .error = 111, .latency_us = 5}};
	struct late_result before = {1, {.outcome = OUTCOME_ESTABLISHED}};
	struct trace_reader *reader;
	struct batch b = {0};
	struct event event;
	struct error error;

	(void)state;
	header.sequence = header.counters.recorded = header.counters.seen = 3;
	batch(3, 1000);
	assert_int_equal(batch_builder_add_late(builder, &late), 0);
	assert_int_equal(batch_builder_add_late(builder, &before), 0);
	batch(1, 2000);
	assert_int_equal(finish(), FINISH_DONE);
	reader = reopen();
	assert_int_equal(trace_reader_next(reader, &b, &error), 1);
	assert_int_equal(b.events, 4);
	batch_event(&b, 1, &event);
	assert_int_equal(event.result.outcome, OUTCOME_FAILED);
	assert_int_equal(event.result.error, 111);
	assert_int_equal(b.late, 1); /* of an event in an earlier file */
	batch_late_result(&b, 0, &late);
	assert_int_equal(late.number, 1);
	batch_release(&b);
	trace_reader_free(reader);
}

static void dropped_events_stay_told(void **state)
{
	struct trace_reader *reader;
	struct batch b = {0};
	struct error error;

	(void)state;
	batch(3, 1000);
	header.sequence += 5;
	header.dropped = header.counters.lost = 5;
	header.gap = (struct gap){2000, 3000, GAP_NO_SPACE};
	batch(2, 4000);
	header.gap = (struct gap){0};
	batch(2, 5000);
	assert_int_equal(finish(), FINISH_DONE);
	reader = reopen();
	assert_int_equal(trace_reader_next(reader, &b, &error), 1);
	assert_int_equal(b.events, 3);
	assert_int_equal(b.header.dropped, 0);
	assert_int_equal(trace_reader_next(reader, &b, &error), 1);
	assert_int_equal(b.events, 4);
	assert_int_equal(b.header.sequence, 8);
	assert_int_equal(b.header.dropped, 5);
	assert_int_equal(b.header.gap.from_ns, 2000);
	assert_int_equal(b.header.gap.to_ns, 3000);
	assert_int_equal(b.header.gap.reason, GAP_NO_SPACE);
	assert_int_equal(trace_reader_next(reader, &b, &error), 0);
	batch_release(&b);
	trace_reader_free(reader);
}

static off_t size_of_file(void)
{
	struct stat status;

	assert_int_equal(fstatat(names.dir, file.name, &status, 0), 0);
	return status.st_size;
}

static bool file_is_gzip(void)
{
	int fd = openat(names.dir, file.name, O_RDONLY);
	uint8_t magic[2];

	assert_int_equal(read(fd, magic, 2), 2);
	close(fd);
	return magic[0] == 0x1f && magic[1] == 0x8b;
}

/* As after a crash: the .part that another name had. */
static void adopt(const char *from)
{
	struct named_file part = {.number = 7};
	struct error error;

	snprintf(part.name, sizeof part.name, "%.200s.part", file.final);
	live_file_close(&file);
	assert_int_equal(renameat(names.dir, from, names.dir, part.name), 0);
	assert_int_equal(live_file_adopt(&file, &names, &part, &error), 0);
}

static void a_file_may_become_gzip(void **state)
{
	struct trace_reader *reader;
	struct batch head = {0};
	struct error error;
	int64_t walls[40];

	(void)state;
	for (uint64_t i = 0; i < 20; i++) {
		header.anchor.wall_ns += i == 10 ? S : 0; /* another batch */
		batch(2, 1000 + i * S);
	}
	assert_int_equal(finish_as(true), FINISH_DONE);
	assert_true(file_is_gzip());
	assert_int_equal(wall_times(walls, 40), 2);
	assert_int_equal(walls[39], 22);
	/* All heads are in its summary. */
	reader = reopen();
	assert_int_equal(trace_reader_head(reader, &head, &error), 1);
	assert_int_equal(head.events, 20);
	assert_int_equal(trace_reader_head(reader, &head, &error), 1);
	assert_int_equal(trace_reader_head(reader, &head, &error), 0);
	assert_true(trace_reader_park(reader) > 0);
	batch_release(&head);
	trace_reader_free(reader);
}

/* A crash came between its replacement and its final name. */
static void a_gzip_file_is_finished_again(void **state)
{
	int64_t walls[6];

	(void)state;
	batch(3, 1000);
	batch(3, 1000 + S);
	assert_int_equal(finish_as(true), FINISH_DONE);
	adopt(file.name);
	assert_int_equal(finish_as(true), FINISH_DONE);
	assert_true(file_is_gzip());
	assert_int_equal(wall_times(walls, 6), 1);
	adopt(file.name);
	assert_int_equal(finish_as(false), FINISH_DONE);
	assert_false(file_is_gzip());
	assert_int_equal(wall_times(walls, 6), 1);
}

/* Where its last whole block ends is no offset in the file. */
static void a_gzip_file_that_stays_is_not_cut(void **state)
{
	static uint8_t bytes[200000];
	struct gzip_writer *gzip;
	struct error error;
	uint64_t random = 1;
	char new[NAME_SIZE];
	off_t size;
	ssize_t n;
	int fd;

	(void)state;
	batch(3, 1000);
	n = pread(file.fd, bytes, 100000, 0);
	assert_true(n > 0);
	for (size_t i = (size_t)n; i < sizeof bytes; i++)
		bytes[i] = (uint8_t)random_next(&random);
	fd = openat(names.dir, "packed", O_CREAT | O_EXCL | O_WRONLY, 0600);
	gzip = gzip_writer_new(fd, "packed");
	assert_int_equal(gzip_writer_blocks(gzip, bytes, sizeof bytes, &error), 0);
	assert_int_equal(gzip_writer_finish(gzip, &error), 0);
	gzip_writer_free(gzip);
	close(fd);
	adopt("packed");
	size = size_of_file();
	snprintf(new, sizeof new, "%.200s.new", file.final);
	assert_int_equal(mkdirat(names.dir, new, 0700), 0); /* in the way of the new file */
	assert_int_equal(finish_as(true), FINISH_AS_IT_WAS);
	assert_int_equal(unlinkat(names.dir, new, AT_REMOVEDIR), 0);
	assert_string_equal(file.name, file.final);
	assert_int_equal(size_of_file(), size);
}

static void a_file_without_a_batch_goes(void **state)
{
	(void)state;
	assert_int_equal(finish(), FINISH_EMPTY);
	assert_int_equal(faccessat(names.dir, file.name, F_OK, 0), -1);
}

/* As a loss of power leaves it: its length, but not what was written. */
static void a_file_that_cannot_be_read_is_kept(void **state)
{
	struct stat status;

	(void)state;
	batch(3, 1000);
	assert_int_equal(fstat(file.fd, &status), 0);
	assert_int_equal(ftruncate(file.fd, 0), 0);
	assert_int_equal(ftruncate(file.fd, status.st_size), 0);
	assert_int_equal(finish(), FINISH_AS_IT_WAS);
	assert_string_equal(file.name, file.final);
}

static void a_rewritten_file_is_as_old_as_before(void **state)
{
	const struct timespec old[] = {{1000000000, 0}, {1000000000, 5}};
	struct stat status;

	(void)state;
	batch(3, 1000);
	assert_int_equal(futimens(file.fd, old), 0);
	assert_int_equal(finish(), FINISH_DONE);
	assert_int_equal(fstatat(names.dir, file.name, &status, 0), 0);
	assert_int_equal(status.st_mtim.tv_sec, 1000000000);
}

static void an_existing_name_is_not_replaced(void **state)
{
	int fd;

	(void)state;
	batch(3, 1000);
	fd = openat(names.dir, file.final, O_CREAT | O_EXCL | O_WRONLY, 0600);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(finish(), FINISH_CANNOT);
	assert_int_equal(faccessat(names.dir, file.name, F_OK, 0), 0);
	unlinkat(names.dir, file.final, 0);
}

static void names_are_told_from_others(void **state)
{
	static const struct {
		const char *name;
		int kind; /* -1: not ours */
	} cases[] = {
		{"out_00001_20261123T104500Z.pcapng", NAME_FINAL},
		{"out_00001_20261123T104500Z.pcapng.gz", NAME_FINAL},
		{"out_00001_20261123T104500Z.pcapng.part", NAME_PART},
		{"out_00001_20261123T104500Z.pcapng.new", NAME_NEW},
		{"out_123456_20261123T104500Z.pcapng", NAME_FINAL},
		{"out_0001_20261123T104500Z.pcapng", -1},
		{"out_00001_20261123T104500Z.pcap", -1},
		{"out_00001_20261123T104500Z.pcapng.bak", -1},
		{"out_00001_20261123T104500.pcapng", -1},
		{"xout_00001_20261123T104500Z.pcapng", -1},
		{"out.pcapng", -1},
		{"out_1234567890123456789_20261123T104500Z.pcapng", -1},
	};
	struct named_file found;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		bool ours = names_parse(&names, cases[i].name, &found);

		assert_int_equal(ours, cases[i].kind >= 0);
		if (ours)
			assert_int_equal(found.kind, cases[i].kind);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(small_batches_become_one, begin, end),
		cmocka_unit_test_setup_teardown(wall_times_stay_when_the_clock_was_set, begin, end),
		cmocka_unit_test_setup_teardown(late_results_join_their_events, begin, end),
		cmocka_unit_test_setup_teardown(dropped_events_stay_told, begin, end),
		cmocka_unit_test_setup_teardown(a_file_may_become_gzip, begin, end),
		cmocka_unit_test_setup_teardown(a_gzip_file_is_finished_again, begin, end),
		cmocka_unit_test_setup_teardown(a_gzip_file_that_stays_is_not_cut, begin, end),
		cmocka_unit_test_setup_teardown(a_file_without_a_batch_goes, begin, end),
		cmocka_unit_test_setup_teardown(a_file_that_cannot_be_read_is_kept, begin, end),
		cmocka_unit_test_setup_teardown(a_rewritten_file_is_as_old_as_before, begin, end),
		cmocka_unit_test_setup_teardown(an_existing_name_is_not_replaced, begin, end),
		cmocka_unit_test_setup_teardown(names_are_told_from_others, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
