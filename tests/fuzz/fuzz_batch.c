/* SPDX-License-Identifier: BSD-2-Clause */
/* A record: what is accepted can be read and made packets of, and nothing outside of it is read. */
#include <assert.h>

#include "../../formats/batch.h"
#include "../../formats/packet.h"

/* A few bytes may stand for millions of equal rows: fewer tell as much, and the ends of them. */
#define TABLE_MAX 65536
#define ROWS_MAX 1000

/* Only takes long: allowed, but with a table that is larger than TABLE_MAX. */
static bool is_tedious(struct bytes record)
{
	static const unsigned int tables[] = {
		BATCH_AT_EVENTS, BATCH_AT_STRINGS, BATCH_AT_IPV4, BATCH_AT_IPV6, BATCH_AT_OUTCOMES};

	for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
		uint32_t rows =
			record.length >= tables[i] + 4 ? get_le32(record.data + tables[i]) : 0;

		if (rows > TABLE_MAX && rows <= RECORD_LENGTH_MAX)
			return true;
	}
	return false;
}

static void assert_inside(struct bytes part, struct bytes whole)
{
	assert(!part.length || (part.data >= whole.data && part.length <= whole.length &&
				       part.data + part.length <= whole.data + whole.length));
}

/* Fits, and its comment is one line of visible characters. */
static void make_packet(const struct batch *batch, const struct event *event)
{
	struct packet_origin origin = {
		batch->header.session, batch_wall_ns(batch, event->time_ns), UINT32_MAX, NULL};
	uint8_t block[PACKET_BLOCK_MAX];
	struct block_writer w = {.data = block, .capacity = sizeof block};
	char comment[PACKET_COMMENT_MAX];
	size_t length = packet_comment(event, comment);

	assert(length && length <= sizeof comment);
	for (size_t i = 0; i < length; i++)
		assert((uint8_t)comment[i] >= ' ' && comment[i] != 0x7f);
	packet_block(&w, event, &origin);
	assert(w.length && !w.overflow);
	packet_process_block(&w, event->process);
	assert(!w.overflow);
}

static void read_row(const struct batch *batch, uint32_t row, struct bytes record)
{
	struct event event;

	/* Texts are in the body, which is not part of the record if it was compressed. */
	if (batch->body.data)
		record = (struct bytes){batch->body.data, batch->body.capacity};
	batch_event(batch, row, &event);
	for (const struct process *p = event.process; p; p = p->parent)
		for (size_t i = 0; i < PROCESS_FIELDS; i++)
			if (process_fields[i].kind == FIELD_TEXT)
				assert_inside(*(const struct bytes *)((const char *)p +
								      process_fields[i].at),
					record);
	assert_inside(event.query, record);
	assert(event.daddr.family == 4 || event.daddr.family == 6);
	assert(!event.saddr.family || event.saddr.family == 4 || event.saddr.family == 6);
	make_packet(batch, &event);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes record;
	struct batch batch = {0};
	struct error error;
	int kind;

	if (record_parse((struct bytes){data, size}, &record, &kind, &error))
		return 0;
	assert(record.data == data && record.length <= size);
	if (is_tedious(record))
		return 0;
	if (batch_parse(&batch, record, &error)) {
		batch_release(&batch);
		return 0;
	}
	assert_inside(batch.header.host, record);
	assert_inside(batch.header.backend, record);
	for (uint32_t row = 0; row < batch.events && row < ROWS_MAX; row++)
		read_row(&batch, row, record);
	for (uint32_t row = batch.events; row > ROWS_MAX && row > batch.events - ROWS_MAX; row--)
		read_row(&batch, row - 1, record);
	for (uint32_t row = 0; row < batch.late && row < ROWS_MAX; row++) {
		struct late_result late;

		batch_late_result(&batch, row, &late);
	}
	batch_release(&batch);
	return 0;
}
