/* SPDX-License-Identifier: BSD-2-Clause */
/* A gzip file with a table of its members, as it is written, damaged, and when it lies. */
#include "unit.h"
#include "../../formats/gzip.h"
#include "../../formats/input.h"
#include "../../formats/pcapng.h"
#include "../../formats/record.h"

#include <zlib.h>

/* What a file becomes, and the file. */
struct file {
	uint8_t *plain, *packed;
	size_t plain_length, packed_length;
};

static uint64_t state;

static void add_block(struct gzip_writer *w, struct file *f, const uint8_t *block, size_t length)
{
	struct error error;

	f->plain = realloc(f->plain, f->plain_length + length);
	memcpy(f->plain + f->plain_length, block, length);
	f->plain_length += length;
	assert_int_equal(gzip_writer_blocks(w, block, length, &error), 0);
}

/* Some that look like packets, or a batch: its head is as long as its body's offset says. */
static void add_packets(struct gzip_writer *w, struct file *f, size_t length)
{
	uint8_t *block = calloc(1, length);

	put_le32(block, BLOCK_PACKET);
	for (size_t i = 8; i < length; i += 1 + random_below(&state, 30))
		block[i] = (uint8_t)random_next(&state);
	add_block(w, f, block, length);
	free(block);
}

static void add_batch(struct gzip_writer *w, struct file *f, size_t length, uint32_t body)
{
	uint8_t *block = malloc(length);

	for (size_t i = 0; i < length; i++)
		block[i] = (uint8_t)random_next(&state);
	put_le32(block, BLOCK_CUSTOM);
	memcpy(block + 12, RECORD_MAGIC, 8);
	block[12 + RECORD_AT_KIND] = RECORD_BATCH;
	put_le32(block + 12 + BATCH_AT_BODY, body);
	add_block(w, f, block, length);
	free(block);
}

/* With so many packets and batches. */
static struct file make(unsigned int batches, size_t packets, size_t batch)
{
	int fd = memory_file("", 0);
	struct gzip_writer *w = gzip_writer_new(fd, "file");
	struct file f = {0};
	uint8_t section[100] = {0};
	struct error error;

	state = 1;
	assert_non_null(w);
	put_le32(section, BLOCK_SECTION);
	add_block(w, &f, section, sizeof section);
	for (unsigned int i = 0; i < batches; i++) {
		if (packets)
			add_packets(w, &f, packets);
		add_batch(w, &f, batch + i % 3, 300);
	}
	add_packets(w, &f, 77);
	assert_int_equal(gzip_writer_finish(w, &error), 0);
	gzip_writer_free(w);
	f.packed_length = (size_t)lseek(fd, 0, SEEK_CUR);
	f.packed = malloc(f.packed_length);
	assert_int_equal(pread(fd, f.packed, f.packed_length, 0), f.packed_length);
	close(fd);
	return f;
}

static void release(struct file *f)
{
	free(f->plain);
	free(f->packed);
}

static struct input *open_packed(const struct file *f)
{
	struct input *in = input_new(memory_file(f->packed, f->packed_length));

	assert_non_null(in);
	return in;
}

/* Reads to the end. Returns what read the last time: 0, or -1. */
static int read_all(struct input *in, uint8_t *out, size_t room, size_t *length)
{
	struct error error;
	size_t n = 1;
	int status = 0;

	for (*length = 0; n && !status; *length += n) {
		assert_true(*length < room);
		status = input_read(in, out + *length, room - *length, &n, &error);
	}
	return status;
}

/* The file is read as a stream, which gives what it did before. */
static void assert_is_stream(const struct file *f, int status, size_t least)
{
	struct input *in = open_packed(f);
	uint8_t *out = malloc(f->plain_length + 1);
	size_t length;

	assert_int_equal(input_find_members(in), 0);
	assert_int_equal(read_all(in, out, f->plain_length + 1, &length), status);
	assert_false(input_seeks_freely(in));
	assert_true(length >= least && length <= f->plain_length);
	assert_memory_equal(out, f->plain, length);
	free(out);
	input_free(in);
}

/* Offset of a member in the file. */
static size_t member_at(const struct file *f, unsigned int number)
{
	size_t at = 0;

	while (number--)
		at += get_le32(f->packed + at + GZIP_AT_FIELD);
	return at;
}

static uint8_t *end_of(const struct file *f)
{
	return f->packed + f->packed_length - GZIP_END_LENGTH;
}

static uint8_t *table_of(const struct file *f)
{
	return f->packed + get_le64(end_of(f) + GZIP_END_AT_TABLE) + GZIP_AT_FIELD;
}

/* After a change to its only member. */
static void sign_table(struct file *f)
{
	uint32_t count = get_le32(end_of(f) + GZIP_END_AT_COUNT);

	put_le32(end_of(f) + GZIP_END_AT_CRC,
		(uint32_t)crc32(0, table_of(f), count * GZIP_ENTRY_LENGTH));
}

static void any_place_can_be_read(void **unused)
{
	struct file f = make(4, 1500000, 100000);
	struct input *in = open_packed(&f);
	uint8_t *out = malloc(f.plain_length + 1);
	struct error error;
	size_t n;

	(void)unused;
	assert_int_equal(input_find_members(in), f.plain_length);
	assert_true(input_seeks_freely(in));
	assert_true(input_is_compressed(in));
	for (int i = 0; i < 300; i++) {
		uint64_t offset = random_below(&state, (uint32_t)f.plain_length + 1);
		size_t size = random_below(&state, i % 10 ? 5000 : 1200000);
		size_t left = f.plain_length - (size_t)offset;

		left = left < size ? left : size;
		assert_int_equal(input_read_at(in, offset, out, size), left);
		assert_memory_equal(out, f.plain + offset, left);
		assert_int_equal(input_seek(in, offset), 0);
		assert_int_equal(input_read(in, out, size, &n, &error), 0);
		assert_true(n <= left && (n || !left));
		assert_memory_equal(out, f.plain + offset, n);
	}
	assert_int_equal(input_seek(in, 0), 0);
	assert_int_equal(read_all(in, out, f.plain_length + 1, &n), 0);
	assert_int_equal(n, f.plain_length);
	assert_memory_equal(out, f.plain, n);
	free(out);
	input_free(in);
	release(&f);
}

/* As anybody else reads it, and ourselves in a pipe. */
static void it_is_gzip(void **unused)
{
	struct file f = make(2, 3000, 100000);
	uint8_t *out = malloc(f.plain_length);
	z_stream stream = {.next_in = f.packed, .avail_in = (uInt)f.packed_length};
	int status;

	(void)unused;
	assert_int_equal(inflateInit2(&stream, 15 + 16), Z_OK);
	stream.next_out = out;
	stream.avail_out = (uInt)f.plain_length;
	while (stream.avail_in) {
		status = inflate(&stream, Z_NO_FLUSH);
		assert_int_equal(status, Z_STREAM_END);
		assert_int_equal(inflateReset(&stream), Z_OK);
	}
	assert_int_equal(stream.avail_out, 0);
	assert_memory_equal(out, f.plain, f.plain_length);
	inflateEnd(&stream);
	free(out);
	release(&f);
}

static void packets_and_batches_stand_alone_a_long_one_as_head_and_body(void **unused)
{
	struct file f = make(1, 3000, 100000), small = make(1, 3000, 5000);
	const uint8_t *table = table_of(&f);
	struct input *in = open_packed(&f);
	struct error error;
	uint8_t byte;
	size_t n;

	(void)unused;
	assert_int_equal(get_le32(end_of(&f) + GZIP_END_AT_COUNT), 5);
	assert_int_equal(get_le32(table + 4), 100);
	assert_int_equal(get_le32(table + 8 + 4), 3000);
	assert_int_equal(get_le32(table + 16 + 4), 312);
	assert_int_equal(get_le32(table + 24 + 4), 100000 - 312);
	assert_int_equal(get_le32(table + 32 + 4), 77);
	assert_int_equal(input_read(in, &byte, 1, &n, &error), 0);
	assert_int_equal(input_near(in, 0), SIZE_MAX); /* too few to be worth it */
	assert_int_equal(input_near(in, 100), 3000);
	assert_int_equal(input_near(in, 3100), 312);
	assert_int_equal(input_near(in, 3100 + 56), 256);
	assert_int_equal(input_near(in, 3100 + 57), SIZE_MAX);
	assert_int_equal(input_near(in, f.plain_length), SIZE_MAX);
	assert_int_equal(get_le32(end_of(&small) + GZIP_END_AT_COUNT), 4);
	input_free(in);
	release(&f);
	release(&small);
}

static void a_long_table_has_several_members(void **unused)
{
	struct file f = make(9000, 0, 300);
	struct input *in = open_packed(&f);
	uint8_t out[300];

	(void)unused;
	assert_int_equal(get_le32(end_of(&f) + GZIP_END_AT_COUNT), 9002);
	assert_int_equal(input_find_members(in), f.plain_length);
	assert_int_equal(input_read_at(in, f.plain_length - 500, out, 300), 300);
	assert_memory_equal(out, f.plain + f.plain_length - 500, 300);
	input_free(in);
	table_of(&f)[GZIP_ENTRIES_MAX * GZIP_ENTRY_LENGTH + 30] ^= 1;
	assert_is_stream(&f, 0, f.plain_length);
	release(&f);
}

static void a_damaged_member_is_told_and_others_are_read(void **unused)
{
	struct file f = make(3, 3000, 5000);
	size_t second = get_le32(table_of(&f) + 4), third = second + get_le32(table_of(&f) + 12);
	size_t at = member_at(&f, 1), length = member_at(&f, 2) - at;
	uint8_t out[5000];
	struct error error;
	size_t n;

	(void)unused;
	/* In the data, or in what proves them. */
	for (int i = 0; i < 3; i++) {
		size_t where = i ? at + length - (i == 1 ? 1 : 8) : at + length / 2;
		struct input *in;

		f.packed[where] ^= 0x10;
		in = open_packed(&f);
		assert_int_equal(input_find_members(in), f.plain_length);
		assert_int_equal(input_seek(in, second + 10), 0);
		assert_int_equal(input_read(in, out, 100, &n, &error), -1);
		assert_string_equal(error.text, "the gzip data are damaged");
		assert_int_equal(input_read_at(in, second - 50, out, 100), 50);
		assert_int_equal(input_seek(in, third), 0);
		assert_int_equal(input_read(in, out, 100, &n, &error), 0);
		assert_int_equal(n, 100);
		assert_memory_equal(out, f.plain + third, 100);
		input_free(in);
		f.packed[where] ^= 0x10;
	}
	release(&f);
}

/* The table is in order, but the members are other ones. */
static void a_table_that_lies_is_not_used(void **unused)
{
	struct file f = make(3, 3000, 5000);
	uint8_t *first = table_of(&f), *out = malloc(f.plain_length + 1);
	size_t second = get_le32(first + 4);
	struct error error;
	struct input *in;
	size_t n;

	(void)unused;
	for (int i = 0; i < 2; i++) {
		put_le32(first + 4 * i, get_le32(first + 4 * i) + 1);
		put_le32(first + 8 + 4 * i, get_le32(first + 8 + 4 * i) - 1);
		sign_table(&f);
		in = open_packed(&f);
		assert_int_equal(input_find_members(in), f.plain_length);
		assert_int_equal(input_read_at(in, second + 5, out, 10), 0);
		assert_int_equal(input_seek(in, second + 5), 0);
		assert_int_equal(input_read(in, out, 100, &n, &error), 0);
		assert_true(n > 0);
		assert_memory_equal(out, f.plain + second + 5, n);
		assert_false(input_seeks_freely(in));
		assert_int_equal(input_seek(in, 0), 0);
		assert_int_equal(read_all(in, out, f.plain_length + 1, &n), 0);
		assert_int_equal(n, f.plain_length);
		assert_memory_equal(out, f.plain, n);
		input_free(in);
	}
	free(out);
	release(&f);
}

static void what_a_member_becomes_is_bounded(void **unused)
{
	static const struct {
		unsigned int at;
		uint32_t value;
	} cases[] = {{0, 32}, {0, GZIP_PACKED_MAX + 1}, {0, UINT32_MAX}, {4, 0},
		{4, GZIP_MEMBER_MAX + 1}, {4, UINT32_MAX}};
	struct file f = make(1, 3000, 5000);
	uint8_t *entry = table_of(&f), *end = end_of(&f);

	(void)unused;
	/* What the entry gains the end has too, so that only the bound is wrong. */
	for (size_t i = 0; i < COUNT(cases); i++) {
		uint32_t before = get_le32(entry + cases[i].at);
		unsigned int sum = cases[i].at ? GZIP_END_AT_LENGTH : GZIP_END_AT_TABLE;
		uint64_t total = get_le64(end + sum);

		put_le32(entry + cases[i].at, cases[i].value);
		sign_table(&f);
		if (cases[i].at)
			put_le64(end + sum, total - before + cases[i].value);
		assert_is_stream(&f, 0, f.plain_length);
		put_le32(entry + cases[i].at, before);
		sign_table(&f);
		put_le64(end + sum, total);
	}
	release(&f);
}

/* All bits of the end and of the table, which no data are lost with. */
static void a_damaged_table_is_not_used(void **unused)
{
	struct file f = make(1, 3000, 5000);
	size_t table = (size_t)get_le64(end_of(&f) + GZIP_END_AT_TABLE);

	(void)unused;
	for (size_t i = table; i < f.packed_length; i++)
		for (int bit = 0; bit < 8; bit += 3) {
			size_t in_member =
				(i - table) % (f.packed_length - table - GZIP_END_LENGTH);
			struct input *in;

			f.packed[i] ^= (uint8_t)(1 << bit);
			in = open_packed(&f);
			/* Time and system of a header say nothing here. */
			if (in_member < 4 || in_member > 9)
				assert_int_equal(input_find_members(in), 0);
			input_free(in);
			f.packed[i] ^= (uint8_t)(1 << bit);
		}
	release(&f);
}

static void a_torn_file_is_read_up_to_there(void **unused)
{
	struct file f = make(2, 3000, 5000), torn = f;
	size_t table = (size_t)get_le64(end_of(&f) + GZIP_END_AT_TABLE);

	(void)unused;
	for (torn.packed_length = 30; torn.packed_length < f.packed_length;
		torn.packed_length += torn.packed_length < table - 20 ? 97 : 1) {
		bool all = torn.packed_length >= table;
		struct input *in = open_packed(&torn);
		uint8_t *out = malloc(f.plain_length + 1);
		size_t length;

		assert_int_equal(input_find_members(in), 0);
		read_all(in, out, f.plain_length + 1, &length);
		assert_true(length <= f.plain_length && (!all || length == f.plain_length));
		assert_memory_equal(out, f.plain, length);
		free(out);
		input_free(in);
	}
	release(&f);
}

static struct file joined(const struct file *a, const struct file *b)
{
	struct file f = {malloc(a->plain_length + b->plain_length),
		malloc(a->packed_length + b->packed_length), a->plain_length + b->plain_length,
		a->packed_length + b->packed_length};

	memcpy(f.plain, a->plain, a->plain_length);
	memcpy(f.plain + a->plain_length, b->plain, b->plain_length);
	memcpy(f.packed, a->packed, a->packed_length);
	memcpy(f.packed + a->packed_length, b->packed, b->packed_length);
	return f;
}

static void joined_files_are_a_stream(void **unused)
{
	struct file a = make(1, 3000, 5000), b = make(2, 3000, 70000), f = joined(&a, &b);

	(void)unused;
	assert_is_stream(&f, 0, f.plain_length);
	release(&a);
	release(&b);
	release(&f);
}

/* Standard input, of which somebody else has read the beginning. */
static void a_file_may_begin_anywhere(void **unused)
{
	struct file a = make(1, 3000, 5000), b = make(2, 3000, 70000), f = joined(&a, &b);
	int fd = memory_file(f.packed, f.packed_length);
	struct input *in;
	uint8_t out[1000];

	(void)unused;
	assert_int_equal(lseek(fd, (off_t)a.packed_length, SEEK_SET), a.packed_length);
	in = input_new(fd);
	assert_int_equal(input_find_members(in), b.plain_length);
	assert_int_equal(input_read_at(in, 70000, out, 1000), 1000);
	assert_memory_equal(out, b.plain + 70000, 1000);
	input_free(in);
	release(&a);
	release(&b);
	release(&f);
}

static void what_cannot_be_written_is_told(void **unused)
{
	struct gzip_writer *w = gzip_writer_new(-1, "file");
	struct error error;
	uint8_t block[100] = {BLOCK_PACKET};

	(void)unused;
	assert_int_equal(gzip_writer_blocks(w, block, sizeof block, &error), 0);
	assert_int_equal(gzip_writer_finish(w, &error), -1);
	assert_string_equal(error.text, "file: cannot write: Bad file descriptor");
	gzip_writer_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_place_can_be_read),
		cmocka_unit_test(it_is_gzip),
		cmocka_unit_test(packets_and_batches_stand_alone_a_long_one_as_head_and_body),
		cmocka_unit_test(a_long_table_has_several_members),
		cmocka_unit_test(a_damaged_member_is_told_and_others_are_read),
		cmocka_unit_test(a_table_that_lies_is_not_used),
		cmocka_unit_test(what_a_member_becomes_is_bounded),
		cmocka_unit_test(a_damaged_table_is_not_used),
		cmocka_unit_test(a_torn_file_is_read_up_to_there),
		cmocka_unit_test(joined_files_are_a_stream),
		cmocka_unit_test(a_file_may_begin_anywhere),
		cmocka_unit_test(what_cannot_be_written_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
