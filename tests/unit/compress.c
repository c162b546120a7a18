/* SPDX-License-Identifier: BSD-2-Clause */
/* Compressed bodies: the same events, and nothing that a few bytes could make a reader do. */
#include "unit.h"
#include "../../formats/batch_builder.h"

#define EVENTS 500

static uint8_t record[RECORD_PLAIN_MAX];

/* A batch of so many nearly equal events in record; returns its length. */
static size_t encode_some(uint32_t events)
{
	struct process process = {.identity = 1, .pid = 10, .comm = bytes_of("curl")};
	struct batch_header header = {.session = "0123456789abcde", .host = bytes_of("host")};
	struct batch_builder *builder = batch_builder_new();
	size_t length;

	assert_non_null(builder);
	for (uint32_t i = 0; i < events; i++) {
		struct event event = {.time_ns = 1000 + i,
			.process = &process,
			.daddr = {4, {127, 0, 0, 1}},
			.lport = (uint16_t)(40000 + i),
			.dport = 443};

		assert_int_equal(batch_builder_add(builder, &event), 0);
	}
	length = batch_builder_encode(builder, &header, record);
	batch_builder_free(builder);
	return length;
}

static size_t encode(void)
{
	return encode_some(EVENTS);
}

static size_t pack(void)
{
	struct compressor *compressor = compressor_new();
	size_t length = compressor_pack(compressor, record, encode());

	compressor_free(compressor);
	return length;
}

/* Returns 0 if it is accepted. */
static int parse(size_t length, struct batch *batch, struct error *error)
{
	uint8_t *copy = exact_copy(record, length);
	struct bytes whole;
	int kind, status;

	status = record_parse((struct bytes){copy, length}, &whole, &kind, error) ||
		 batch_parse(batch, whole, error);
	/* Only the names of the header point into it. */
	free(copy);
	return status;
}

static void a_packed_batch_is_smaller_and_the_same(void **state)
{
	size_t plain = encode(), packed = pack();
	struct batch batch = {0};
	struct error error;

	(void)state;
	assert_true(packed < plain * 3 / 4);
	assert_int_equal(record[BATCH_AT_COMPRESSION], COMPRESSION_ZSTD);
	for (int again = 0; again < 2; again++) {
		assert_int_equal(parse(packed, &batch, &error), 0);
		assert_int_equal(batch.events, EVENTS);
		for (uint32_t i = 0; i < EVENTS; i++) {
			struct event event;

			batch_event(&batch, i, &event);
			assert_int_equal(event.time_ns, 1000 + i);
			assert_int_equal(event.lport, 40000 + i);
			assert_memory_equal(event.process->comm.data, "curl", 4);
		}
	}
	batch_release(&batch);
}

/* Column by column, whether it has been tried to pack some of them or not. */
static void what_does_not_become_smaller_stays_as_it_is(void **state)
{
	size_t unchanged = 0;

	(void)state;
	for (uint32_t events = 0; events < 40; events++) {
		struct compressor *compressor = compressor_new();
		size_t length = encode_some(events);
		uint8_t *plain = exact_copy(record, length);

		if (compressor_pack(compressor, record, length) == length) {
			assert_memory_equal(record, plain, length);
			unchanged++;
		} else {
			assert_int_equal(record[BATCH_AT_COMPRESSION], COMPRESSION_ZSTD);
		}
		compressor_free(compressor);
		free(plain);
	}
	assert_in_range(unchanged, 1, 39);
}

static void a_length_that_lies_is_refused(void **state)
{
	static const uint32_t lies[] = {0, 1, 1000, 1u << 24, (1u << 24) + 1, UINT32_MAX};
	size_t packed = pack();
	struct batch batch = {0};
	struct error error;

	(void)state;
	for (size_t i = 0; i < COUNT(lies); i++) {
		put_le(record + BATCH_AT_BODY_LENGTH, lies[i], 4);
		assert_int_not_equal(parse(packed, &batch, &error), 0);
		assert_int_equal(batch.events, 0);
	}
	batch_release(&batch);
}

static void a_damaged_frame_is_refused_or_harmless(void **state)
{
	uint64_t random = 1;
	size_t packed = pack();
	uint32_t body = get_le32(record + BATCH_AT_BODY);
	struct batch batch = {0};
	struct error error;

	(void)state;
	for (int i = 0; i < 2000; i++) {
		uint32_t at = body + random_below(&random, (uint32_t)packed - body);
		uint8_t old = record[at];

		record[at] ^= (uint8_t)(1 + random_below(&random, 255));
		if (!parse(packed, &batch, &error) && batch.events) {
			struct event event;

			batch_event(&batch, batch.events - 1, &event);
		}
		record[at] = old;
	}
	assert_int_equal(parse(packed, &batch, &error), 0);
	batch_release(&batch);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_packed_batch_is_smaller_and_the_same),
		cmocka_unit_test(what_does_not_become_smaller_stays_as_it_is),
		cmocka_unit_test(a_length_that_lies_is_refused),
		cmocka_unit_test(a_damaged_frame_is_refused_or_harmless),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
