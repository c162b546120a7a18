/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The events are kept as columns already. The size that the record will have is
 * known at any time: from the number of rows, and from the range of values of
 * each column, which gives its width.
 */
#include "batch_builder.h"
#include "body.h"
#include "intern.h"

#include <assert.h>
#include <stdlib.h>

#define NAME_MAX_LENGTH 255
#define TEXT_MAX_LENGTH 16384 /* of a process; the recorder stays far below */
#define STRINGS_MAX 65535
#define COLUMNS (18 + PROCESS_FIELDS + 5 + 5)
/* Of a process, an address or a late result: the widest that its columns get. */
#define PROCESS_BYTES 88
#define STRING_END_BYTES 4
#define IPV4_BYTES 4
#define IPV6_BYTES 16
#define LATE_BYTES (8 + 1 + 2 + 8 + 4)
#define INDEX_BYTES (2 + 2 + 2) /* of an event: process, source, destination */
#define QUERY_BYTES (2 + 8) /* the same, if names are recorded: the name, when it was answered */
#define FIXED_BYTES (BATCH_HEADER_LENGTH + 2 * NAME_MAX_LENGTH + COLUMNS * COLUMN_ENTRY_LENGTH)

/* The enterprise number belongs to the payload for Wireshark. */
#define PAYLOAD_MAX (RECORD_PAYLOAD_MAX - 4)
#define PLAIN_MAX (RECORD_PLAIN_MAX - 4)

/* The columns of events that hold a number as it is. */
enum value {
	VALUE_TIME,
	VALUE_TID,
	VALUE_LPORT,
	VALUE_DPORT,
	VALUE_FLAGS,
	VALUE_RETURNED,
	VALUE_NET_NS,
	VALUE_OUTCOME, /* from here on: of the result */
	VALUE_ERROR,
	VALUE_LATENCY,
	VALUE_RETRANSMITS,
	VALUES
};

static const uint16_t value_columns[VALUES] = {EVENT_TIME, EVENT_TID, EVENT_LPORT, EVENT_DPORT,
	EVENT_FLAGS, EVENT_RETURNED, EVENT_NET_NS, EVENT_OUTCOME, EVENT_ERROR, EVENT_LATENCY,
	EVENT_RETRANSMITS};

/*
 * An address of an event, until encoding: 0 unknown, else 1 + the row of the table
 * of its family, which those of IPv6 say with this bit.
 */
#define ENDPOINT_IPV6 (UINT32_C(1) << 31)

/* Processes met in this batch, by identity: spares interning all their texts again. */
#define KNOWN_MAX 1024
struct known_process {
	uint64_t identity;
	uint32_t batch, row; /* the number of that batch */
	struct bytes comm;   /* among its strings */
};

/* Not a power of two apart: their rows would compete for the same lines of the cache. */
#define ROWS (BATCH_EVENTS_MAX + 8)

/* What was added as last: most events of a batch have an address in common. */
struct known_address {
	struct address address; /* family 0: none */
	uint32_t endpoint;
};

struct batch_builder {
	uint32_t count, late_count;
	size_t most; /* bytes of a record */
	bool pack;
	struct skip_set *skip; /* NULL: no summary */
	struct range ranges[VALUES];
	uint64_t spans[VALUES]; /* of ranges; that of time is all that its width holds */
	bool replaced;          /* a result was: the ranges of results may be too wide */
	uint32_t row_bytes;     /* of the values of an event, by their ranges */
	size_t table_bytes;     /* of all that is no event */
	uint64_t values[VALUES][ROWS];
	uint32_t process[BATCH_EVENTS_MAX];
	uint32_t saddr[BATCH_EVENTS_MAX], daddr[BATCH_EVENTS_MAX]; /* endpoints */
	/* Not 0: those of the rows are not all the same. */
	uint32_t processes_differ, saddrs_differ, daddrs_differ;
	struct late_result late[BATCH_EVENTS_MAX];
	uint64_t column[STRINGS_MAX + 1]; /* the one being written */
	uint64_t scratch[BATCH_EVENTS_MAX];
	struct intern *processes, *strings, *ipv4, *ipv6;
	uint32_t batch; /* counts them, from 1 */
	struct known_process known[KNOWN_MAX];
	struct known_address last_saddr, last_daddr;
	/* Of names: only if some event of the batch says something of them. */
	bool queried;
	uint32_t query_bytes; /* of a row; 0: none does */
	struct range answered_range;
	struct bytes last_query; /* among the strings, and its number there */
	uint32_t last_query_number;
	uint32_t query[BATCH_EVENTS_MAX];
	uint64_t answered[BATCH_EVENTS_MAX];
};

struct batch_builder *batch_builder_new(void)
{
	struct batch_builder *b = calloc(1, sizeof *b);

	if (!b)
		return NULL;
	b->most = PAYLOAD_MAX;
	b->batch = 1;
	b->processes =
		intern_new(BATCH_EVENTS_MAX, BATCH_EVENTS_MAX * PROCESS_FIELDS * sizeof(uint64_t));
	b->strings = intern_new(STRINGS_MAX, RECORD_PAYLOAD_MAX);
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
	if (b->skip)
		skip_release(b->skip);
	free(b->skip);
	free(b);
}

void batch_builder_pack(struct batch_builder *b)
{
	b->pack = true;
	b->most = PLAIN_MAX - (b->skip ? SKIP_BYTES_MAX : 0);
}

int batch_builder_skip(struct batch_builder *b)
{
	b->skip = calloc(1, sizeof *b->skip);
	if (!b->skip)
		return -1;
	b->most -= SKIP_BYTES_MAX;
	return 0;
}

const struct skip_set *batch_builder_values(const struct batch_builder *b)
{
	return b->skip;
}

uint32_t batch_builder_count(const struct batch_builder *b)
{
	return b->count;
}

uint32_t batch_builder_late_count(const struct batch_builder *b)
{
	return b->late_count;
}

/* Of so many events, with what else is there now. */
static size_t size_with(const struct batch_builder *b, uint32_t events, uint32_t row_bytes)
{
	return FIXED_BYTES + (size_t)events * (row_bytes + INDEX_BYTES + b->query_bytes) +
	       b->table_bytes;
}

/* To be called when something was added to a table. */
static void measure_tables(struct batch_builder *b)
{
	b->table_bytes = (size_t)b->late_count * LATE_BYTES +
			 (size_t)intern_count(b->processes) * PROCESS_BYTES +
			 (size_t)intern_count(b->strings) * STRING_END_BYTES +
			 intern_bytes(b->strings) + (size_t)intern_count(b->ipv4) * IPV4_BYTES +
			 (size_t)intern_count(b->ipv6) * IPV6_BYTES;
}

size_t batch_builder_size(const struct batch_builder *b)
{
	return size_with(b, b->count, b->row_bytes);
}

/* The ranges that a row widens: a bit for each. */
struct wider {
	struct range ranges[VALUES];
	uint32_t row_bytes; /* what a row takes then */
	unsigned int changed;
};

static void widen(
	const struct batch_builder *b, unsigned int i, uint64_t value, struct wider *wider)
{
	const struct range *r = &b->ranges[i];
	struct range *w = &wider->ranges[i];

	w->low = value < r->low ? value : r->low;
	w->high = value > r->high ? value : r->high;
	wider->row_bytes -= column_width(r->high - r->low);
	wider->row_bytes += column_width(w->high - w->low);
	wider->changed |= 1u << i;
}

/* By the values from the one numbered first on. Most stay within the ranges. */
static inline void find_wider(const struct batch_builder *b, const uint64_t *values,
	unsigned int first, struct wider *wider)
{
	wider->row_bytes = b->row_bytes;
	wider->changed = 0;
#pragma GCC unroll 16
	for (unsigned int i = first; i < VALUES; i++)
		if (values[i] - b->ranges[i].low > b->spans[i])
			widen(b, i, values[i], wider);
}

/* Times keep growing: what is asked of their range is only its width. */
static uint64_t span_of(unsigned int value, const struct range *range)
{
	uint64_t span = range->high - range->low;

	return value == VALUE_TIME && span ? UINT64_MAX >> (64 - 8 * column_width(span)) : span;
}

static void keep_wider(struct batch_builder *b, const struct wider *wider)
{
	b->row_bytes = wider->row_bytes;
	for (unsigned int left = wider->changed; left; left &= left - 1) {
		unsigned int i = (unsigned int)__builtin_ctz(left);

		b->ranges[i] = wider->ranges[i];
		b->spans[i] = span_of(i, &b->ranges[i]);
	}
}

/* The first event: its values are the ranges. */
static void begin_ranges(struct batch_builder *b, const uint64_t *values)
{
	for (unsigned int i = 0; i < VALUES; i++) {
		b->ranges[i] = (struct range){values[i], values[i]};
		b->spans[i] = 0;
	}
}

static uint32_t add(struct intern *intern, struct bytes string)
{
	uint32_t number = intern_add(intern, string);

	assert(number != UINT32_MAX); /* batch_builder_add() has checked the room */
	return number;
}

static struct bytes cut(struct bytes text)
{
	if (text.length > TEXT_MAX_LENGTH)
		text.length = TEXT_MAX_LENGTH;
	return text;
}

static uint32_t add_text(struct batch_builder *b, struct bytes text)
{
	return text.length ? 1 + add(b->strings, cut(text)) : 0;
}

/* Returns the endpoint. */
static uint32_t add_address(
	struct batch_builder *b, const struct address *address, struct known_address *last)
{
	struct bytes bytes = {address->bytes, address->family == 4 ? 4 : 16};

	if (!address->family)
		return 0;
	if (address_equal(address, &last->address))
		return last->endpoint;
	last->address = *address;
	last->endpoint = address->family == 4 ? 1 + add(b->ipv4, bytes)
					      : (1 + add(b->ipv6, bytes)) | ENDPOINT_IPV6;
	measure_tables(b);
	return last->endpoint;
}

/* The most that a process can add, without its ancestors. */
static size_t process_size(const struct process *process)
{
	size_t size = PROCESS_BYTES;

	for (size_t i = 0; i < PROCESS_FIELDS; i++)
		if (process_fields[i].kind == FIELD_TEXT)
			size += STRING_END_BYTES +
				cut(*(const struct bytes *)((const char *)process +
							    process_fields[i].at))
					.length;
	return size;
}

/*
 * The process and its ancestors, as many as are recorded, into chain. Ancestors
 * that would take more than half of a batch are left out. Returns the number.
 */
static size_t chain_of(const struct process *process,
	const struct process *chain[static 1 + ANCESTORS_MAX], size_t *size)
{
	size_t count = 0;

	*size = 0;
	for (; process && count <= ANCESTORS_MAX; process = process->parent) {
		size_t more = process_size(process);

		if (count && *size + more > PAYLOAD_MAX / 2)
			break;
		*size += more;
		chain[count++] = process;
	}
	return count;
}

static uint64_t field_value(struct batch_builder *b, const struct process *process,
	const struct process_field *field, uint32_t parent)
{
	const void *value = (const char *)process + field->at;

	switch (field->kind) {
	case FIELD_U32:
		return *(const uint32_t *)value;
	case FIELD_U64:
		return *(const uint64_t *)value;
	case FIELD_ID:
		return (uint64_t)(*(const int64_t *)value + 1);
	case FIELD_TEXT:
		return add_text(b, *(const struct bytes *)value);
	case FIELD_PARENT:
		return parent;
	}
	return 0;
}

/* Ancestors first, so that a parent stands before its children. Returns the row of chain[0]. */
static uint32_t add_chain(struct batch_builder *b, const struct process *const *chain, size_t count)
{
	uint64_t key[PROCESS_FIELDS];
	uint32_t row = 0;

	for (size_t i = count; i-- > 0;) {
		for (size_t k = 0; k < PROCESS_FIELDS; k++)
			key[k] = field_value(
				b, chain[i], &process_fields[k], i + 1 < count ? row + 1 : 0);
		row = add(b->processes, (struct bytes){(const uint8_t *)key, sizeof key});
	}
	return row;
}

static struct known_process *known_slot(struct batch_builder *b, const struct process *process)
{
	return &b->known[(process->identity * 0x9e3779b97f4a7c15u >> 32) % KNOWN_MAX];
}

static bool is_known(const struct batch_builder *b, const struct known_process *known,
	const struct process *process)
{
	return process->identity && known->identity == process->identity &&
	       known->batch == b->batch && bytes_equal(known->comm, process->comm);
}

/* Whether there is room for processes that take so many rows and bytes. */
static bool have_room(const struct batch_builder *b, size_t rows, size_t bytes)
{
	return !rows || (intern_bytes(b->strings) + bytes <= PAYLOAD_MAX &&
				intern_count(b->processes) + rows <= BATCH_EVENTS_MAX &&
				intern_count(b->strings) + rows * PROCESS_FIELDS <= STRINGS_MAX);
}

/* The same of what the event says of names besides; *bytes: of both. */
static bool have_query_room(
	struct batch_builder *b, const struct event *event, size_t rows, size_t *bytes)
{
	b->query_bytes = QUERY_BYTES;
	*bytes += STRING_END_BYTES + cut(event->query).length;
	return intern_bytes(b->strings) + *bytes <= PAYLOAD_MAX &&
	       intern_count(b->strings) + rows * PROCESS_FIELDS < STRINGS_MAX;
}

/* The first event that says something of names: those before it do not. */
static void begin_queries(struct batch_builder *b)
{
	memset(b->query, 0, b->count * sizeof *b->query);
	memset(b->answered, 0, b->count * sizeof *b->answered);
	b->answered_range = (struct range){b->count ? 0 : UINT64_MAX, 0};
	b->queried = true;
}

static void add_query(struct batch_builder *b, const struct event *event)
{
	struct range *range = &b->answered_range;
	struct bytes name = cut(event->query);

	if (!b->queried)
		begin_queries(b);
	if (name.length && !bytes_equal(name, b->last_query)) {
		b->last_query_number = add_text(b, name);
		b->last_query = intern_get(b->strings, b->last_query_number - 1);
		measure_tables(b);
	}
	b->query[b->count] = name.length ? b->last_query_number : 0;
	b->answered[b->count] = event->answered;
	range->low = event->answered < range->low ? event->answered : range->low;
	range->high = event->answered > range->high ? event->answered : range->high;
}

int batch_builder_add(struct batch_builder *b, const struct event *event)
{
	const struct process *process = event->process, *chain[1 + ANCESTORS_MAX];
	struct known_process *known = known_slot(b, process);
	const uint64_t values[VALUES] = {
		[VALUE_TIME] = event->time_ns,
		[VALUE_TID] = (uint32_t)(event->tid - process->pid),
		[VALUE_LPORT] = event->lport,
		[VALUE_DPORT] = event->dport,
		[VALUE_FLAGS] = event->flags,
		[VALUE_RETURNED] = event->returned,
		[VALUE_NET_NS] = event->net_ns,
		[VALUE_OUTCOME] = event->result.outcome,
		[VALUE_ERROR] = event->result.error,
		[VALUE_LATENCY] = event->result.latency_us,
		[VALUE_RETRANSMITS] = event->result.retransmits,
	};
	bool queried = b->query_bytes | event->answered | event->query.length;
	size_t chained = 0, size = 0;
	uint32_t row = b->count;
	struct wider wider;

	assert(event->daddr.family);
	if (row == BATCH_EVENTS_MAX)
		return 1;
	if (!row)
		begin_ranges(b, values);
	if (!is_known(b, known, process))
		chained = chain_of(process, chain, &size);
	find_wider(b, values, 0, &wider);
	if ((queried && !have_query_room(b, event, chained, &size)) ||
		size_with(b, row + 1, wider.row_bytes) + size + 2 * IPV6_BYTES > b->most ||
		!have_room(b, chained, size))
		return 1;
	if (wider.changed)
		keep_wider(b, &wider);
	if (event->time_ns > b->ranges[VALUE_TIME].high)
		b->ranges[VALUE_TIME].high = event->time_ns;
#pragma GCC unroll 16
	for (unsigned int i = 0; i < VALUES; i++)
		b->values[i][row] = values[i];
	if (chained) {
		uint32_t comm;

		known->row = add_chain(b, chain, chained);
		known->identity = process->identity;
		known->batch = b->batch;
		comm = add_text(b, process->comm);
		known->comm = comm ? intern_get(b->strings, comm - 1) : (struct bytes){NULL, 0};
		measure_tables(b);
	}
	b->process[row] = known->row;
	b->saddr[row] = add_address(b, &event->saddr, &b->last_saddr);
	b->daddr[row] = add_address(b, &event->daddr, &b->last_daddr);
	if (queried)
		add_query(b, event);
	b->processes_differ |= known->row ^ b->process[0];
	b->saddrs_differ |= b->saddr[row] ^ b->saddr[0];
	b->daddrs_differ |= b->daddr[row] ^ b->daddr[0];
	b->count++;
	return 0;
}

int batch_builder_set_result(struct batch_builder *b, uint32_t row, const struct result *result)
{
	const uint64_t values[VALUES] = {
		[VALUE_OUTCOME] = result->outcome,
		[VALUE_ERROR] = result->error,
		[VALUE_LATENCY] = result->latency_us,
		[VALUE_RETRANSMITS] = result->retransmits,
	};
	struct wider wider;

	assert(row < b->count);
	find_wider(b, values, VALUE_OUTCOME, &wider);
	if (size_with(b, b->count, wider.row_bytes) > b->most)
		return 1;
	keep_wider(b, &wider);
	b->replaced = true;
	for (unsigned int i = VALUE_OUTCOME; i < VALUES; i++)
		b->values[i][row] = values[i];
	return 0;
}

int batch_builder_add_late(struct batch_builder *b, const struct late_result *late)
{
	if (b->late_count == BATCH_EVENTS_MAX ||
		size_with(b, b->count, b->row_bytes) + LATE_BYTES > b->most)
		return 1;
	b->late[b->late_count++] = *late;
	b->table_bytes += LATE_BYTES;
	return 0;
}

static uint64_t address_index(const struct batch_builder *b, uint32_t endpoint)
{
	return endpoint & ENDPOINT_IPV6 ? (endpoint ^ ENDPOINT_IPV6) + intern_count(b->ipv4)
					: endpoint;
}

/* What was replaced by a late result may have widened a range for nothing. */
static void put_value(struct batch_builder *b, struct body *body, enum value v, uint64_t first_ns)
{
	if (!b->count)
		return;
	if (v >= VALUE_OUTCOME && b->replaced)
		body_column(body, value_columns[v], b->values[v], b->count);
	else
		body_ranged(body, value_columns[v], b->values[v], b->count, &b->ranges[v],
			b->ranges[v].low - (v == VALUE_TIME ? first_ns : 0));
}

/* How many rows have to be looked at. */
static uint32_t rows_of(const struct batch_builder *b, uint32_t differ)
{
	return differ || !b->count ? b->count : 1;
}

static void put_index(struct batch_builder *b, struct body *body, uint16_t id, uint32_t differ)
{
	const struct range all = {b->column[0], b->column[0]};

	if (differ)
		body_column(body, id, b->column, b->count);
	else if (b->count)
		body_ranged(body, id, b->column, b->count, &all, all.low);
}

static void put_queries(struct batch_builder *b, struct body *body)
{
	for (uint32_t i = 0; i < b->count; i++)
		b->column[i] = b->query[i];
	body_column(body, EVENT_QUERY, b->column, b->count);
	if (b->pack)
		body_apart(body, EVENT_ANSWERED, b->answered, b->count, &b->answered_range);
	else
		body_column(body, EVENT_ANSWERED, b->answered, b->count);
}

static void put_events(struct batch_builder *b, struct body *body, uint64_t first_ns)
{
	for (uint32_t i = 0; b->pack && i < b->count; i++)
		b->values[VALUE_TIME][i] -= first_ns;
	for (enum value v = 0; v < VALUES; v++) {
		if (b->pack && v == VALUE_TIME)
			body_steps(body, value_columns[v], b->values[v], b->count, &b->ranges[v]);
		else if (b->pack && v == VALUE_LATENCY)
			body_apart(body, value_columns[v], b->values[v], b->count, &b->ranges[v]);
		else
			put_value(b, body, v, first_ns);
	}
	for (uint32_t i = 0; i < rows_of(b, b->processes_differ); i++)
		b->column[i] = b->process[i];
	put_index(b, body, EVENT_PROCESS, b->processes_differ);
	for (uint32_t i = 0; i < rows_of(b, b->saddrs_differ); i++)
		b->column[i] = address_index(b, b->saddr[i]);
	put_index(b, body, EVENT_SADDR, b->saddrs_differ);
	for (uint32_t i = 0; i < rows_of(b, b->daddrs_differ); i++)
		b->column[i] = address_index(b, b->daddr[i]);
	put_index(b, body, EVENT_DADDR, b->daddrs_differ);
	if (b->queried)
		put_queries(b, body);
}

static void put_processes(struct batch_builder *b, struct body *body)
{
	uint32_t rows = intern_count(b->processes);

	for (size_t k = 0; k < PROCESS_FIELDS; k++) {
		for (uint32_t i = 0; i < rows; i++)
			memcpy(&b->column[i],
				intern_get(b->processes, i).data + k * sizeof(uint64_t),
				sizeof(uint64_t));
		body_column(body, process_fields[k].column, b->column, rows);
	}
}

static uint64_t late_value(const struct late_result *late, uint16_t column)
{
	switch (column) {
	case OUTCOME_EVENT:
		return late->number;
	case OUTCOME_OUTCOME:
		return late->result.outcome;
	case OUTCOME_ERROR:
		return late->result.error;
	case OUTCOME_LATENCY:
		return late->result.latency_us;
	default:
		return late->result.retransmits;
	}
}

static void put_late(struct batch_builder *b, struct body *body)
{
	static const uint16_t columns[] = {OUTCOME_EVENT, OUTCOME_OUTCOME, OUTCOME_ERROR,
		OUTCOME_LATENCY, OUTCOME_RETRANSMITS};

	for (size_t k = 0; k < sizeof columns / sizeof *columns; k++) {
		for (uint32_t i = 0; i < b->late_count; i++)
			b->column[i] = late_value(&b->late[i], columns[k]);
		body_column(body, columns[k], b->column, b->late_count);
	}
}

static void put_strings(struct batch_builder *b, struct body *body)
{
	uint32_t rows = intern_count(b->strings);
	uint64_t end = 0;

	for (uint32_t i = 0; i < rows; i++)
		b->column[i] = end += intern_get(b->strings, i).length;
	body_column(body, STRING_END, b->column, rows);
	if (!rows)
		return;
	body_bytes(body, STRING_BYTES, (struct bytes){intern_get(b->strings, 0).data, (size_t)end});
}

/* One column from length bytes at offset of each string of a table, as a big-endian number. */
static void put_addresses(struct batch_builder *b, struct body *body, uint16_t id,
	const struct intern *table, unsigned int offset, unsigned int length)
{
	uint32_t rows = intern_count(table);

	for (uint32_t i = 0; i < rows; i++)
		b->column[i] = get_be(intern_get(table, i).data + offset, length);
	body_column(body, id, b->column, rows);
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

static void skip_number(struct skip_set *set, enum skip_kind kind, uint64_t number, unsigned int n)
{
	uint8_t value[4];

	put_le(value, number, n);
	skip_add(set, skip_hash(kind, (struct bytes){value, n}));
}

/* Of a process that has events; those that are only parents are not looked for. */
static void skip_process(struct batch_builder *b, uint32_t row)
{
	struct bytes stored = intern_get(b->processes, row);

	for (size_t k = 0; k < PROCESS_FIELDS; k++) {
		uint16_t column = process_fields[k].column;
		uint64_t value;

		memcpy(&value, stored.data + k * sizeof value, sizeof value);
		if (column == PROCESS_PID)
			skip_number(b->skip, SKIP_PID, value, 4);
		else if (column == PROCESS_UID)
			skip_number(b->skip, SKIP_UID, value, 4);
		else if (column == PROCESS_COMM && value)
			skip_add(b->skip,
				skip_hash(SKIP_COMM, intern_get(b->strings, (uint32_t)value - 1)));
	}
}

/* Returns the end of the summary, of what the batch holds at the moment. */
static uint8_t *put_skip(struct batch_builder *b, uint8_t *record, uint8_t *end)
{
	size_t length;

	if (!b->skip)
		return end;
	skip_clear(b->skip);
	memset(b->column, 0, intern_count(b->processes) * sizeof *b->column);
	for (uint32_t i = 0; i < b->count; i++) {
		b->column[b->process[i]] = 1;
		skip_number(b->skip, SKIP_PORT, b->values[VALUE_DPORT][i], 2);
	}
	for (uint32_t i = 0; i < intern_count(b->processes); i++)
		if (b->column[i])
			skip_process(b, i);
	for (uint32_t i = 0; i < intern_count(b->ipv4); i++)
		skip_add_address(b->skip, 4, intern_get(b->ipv4, i).data);
	for (uint32_t i = 0; i < intern_count(b->ipv6); i++)
		skip_add_address(b->skip, 6, intern_get(b->ipv6, i).data);
	length = skip_encode(b->skip, end);
	put_reference(record, BATCH_AT_SKIP, end, length);
	return end + length;
}

size_t batch_builder_encode(struct batch_builder *b, struct batch_header *header,
	uint8_t out[static RECORD_PAYLOAD_MAX])
{
	uint8_t *end = out + BATCH_HEADER_LENGTH;
	struct body body;

	header->first_ns = b->count ? b->ranges[VALUE_TIME].low : 0;
	header->last_ns = b->count ? b->ranges[VALUE_TIME].high : 0;
	memset(out, 0, BATCH_HEADER_LENGTH);
	memcpy(out + RECORD_AT_MAGIC, RECORD_MAGIC, 8);
	out[RECORD_AT_KIND] = RECORD_BATCH;
	out[RECORD_AT_MAJOR] = RECORD_MAJOR;
	out[RECORD_AT_MINOR] = b->queried ? RECORD_MINOR_QUERY : RECORD_MINOR;
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
	put_le(out + BATCH_AT_DROPPED, header->dropped, 8);
	put_le(out + BATCH_AT_GAP_FROM, header->gap.from_ns, 8);
	put_le(out + BATCH_AT_GAP_TO, header->gap.to_ns, 8);
	out[BATCH_AT_GAP_REASON] = header->gap.reason;
	put_le(out + BATCH_AT_FILE, header->file, 4);
	put_le(out + BATCH_AT_EVENTS, b->count, 4);
	put_le(out + BATCH_AT_PROCESSES, intern_count(b->processes), 4);
	put_le(out + BATCH_AT_STRINGS, intern_count(b->strings), 4);
	put_le(out + BATCH_AT_IPV4, intern_count(b->ipv4), 4);
	put_le(out + BATCH_AT_IPV6, intern_count(b->ipv6), 4);
	put_le(out + BATCH_AT_OUTCOMES, b->late_count, 4);
	end = put_name(out, BATCH_AT_HOST, end, header->host);
	end = put_name(out, BATCH_AT_BACKEND, end, header->backend);
	end = put_skip(b, out, end);

	body_begin(&body, end, COLUMNS, b->scratch);
	if (!b->pack)
		put_events(b, &body, header->first_ns);
	put_processes(b, &body);
	put_strings(b, &body);
	put_addresses(b, &body, IPV4_ADDRESS, b->ipv4, 0, 4);
	put_addresses(b, &body, IPV6_HIGH, b->ipv6, 0, 8);
	put_addresses(b, &body, IPV6_LOW, b->ipv6, 8, 8);
	put_late(b, &body);
	/* Last, so that what compresses them one by one takes all the rest as one. */
	if (b->pack)
		put_events(b, &body, header->first_ns);
	body_end(&body);

	put_reference(out, BATCH_AT_BODY, body.start, (size_t)(body.data - body.start));
	put_le(out + BATCH_AT_BODY_LENGTH, (uint64_t)(body.data - body.start), 4);
	put_le(out + BATCH_AT_COLUMNS, body.columns, 2);
	put_le(out + RECORD_AT_LENGTH, (uint64_t)(body.data - out), 4);
	assert((size_t)(body.data - out) <= b->most);

	b->batch++; /* the strings go that the known processes refer to */
	b->processes_differ = b->saddrs_differ = b->daddrs_differ = 0;
	b->replaced = b->queried = false;
	b->query_bytes = 0;
	b->last_query = (struct bytes){NULL, 0};
	b->count = b->late_count = b->row_bytes = 0;
	b->table_bytes = 0;
	b->last_saddr.address.family = b->last_daddr.address.family = 0;
	intern_clear(b->processes);
	intern_clear(b->strings);
	intern_clear(b->ipv4);
	intern_clear(b->ipv6);
	return (size_t)(body.data - out);
}
