/* SPDX-License-Identifier: BSD-2-Clause */
/* Rows of a batch, whose cells are remembered, look like rows that are printed one by one. */
#include "unit.h"
#include "../../formats/batch_builder.h"
#include "../../formats/columns.h"

#include <stdlib.h>

#define EVENTS 9000 /* more addresses and ports than are remembered */

static const char hostile[] = "a\n,\"\x1b[31m\xff\\ ";

/* Few processes, many addresses of both families, and of each something that is unknown. */
static void add(struct batch_builder *builder, uint32_t i)
{
	struct process process = {.pid = i % 37,
		.uid = i % 5 ? 1000 + i % 5 : UINT32_MAX,
		.euid = i % 3 ? 0 : UNKNOWN_ID,
		.comm = {(const uint8_t *)hostile, i % 37 % sizeof hostile},
		.args = {(const uint8_t *)"a long one\0-with\0", i % 2 ? 17 : 0}};
	struct event event = {.time_ns = UINT64_C(1000000) * i * i,
		.process = &process,
		.tid = i % 37,
		.flags = i % 8,
		.returned = (uint16_t)(i % 4),
		.net_ns = i % 3,
		.daddr = {i % 3 ? 4 : 6, {0}},
		.lport = (uint16_t)(i % 11 ? i * 7 : 0),
		.dport = (uint16_t)(i % 13 ? 443 : i),
		.result = {(uint8_t)(i % 4), (uint16_t)(i % 4 == 2 ? 111 : 0), i % 5, i}};

	memcpy(event.daddr.bytes, &(uint32_t){i * 2654435761u}, 4);
	event.saddr = i % 17 ? event.daddr : (struct address){0};
	event.saddr.bytes[3] = (uint8_t)(i % 7);
	if (!event.saddr.family)
		memset(&event.saddr, 0, sizeof event.saddr);
	/* From the middle on: names of any age, and none. */
	if (i > EVENTS / 2) {
		event.query = (struct bytes){(const uint8_t *)"ab.net\n", i % 8};
		event.answered = i % 9 ? i % 9 * 25000 + i % 3 : i % 2;
		if (i % 7 == 0)
			event.daddr = (struct address){4, {127, 0, 0, 1}};
	}
	assert_int_equal(batch_builder_add(builder, &event), 0);
}

static uint8_t *parse(struct batch *batch, uint64_t sequence)
{
	struct batch_header header = {.file = 1,
		.sequence = sequence,
		.anchor = {0, 1763894700123456789},
		.host = bytes_of("myhost"),
		.backend = bytes_of("fentry")};
	struct batch_builder *builder = batch_builder_new();
	uint8_t *out = malloc(RECORD_PLAIN_MAX);
	struct bytes record;
	struct error error;
	int kind;

	assert_non_null(builder);
	assert_non_null(out);
	batch_builder_pack(builder);
	for (uint32_t i = 0; i < EVENTS; i++)
		add(builder, i + (uint32_t)sequence);
	record.length = batch_builder_encode(builder, &header, out);
	record.data = out;
	batch_builder_free(builder);
	if (record_parse(record, &record, &kind, &error) || batch_parse(batch, record, &error))
		fail_msg("%s", error.text);
	return out;
}

static void check(const struct columns_choice *choice)
{
	static const struct result late = {OUTCOME_FAILED, 110, 3, 5000000};
	struct batch batches[2] = {0};
	struct columns *many, *one;
	struct text text = {0};
	struct found found[EVENTS];
	uint32_t numbers[EVENTS];
	struct error error;
	char *alone;
	size_t size;
	FILE *out = open_memstream(&alone, &size);

	many = columns_new(choice, &error);
	one = columns_new(choice, &error);
	if (!many || !one)
		fail_msg("%s", error.text);
	for (uint32_t b = 0; b < 2; b++) {
		uint8_t *record = parse(&batches[b], b * 5000);
		struct rows rows = {.batch = &batches[b],
			.generation = 1 + b,
			.bits = columns_need(many),
			.rows = numbers,
			.found = found,
			.start_ns = batch_wall_ns(&batches[b], batches[b].header.first_ns)};

		for (uint32_t row = b; row < EVENTS; row += 1 + b) {
			struct columns_row of;
			struct event event;

			numbers[rows.count++] = row;
			if (row % 20 == 1)
				found[rows.found_count++] = (struct found){row, late};
			rows_get(&rows, rows.count - 1, rows_find(&rows, row), &event, &of);
			columns_print(one, &of, out);
		}
		columns_put_runs(many, &rows, 1);
		batch_release(&batches[b]);
		free(record);
	}
	columns_take(many, &text);
	fclose(out);
	assert_int_equal(text.length, size);
	assert_memory_equal(text.data, alone, size);
	text_release(&text);
	columns_free(many);
	columns_free(one);
	free(alone);
}

static void rows_look_as_when_each_is_alone(void **state)
{
	static const struct columns_choice choices[] = {
		{.clock = true, .uid = true, .lport = true},
		{.time = true, .host = true, .result = true, .colour = true},
		{.time = true, .detail = true},
		{.format = FORMAT_JSON},
		{.format = FORMAT_CSV},
		{.style = "bcc", .time = true, .uid = true, .lport = true},
		{.style = "libbpf", .lport = true},
		{.names = "daddr,lport,saddr,ip,comm,dport,daddr,flags,netns,returned,args,"
			  "backend"},
		{.names = "dport,retransmits,latency,result,ip,tid,clock"},
		{.query = true},
		{.style = "bcc", .query = true},
		{.names = "query,query_age,daddr,query,query"},
		{.names = "query_age,query,comm", .format = FORMAT_JSON},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(choices); i++)
		check(&choices[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_look_as_when_each_is_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
