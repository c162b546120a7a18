/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A whole file: it comes to an end, and every event is one line of printable characters.
 * A summary at its end is signed, so that what it says is believed.
 */
#include <assert.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>
#include <zlib.h>

#include "../../formats/columns.h"
#include "../../formats/trace_reader.h"

#define ROWS_MAX 100 /* of a batch: a few bytes may stand for millions */

static void print(struct columns *columns, const struct batch *batch, uint32_t row, FILE *out)
{
	struct event event;

	batch_event(batch, row, &event);
	columns_print(columns,
		&(struct columns_row){.event = &event,
			.wall_ns = batch_wall_ns(batch, event.time_ns),
			.host = batch->header.host,
			.backend = batch->header.backend},
		out);
}

static void read_all(struct trace_reader *reader, struct columns *columns[static 2], size_t size)
{
	size_t calls = 0, rows = 0, lines = 0, length;
	struct batch batch = {0};
	struct error error;
	char *text;
	FILE *out = open_memstream(&text, &length);
	int n;

	assert(out);
	while ((n = trace_reader_next(reader, &batch, &error)) != 0) {
		assert(++calls <= 16 + size); /* each of them takes at least a byte */
		if (n < 0)
			continue;
		for (uint32_t row = 0; row < batch.events && row < ROWS_MAX; row++, rows += 2)
			for (unsigned int i = 0; i < 2; i++)
				print(columns[i], &batch, row, out);
	}
	batch_release(&batch);
	fclose(out);
	for (size_t i = 0; i < length; i++) {
		lines += text[i] == '\n';
		assert(text[i] == '\n' || ((unsigned char)text[i] >= ' ' && text[i] != 0x7f));
	}
	assert(lines == rows);
	free(text);
}

/* The heads alone, as who skips all sees them; twice. */
static void read_heads(struct trace_reader *reader, size_t size)
{
	struct batch head = {0};
	size_t calls = 0;
	struct error error;

	for (unsigned int i = 0; i < 2; i++) {
		while (trace_reader_head(reader, &head, &error) != 0)
			assert(++calls <= 2 * (16 + size));
		if (!trace_reader_park(reader))
			break;
	}
	batch_release(&head);
}

static void sign_summary(uint8_t *data, size_t size)
{
	uint32_t block = size < 4 ? 0 : get_le32(data + size - 4), length;
	uint8_t *record = data + size - block + 12;

	if (block > size || block < 16 + 128 || record[RECORD_AT_KIND] != RECORD_SUMMARY)
		return;
	length = get_le32(record + RECORD_AT_LENGTH);
	if (length < 128 || length > block - 16)
		return;
	put_le(record + SUMMARY_AT_OWN_OFFSET, size - block, 8);
	put_le(record + SUMMARY_AT_CRC, 0, 4);
	put_le(record + SUMMARY_AT_CRC, crc32(0, record, length), 4);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int fd = memfd_create("trace", MFD_CLOEXEC);
	struct columns *columns[2];
	struct trace_reader *reader;
	struct error error;
	char name[64];
	uint8_t *copy = malloc(size + 1);

	assert(copy);
	if (size)
		memcpy(copy, data, size);
	sign_summary(copy, size);
	assert(fd >= 0 && write(fd, copy, size) == (ssize_t)size);
	free(copy);
	snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
	reader = trace_reader_open(name, &error);
	assert(reader);
	read_heads(reader, size);
	trace_reader_free(reader);
	reader = trace_reader_open(name, &error);
	assert(reader);
	columns[0] = columns_new(
		&(struct columns_choice){.names = "time,clock,host,uid,gid,pid,tid,comm,ip,saddr,"
						  "lport,daddr,dport,backend,query,query_age"},
		&error);
	columns[1] = columns_new(
		&(struct columns_choice){
			.style = "bcc", .time = true, .uid = true, .lport = true, .query = true},
		&error);
	assert(columns[0] && columns[1]);
	read_all(reader, columns, size);
	columns_free(columns[0]);
	columns_free(columns[1]);
	trace_reader_free(reader);
	close(fd);
	return 0;
}
