/* SPDX-License-Identifier: BSD-2-Clause */
#include "batch.h"

#include <stddef.h>
#include <stdlib.h>

#define ADDRESSES_MAX 65536 /* that are decoded ahead */
#define SOME 256            /* values at a time */
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
	{EVENT_QUERY, AT(query)},
	{EVENT_ANSWERED, AT(answered)},
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

/* Part of the body, decompressed or read if it has to be. Returns 0; 1: it is outside; -1. */
static int part_of(struct batch *batch, uint64_t offset, uint64_t length, struct bytes *part,
	struct error *error)
{
	if (batch->packed && unpack_part(&batch->body, offset, length, error))
		return -1;
	if (!bytes_slice(batch->plain, offset, length, part))
		return 1;
	if (batch->source.read && batch->source.read(batch->source.context, *part))
		return error_set(error, "the file ends inside the body");
	return 0;
}

/* What rows of an encoding take in the body. The width is that of the directory. */
static uint64_t encoded_length(enum encoding encoding, unsigned int width, uint32_t rows)
{
	switch (encoding) {
	case ENCODING_BITS:
		return column_bits_length(width, rows);
	case ENCODING_PALETTE:
		return column_palette_length(width) + column_bits_length(width, rows);
	default:
		return (uint64_t)rows * width;
	}
}

static bool is_width(enum encoding encoding, unsigned int width)
{
	switch (encoding) {
	case ENCODING_BITS:
		return width > 0 && width <= 64;
	case ENCODING_PALETTE:
		return width % 8 && width < 64;
	default:
		return width <= 8 && !(width & (width - 1));
	}
}

/* Of the whole integers of an encoded column. */
static uint8_t expanded_width(enum encoding encoding, const struct column *column)
{
	switch (encoding) {
	case ENCODING_BITS:
		return column_bits_width(column->width);
	case ENCODING_PALETTE:
		return column_palette_width(column->data, column->width);
	case ENCODING_STEPS:
		return 8; /* they are sums */
	default:
		return column->width;
	}
}

/* Undoes the encoding of a column: into whole integers. */
static int expand(struct batch *batch, unsigned int event_column, struct column *column,
	enum encoding encoding, struct error *error)
{
	struct expanded *e = &batch->expanded[event_column];
	uint8_t width = column->width, out = expanded_width(encoding, column);
	size_t rows = batch->events, groups = column_groups(rows), room = groups * (out + 1u);

	if (room > e->capacity) {
		free(e->data);
		e->data = malloc(room);
		e->capacity = e->data ? room : 0;
		if (!e->data)
			return error_set(error, "out of memory for %zu events", rows);
	}
	if (encoding == ENCODING_STEPS)
		column_undo_steps(column->data, width, column->base, rows, e->data);
	else if (encoding == ENCODING_PALETTE)
		column_undo_palette(column->data, width, rows, e->data, e->data + groups * out);
	else
		column_undo_bits(column->data, encoding == ENCODING_PLANES ? width * 8 : width,
			rows, e->data, e->data + groups * out);
	*column = (struct column){e->data, encoding == ENCODING_STEPS ? 0 : column->base, out};
	return 0;
}

static int parse_column(struct batch *batch, const uint8_t *entry, struct error *error)
{
	uint16_t id = get_le16(entry + COLUMN_AT_ID);
	uint8_t width = entry[COLUMN_AT_WIDTH], encoding = entry[COLUMN_AT_ENCODING];
	uint32_t offset = get_le32(entry + COLUMN_AT_OFFSET), table = id >> 8;
	uint32_t rows = table_rows(batch, table);
	struct column *column = find_column(batch, id);
	struct bytes data;
	int n;

	if (encoding > (table == TABLE_EVENTS ? ENCODING_PALETTE : ENCODING_PLAIN))
		return 0;
	if (!column)
		return 0;
	if (!is_width(encoding, width))
		return error_set(error, "column 0x%04x has width %u", id, width);
	if (encoding == ENCODING_PLANES && width < 2)
		encoding = ENCODING_PLAIN;
	if (encoding != ENCODING_PLAIN && rows > RECORD_ENCODED_MAX)
		return error_set(error, "column 0x%04x of %u rows is encoded, %u are the most", id,
			rows, RECORD_ENCODED_MAX);
	n = part_of(batch, offset, encoded_length(encoding, width, rows), &data, error);
	if (n)
		return n > 0 ? error_set(error, "column 0x%04x is outside the body", id) : -1;
	*column = (struct column){data.data, get_le64(entry + COLUMN_AT_BASE), width};
	if (encoding != ENCODING_PLAIN && rows)
		return expand(batch, id - EVENT_TIME, column, encoding, error);
	return 0;
}

/* Every value of an index column must be at least low and below high. */
static int check_range(const struct column *column, uint32_t rows, uint64_t low, uint64_t high,
	const char *what, struct error *error)
{
	if (rows && low <= column->base && column_is_below(column, rows, high))
		return 0;
	for (uint32_t row = 0; row < rows; row++) {
		uint64_t value = column_get(column, row);

		if (value < low || value >= high)
			return error_set(error, "%s %llu of row %u is outside its table", what,
				(unsigned long long)value, row);
	}
	return 0;
}

/* The strings: of their bytes as many as the ends say. */
static int parse_strings(struct batch *batch, const uint8_t *entry, struct error *error)
{
	uint32_t offset = entry ? get_le32(entry + COLUMN_AT_OFFSET) : 0;
	uint64_t end = 0, most = entry ? batch->plain.length : 0;

	if (offset > most)
		return error_set(error, "strings at %u are outside the body", offset);
	for (uint32_t row = 0; row < batch->strings; row++) {
		uint64_t next = column_get(&batch->string_end, row);

		if (next < end || next > most - offset)
			return error_set(error, "string %u ends outside the body", row);
		end = next;
	}
	return part_of(batch, offset, end, &batch->string_bytes, error);
}

static int check_texts(const struct batch *batch, struct error *error)
{
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
	for (size_t i = 0; i < EVENT_COLUMNS; i++)
		free(batch->expanded[i].data);
	free(batch->table);
	free(batch->addresses);
	unpacked_release(&batch->body);
	memset(batch, 0, sizeof *batch);
}

static void batch_clear(struct batch *batch)
{
	struct process *table = batch->table;
	struct address *addresses = batch->addresses;
	uint32_t capacity = batch->table_capacity, address_capacity = batch->address_capacity;
	struct unpacked unpacked = batch->body;
	struct expanded expanded[EVENT_COLUMNS];

	memcpy(expanded, batch->expanded, sizeof expanded);
	memset(batch, 0, sizeof *batch);
	memcpy(batch->expanded, expanded, sizeof expanded);
	batch->table = table;
	batch->table_capacity = capacity;
	batch->addresses = addresses;
	batch->address_capacity = address_capacity;
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
		reference(record, BATCH_AT_BACKEND, "backend", &h->backend, error) ||
		reference(record, BATCH_AT_SKIP, "summary", &h->skip, error))
		return -1;
	return 0;
}

static int find_body(struct batch *batch, struct bytes record, struct error *error)
{
	const uint8_t *p = record.data;
	uint32_t length = get_le32(p + BATCH_AT_BODY_LENGTH);
	struct bytes body;

	if (reference(record, BATCH_AT_BODY, "body", &body, error))
		return -1;
	if (p[BATCH_AT_COMPRESSION] == COMPRESSION_ZSTD) {
		if (unpack(&batch->body, body, length, error))
			return -1;
		batch->packed = true;
		body = (struct bytes){length ? batch->body.data : p, length};
	} else if (p[BATCH_AT_COMPRESSION] != COMPRESSION_NONE) {
		return error_set(error, "batch with compression %u, this version reads 0 and 1",
			p[BATCH_AT_COMPRESSION]);
	}
	batch->plain = body;
	return 0;
}

static int parse_body(struct batch *batch, struct bytes record, struct error *error)
{
	uint32_t columns = get_le16(record.data + BATCH_AT_COLUMNS);
	const uint8_t *strings = NULL;
	struct bytes directory;

	if (find_body(batch, record, error))
		return -1;
	if ((uint64_t)columns * COLUMN_ENTRY_LENGTH > batch->plain.length)
		return error_set(error, "%u columns do not fit into a body of %zu bytes", columns,
			batch->plain.length);
	if (part_of(batch, 0, (uint64_t)columns * COLUMN_ENTRY_LENGTH, &directory, error))
		return -1;
	/* A row of width 0 takes no space: bound what a few bytes can make a reader do. */
	for (unsigned int table = TABLE_EVENTS; table <= TABLE_OUTCOMES; table++) {
		uint32_t most = table == TABLE_PROCESSES ? RECORD_PROCESSES_MAX : RECORD_LENGTH_MAX;

		if (table_rows(batch, table) > most)
			return error_set(error, "table %u of %u rows, %u are the most", table,
				table_rows(batch, table), most);
	}
	for (uint32_t i = 0; i < columns; i++) {
		const uint8_t *entry = directory.data + i * COLUMN_ENTRY_LENGTH;
		uint32_t id = get_le16(entry + COLUMN_AT_ID);

		if (id >= EVENT_TIME && id < EVENT_TIME + EVENT_COLUMNS)
			batch->entries[id - EVENT_TIME] = i + 1;
		else if (id == STRING_BYTES && entry[COLUMN_AT_ENCODING] == ENCODING_PLAIN)
			strings = entry;
		else if (parse_column(batch, entry, error))
			return -1;
	}
	batch->queried = batch->entries[EVENT_QUERY - EVENT_TIME] ||
			 batch->entries[EVENT_ANSWERED - EVENT_TIME];
	if (parse_strings(batch, strings, error) || check_texts(batch, error))
		return -1;
	if (batch->events && !batch->processes)
		return error_set(error, "%u events without a process", batch->events);
	return decode_processes(batch, error);
}

static int check_indexes(const struct batch *batch, uint32_t bits, struct error *error)
{
	const uint64_t addresses = 1 + (uint64_t)batch->ipv4 + batch->ipv6;
	const struct {
		uint32_t bit;
		const struct column *column;
		uint64_t low, high;
		const char *what;
	} indexes[] = {
		{EVENT_BIT(EVENT_PROCESS), &batch->process, 0, batch->processes, "process"},
		{EVENT_BIT(EVENT_SADDR), &batch->saddr, 0, addresses, "source address"},
		{EVENT_BIT(EVENT_DADDR), &batch->daddr, 1, addresses, "destination address"},
		{EVENT_BIT(EVENT_QUERY), &batch->query, 0, 1 + (uint64_t)batch->strings, "query"},
	};

	for (size_t i = 0; i < sizeof indexes / sizeof *indexes; i++)
		if (bits & indexes[i].bit &&
			check_range(indexes[i].column, batch->events, indexes[i].low,
				indexes[i].high, indexes[i].what, error))
			return -1;
	return 0;
}

static int load_events(struct batch *batch, uint32_t bits, struct error *error)
{
	for (unsigned int i = 0; i < EVENT_COLUMNS; i++) {
		const uint8_t *entry = batch->plain.data;

		if (!(bits & 1u << i) || !batch->entries[i])
			continue;
		if (parse_column(
			    batch, entry + (batch->entries[i] - 1) * COLUMN_ENTRY_LENGTH, error))
			return -1;
	}
	return check_indexes(batch, bits, error);
}

/* Both write where it is to be: many are made. */
static inline void put_ipv4(struct address *out, uint64_t value)
{
	uint32_t v4 = htobe32((uint32_t)value);

	memset(out, 0, sizeof *out);
	out->family = 4;
	memcpy(out->bytes, &v4, sizeof v4);
}

static inline void put_ipv6(struct address *out, uint64_t high, uint64_t low)
{
	high = htobe64(high);
	low = htobe64(low);
	out->family = 6;
	memcpy(out->bytes, &high, sizeof high);
	memcpy(out->bytes + sizeof high, &low, sizeof low);
}

void batch_make_address(const struct batch *batch, uint64_t number, struct address *address)
{
	uint32_t row = (uint32_t)number - 1;

	if (!number)
		memset(address, 0, sizeof *address);
	else if (row < batch->ipv4)
		put_ipv4(address, column_get(&batch->ipv4_address, row));
	else
		put_ipv6(address, column_get(&batch->ipv6_high, row - batch->ipv4),
			column_get(&batch->ipv6_low, row - batch->ipv4));
}

static void decode_ipv4(const struct batch *batch, struct address *out)
{
	uint64_t values[SOME];

	for (uint32_t row = 0, n; row < batch->ipv4; row += n) {
		n = batch->ipv4 - row < SOME ? batch->ipv4 - row : SOME;
		column_values(&batch->ipv4_address, row, n, values);
		for (uint32_t i = 0; i < n; i++)
			put_ipv4(out++, values[i]);
	}
}

static void decode_ipv6(const struct batch *batch, struct address *out)
{
	uint64_t high[SOME], low[SOME];

	for (uint32_t row = 0, n; row < batch->ipv6; row += n) {
		n = batch->ipv6 - row < SOME ? batch->ipv6 - row : SOME;
		column_values(&batch->ipv6_high, row, n, high);
		column_values(&batch->ipv6_low, row, n, low);
		for (uint32_t i = 0; i < n; i++)
			put_ipv6(out++, high[i], low[i]);
	}
}

void batch_decode_addresses(struct batch *batch)
{
	uint64_t count = 1 + (uint64_t)batch->ipv4 + batch->ipv6;

	if (!batch->events || batch->address_count || count > ADDRESSES_MAX)
		return;
	if (count > batch->address_capacity) {
		free(batch->addresses);
		batch->addresses = malloc(count * sizeof *batch->addresses);
		batch->address_capacity = batch->addresses ? (uint32_t)count : 0;
	}
	if (!batch->addresses)
		return;
	batch->addresses[0] = (struct address){0};
	decode_ipv4(batch, batch->addresses + 1);
	decode_ipv6(batch, batch->addresses + 1 + batch->ipv4);
	batch->address_count = (uint32_t)count;
}

int batch_need(struct batch *batch, uint32_t bits, struct error *error)
{
	bits &= EVENT_BITS & ~batch->loaded;
	if (!bits || !load_events(batch, bits, error)) {
		batch->loaded |= bits;
		return 0;
	}
	batch_clear(batch);
	return -1;
}

int batch_open(struct batch *batch, struct bytes record, struct error *error)
{
	return batch_open_parts(batch, record, &(struct batch_source){0}, error);
}

int batch_open_parts(struct batch *batch, struct bytes record, const struct batch_source *source,
	struct error *error)
{
	batch_clear(batch);
	batch->source = *source;
	if (!parse_head(batch, record, error) && !parse_body(batch, record, error))
		return 0;
	batch_clear(batch);
	return -1;
}

int batch_parse(struct batch *batch, struct bytes record, struct error *error)
{
	return batch_open(batch, record, error) || batch_need(batch, EVENT_BITS, error) ? -1 : 0;
}

int batch_parse_head(struct batch *batch, struct bytes record, struct error *error)
{
	batch_clear(batch);
	return parse_head(batch, record, error);
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

/* Most batches have none. */
static inline void batch_query(const struct batch *batch, uint32_t row, struct event *event)
{
	uint64_t name = 0;

	event->answered = 0;
	if (batch->queried) {
		name = column_get(&batch->query, row);
		event->answered = column_get(&batch->answered, row);
	}
	event->query = name ? batch_string(batch, name) : (struct bytes){NULL, 0};
}

void batch_event_part(const struct batch *batch, uint32_t row, uint32_t bits, struct event *event)
{
	event->number = batch->header.sequence + row;
	event->process = &batch->table[column_get(&batch->process, row)];
	if (bits & EVENT_BIT(EVENT_TIME))
		event->time_ns = batch->header.first_ns + column_get(&batch->time, row);
	if (bits & EVENT_BIT(EVENT_TID))
		event->tid = event->process->pid + (uint32_t)column_get(&batch->tid, row);
	if (bits & EVENT_BIT(EVENT_FLAGS))
		event->flags = (uint32_t)column_get(&batch->flags, row);
	if (bits & EVENT_BIT(EVENT_RETURNED))
		event->returned = (uint16_t)column_get(&batch->returned, row);
	if (bits & EVENT_BIT(EVENT_NET_NS))
		event->net_ns = (uint32_t)column_get(&batch->net_ns, row);
	if (bits & EVENT_BIT(EVENT_SADDR))
		batch_address(batch, column_get(&batch->saddr, row), &event->saddr);
	if (bits & EVENT_BIT(EVENT_DADDR))
		batch_address(batch, column_get(&batch->daddr, row), &event->daddr);
	if (bits & EVENT_BIT(EVENT_LPORT))
		event->lport = (uint16_t)column_get(&batch->lport, row);
	if (bits & EVENT_BIT(EVENT_DPORT))
		event->dport = (uint16_t)column_get(&batch->dport, row);
	if (bits & EVENT_RESULT_BITS)
		batch_result(batch, row, &event->result);
	if (bits & EVENT_QUERY_BITS)
		batch_query(batch, row, event);
}

void batch_event(const struct batch *batch, uint32_t row, struct event *event)
{
	batch_event_part(batch, row, EVENT_BITS, event);
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
