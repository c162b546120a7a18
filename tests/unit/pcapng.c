/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"
#include "../../formats/pcapng.h"
#include "../../formats/record.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>

#define READ_SIZE (256u << 10) /* of the reader's buffer: where it has to carry over */

/* A pcapng file under construction, by hand: block_writer is under test too. */
struct file {
	uint8_t *data;
	size_t length;
	bool big_endian;
};

static void put(struct file *file, uint64_t value, unsigned int n)
{
	file->data = realloc(file->data, file->length + n);
	assert_non_null(file->data);
	for (unsigned int i = 0; i < n; i++)
		file->data[file->length + i] =
			(uint8_t)(value >> (8 * (file->big_endian ? n - 1 - i : i)));
	file->length += n;
}

static void put_bytes(struct file *file, const void *data, size_t length)
{
	file->data = realloc(file->data, file->length + length + 1);
	assert_non_null(file->data);
	memcpy(file->data + file->length, data, length);
	file->length += length;
}

static void put_block(struct file *file, uint32_t type, const void *body, size_t length)
{
	static const uint8_t zeros[4];
	size_t padding = -length % 4;

	put(file, type, 4);
	put(file, 12 + length + padding, 4);
	put_bytes(file, body, length);
	put_bytes(file, zeros, padding);
	put(file, 12 + length + padding, 4);
}

static void put_section(struct file *file, bool big_endian)
{
	file->big_endian = big_endian;
	put(file, BLOCK_SECTION, 4);
	put(file, 28, 4);
	put(file, BYTE_ORDER_MAGIC, 4);
	put(file, 1, 2);
	put(file, 0, 2);
	put(file, 12345, 8); /* section length: not to be relied on */
	put(file, 28, 4);
}

/* A Custom Block with the magic and then the number; returns its offset. */
static size_t put_record(struct file *file, uint32_t number)
{
	size_t offset = file->length;
	struct file body = {.big_endian = file->big_endian};

	put(&body, RECORD_PEN, 4);
	put_bytes(&body, RECORD_MAGIC, 8);
	put(&body, number, 4);
	put_block(file, BLOCK_CUSTOM, body.data, body.length);
	free(body.data);
	return offset;
}

static struct pcapng_reader *open_file(struct file *file)
{
	struct pcapng_reader *reader = pcapng_reader_new(memory_file(file->data, file->length));

	assert_non_null(reader);
	free(file->data);
	*file = (struct file){0};
	return reader;
}

static int next(struct pcapng_reader *reader, struct block *block, struct error *error)
{
	return pcapng_reader_next(reader, RECORD_MAGIC, block, error);
}

static void assert_block(
	struct pcapng_reader *reader, uint32_t type, uint64_t offset, size_t length)
{
	struct block block;
	struct error error;

	if (next(reader, &block, &error) != 1)
		fail_msg("no block at %llu: %s", (unsigned long long)offset, error.text);
	assert_int_equal(block.type, type);
	assert_int_equal(block.offset, offset);
	assert_int_equal(block.body.length, length);
}

static void assert_damage(struct pcapng_reader *reader, const char *message)
{
	struct block block;
	struct error error = {""};

	if (next(reader, &block, &error) != -1)
		fail_msg("no damage, but expected: %s", message);
	assert_contains(error.text, message);
}

static void assert_end(struct pcapng_reader *reader)
{
	struct block block;
	struct error error = {""};

	/* It stays there. */
	for (unsigned int i = 0; i < 3; i++)
		if (next(reader, &block, &error))
			fail_msg("not at the end: %s", error.text);
	pcapng_reader_free(reader);
}

static void blocks_are_written_to_the_byte(void **state)
{
	static const uint8_t expected[] = {
		0x06,
		0,
		0,
		0,
		68,
		0,
		0,
		0, /* type, length */
		0x02,
		0x01,
		0x06,
		0x05,
		0x04,
		0x03, /* u16, u32 */
		0x88,
		0x77,
		0x66,
		0x55,
		0x44,
		0x33,
		0x22,
		0x11, /* u64 */
		0xaa,
		0xbb, /* bytes */
		9,
		0,
		5,
		0,
		'h',
		'e',
		'l',
		'l',
		'o',
		0,
		0,
		0, /* option, padded */
		2,
		0,
		4,
		0,
		'f',
		'o',
		'u',
		'r', /* no padding needed */
		3,
		0,
		8,
		0,
		8,
		7,
		6,
		5,
		4,
		3,
		2,
		1, /* u64 option */
		0,
		0,
		0,
		0,
		0xcc,
		0,
		0,
		0, /* end, byte, padding */
		68,
		0,
		0,
		0,
	};
	uint8_t out[sizeof expected];

	(void)state;
	/* With less room it fails, and writes nothing beyond. */
	for (size_t capacity = 0; capacity <= sizeof out; capacity++) {
		struct block_writer w = {.data = malloc(capacity + 1), .capacity = capacity};
		int status;

		w.data[capacity] = 0xee;
		block_begin(&w, 6);
		block_u16(&w, 0x0102);
		block_u32(&w, 0x03040506);
		block_u64(&w, 0x1122334455667788);
		block_bytes(&w, (struct bytes){(const uint8_t *)"\xaa\xbb", 2});
		block_option(&w, 9, bytes_of("hello"));
		block_option(&w, 7, bytes_of(""));
		block_option(&w, 2, bytes_of("four"));
		block_option_u64(&w, 3, 0x0102030405060708);
		block_options_end(&w);
		block_bytes(&w, (struct bytes){(const uint8_t *)"\xcc", 1});
		block_bytes(&w, (struct bytes){NULL, 0});
		status = block_end(&w);
		assert_int_equal(status, capacity < sizeof expected ? -1 : 0);
		assert_int_equal(w.overflow, capacity < sizeof expected);
		assert_int_equal(w.data[capacity], 0xee);
		if (!status) {
			assert_int_equal(w.length, sizeof expected);
			assert_memory_equal(w.data, expected, sizeof expected);
		}
		free(w.data);
	}
}

static void a_block_writer_can_be_used_again(void **state)
{
	uint8_t data[16];
	struct block_writer w = {.data = data, .capacity = sizeof data};

	(void)state;
	block_begin(&w, 1);
	block_u64(&w, 1);
	assert_int_equal(block_end(&w), -1);
	block_begin(&w, 1);
	block_u32(&w, 1);
	assert_int_equal(block_end(&w), 0);
	assert_int_equal(w.length, 16);
}

static void long_options_are_cut(void **state)
{
	static uint8_t data[70000], value[65540];
	struct block_writer w = {.data = data, .capacity = sizeof data};

	(void)state;
	block_begin(&w, 1);
	block_option(&w, 2, (struct bytes){value, sizeof value});
	block_options_end(&w);
	assert_int_equal(block_end(&w), 0);
	assert_int_equal(get_le16(data + 10), 65535);
	assert_int_equal(w.length, 8 + 4 + 65536 + 4 + 4);
}

static void blocks_of_both_byte_orders_are_read(void **state)
{
	struct file file = {0};
	struct pcapng_reader *reader;
	struct block block;
	struct error error;
	size_t at[4];

	(void)state;
	for (unsigned int i = 0; i < 4; i++) {
		put_section(&file, i & 1);
		put_block(&file, 0x01020304, "12345", 5);
		at[i] = put_record(&file, i);
		put_block(&file, 7, "", 0);
	}
	reader = open_file(&file);
	assert_false(pcapng_reader_is_pcapng(reader));
	for (unsigned int i = 0; i < 4; i++) {
		assert_block(reader, BLOCK_SECTION, at[i] - 48, 16);
		assert_true(pcapng_reader_is_pcapng(reader));
		assert_int_equal(next(reader, &block, &error), 1);
		assert_int_equal(block.type, 0x01020304);
		assert_int_equal(block.big_endian, i & 1);
		assert_int_equal(block.body.length, 8);
		assert_memory_equal(block.body.data, "12345\0\0", 8);
		assert_block(reader, BLOCK_CUSTOM, at[i], 16);
		assert_block(reader, 7, at[i] + 28, 0);
	}
	assert_end(reader);
}

/* Each read gives one message: the pieces are as short as we want. */
static void short_reads_make_no_difference(void **state)
{
	(void)state;
	for (size_t piece = 1; piece <= 13; piece += 3) {
		struct file file = {0};
		struct pcapng_reader *reader;
		int fds[2];

		put_section(&file, true);
		put_block(&file, 5, "abc", 3);
		put_record(&file, 1);
		assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fds), 0);
		for (size_t i = 0; i < file.length; i += piece) {
			size_t n = file.length - i < piece ? file.length - i : piece;

			assert_int_equal(send(fds[0], file.data + i, n, 0), n);
		}
		close(fds[0]);
		free(file.data);
		reader = pcapng_reader_new(fds[1]);
		assert_block(reader, BLOCK_SECTION, 0, 16);
		assert_block(reader, 5, 28, 4);
		assert_block(reader, BLOCK_CUSTOM, 44, 16);
		assert_end(reader);
	}
}

static void the_reader_closes_its_file(void **state)
{
	int fd = memory_file("", 0);

	(void)state;
	pcapng_reader_free(pcapng_reader_new(fd));
	assert_int_equal(fcntl(fd, F_GETFD), -1);
	pcapng_reader_free(NULL);
}

static void other_files_are_told_apart(void **state)
{
	static const struct {
		const char *data;
		size_t length;
		const char *message;
	} cases[] = {
		{"", 0, "empty"},
		{"\n", 1, "not a pcapng file"},
		{"\x0a\x0d\x0d", 3, "not a pcapng file"},
		{"hello world", 11, "not a pcapng file"},
		{"\0\0\0\0", 4, "not a pcapng file"},
		{"\xa1\xb2\xc3\xd4____", 8, "pcap file, not pcapng"},
		{"\xd4\xc3\xb2\xa1____", 8, "pcap file, not pcapng"},
		{"\xa1\xb2\x3c\x4d____", 8, "pcap file, not pcapng"},
		{"\x4d\x3c\xb2\xa1____", 8, "pcap file, not pcapng"},
		{"\xa1\xb2", 2, "not a pcapng file"},
		{"\x1f\x8b\x08", 3, "gzip"},
		{"\x28\xb5\x2f\xfd", 4, "zstd"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct pcapng_reader *reader =
			pcapng_reader_new(memory_file(cases[i].data, cases[i].length));

		assert_damage(reader, cases[i].message);
		assert_false(pcapng_reader_is_pcapng(reader));
		assert_end(reader);
	}
}

static void a_read_error_is_told_and_ends_it(void **state)
{
	struct pcapng_reader *reader = pcapng_reader_new(open("/", O_RDONLY | O_DIRECTORY));

	(void)state;
	assert_damage(reader, strerror(EISDIR));
	assert_end(reader);
}

/* A block whose lengths lie, another block, a record: what is said, and that the record is found.
 */
static void lies_about_the_length_are_found(void **state)
{
	static const struct {
		uint32_t length, trailer;
		const char *message;
	} cases[] = {
		{0, 16, "offset 28: block length 0 is less than 12"},
		{8, 16, "offset 28: block length 8 is less than 12"},
		{11, 16, "is less than 12"},
		{13, 16, "offset 28: block length 13 is not a multiple of 4"},
		{18, 16, "not a multiple of 4"},
		{16, 12, "offset 28: block length 16, but 12 at its end"},
		{16, 20, "block length 16, but 20 at its end"},
		{16, 0x10000000, "but 268435456 at its end"},
		{20, 16, "block length 20, but 7"}, /* takes the type of the next one for its end */
		{12, 16, "block length 12, but"},
		{4096, 4096, "offset 28: the file ends after 84 of the 4096 bytes of a block"},
		{16 << 20, 16, "of the 16777216 bytes of a block"},
		{(16 << 20) + 4, 16, "block length 16777220 is more than 16777216"},
		{0xfffffffc, 16, "block length 4294967292 is more than"},
	};

	(void)state;
	for (size_t i = 0; i < 2 * COUNT(cases); i++) {
		struct file file = {0};
		struct pcapng_reader *reader;
		size_t first, second;

		put_section(&file, i & 1);
		put(&file, 0x99, 4);
		put(&file, cases[i / 2].length, 4);
		put(&file, 0x55555555, 4);
		put(&file, cases[i / 2].trailer, 4);
		put_block(&file, 7, "", 0);
		first = put_record(&file, 1);
		second = put_record(&file, 2);
		reader = open_file(&file);
		assert_block(reader, BLOCK_SECTION, 0, 16);
		assert_damage(reader, cases[i / 2].message);
		assert_block(reader, BLOCK_CUSTOM, first, 16);
		assert_block(reader, BLOCK_CUSTOM, second, 16);
		assert_end(reader);
	}
}

static void a_section_needs_a_byte_order(void **state)
{
	struct file file = {0};
	struct pcapng_reader *reader;
	size_t record;

	(void)state;
	put_section(&file, false);
	file.data[8] ^= 1;
	record = put_record(&file, 1);
	reader = open_file(&file);
	assert_damage(reader, "offset 0: section header without a byte-order magic");
	assert_block(reader, BLOCK_CUSTOM, record, 16);
	assert_end(reader);
}

static void blocks_of_16_mib_are_read_larger_ones_not(void **state)
{
	static uint8_t body[(16u << 20) - 12];
	struct file file = {0};
	struct pcapng_reader *reader;
	size_t record;

	(void)state;
	put_section(&file, false);
	put_block(&file, 7, body, sizeof body);
	record = put_record(&file, 1);
	reader = open_file(&file);
	assert_block(reader, BLOCK_SECTION, 0, 16);
	assert_block(reader, 7, 28, sizeof body);
	assert_block(reader, BLOCK_CUSTOM, record, 16);
	assert_end(reader);
}

/* The magic alone is no block; behind it there may be one, of either byte order. */
static void the_next_record_is_found_by_block_and_magic(void **state)
{
	for (unsigned int big_endian = 0; big_endian < 2; big_endian++) {
		struct file file = {0};
		struct pcapng_reader *reader;
		size_t record, no_copy;
		struct block block;
		struct error error;

		put_section(&file, !big_endian);
		put_bytes(&file, "garbage\0\0\0\0\0" RECORD_MAGIC "\xad", 21);
		put_bytes(&file, "\xad" RECORD_MAGIC RECORD_MAGIC, 17);
		file.big_endian = big_endian; /* its section header is lost */
		record = put_record(&file, 1);
		no_copy = put_record(&file, 1);
		file.data[no_copy + (big_endian ? 0 : 3)] = 0x40;
		reader = open_file(&file);
		assert_block(reader, BLOCK_SECTION, 0, 16);
		assert_damage(reader, "offset 28");
		assert_int_equal(next(reader, &block, &error), 1);
		assert_int_equal(block.offset, record);
		assert_int_equal(block.big_endian, big_endian);
		assert_block(reader, BLOCK_CUSTOM_NO_COPY, no_copy, 16);
		assert_end(reader);
	}
	(void)state;
}

/* Wherever a read ends, also in the middle of the magic. */
static void the_next_record_is_found_across_reads(void **state)
{
	(void)state;
	for (size_t shift = 0; shift <= 40; shift++) {
		struct file file = {0};
		struct pcapng_reader *reader;
		uint8_t *garbage = malloc(READ_SIZE);
		size_t record;

		assert_non_null(garbage);
		memset(garbage, 0xff, READ_SIZE);
		put_section(&file, false);
		put_bytes(&file, garbage, READ_SIZE - 28 - shift);
		record = put_record(&file, 1);
		reader = open_file(&file);
		assert_block(reader, BLOCK_SECTION, 0, 16);
		assert_damage(reader, "offset 28");
		assert_block(reader, BLOCK_CUSTOM, record, 16);
		assert_end(reader);
		free(garbage);
	}
}

static void damage_without_a_record_behind_it_ends_the_file(void **state)
{
	static uint8_t garbage[READ_SIZE * 2];
	struct file file = {0};
	struct pcapng_reader *reader;

	(void)state;
	put_section(&file, false);
	put_bytes(&file, garbage, sizeof garbage);
	put_bytes(&file, RECORD_MAGIC, 8);
	reader = open_file(&file);
	assert_block(reader, BLOCK_SECTION, 0, 16);
	assert_damage(reader, "offset 28: block length 0");
	assert_end(reader);
}

static struct file three_blocks(void)
{
	struct file file = {0};

	put_section(&file, false);
	put_record(&file, 1);
	put_block(&file, 7, "abc", 3);
	return file;
}

/* Whole blocks are given out, a cut one is told, once. */
static void a_file_may_end_anywhere(void **state)
{
	static const size_t ends[] = {0, 28, 56, 72};

	(void)state;
	for (size_t length = 1; length <= 72; length++) {
		struct file file = three_blocks();
		struct pcapng_reader *reader;
		size_t whole = 0;

		file.length = length;
		reader = open_file(&file);
		while (whole < 3 && ends[whole + 1] <= length) {
			assert_block(reader,
				whole == 0   ? BLOCK_SECTION
				: whole == 1 ? BLOCK_CUSTOM
					     : 7,
				ends[whole], ends[whole + 1] - ends[whole] - 12);
			whole++;
		}
		if (length < 4)
			assert_damage(reader, "not a pcapng file");
		else if (length != ends[whole])
			assert_damage(reader, "the file ends after");
		assert_end(reader);
	}
}

static void any_changed_byte_is_survived(void **state)
{
	static const uint8_t values[] = {0, 1, 4, 12, 16, 0x0a, 0x0b, 0x40, 0x7f, 0x80, 0xad, 0xff};

	(void)state;
	for (size_t at = 0; at < 72; at++)
		for (size_t i = 0; i < COUNT(values); i++) {
			struct file file = three_blocks();
			struct pcapng_reader *reader;
			struct block block;
			struct error error;
			uint64_t offset = 0;
			unsigned int calls = 0;
			int n;

			file.data[at] = values[i];
			reader = open_file(&file);
			while ((n = next(reader, &block, &error)) != 0) {
				assert_true(++calls < 20);
				if (n < 0)
					continue;
				assert_true(block.offset >= offset);
				offset = block.offset + 12 + block.body.length;
				assert_true(offset <= 72);
			}
			pcapng_reader_free(reader);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(blocks_are_written_to_the_byte),
		cmocka_unit_test(a_block_writer_can_be_used_again),
		cmocka_unit_test(long_options_are_cut),
		cmocka_unit_test(blocks_of_both_byte_orders_are_read),
		cmocka_unit_test(short_reads_make_no_difference),
		cmocka_unit_test(the_reader_closes_its_file),
		cmocka_unit_test(other_files_are_told_apart),
		cmocka_unit_test(a_read_error_is_told_and_ends_it),
		cmocka_unit_test(lies_about_the_length_are_found),
		cmocka_unit_test(a_section_needs_a_byte_order),
		cmocka_unit_test(blocks_of_16_mib_are_read_larger_ones_not),
		cmocka_unit_test(the_next_record_is_found_by_block_and_magic),
		cmocka_unit_test(the_next_record_is_found_across_reads),
		cmocka_unit_test(damage_without_a_record_behind_it_ends_the_file),
		cmocka_unit_test(a_file_may_end_anywhere),
		cmocka_unit_test(any_changed_byte_is_survived),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
