/* SPDX-License-Identifier: BSD-2-Clause */
/* A record: what is accepted can be read, and nothing outside of the record is. */
#include <assert.h>

#include "../../formats/batch.h"

/* A few bytes may stand for millions of equal rows: fewer tell as much, and the ends of them. */
#define TABLE_MAX 65536
#define ROWS_MAX 1000

/* Only takes long: allowed, but with a table that is larger than TABLE_MAX. */
static bool is_tedious(struct bytes record)
{
	for (unsigned int at = BATCH_AT_EVENTS; at <= BATCH_AT_IPV6; at += 4) {
		uint32_t rows = record.length >= at + 4 ? get_le32(record.data + at) : 0;

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

static void read_row(const struct batch *batch, uint32_t row, struct bytes record)
{
	struct event event;

	batch_event(batch, row, &event);
	assert_inside(event.process.comm, record);
	assert(event.daddr.family == 4 || event.daddr.family == 6);
	assert(!event.saddr.family || event.saddr.family == 4 || event.saddr.family == 6);
	batch_wall_ns(batch, event.time_ns);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes record;
	struct batch batch;
	struct error error;
	int kind;

	if (record_parse((struct bytes){data, size}, &record, &kind, &error))
		return 0;
	assert(record.data == data && record.length <= size);
	if (is_tedious(record) || batch_parse(&batch, record, &error))
		return 0;
	assert_inside(batch.header.host, record);
	assert_inside(batch.header.backend, record);
	for (uint32_t row = 0; row < batch.events && row < ROWS_MAX; row++)
		read_row(&batch, row, record);
	for (uint32_t row = batch.events; row > ROWS_MAX && row > batch.events - ROWS_MAX; row--)
		read_row(&batch, row - 1, record);
	return 0;
}
