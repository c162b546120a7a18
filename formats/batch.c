/* SPDX-License-Identifier: BSD-2-Clause */
#include "batch.h"

#include <stddef.h>
#include <stdlib.h>

#define AT(member) offsetof(struct batch, member)

/* Where each column goes, but for those of the processes. A row for each that is known. */
static const struct {
	uint16_t id;
	size_t at; /* of its struct column in struct batch */
} known_columns[] = {
	{EVENT_TIME, AT(time)},
	{EVENT_PROCESS, AT(process)},
	{EVENT_TID, AT(tid)},
	{EVENT_SADDR, AT(saddr)},
	{EVENT_DADDR, AT(daddr)},
	{EVENT_LPORT, AT(lport)},
	{EVENT_DPORT, AT(dport)},
	{EVENT_FLAGS, AT(flags)},
	{EVENT_OUTCOME, AT(outcome)},
	{EVENT_ERROR, AT(error)},
	{EVENT_LATENCY, AT(latency)},
	{EVENT_RETRANSMITS, AT(retransmits)},
	{EVENT_RETURNED, AT(returned)},
	{EVENT_NET_NS, AT(net_ns)},
	{STRING_END, AT(string_end)},
	{IPV4_ADDRESS, AT(ipv4_address)},
	{IPV6_HIGH, AT(ipv6_high)},
	{IPV6_LOW, AT(ipv6_low)},
	{OUTCOME_EVENT, AT(late_event)},
	{OUTCOME_OUTCOME, AT(late_outcome)},
	{OUTCOME_ERROR, AT(late_error)},
	{OUTCOME_LATENCY, AT(late_latency)},
	{OUTCOME_RETRANSMITS, AT(late_retransmits)},
};

int record_parse(struct bytes payload, struct bytes *record, int *kind, struct error *error)
{
	const uint8_t *p = payload.data;
	uint32_t length, header_length;

	if (payload.length < RECORD_COMMON_LENGTH)
		return error_set(error, "record of %zu bytes, at least %d expected", payload.length,
			RECORD_COMMON_LENGTH);
	if (memcmp(p + RECORD_AT_MAGIC, RECORD_MAGIC, 8))
		return error_set(error, "no magic of a tcpconnect record");
	if (p[RECORD_AT_MAJOR] != RECORD_MAJOR)
		return error_set(error, "format version %u.%u, this program reads %d.x",
			p[RECORD_AT_MAJOR], p[RECORD_AT_MINOR], RECORD_MAJOR);
	length = get_le32(p + RECORD_AT_LENGTH);
	header_length = get_le32(p + RECORD_AT_HEADER_LENGTH);
	if (length > payload.length)
		return error_set(
			error, "record length %u, its block holds %zu", length, payload.length);
	if (header_length < RECORD_COMMON_LENGTH || header_length > length)
		return error_set(
			error, "header length %u in a record of %u bytes", header_length, length);
	*record = (struct bytes){p, length};
	*kind = p[RECORD_AT_KIND];
	return 0;
}

static int reference(struct bytes record, unsigned int at, const char *what, struct bytes *out,
	struct error *error)
{
	uint32_t offset = get_le32(record.data + at), length = get_le32(record.data + at + 4);

	if (!bytes_slice(record, offset, length, out))
		return error_set(error, "%s of %u bytes at %u is outside its record of %zu bytes",
			what, length, offset, record.length);
	return 0;
}

static uint32_t table_rows(const struct batch *batch, unsigned int table)
{
	switch (table) {
	case TABLE_EVENTS:
		return batch->events;
	case TABLE_PROCESSES:
		return batch->processes;
	case TABLE_STRINGS:
		return batch->strings;
	case TABLE_IPV4:
		return batch->ipv4;
	case TABLE_IPV6:
		return batch->ipv6;
	case TABLE_OUTCOMES:
		return batch->late;
	}
	return 0;
}

/* NULL: a column that this version does not know. */
static struct column *find_column(struct batch *batch, uint16_t id)
{
	for (size_t i = 0; i < sizeof known_columns / sizeof *known_columns; i++)
		if (known_columns[i].id == id)
			return (struct column *)((char *)batch + known_columns[i].at);
	for (size_t i = 0; i < PROCESS_FIELDS; i++)
		if (process_fields[i].column == id)
			return &batch->process_columns[i];
	return NULL;
}

static int parse_column(
	struct batch *batch, struct bytes body, const uint8_t *entry, struct error *error)
{
	uint16_t id = get_le16(entry + COLUMN_AT_ID);
	uint8_t width = entry[COLUMN_AT_WIDTH];
	uint32_t offset = get_le32(entry + COLUMN_AT_OFFSET);
	struct column *column = find_column(batch, id);
	struct bytes data;

	if (entry[COLUMN_AT_ENCODING] != 0)
		return 0;
	if (id == STRING_BYTES) {
		if (!bytes_slice(body, offset, body.length - (offset < body.length ? offset : 0),
			    &batch->string_bytes))
			return error_set(error, "strings at %u are outside the body", offset);
		return 0;
	}
	if (!column)
		return 0;
	if (width != 0 && width != 1 && width != 2 && width != 4 && width != 8)
		return error_set(error, "column 0x%04x has width %u", id, width);
	if (!bytes_slice(body, offset, (uint64_t)table_rows(batch, id >> 8) * width, &data))
		return error_set(error, "column 0x%04x is outside the body", id);
	*column = (struct column){data.data, get_le64(entry + COLUMN_AT_BASE), width};
	return 0;
}

/* Every value of an index column must be at least low and below high. */
static int check_range(const struct column *column, uint32_t rows, uint64_t low, uint64_t high,
	const char *what, struct error *error)
{
	for (uint32_t row = 0; row < rows; row++) {
		uint64_t value = column_get(column, row);

		if (value < low || value >= high)
			return error_set(error, "%s %llu of row %u is outside its table", what,
				(unsigned long long)value, row);
	}
	return 0;
}

static int check_indexes(const struct batch *batch, struct error *error)
{
	uint64_t addresses = 1 + (uint64_t)batch->ipv4 + batch->ipv6, end = 0;

	for (uint32_t row = 0; row < batch->strings; row++) {
		uint64_t next = column_get(&batch->string_end, row);

		if (next < end || next > batch->string_bytes.length)
			return error_set(error, "string %u ends outside the body", row);
		end = next;
	}
	if (check_range(&batch->process, batch->events, 0, batch->processes, "process", error) ||
		check_range(&batch->saddr, batch->events, 0, addresses, "source address", error) ||
		check_range(
			&batch->daddr, batch->events, 1, addresses, "destination address", error))
		return -1;
	for (size_t i = 0; i < PROCESS_FIELDS; i++)
		if (process_fields[i].kind == FIELD_TEXT &&
			check_range(&batch->process_columns[i], batch->processes, 0,
				1 + (uint64_t)batch->strings, process_fields[i].what, error))
			return -1;
	return 0;
}

static struct bytes batch_string(const struct batch *batch, uint64_t number)
{
	uint64_t begin, end;

	if (!number)
		return (struct bytes){NULL, 0};
	begin = number > 1 ? column_get(&batch->string_end, (uint32_t)number - 2) : 0;
	end = column_get(&batch->string_end, (uint32_t)number - 1);
	if (begin == end) /* there may be no bytes at all */
		return (struct bytes){NULL, 0};
	return (struct bytes){batch->string_bytes.data + begin, (size_t)(end - begin)};
}

static int decode_field(const struct batch *batch, const struct process_field *field, uint32_t row,
	uint64_t value, struct error *error)
{
	void *out = (char *)&batch->table[row] + field->at;

	switch (field->kind) {
	case FIELD_U32:
		*(uint32_t *)out = (uint32_t)value;
		break;
	case FIELD_U64:
		*(uint64_t *)out = value;
		break;
	case FIELD_ID:
		*(int64_t *)out = value ? (int64_t)(uint32_t)(value - 1) : UNKNOWN_ID;
		break;
	case FIELD_TEXT:
		*(struct bytes *)out = batch_string(batch, value);
		break;
	case FIELD_PARENT:
		/* Only rows before: no process is its own ancestor. */
		if (value > row)
			return error_set(error, "parent %llu of process %u is not before it",
				(unsigned long long)value, row);
		*(const struct process **)out = value ? &batch->table[value - 1] : NULL;
		break;
	}
	return 0;
}

/* A column at a time: most are absent. */
static int decode_processes(struct batch *batch, struct error *error)
{
	if (batch->processes > batch->table_capacity) {
		free(batch->table);
		batch->table_capacity = 0;
		batch->table = calloc(batch->processes, sizeof *batch->table);
		if (!batch->table)
			return error_set(error, "out of memory for %u processes", batch->processes);
		batch->table_capacity = batch->processes;
	}
	for (size_t i = 0; i < PROCESS_FIELDS; i++)
		for (uint32_t row = 0; row < batch->processes; row++)
			if (decode_field(batch, &process_fields[i], row,
				    column_get(&batch->process_columns[i], row), error))
				return -1;
	return 0;
}

void batch_release(struct batch *batch)
{
	free(batch->table);
	unpacked_release(&batch->body);
	memset(batch, 0, sizeof *batch);
}

static void batch_clear(struct batch *batch)
{
	struct process *table = batch->table;
	uint32_t capacity = batch->table_capacity;
	struct unpacked unpacked = batch->body;

	memset(batch, 0, sizeof *batch);
	batch->table = table;
	batch->table_capacity = capacity;
	batch->body = unpacked;
}

static int parse_head(struct batch *batch, struct bytes record, struct error *error)
{
	const uint8_t *p = record.data;
	struct batch_header *h = &batch->header;

	if (get_le32(p + RECORD_AT_HEADER_LENGTH) < BATCH_HEADER_MIN)
		return error_set(error, "batch header of %u bytes, at least %d expected",
			get_le32(p + RECORD_AT_HEADER_LENGTH), BATCH_HEADER_MIN);
	memcpy(h->session, p + RECORD_AT_SESSION, sizeof h->session);
	h->file = get_le32(p + BATCH_AT_FILE);
	h->sequence = get_le64(p + BATCH_AT_SEQUENCE);
	h->anchor.boot_ns = get_le64(p + BATCH_AT_BOOT_NS);
	h->anchor.wall_ns = (int64_t)get_le64(p + BATCH_AT_WALL_NS);
	h->first_ns = get_le64(p + BATCH_AT_FIRST_NS);
	h->last_ns = get_le64(p + BATCH_AT_LAST_NS);
	h->counters.seen = get_le64(p + BATCH_AT_SEEN);
	h->counters.recorded = get_le64(p + BATCH_AT_RECORDED);
	h->counters.filtered = get_le64(p + BATCH_AT_FILTERED);
	h->counters.lost = get_le64(p + BATCH_AT_LOST);
	h->counters.partial = get_le64(p + BATCH_AT_PARTIAL);
	if (get_le32(p + RECORD_AT_HEADER_LENGTH) >= BATCH_HEADER_LENGTH) {
		h->dropped = get_le64(p + BATCH_AT_DROPPED);
		h->gap.from_ns = get_le64(p + BATCH_AT_GAP_FROM);
		h->gap.to_ns = get_le64(p + BATCH_AT_GAP_TO);
		h->gap.reason = p[BATCH_AT_GAP_REASON];
	}
	batch->events = get_le32(p + BATCH_AT_EVENTS);
	batch->processes = get_le32(p + BATCH_AT_PROCESSES);
	batch->strings = get_le32(p + BATCH_AT_STRINGS);
	batch->ipv4 = get_le32(p + BATCH_AT_IPV4);
	batch->ipv6 = get_le32(p + BATCH_AT_IPV6);
	batch->late = get_le32(p + BATCH_AT_OUTCOMES);
	if (reference(record, BATCH_AT_HOST, "host name", &h->host, error) ||
		reference(record, BATCH_AT_BACKEND, "backend", &h->backend, error))
		return -1;
	return 0;
}

static int parse_body(struct batch *batch, struct bytes record, struct error *error)
{
	const uint8_t *p = record.data;
	struct bytes body;
	uint32_t columns;

	if (reference(record, BATCH_AT_BODY, "body", &body, error))
		return -1;
	if (p[BATCH_AT_COMPRESSION] == COMPRESSION_ZSTD) {
		uint32_t length = get_le32(p + BATCH_AT_BODY_LENGTH);

		if (unpack(&batch->body, body, length, error))
			return -1;
		body = (struct bytes){batch->body.data, length};
	} else if (p[BATCH_AT_COMPRESSION] != COMPRESSION_NONE) {
		return error_set(error, "batch with compression %u, this version reads 0 and 1",
			p[BATCH_AT_COMPRESSION]);
	}
	columns = get_le16(p + BATCH_AT_COLUMNS);
	if ((uint64_t)columns * COLUMN_ENTRY_LENGTH > body.length)
		return error_set(error, "%u columns do not fit into a body of %zu bytes", columns,
			body.length);
	/* A row of width 0 takes no space: bound what a few bytes can make a reader do. */
	for (unsigned int table = TABLE_EVENTS; table <= TABLE_OUTCOMES; table++) {
		uint32_t most = table == TABLE_PROCESSES ? RECORD_PROCESSES_MAX : RECORD_LENGTH_MAX;

		if (table_rows(batch, table) > most)
			return error_set(error, "table %u of %u rows, %u are the most", table,
				table_rows(batch, table), most);
	}
	for (uint32_t i = 0; i < columns; i++)
		if (parse_column(batch, body, body.data + i * COLUMN_ENTRY_LENGTH, error))
			return -1;
	if (check_indexes(batch, error))
		return -1;
	return decode_processes(batch, error);
}

int batch_parse(struct batch *batch, struct bytes record, struct error *error)
{
	batch_clear(batch);
	if (!parse_head(batch, record, error) && !parse_body(batch, record, error))
		return 0;
	batch_clear(batch);
	return -1;
}

int batch_parse_head(struct batch *batch, struct bytes record, struct error *error)
{
	batch_clear(batch);
	return parse_head(batch, record, error);
}

static void store_be(uint8_t *p, uint64_t value, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		p[i] = (uint8_t)(value >> (8 * (n - 1 - i)));
}

static struct address batch_address(const struct batch *batch, uint64_t number)
{
	struct address address = {0};
	uint32_t row;

	if (!number)
		return address;
	row = (uint32_t)number - 1;
	if (row < batch->ipv4) {
		address.family = 4;
		store_be(address.bytes, column_get(&batch->ipv4_address, row), 4);
	} else {
		row -= batch->ipv4;
		address.family = 6;
		store_be(address.bytes, column_get(&batch->ipv6_high, row), 8);
		store_be(address.bytes + 8, column_get(&batch->ipv6_low, row), 8);
	}
	return address;
}

/* An outcome that a later version may know is none to this one. */
static struct result result_of(
	uint64_t outcome, uint64_t error, uint64_t retransmits, uint64_t latency_us)
{
	if (outcome > OUTCOME_ABANDONED)
		return (struct result){0};
	return (struct result){
		(uint8_t)outcome, (uint16_t)error, (uint32_t)retransmits, latency_us};
}

void batch_event(const struct batch *batch, uint32_t row, struct event *event)
{
	event->number = batch->header.sequence + row;
	event->time_ns = batch->header.first_ns + column_get(&batch->time, row);
	event->process = &batch->table[column_get(&batch->process, row)];
	event->tid = event->process->pid + (uint32_t)column_get(&batch->tid, row);
	event->flags = (uint32_t)column_get(&batch->flags, row);
	event->returned = (uint16_t)column_get(&batch->returned, row);
	event->net_ns = (uint32_t)column_get(&batch->net_ns, row);
	event->saddr = batch_address(batch, column_get(&batch->saddr, row));
	event->daddr = batch_address(batch, column_get(&batch->daddr, row));
	event->lport = (uint16_t)column_get(&batch->lport, row);
	event->dport = (uint16_t)column_get(&batch->dport, row);
	batch_result(batch, row, &event->result);
}

void batch_result(const struct batch *batch, uint32_t row, struct result *result)
{
	*result = result_of(column_get(&batch->outcome, row), column_get(&batch->error, row),
		column_get(&batch->retransmits, row), column_get(&batch->latency, row));
}

void batch_late_result(const struct batch *batch, uint32_t row, struct late_result *late)
{
	late->number = column_get(&batch->late_event, row);
	late->result = result_of(column_get(&batch->late_outcome, row),
		column_get(&batch->late_error, row), column_get(&batch->late_retransmits, row),
		column_get(&batch->late_latency, row));
}

int64_t batch_wall_ns(const struct batch *batch, uint64_t time_ns)
{
	const struct clock_anchor *anchor = &batch->header.anchor;

	/* Unsigned: hostile values wrap instead of overflowing. */
	return (int64_t)((uint64_t)anchor->wall_ns + (time_ns - anchor->boot_ns));
}
