/* SPDX-License-Identifier: BSD-2-Clause */
/* Packed columns: what is put in comes out, in a batch, and what is damaged is refused. */
#include "unit.h"

#include "../../formats/batch.h"
#include "../../formats/pack.h"

static uint64_t seed = 3;
static uint64_t values[RECORD_ENCODED_MAX + 1];
static uint8_t data[PACK_BYTES_MAX];

/*
 * A record of events whose only column of numbers is that of latencies, with this entry
 * and data; the directory and the record end where the data end.
 */
static struct bytes make_record(uint32_t events, const uint8_t *entry, size_t length)
{
	static const uint32_t columns = 3;
	uint32_t body = BATCH_HEADER_LENGTH, at = columns * COLUMN_ENTRY_LENGTH;
	size_t size = body + at + length;
	uint8_t *p = calloc(1, size), *directory = p + body, *record;

	assert_non_null(p);
	memcpy(p, RECORD_MAGIC, 8);
	p[RECORD_AT_KIND] = RECORD_BATCH;
	p[RECORD_AT_MAJOR] = RECORD_MAJOR;
	put_le32(p + RECORD_AT_LENGTH, (uint32_t)size);
	put_le32(p + RECORD_AT_HEADER_LENGTH, BATCH_HEADER_LENGTH);
	put_le32(p + BATCH_AT_EVENTS, events);
	put_le32(p + BATCH_AT_PROCESSES, 1);
	put_le32(p + BATCH_AT_IPV4, 1);
	put_le32(p + BATCH_AT_BODY, body);
	put_le32(p + BATCH_AT_BODY + 4, (uint32_t)(size - body));
	put_le32(p + BATCH_AT_BODY_LENGTH, (uint32_t)(size - body));
	put_le16(p + BATCH_AT_COLUMNS, (uint16_t)columns);
	put_le16(directory + COLUMN_AT_ID, EVENT_DADDR);
	put_le64(directory + COLUMN_AT_BASE, 1);
	put_le16(directory + COLUMN_ENTRY_LENGTH + COLUMN_AT_ID, IPV4_ADDRESS);
	put_le64(directory + COLUMN_ENTRY_LENGTH + COLUMN_AT_BASE, 0x7f000001);
	memcpy(directory + 2 * COLUMN_ENTRY_LENGTH, entry, COLUMN_ENTRY_LENGTH);
	put_le16(directory + 2 * COLUMN_ENTRY_LENGTH + COLUMN_AT_ID, EVENT_LATENCY);
	put_le32(directory + 2 * COLUMN_ENTRY_LENGTH + COLUMN_AT_OFFSET, at);
	memcpy(directory + at, data, length);
	record = exact_copy(p, size);
	free(p);
	return (struct bytes){record, size};
}

/* Returns 0 if it is accepted. */
static int parse(struct bytes record, struct batch *batch, struct error *error)
{
	struct bytes whole;
	int kind;

	return record_parse(record, &whole, &kind, error) || batch_parse(batch, whole, error);
}

/* Returns the bytes that they take. */
static size_t assert_round_trip(uint32_t rows, enum encoding encoding, unsigned int bits)
{
	uint8_t entry[COLUMN_ENTRY_LENGTH] = {0};
	size_t length = pack_column(values, rows, data, entry);
	struct bytes record = make_record(rows, entry, length);
	struct batch batch = {0};
	struct error error = {""};

	assert_in_range(length, 1, sizeof data);
	if (bits) {
		assert_int_equal(entry[COLUMN_AT_ENCODING], encoding);
		assert_int_equal(entry[COLUMN_AT_WIDTH], bits);
	}
	if (parse(record, &batch, &error))
		fail_msg("%u rows of encoding %u and %u bits: %s", rows, entry[COLUMN_AT_ENCODING],
			entry[COLUMN_AT_WIDTH], error.text);
	for (uint32_t row = 0; row < rows; row++)
		assert_true(column_get(&batch.latency, row) == values[row]);
	batch_release(&batch);
	free((void *)record.data);
	/* One byte less is too little. */
	record = make_record(rows, entry, length - 1);
	assert_int_not_equal(parse(record, &batch, &error), 0);
	assert_contains(error.text, "column 0x010b is outside the body");
	batch_release(&batch);
	free((void *)record.data);
	return length;
}

static uint32_t some_rows(void)
{
	static const uint32_t edges[] = {1, 15, 16, 17, 31, 32, 33, 127, 128, 129, 255, 256, 1000};

	return random_below(&seed, 2) ? edges[random_below(&seed, COUNT(edges))]
				      : 1 + random_below(&seed, 3000);
}

static void integers_of_any_bits_come_back(void **state)
{
	(void)state;
	for (unsigned int bits = 1; bits <= 64; bits++)
		for (int round = 0; round < 20; round++) {
			uint32_t rows = some_rows();
			uint64_t base = random_next(&seed) >> random_below(&seed, 64);
			uint64_t most = UINT64_MAX >> (64 - bits);

			base = base > UINT64_MAX - most ? UINT64_MAX - most : base;
			for (uint32_t row = 0; row < rows; row++)
				values[row] = base + (random_next(&seed) & most);
			assert_round_trip(rows, 0, 0);
		}
}

static void values_far_apart_come_back_from_a_palette(void **state)
{
	(void)state;
	for (unsigned int bytes = 0; bytes < 8; bytes++)
		for (unsigned int different = 1; different <= 130; different += 1 + bytes) {
			uint32_t rows = some_rows();
			uint64_t palette[130];

			for (unsigned int i = 0; i < different; i++)
				palette[i] = random_next(&seed) >> random_below(&seed, 64)
									   << 8 * bytes;
			for (uint32_t row = 0; row < rows; row++)
				values[row] =
					palette[random_below(&seed, different)] |
					(random_next(&seed) & ((UINT64_C(1) << 8 * bytes) - 1));
			assert_round_trip(rows, 0, 0);
		}
}

static void what_takes_least_is_chosen(void **state)
{
	static const uint16_t ports[] = {443, 80, 5432, 6379, 9092, 53, 22};
	const uint32_t rows = PACK_ROWS_MAX;

	(void)state;
	for (uint32_t row = 0; row < rows; row++)
		values[row] = ports[random_below(&seed, COUNT(ports))];
	assert_int_equal(assert_round_trip(rows, ENCODING_PALETTE, 3), 8 * 8 + rows * 3 / 8);
	for (uint32_t row = 0; row < rows; row++)
		values[row] = 7 + random_below(&seed, 2000);
	assert_int_equal(assert_round_trip(rows, ENCODING_BITS, 11), rows * 11 / 8);
	/* Latencies, and time-outs that are all about as long. */
	for (uint32_t row = 0; row < rows; row++)
		values[row] = (row % 50 ? 0 : 127008768) + random_below(&seed, 65536);
	assert_int_equal(assert_round_trip(rows, ENCODING_PALETTE, 17), 2 * 8 + rows * 17 / 8);
	for (uint32_t row = 0; row < rows; row++)
		values[row] = 7;
	assert_int_equal(assert_round_trip(rows, ENCODING_BITS, 1), rows / 8);
}

/* Sums may wrap in what others wrote: modulo 2^64, whatever the width of the largest. */
static void sums_wrap(void **state)
{
	uint8_t entry[COLUMN_ENTRY_LENGTH] = {
		[COLUMN_AT_WIDTH] = 8 + 1, [COLUMN_AT_ENCODING] = ENCODING_PALETTE};
	struct bytes record;
	struct batch batch = {0};
	struct error error;

	(void)state;
	put_le64(entry + COLUMN_AT_BASE, 5);
	memset(data, 0, 64);
	put_le64(data, UINT64_MAX - 9);
	put_le64(data + 8, 1000);
	data[16] = 4;     /* row 0 */
	data[17] = 20;    /* row 1 */
	data[18] = 20;    /* row 2 */
	data[19 + 2] = 1; /* row 2: the other one */
	record = make_record(3, entry, 16 + 3 + 16);
	assert_int_equal(parse(record, &batch, &error), 0);
	assert_true(column_get(&batch.latency, 0) == UINT64_MAX);
	assert_true(column_get(&batch.latency, 1) == 15);
	assert_true(column_get(&batch.latency, 2) == 1025);
	batch_release(&batch);
	free((void *)record.data);
}

static void widths_that_cannot_be_are_refused(void **state)
{
	static const struct {
		uint8_t encoding, width;
		uint32_t events;
		const char *message;
	} cases[] = {
		{ENCODING_BITS, 0, 1, "column 0x010b has width 0"},
		{ENCODING_BITS, 65, 1, "column 0x010b has width 65"},
		{ENCODING_BITS, 255, 1, "column 0x010b has width 255"},
		{ENCODING_PALETTE, 0, 1, "column 0x010b has width 0"},
		{ENCODING_PALETTE, 8, 1, "column 0x010b has width 8"},
		{ENCODING_PALETTE, 64, 1, "column 0x010b has width 64"},
		{ENCODING_PALETTE, 65, 1, "column 0x010b has width 65"},
		{ENCODING_PALETTE, 7, 1, "column 0x010b is outside the body"},
		{ENCODING_BITS, 1, RECORD_ENCODED_MAX + 1, "65536 are the most"},
		{ENCODING_PALETTE, 1, RECORD_LENGTH_MAX, "65536 are the most"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		uint8_t entry[COLUMN_ENTRY_LENGTH] = {[COLUMN_AT_WIDTH] = cases[i].width,
			[COLUMN_AT_ENCODING] = cases[i].encoding};
		struct bytes record = make_record(cases[i].events, entry, 100);
		struct batch batch = {0};
		struct error error = {"accepted"};

		parse(record, &batch, &error);
		assert_contains(error.text, cases[i].message);
		assert_int_equal(batch.events, 0);
		batch_release(&batch);
		free((void *)record.data);
	}
}

static void a_batch_without_events_needs_no_data(void **state)
{
	uint8_t entry[COLUMN_ENTRY_LENGTH] = {
		[COLUMN_AT_WIDTH] = 9, [COLUMN_AT_ENCODING] = ENCODING_BITS};
	struct bytes record = make_record(0, entry, 0);
	struct batch batch = {0};
	struct error error;

	(void)state;
	assert_int_equal(parse(record, &batch, &error), 0);
	batch_release(&batch);
	free((void *)record.data);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(integers_of_any_bits_come_back),
		cmocka_unit_test(values_far_apart_come_back_from_a_palette),
		cmocka_unit_test(what_takes_least_is_chosen),
		cmocka_unit_test(sums_wrap),
		cmocka_unit_test(widths_that_cannot_be_are_refused),
		cmocka_unit_test(a_batch_without_events_needs_no_data),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
