/* SPDX-License-Identifier: BSD-2-Clause */
#include "batch_builder.h"
#include "intern.h"

#include <assert.h>
#include <stdlib.h>

#define NAME_MAX_LENGTH 255
#define COLUMNS 17
/*
 * The most that a row of each table takes, all columns at their widest: so that
 * the encoded size is bounded without computing it for each event.
 */
#define EVENT_BYTES (8 + 2 + 4 + 4 + 4 + 2 + 2 + 1)
#define PROCESS_BYTES (4 + 4 + 4 + 2)
#define STRING_END_BYTES 4
#define IPV4_BYTES 4
#define IPV6_BYTES 16
#define FIXED_BYTES (BATCH_HEADER_LENGTH + 2 * NAME_MAX_LENGTH + COLUMNS * COLUMN_ENTRY_LENGTH)
/* One event that is new in every respect: its row, process, comm and two addresses. */
#define NEW_EVENT_BYTES (EVENT_BYTES + PROCESS_BYTES + STRING_END_BYTES + 2 * IPV6_BYTES)

/* The enterprise number belongs to the payload for Wireshark. */
#define PAYLOAD_MAX (RECORD_PAYLOAD_MAX - 4)

/* As kept until encoding: addresses count their own family, the process by its number. */
struct row {
	uint64_t time_ns;
	uint32_t process, tid, flags;
	uint32_t saddr, daddr; /* 0 unknown, else 1 + number in its family */
	uint16_t lport, dport;
	uint8_t saddr_family, daddr_family;
};

struct batch_builder {
	uint32_t count;
	struct row rows[BATCH_EVENTS_MAX];
	uint64_t values[BATCH_EVENTS_MAX * 2]; /* of the column being written */
	struct intern *processes, *strings, *ipv4, *ipv6;
};

/* Key of a process in its table; no padding. */
struct process_key {
	uint32_t pid, uid, gid, comm;
};

struct batch_builder *batch_builder_new(void)
{
	struct batch_builder *b = calloc(1, sizeof *b);

	if (!b)
		return NULL;
	b->processes = intern_new(BATCH_EVENTS_MAX, BATCH_EVENTS_MAX * sizeof(struct process_key));
	b->strings = intern_new(BATCH_EVENTS_MAX, RECORD_PAYLOAD_MAX);
	b->ipv4 = intern_new(BATCH_EVENTS_MAX * 2, BATCH_EVENTS_MAX * 2 * 4);
	b->ipv6 = intern_new(BATCH_EVENTS_MAX * 2, BATCH_EVENTS_MAX * 2 * 16);
	if (!b->processes || !b->strings || !b->ipv4 || !b->ipv6) {
		batch_builder_free(b);
		return NULL;
	}
	return b;
}

void batch_builder_free(struct batch_builder *b)
{
	if (!b)
		return;
	intern_free(b->processes);
	intern_free(b->strings);
	intern_free(b->ipv4);
	intern_free(b->ipv6);
	free(b);
}

uint32_t batch_builder_count(const struct batch_builder *b)
{
	return b->count;
}

static size_t size_bound(const struct batch_builder *b)
{
	return FIXED_BYTES + (size_t)b->count * EVENT_BYTES +
	       (size_t)intern_count(b->processes) * PROCESS_BYTES +
	       (size_t)intern_count(b->strings) * STRING_END_BYTES + intern_bytes(b->strings) +
	       (size_t)intern_count(b->ipv4) * IPV4_BYTES +
	       (size_t)intern_count(b->ipv6) * IPV6_BYTES;
}

static uint32_t add(struct intern *intern, struct bytes string)
{
	uint32_t number = intern_add(intern, string);

	assert(number != UINT32_MAX); /* batch_builder_add() has checked the room */
	return number;
}

static uint32_t add_address(struct batch_builder *b, const struct address *address)
{
	struct bytes bytes = {address->bytes, address->family == 4 ? 4 : 16};

	if (!address->family)
		return 0;
	return 1 + add(address->family == 4 ? b->ipv4 : b->ipv6, bytes);
}

int batch_builder_add(struct batch_builder *b, const struct event *event)
{
	const struct process *process = &event->process;
	struct process_key key = {process->pid, process->uid, process->gid, 0};
	struct row *row;

	assert(event->daddr.family && process->comm.length < RECORD_PAYLOAD_MAX / 2);
	if (b->count == BATCH_EVENTS_MAX ||
		size_bound(b) + NEW_EVENT_BYTES + process->comm.length > PAYLOAD_MAX)
		return 1;
	row = &b->rows[b->count++];
	if (process->comm.length)
		key.comm = 1 + add(b->strings, process->comm);
	row->process = add(b->processes, (struct bytes){(const uint8_t *)&key, sizeof key});
	row->time_ns = event->time_ns;
	row->tid = event->tid - process->pid;
	row->flags = event->flags;
	row->saddr_family = event->saddr.family;
	row->daddr_family = event->daddr.family;
	row->saddr = add_address(b, &event->saddr);
	row->daddr = add_address(b, &event->daddr);
	row->lport = event->lport;
	row->dport = event->dport;
	return 0;
}

/* The body under construction: the directory grows at entry, the columns at data. */
struct body {
	uint8_t *start, *entry, *data;
	uint16_t columns;
};

static void put_entry(struct body *body, uint16_t id, uint8_t width, uint64_t base)
{
	memset(body->entry, 0, COLUMN_ENTRY_LENGTH);
	put_le(body->entry + COLUMN_AT_ID, id, 2);
	body->entry[COLUMN_AT_WIDTH] = width;
	put_le(body->entry + COLUMN_AT_OFFSET, (uint64_t)(body->data - body->start), 4);
	put_le(body->entry + COLUMN_AT_BASE, base, 8);
	body->entry += COLUMN_ENTRY_LENGTH;
	body->columns++;
}

static uint8_t width_of(uint64_t range)
{
	return range == 0            ? 0
	       : range <= 0xff       ? 1
	       : range <= 0xffff     ? 2
	       : range <= 0xffffffff ? 4
				     : 8;
}

static void put_column(struct body *body, uint16_t id, const uint64_t *values, uint32_t rows)
{
	uint64_t low = rows ? values[0] : 0, high = low;
	uint8_t width;

	for (uint32_t i = 1; i < rows; i++) {
		low = values[i] < low ? values[i] : low;
		high = values[i] > high ? values[i] : high;
	}
	if (!high) /* absent: all zero */
		return;
	width = width_of(high - low);
	put_entry(body, id, width, low);
	for (uint32_t i = 0; i < rows; i++, body->data += width)
		put_le(body->data, values[i] - low, width);
}

static uint64_t address_index(const struct batch_builder *b, uint32_t number, uint8_t family)
{
	return number && family == 6 ? number + (uint64_t)intern_count(b->ipv4) : number;
}

/* One column of the events; expression gives the value of struct row r. */
#define PUT_EVENTS(id, expression)                                                                 \
	do {                                                                                       \
		for (uint32_t i = 0; i < b->count; i++) {                                          \
			const struct row *r = &b->rows[i];                                         \
			b->values[i] = (expression);                                               \
		}                                                                                  \
		put_column(body, (id), b->values, b->count);                                       \
	} while (0)

static void put_events(struct batch_builder *b, struct body *body, uint64_t first_ns)
{
	PUT_EVENTS(EVENT_TIME, r->time_ns - first_ns);
	PUT_EVENTS(EVENT_PROCESS, r->process);
	PUT_EVENTS(EVENT_TID, r->tid);
	PUT_EVENTS(EVENT_SADDR, address_index(b, r->saddr, r->saddr_family));
	PUT_EVENTS(EVENT_DADDR, address_index(b, r->daddr, r->daddr_family));
	PUT_EVENTS(EVENT_LPORT, r->lport);
	PUT_EVENTS(EVENT_DPORT, r->dport);
	PUT_EVENTS(EVENT_FLAGS, r->flags);
}

static void put_processes(struct batch_builder *b, struct body *body)
{
	static const struct {
		uint16_t id;
		size_t at; /* of a u32 in struct process_key */
	} columns[] = {
		{PROCESS_PID, offsetof(struct process_key, pid)},
		{PROCESS_UID, offsetof(struct process_key, uid)},
		{PROCESS_GID, offsetof(struct process_key, gid)},
		{PROCESS_COMM, offsetof(struct process_key, comm)},
	};
	uint32_t rows = intern_count(b->processes), value;

	for (size_t c = 0; c < sizeof columns / sizeof *columns; c++) {
		for (uint32_t i = 0; i < rows; i++) {
			memcpy(&value, intern_get(b->processes, i).data + columns[c].at, 4);
			b->values[i] = value;
		}
		put_column(body, columns[c].id, b->values, rows);
	}
}

static void put_strings(struct batch_builder *b, struct body *body)
{
	uint32_t rows = intern_count(b->strings);
	uint64_t end = 0;

	for (uint32_t i = 0; i < rows; i++)
		b->values[i] = end += intern_get(b->strings, i).length;
	put_column(body, STRING_END, b->values, rows);
	if (!rows)
		return;
	put_entry(body, STRING_BYTES, 1, 0);
	memcpy(body->data, intern_get(b->strings, 0).data, (size_t)end);
	body->data += end;
}

/* One column from length bytes at offset of each string of a table, as a big-endian number. */
static void put_addresses(struct batch_builder *b, struct body *body, uint16_t id,
	const struct intern *table, unsigned int offset, unsigned int length)
{
	uint32_t rows = intern_count(table);

	for (uint32_t i = 0; i < rows; i++)
		b->values[i] = get_be(intern_get(table, i).data + offset, length);
	put_column(body, id, b->values, rows);
}

static void put_reference(uint8_t *record, unsigned int at, const uint8_t *data, size_t length)
{
	put_le(record + at, length ? (uint64_t)(data - record) : 0, 4);
	put_le(record + at + 4, length, 4);
}

static uint8_t *put_name(uint8_t *record, unsigned int at, uint8_t *end, struct bytes name)
{
	size_t length = name.length < NAME_MAX_LENGTH ? name.length : NAME_MAX_LENGTH;

	if (length)
		memcpy(end, name.data, length);
	put_reference(record, at, end, length);
	return end + length;
}

size_t batch_builder_encode(struct batch_builder *b, struct batch_header *header,
	uint8_t out[static RECORD_PAYLOAD_MAX])
{
	uint8_t *end = out + BATCH_HEADER_LENGTH;
	struct body body = {0};

	header->first_ns = header->last_ns = b->count ? b->rows[0].time_ns : 0;
	for (uint32_t i = 1; i < b->count; i++) {
		if (b->rows[i].time_ns < header->first_ns)
			header->first_ns = b->rows[i].time_ns;
		if (b->rows[i].time_ns > header->last_ns)
			header->last_ns = b->rows[i].time_ns;
	}
	memset(out, 0, BATCH_HEADER_LENGTH);
	memcpy(out + RECORD_AT_MAGIC, RECORD_MAGIC, 8);
	out[RECORD_AT_KIND] = RECORD_BATCH;
	out[RECORD_AT_MAJOR] = RECORD_MAJOR;
	out[RECORD_AT_MINOR] = RECORD_MINOR;
	put_le(out + RECORD_AT_HEADER_LENGTH, BATCH_HEADER_LENGTH, 4);
	memcpy(out + RECORD_AT_SESSION, header->session, sizeof header->session);
	put_le(out + BATCH_AT_SEQUENCE, header->sequence, 8);
	put_le(out + BATCH_AT_BOOT_NS, header->anchor.boot_ns, 8);
	put_le(out + BATCH_AT_WALL_NS, (uint64_t)header->anchor.wall_ns, 8);
	put_le(out + BATCH_AT_FIRST_NS, header->first_ns, 8);
	put_le(out + BATCH_AT_LAST_NS, header->last_ns, 8);
	put_le(out + BATCH_AT_SEEN, header->counters.seen, 8);
	put_le(out + BATCH_AT_RECORDED, header->counters.recorded, 8);
	put_le(out + BATCH_AT_FILTERED, header->counters.filtered, 8);
	put_le(out + BATCH_AT_LOST, header->counters.lost, 8);
	put_le(out + BATCH_AT_PARTIAL, header->counters.partial, 8);
	put_le(out + BATCH_AT_FILE, header->file, 4);
	put_le(out + BATCH_AT_EVENTS, b->count, 4);
	put_le(out + BATCH_AT_PROCESSES, intern_count(b->processes), 4);
	put_le(out + BATCH_AT_STRINGS, intern_count(b->strings), 4);
	put_le(out + BATCH_AT_IPV4, intern_count(b->ipv4), 4);
	put_le(out + BATCH_AT_IPV6, intern_count(b->ipv6), 4);
	end = put_name(out, BATCH_AT_HOST, end, header->host);
	end = put_name(out, BATCH_AT_BACKEND, end, header->backend);

	body.start = body.entry = end;
	body.data = end + COLUMNS * COLUMN_ENTRY_LENGTH;
	put_events(b, &body, header->first_ns);
	put_processes(b, &body);
	put_strings(b, &body);
	put_addresses(b, &body, IPV4_ADDRESS, b->ipv4, 0, 4);
	put_addresses(b, &body, IPV6_HIGH, b->ipv6, 0, 8);
	put_addresses(b, &body, IPV6_LOW, b->ipv6, 8, 8);
	assert(body.columns <= COLUMNS);
	/* Entries that turned out not to be needed. */
	memset(body.entry, 0, (size_t)(COLUMNS - body.columns) * COLUMN_ENTRY_LENGTH);

	put_reference(out, BATCH_AT_BODY, body.start, (size_t)(body.data - body.start));
	put_le(out + BATCH_AT_BODY_LENGTH, (uint64_t)(body.data - body.start), 4);
	put_le(out + BATCH_AT_COLUMNS, body.columns, 2);
	put_le(out + RECORD_AT_LENGTH, (uint64_t)(body.data - out), 4);
	assert((size_t)(body.data - out) <= PAYLOAD_MAX);

	b->count = 0;
	intern_clear(b->processes);
	intern_clear(b->strings);
	intern_clear(b->ipv4);
	intern_clear(b->ipv6);
	return (size_t)(body.data - out);
}
