/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The encoder and the decoder against each other, and both against a second
 * decoder that follows tcpconnect-trace(5) with the numbers that stand there.
 */
#include "unit.h"
#include "../../formats/batch_builder.h"

#define RECORD_MOST 262140 /* tcpconnect-trace(5), Limits */

#define TEXT(literal)                                                                              \
	{                                                                                          \
		(const uint8_t *)(literal), sizeof(literal) - 1                                    \
	}
/* What is unknown of most processes here. */
#define IDS_UNKNOWN                                                                                \
	.euid = UNKNOWN_ID, .egid = UNKNOWN_ID, .loginuid = UNKNOWN_ID, .audit_session = UNKNOWN_ID

static struct event event_of(uint8_t family)
{
	static const struct process process = {
		.pid = 7, .uid = 1000, .gid = 100, .comm = TEXT("curl"), IDS_UNKNOWN};
	struct event event = {
		.time_ns = 1000,
		.process = &process,
		.tid = 7,
		.saddr = {family, {127, 0, 0, 1}},
		.daddr = {family, {127, 0, 0, 2}},
		.lport = 40000,
		.dport = 443,
	};

	return event;
}

/* Encodes into memory that ends with the record's limit. */
static struct bytes encode(struct batch_builder *builder, struct batch_header *header)
{
	uint8_t *out = malloc(RECORD_PAYLOAD_MAX);

	assert_non_null(out);
	return (struct bytes){out, batch_builder_encode(builder, header, out)};
}

static struct batch parse(struct bytes payload)
{
	struct batch batch = {0};
	struct bytes record;
	struct error error;
	int kind;

	if (record_parse(payload, &record, &kind, &error) || batch_parse(&batch, record, &error))
		fail_msg("%s", error.text);
	assert_int_equal(kind, RECORD_BATCH);
	return batch;
}

static void assert_processes_equal(const struct process *a, const struct process *b)
{
	for (; a && b; a = a->parent, b = b->parent)
		for (size_t i = 0; i < PROCESS_FIELDS; i++) {
			const char *x = (const char *)a + process_fields[i].at;
			const char *y = (const char *)b + process_fields[i].at;

			switch (process_fields[i].kind) {
			case FIELD_U32:
				assert_memory_equal(x, y, sizeof(uint32_t));
				break;
			case FIELD_U64:
			case FIELD_ID:
				assert_memory_equal(x, y, sizeof(uint64_t));
				break;
			case FIELD_TEXT:
				assert_true(bytes_equal(
					*(const struct bytes *)x, *(const struct bytes *)y));
				break;
			case FIELD_PARENT:
				break;
			}
		}
	assert_true(!a && !b);
}

static void assert_results_equal(const struct result *a, const struct result *b)
{
	assert_int_equal(a->outcome, b->outcome);
	assert_int_equal(a->error, b->error);
	assert_int_equal(a->retransmits, b->retransmits);
	assert_int_equal(a->latency_us, b->latency_us);
}

static void assert_events_equal(const struct event *a, const struct event *b)
{
	assert_int_equal(a->time_ns, b->time_ns);
	assert_processes_equal(a->process, b->process);
	assert_int_equal(a->tid, b->tid);
	assert_int_equal(a->flags, b->flags);
	assert_int_equal(a->returned, b->returned);
	assert_int_equal(a->net_ns, b->net_ns);
	assert_memory_equal(&a->saddr, &b->saddr, sizeof a->saddr);
	assert_memory_equal(&a->daddr, &b->daddr, sizeof a->daddr);
	assert_int_equal(a->lport, b->lport);
	assert_int_equal(a->dport, b->dport);
	assert_results_equal(&a->result, &b->result);
	assert_true(bytes_equal(a->query, b->query));
	assert_int_equal(a->answered, b->answered);
}

static void header_and_counters_come_back(void **state)
{
	struct batch_builder *builder = batch_builder_new();
	struct batch_header header = {
		.session = "0123456789abcde",
		.file = 3,
		.sequence = UINT64_MAX - 1,
		.anchor = {0x1122334455667788, -5},
		.counters = {11, 12, 13, 14, 15},
		.host = bytes_of("host"),
		.backend = bytes_of("fentry"),
	};
	struct event event = event_of(4);
	struct bytes record;
	struct batch batch = {0};

	(void)state;
	for (unsigned int i = 0; i < 3; i++) {
		static const uint64_t times[] = {300, 100, 500};

		event.time_ns = times[i];
		assert_int_equal(batch_builder_add(builder, &event), 0);
	}
	assert_int_equal(batch_builder_count(builder), 3);
	record = encode(builder, &header);
	assert_int_equal(batch_builder_count(builder), 0);
	assert_int_equal(header.first_ns, 100);
	assert_int_equal(header.last_ns, 500);
	batch = parse(record);
	assert_memory_equal(batch.header.session, header.session, 16);
	assert_int_equal(batch.header.file, 3);
	assert_int_equal(batch.header.sequence, UINT64_MAX - 1);
	assert_memory_equal(&batch.header.anchor, &header.anchor, sizeof header.anchor);
	assert_memory_equal(&batch.header.counters, &header.counters, sizeof header.counters);
	assert_int_equal(batch.header.first_ns, 100);
	assert_int_equal(batch.header.last_ns, 500);
	assert_true(bytes_equal(batch.header.host, bytes_of("host")));
	assert_true(bytes_equal(batch.header.backend, bytes_of("fentry")));
	batch_release(&batch);
	free((void *)record.data);
	batch_builder_free(builder);
}

static void a_batch_may_be_empty(void **state)
{
	struct batch_builder *builder = batch_builder_new();
	struct batch_header header = {.first_ns = 9, .last_ns = 9, .counters = {.seen = 4}};
	struct bytes record = encode(builder, &header);
	struct batch batch = parse(record);

	(void)state;
	assert_int_equal(batch.events, 0);
	assert_int_equal(batch.header.first_ns, 0);
	assert_int_equal(batch.header.last_ns, 0);
	assert_int_equal(batch.header.counters.seen, 4);
	assert_int_equal(batch.header.host.length, 0);
	free((void *)record.data);
	batch_builder_free(builder);
	batch_builder_free(NULL);
}

/* The second decoder. */
struct entry {
	const uint8_t *at; /* in the directory; NULL: the column is absent */
	unsigned int width;
	uint64_t base;
	const uint8_t *data;
};

static struct entry find_entry(struct bytes record, uint16_t id)
{
	const uint8_t *body = record.data + get_le32(record.data + 168);
	unsigned int columns = get_le16(record.data + 180);
	struct entry entry = {0};

	for (const uint8_t *p = body; p < body + columns * 16u; p += 16)
		if (get_le16(p) == id)
			entry = (struct entry){p, p[2], get_le64(p + 8), body + get_le32(p + 4)};
	return entry;
}

static uint64_t value_of(struct bytes record, uint16_t id, unsigned int row)
{
	struct entry entry = find_entry(record, id);

	return entry.at ? entry.base + get_le(entry.data + row * entry.width, entry.width) : 0;
}

/* Two events, every field of the manual read at the place where the manual has it. */
static void the_record_is_as_the_manual_says(void **state)
{
	struct batch_builder *builder = batch_builder_new();
	struct batch_header header = {
		.session = "0123456789abcde",
		.file = 2,
		.sequence = 21,
		.anchor = {0x1122334455667788, -5},
		.counters = {31, 32, 33, 34, 35},
		.host = bytes_of("myhost"),
		.backend = bytes_of("kprobe"),
	};
	static const struct process parent = {.pid = 200, .comm = TEXT("ssh"), IDS_UNKNOWN};
	const struct late_result late = {9, {OUTCOME_FAILED, 111, 3, 1000001}};
	const struct event first = {
		.time_ns = 5000,
		.process = &(struct process){.pid = 300,
			.uid = 1000,
			.gid = 100,
			.comm = bytes_of("curl"),
			.euid = 0,
			.egid = 4294967295,
			.loginuid = 4294967295,
			.audit_session = 3,
			.start_ns = 1234567890123,
			.ppid = 200,
			.pid_inside = 2,
			.mount_ns = 4026531841,
			.pid_ns = 4026531836,
			.flags = PROCESS_ARGS_CUT,
			.exe = bytes_of("/bin/curl"),
			.args = {(const uint8_t *)"curl\0-s", 8},
			.cgroup = bytes_of("/c"),
			.user = bytes_of("alice"),
			.container = bytes_of("0123"),
			.unit = bytes_of("x.service"),
			.parent = &parent},
		.tid = 302,
		.flags = EVENT_MAPPED,
		.saddr = {4, {127, 0, 0, 1}},
		.daddr = {4, {10, 1, 2, 3}},
		.lport = 40000,
		.dport = 443,
		.returned = 1,
		.net_ns = 4026531840,
		.result = {OUTCOME_ESTABLISHED, 0, 1, 250},
	};
	const struct event second = {
		.time_ns = 4000,
		.process = &parent,
		.tid = 199,
		.daddr = {6, {0x20, 1, 0xd, 0xb8, 1, 2, 3, 4, 0xf5, 6, 7, 8, 9, 10, 11, 12}},
		.dport = 22,
	};
	struct bytes record, strings;
	struct entry bytes;

	(void)state;
	assert_int_equal(batch_builder_add(builder, &first), 0);
	assert_int_equal(batch_builder_add(builder, &second), 0);
	assert_int_equal(batch_builder_add_late(builder, &late), 0);
	assert_int_equal(batch_builder_late_count(builder), 1);
	record = encode(builder, &header);
#define AT32(offset) get_le32(record.data + (offset))
#define AT64(offset) get_le64(record.data + (offset))
	assert_memory_equal(record.data, "\x89TCPCON\n\2\1\0\0", 12);
	assert_int_equal(AT32(12), record.length);
	assert_int_equal(AT32(16), 224);
	assert_int_equal(AT32(20), 0);
	assert_memory_equal(record.data + 24, "0123456789abcde", 16);
	assert_int_equal(AT64(40), 21);
	assert_int_equal(AT64(48), 0x1122334455667788);
	assert_int_equal(AT64(56), (uint64_t)-5);
	assert_int_equal(AT64(64), 4000);
	assert_int_equal(AT64(72), 5000);
	for (unsigned int i = 0; i < 5; i++)
		assert_int_equal(AT64(80 + 8 * i), 31 + i);
	assert_int_equal(AT32(120), 2); /* file, then the rows of the five tables */
	assert_int_equal(AT32(124), 2);
	assert_int_equal(AT32(128), 2);
	assert_int_equal(AT32(132), 8);
	assert_int_equal(AT32(136), 2);
	assert_int_equal(AT32(140), 1);
	assert_int_equal(AT32(148), 6);
	assert_memory_equal(record.data + AT32(144), "myhost", 6);
	assert_int_equal(AT32(156), 6);
	assert_memory_equal(record.data + AT32(152), "kprobe", 6);
	assert_int_equal(AT64(160), 0);
	assert_int_equal(AT32(168) + AT32(172), record.length);
	assert_int_equal(AT32(176), AT32(172));
	assert_int_equal(record.data[182], 0);
	assert_int_equal(record.data[183], 0);
	assert_int_equal(AT64(184), 1); /* late outcomes, and the end of the header */
#define ROW(id, a, b)                                                                              \
	assert_int_equal(value_of(record, (id), 0), (a));                                          \
	assert_int_equal(value_of(record, (id), 1), (b))
	ROW(0x0101, 1000, 0);
	ROW(0x0102, 1, 0);
	ROW(0x0103, 2, 0xffffffff);
	ROW(0x0104, 1, 0);
	ROW(0x0105, 2, 3);
	ROW(0x0106, 40000, 0);
	ROW(0x0107, 443, 22);
	ROW(0x0108, 1, 0);
	ROW(0x0109, 1, 0);
	ROW(0x010a, 0, 0);
	ROW(0x010b, 250, 0);
	ROW(0x010c, 1, 0);
	ROW(0x010d, 1, 0);
	ROW(0x010e, 4026531840, 0);
	ROW(0x0201, 200, 300); /* the parent first */
	ROW(0x0202, 0, 1000);
	ROW(0x0203, 0, 100);
	ROW(0x0204, 1, 2);
	ROW(0x0205, 0, 1);
	ROW(0x0206, 0, 4294967296);
	ROW(0x0207, 0, 4294967296);
	ROW(0x0208, 0, 4);
	ROW(0x0209, 0, 1234567890123);
	ROW(0x020a, 0, 1);
	ROW(0x020b, 0, 200);
	ROW(0x020c, 0, 2);
	ROW(0x020d, 0, 4026531841);
	ROW(0x020e, 0, 4026531836);
	ROW(0x020f, 0, 1);
	ROW(0x0210, 0, 3);
	ROW(0x0211, 0, 4);
	ROW(0x0212, 0, 5);
	ROW(0x0213, 0, 6);
	ROW(0x0214, 0, 7);
	ROW(0x0215, 0, 8);
	ROW(0x0301, 3, 7);
	ROW(0x0401, 0x7f000001, 0x0a010203);
	assert_int_equal(value_of(record, 0x0601, 0), 9);
	assert_int_equal(value_of(record, 0x0602, 0), 2);
	assert_int_equal(value_of(record, 0x0603, 0), 111);
	assert_int_equal(value_of(record, 0x0604, 0), 1000001);
	assert_int_equal(value_of(record, 0x0605, 0), 3);
	assert_int_equal(value_of(record, 0x0501, 0), 0x20010db801020304);
	assert_int_equal(value_of(record, 0x0502, 0), 0xf5060708090a0b0c);
	bytes = find_entry(record, 0x0302);
	assert_int_equal(bytes.width, 1);
	assert_int_equal(bytes.base, 0);
	assert_true(bytes_slice(record, (uint64_t)(bytes.data - record.data), 44, &strings));
	assert_memory_equal(strings.data, "sshcurl/bin/curlcurl\0-s\0/calice0123x.service", 44);
	free((void *)record.data);
	batch_builder_free(builder);
}

static void columns_are_as_wide_as_their_range(void **state)
{
	static const struct {
		uint64_t range;
		unsigned int width;
	} cases[] = {
		{0, 0},
		{1, 1},
		{0xff, 1},
		{0x100, 2},
		{0xffff, 2},
		{0x10000, 4},
		{0xffffffff, 4},
		{0x100000000, 8},
		{UINT64_MAX, 8},
	};
	struct batch_builder *builder = batch_builder_new();

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		/* The whole range last, so that the width is not that of the last value. */
		const uint64_t times[] = {0, cases[i].range, cases[i].range / 2};
		struct batch_header header = {0};
		struct event event = event_of(4), back;
		struct bytes record;
		struct batch batch = {0};

		for (size_t k = 0; k < COUNT(times); k++) {
			event.time_ns = times[k];
			assert_int_equal(batch_builder_add(builder, &event), 0);
		}
		record = encode(builder, &header);
		batch = parse(record);
		assert_int_equal(find_entry(record, 0x0101).width, cases[i].width);
		for (uint32_t k = 0; k < COUNT(times); k++) {
			batch_event(&batch, k, &back);
			assert_int_equal(back.time_ns, times[k]);
		}
		batch_release(&batch);
		free((void *)record.data);
	}
	batch_builder_free(builder);
}

/* Makes events of one kind of recording; what varies is drawn for each set anew. */
struct generator {
	uint64_t seed;
	bool extremes, unknown, ipv6_only, many, names;
	/* As long as the set: the events borrow from it. */
	char comms[400][16];
	struct process processes[400];
	size_t count;
};

static uint32_t draw(struct generator *g, uint32_t usual)
{
	static const uint32_t edges[] = {
		0, 1, 0xff, 0x100, 0xffff, 0x10000, 0x7fffffff, 0xffffffff};

	if (g->unknown)
		return 0;
	return g->extremes ? edges[random_below(&g->seed, COUNT(edges))]
			   : random_below(&g->seed, g->many ? usual * 100 : usual);
}

static struct address draw_address(struct generator *g, bool may_be_unknown)
{
	struct address address = {0};
	uint8_t fill = g->extremes ? (uint8_t) - (int)random_below(&g->seed, 2) : 0;

	if (may_be_unknown && (g->unknown || !random_below(&g->seed, 5)))
		return address;
	address.family = g->ipv6_only || random_below(&g->seed, 2) ? 6 : 4;
	memset(address.bytes, fill, address.family == 4 ? 4 : 16);
	if (!g->extremes)
		for (unsigned int i = 0; i < (address.family == 4 ? 4u : 16u); i++)
			address.bytes[i] = (uint8_t)random_below(&g->seed, g->many ? 256 : 2);
	return address;
}

static int64_t draw_id(struct generator *g)
{
	return random_below(&g->seed, 3) ? (int64_t)draw(g, 9) : UNKNOWN_ID;
}

/* Half of them have a parent: one that was drawn before. */
static const struct process *draw_process(struct generator *g)
{
	struct process *p = &g->processes[g->count];
	uint8_t *text = (uint8_t *)g->comms[g->count];
	size_t length = g->unknown ? 0 : random_below(&g->seed, g->many ? 16 : 3);

	for (size_t i = 0; i < length; i++)
		text[i] = (uint8_t)random_below(&g->seed, g->extremes ? 256 : 3);
	*p = (struct process){
		.pid = draw(g, 5),
		.uid = draw(g, 3),
		.gid = draw(g, 3),
		.ppid = draw(g, 3),
		.euid = draw_id(g),
		.egid = draw_id(g),
		.loginuid = draw_id(g),
		.audit_session = draw_id(g),
		.start_ns = draw(g, 5),
		.pid_inside = draw(g, 2),
		.mount_ns = draw(g, 2),
		.pid_ns = draw(g, 2),
		.flags = draw(g, 2),
		.comm = {text, length},
		.exe = {text, length / 2},
		.args = {text + length / 2, length - length / 2},
		.cgroup = {text, length ? 1 : 0},
		.user = {text + length, 0},
		.container = {text, length},
		.unit = {text, length / 3},
	};
	if (g->count && random_below(&g->seed, 2))
		p->parent = &g->processes[random_below(&g->seed, (uint32_t)g->count)];
	/* No more ancestors than are recorded. */
	size_t depth = 0;
	for (const struct process *a = p->parent; a; a = a->parent)
		depth++;
	if (depth > ANCESTORS_MAX)
		p->parent = NULL;
	g->count++;
	return p;
}

static struct event draw_event(struct generator *g)
{
	struct event event = {
		.time_ns = g->extremes ? (uint64_t)draw(g, 0) << 32 | draw(g, 0)
				       : 1000000000 + random_below(&g->seed, 100000),
		.process = draw_process(g),
		.tid = draw(g, 9),
		.flags = draw(g, 2),
		.returned = (uint16_t)draw(g, 2),
		.net_ns = draw(g, 2),
		.saddr = draw_address(g, true),
		.daddr = draw_address(g, false),
		.lport = (uint16_t)draw(g, 60000),
		.dport = (uint16_t)draw(g, 1000),
		.result = {g->unknown ? 0 : (uint8_t)random_below(&g->seed, 4),
			(uint16_t)draw(g, 3), draw(g, 3), draw(g, 300)},
	};

	/* Names from some event on, or not at all. */
	if (g->names && random_below(&g->seed, 4)) {
		event.answered =
			g->extremes ? (uint64_t)draw(g, 0) << 32 | draw(g, 0) : draw(g, 90);
		event.query = random_below(&g->seed, 2) ? event.process->comm : event.query;
	}
	return event;
}

static void random_events_come_back(void **state)
{
	struct batch_builder *builder = batch_builder_new();
	static struct generator g;
	static struct event events[COUNT(g.comms)];
	static struct late_result late[COUNT(g.comms)];

	(void)state;
	g.seed = 3;
	for (unsigned int set = 0; set < 3000; set++) {
		struct batch_header header = {.host = bytes_of("h")};
		uint32_t count = random_below(&g.seed, set % 50 ? 30 : COUNT(g.comms));
		struct bytes record;
		struct batch batch = {0};

		g.extremes = set & 1;
		g.unknown = (set & 14) == 2;
		g.ipv6_only = (set & 12) == 4;
		g.many = set & 16;
		g.names = set & 32;
		g.count = 0;
		for (uint32_t i = 0; i < count; i++) {
			uint32_t row = random_below(&g.seed, i + 1);
			struct result result = {1, (uint16_t)draw(&g, 9), draw(&g, 9), i};

			events[i] = draw_event(&g);
			assert_int_equal(batch_builder_add(builder, &events[i]), 0);
			late[i] = (struct late_result){draw(&g, 9), result};
			assert_int_equal(batch_builder_add_late(builder, &late[i]), 0);
			assert_int_equal(batch_builder_set_result(builder, row, &result), 0);
			events[row].result = result;
		}
		record = encode(builder, &header);
		assert_in_range(record.length, 192, RECORD_MOST);
		batch = parse(record);
		assert_int_equal(batch.events, count);
		for (uint32_t i = 0; i < count; i++) {
			struct event back;

			batch_event(&batch, i, &back);
			assert_events_equal(&back, &events[i]);
		}
		assert_int_equal(batch.late, count);
		for (uint32_t i = 0; i < count; i++) {
			struct late_result back;

			batch_late_result(&batch, i, &back);
			assert_int_equal(back.number, late[i].number);
			assert_results_equal(&back.result, &late[i].result);
		}
		batch_release(&batch);
		free((void *)record.data);
	}
	batch_builder_free(builder);
}

/* What fills a builder: row i of it, with what the event borrows. */
struct lent {
	char comm[16];
	struct process process;
};
typedef struct event filler(uint32_t i, struct lent *lent);

static struct event fill_same(uint32_t i, struct lent *lent)
{
	(void)i;
	(void)lent;
	return event_of(4);
}

/* Each event new in every respect, with all columns at their widest. */
static struct event fill_distinct(uint32_t i, struct lent *lent)
{
	const uint8_t *text = (uint8_t *)lent->comm;
	uint32_t ends = i & 1 ? UINT32_MAX : 0;
	struct event event = {
		.time_ns = i ? UINT64_MAX - i : 0,
		.process = &lent->process,
		.tid = ~ends,
		.flags = ends,
		.returned = (uint16_t)ends,
		.net_ns = ends,
		.saddr = {6, {0}},
		.daddr = {6, {0}},
		.lport = (uint16_t)~ends,
		.dport = (uint16_t)ends,
		.result = {i & 1 ? OUTCOME_ABANDONED : 0, (uint16_t)ends, ends,
			i & 1 ? UINT64_MAX : 0},
		.query = {text + 6, 9},
		.answered = i & 1 ? UINT64_MAX : 0,
	};

	lent->process = (struct process){
		.pid = ends,
		.ppid = ends,
		.uid = ends,
		.gid = i * 2654435761u,
		.euid = i & 1 ? UINT32_MAX : UNKNOWN_ID,
		.egid = i & 1 ? UINT32_MAX : UNKNOWN_ID,
		.loginuid = i & 1 ? UINT32_MAX : UNKNOWN_ID,
		.audit_session = i & 1 ? UINT32_MAX : UNKNOWN_ID,
		.start_ns = i & 1 ? UINT64_MAX : 0,
		.pid_inside = ends,
		.mount_ns = ends,
		.pid_ns = ends,
		.flags = ends,
		.comm = {text, 15},
		.exe = {text, 14},
		.args = {text + 1, 14},
		.cgroup = {text + 2, 13},
		.user = {text + 3, 12},
		.container = {text + 4, 11},
		.unit = {text + 5, 10},
	};
	snprintf(lent->comm, sizeof lent->comm, "%015u", i);
	put_le(event.saddr.bytes, i * 0x9e3779b97f4a7c15u, 8);
	put_le(event.daddr.bytes + 8, ~(i * 0x9e3779b97f4a7c15u), 8);
	return event;
}

/* As many addresses as a batch can hold, of both families. */
static struct event fill_addresses(uint32_t i, struct lent *lent)
{
	struct event event = event_of(i & 1 ? 4 : 6);

	(void)lent;
	put_le(event.saddr.bytes, 2 * i, 4);
	put_le(event.daddr.bytes, 2 * i + 1, 4);
	return event;
}

/* Each its own name, but the first ones none. */
static struct event fill_names(uint32_t i, struct lent *lent)
{
	struct event event = event_of(4);

	if (i < 3000)
		return event;
	snprintf(lent->comm, sizeof lent->comm, "%06u.net", i);
	event.query = bytes_of(lent->comm);
	event.answered = i & 1 ? UINT64_MAX : ANSWERED_AGE;
	return event;
}

/* One name for all of them. */
static struct event fill_one_name(uint32_t i, struct lent *lent)
{
	struct event event = event_of(4);

	(void)lent;
	event.query = bytes_of("www.example.net");
	event.answered = ANSWERED_AGE + i;
	return event;
}

static void a_full_builder_stays_below_the_limit(void **state)
{
	static const struct {
		filler *fill;
		uint32_t least;
	} cases[] = {
		{fill_same, 9000},
		{fill_distinct, 700},
		{fill_addresses, 5000},
		{fill_names, 6000},
		{fill_one_name, 8000},
	};
	static struct lent lent[BATCH_EVENTS_MAX];
	struct batch_builder *builder = batch_builder_new();
	char long_name[300];

	(void)state;
	memset(long_name, 'n', sizeof long_name);
	for (size_t c = 0; c < COUNT(cases); c++) {
		struct batch_header header = {.host = {(uint8_t *)long_name, sizeof long_name},
			.backend = {(uint8_t *)long_name, sizeof long_name}};
		struct event event, back;
		struct bytes record;
		struct batch batch = {0};
		uint32_t count = 0;

		for (;; count++) {
			event = cases[c].fill(count, &lent[count % BATCH_EVENTS_MAX]);
			if (batch_builder_add(builder, &event))
				break;
		}
		assert_in_range(count, cases[c].least, BATCH_EVENTS_MAX);
		assert_int_equal(batch_builder_count(builder), count);
		record = encode(builder, &header);
		assert_in_range(record.length, 192, RECORD_MOST);
		batch = parse(record);
		assert_int_equal(batch.events, count);
		assert_int_equal(batch.header.host.length, 255);
		assert_int_equal(batch.header.backend.length, 255);
		for (uint32_t i = 0; i < count; i++) {
			event = cases[c].fill(i, &lent[i]);
			batch_event(&batch, i, &back);
			assert_events_equal(&back, &event);
		}
		batch_release(&batch);
		free((void *)record.data);
		/* Emptied: there is room again. */
		assert_int_equal(batch_builder_add(builder, &event), 0);
		record = encode(builder, &header);
		batch = parse(record);
		assert_int_equal(batch.events, 1);
		batch_release(&batch);
		free((void *)record.data);
	}
	batch_builder_free(builder);
}

/* A text is cut, ancestors that would take half of a batch are left out. */
static void texts_of_any_length_fit(void **state)
{
	static const size_t lengths[] = {4096, 16384, 16385, 300000};
	struct batch_builder *builder = batch_builder_new();
	uint8_t *text = calloc(1, 300000);

	(void)state;
	for (size_t i = 0; i < COUNT(lengths); i++) {
		struct process processes[1 + ANCESTORS_MAX + 1] = {0};
		size_t most = lengths[i] < 16384 ? lengths[i] : 16384, generations = 0;
		struct batch_header header = {0};
		struct event event = event_of(4), back;
		struct batch batch = {0};
		struct bytes record;

		for (size_t k = 0; k < COUNT(processes); k++)
			processes[k] = (struct process){.pid = (uint32_t)k + 1,
				.args = {text, lengths[i]},
				.exe = {text + 1, lengths[i] - 1},
				.parent = k + 1 < COUNT(processes) ? &processes[k + 1] : NULL};
		event.process = &processes[0];
		assert_int_equal(batch_builder_add(builder, &event), 0);
		record = encode(builder, &header);
		assert_in_range(record.length, most, RECORD_MOST);
		batch = parse(record);
		batch_event(&batch, 0, &back);
		for (const struct process *p = back.process; p; p = p->parent, generations++) {
			assert_int_equal(p->pid, generations + 1);
			assert_int_equal(p->args.length, most);
			assert_memory_equal(p->args.data, text, most);
		}
		/* No more than half of a batch for a process with its ancestors. */
		assert_in_range(generations, 1, 1 + ANCESTORS_MAX);
		assert_in_range(generations * most * 2, most, RECORD_MOST / 2);
		batch_release(&batch);
		free((void *)record.data);
	}
	free(text);
	batch_builder_free(builder);
}

/* An identity stands for all but the name of the thread. */
static void processes_are_known_by_their_identity(void **state)
{
	struct batch_builder *builder = batch_builder_new();
	struct process process = {.identity = 7, .pid = 1, .comm = bytes_of("one")};
	struct batch_header header = {0};
	struct event event = event_of(4), back;
	struct batch batch;
	struct bytes record;

	(void)state;
	event.process = &process;
	for (unsigned int round = 0; round < 2; round++) {
		process.comm = bytes_of("one");
		assert_int_equal(batch_builder_add(builder, &event), 0);
		process.comm = bytes_of("two");
		assert_int_equal(batch_builder_add(builder, &event), 0);
		process.comm = bytes_of("one");
		assert_int_equal(batch_builder_add(builder, &event), 0);
		process.comm = (struct bytes){NULL, 0};
		assert_int_equal(batch_builder_add(builder, &event), 0);
		record = encode(builder, &header);
		batch = parse(record);
		assert_int_equal(batch.processes, 3);
		for (uint32_t i = 0; i < 4; i++) {
			static const char *const names[] = {"one", "two", "one", ""};

			batch_event(&batch, i, &back);
			assert_true(bytes_equal(back.process->comm, bytes_of(names[i])));
			assert_int_equal(back.process->pid, 1);
		}
		batch_release(&batch);
		free((void *)record.data);
	}
	batch_builder_free(builder);
}

/* A small record with something in every table; the caller frees it. */
static struct bytes small_record(void)
{
	struct batch_builder *builder = batch_builder_new();
	struct batch_header header = {
		.file = 1, .host = bytes_of("host"), .backend = bytes_of("b")};
	struct event events[] = {event_of(4), event_of(6), event_of(4)};
	struct bytes record, exact;

	const struct process ssh = {.pid = 7, .uid = 1000, .gid = 100, .comm = bytes_of("ssh")};
	const struct process other = {.pid = 8, .comm = bytes_of("curl"), .parent = &ssh};

	events[1].process = &ssh;
	events[1].saddr = (struct address){0};
	events[1].lport = 0;
	events[2].process = &other;
	events[2].time_ns = 1500;
	for (size_t i = 0; i < COUNT(events); i++)
		assert_int_equal(batch_builder_add(builder, &events[i]), 0);
	record = encode(builder, &header);
	exact = (struct bytes){exact_copy(record.data, record.length), record.length};
	free((void *)record.data);
	batch_builder_free(builder);
	return exact;
}

static void assert_inside(struct bytes part, struct bytes whole)
{
	assert_true(!part.length || (part.data >= whole.data && part.length <= whole.length &&
					    part.data + part.length <= whole.data + whole.length));
}

static void assert_column_inside(const struct column *column, uint32_t rows, struct bytes record)
{
	assert_inside((struct bytes){column->data, (size_t)rows * column->width}, record);
}

/* Whatever was accepted can be read, all of it, and nothing outside the record is. */
static void assert_readable(const struct batch *batch, struct bytes record)
{
	assert_inside(batch->header.host, record);
	assert_inside(batch->header.backend, record);
	assert_inside(batch->string_bytes, record);
	for (const struct column *c = &batch->time; c <= &batch->answered; c++)
		if (!c->data || c->data != batch->expanded[c - &batch->time].data)
			assert_column_inside(c, batch->events, record);
	for (size_t i = 0; i < PROCESS_FIELDS; i++)
		assert_column_inside(&batch->process_columns[i], batch->processes, record);
	for (const struct column *c = &batch->late_event; c <= &batch->late_retransmits; c++)
		assert_column_inside(c, batch->late, record);
	assert_column_inside(&batch->string_end, batch->strings, record);
	assert_column_inside(&batch->ipv4_address, batch->ipv4, record);
	assert_column_inside(&batch->ipv6_high, batch->ipv6, record);
	assert_column_inside(&batch->ipv6_low, batch->ipv6, record);
	for (uint32_t row = 0; row < batch->events; row++) {
		struct event event;

		batch_event(batch, row, &event);
		for (const struct process *p = event.process; p; p = p->parent)
			assert_inside(p->comm, record);
		assert_true(event.daddr.family == 4 || event.daddr.family == 6);
		assert_true(
			!event.saddr.family || event.saddr.family == 4 || event.saddr.family == 6);
		batch_wall_ns(batch, event.time_ns);
	}
}

static void any_changed_byte_is_refused_or_harmless(void **state)
{
	struct bytes good = small_record();
	unsigned int refused = 0, accepted = 0;

	(void)state;
	for (size_t at = 0; at < good.length; at++)
		/* Each bit, then all of them, then zero and the values around a sign. */
		for (unsigned int change = 0; change < 12; change++) {
			static const uint8_t values[] = {0, 0x7f, 0x80};
			uint8_t *p = exact_copy(good.data, good.length);
			struct batch batch = {0};
			struct bytes record;
			struct error error;
			int kind;

			if (change < 8)
				p[at] ^= (uint8_t)(1u << change);
			else if (change == 8)
				p[at] ^= 0xff;
			else
				p[at] = values[change - 9];
			if (record_parse((struct bytes){p, good.length}, &record, &kind, &error) ||
				batch_parse(&batch, record, &error)) {
				assert_true(strlen(error.text) > 0);
				refused++;
			} else {
				assert_readable(&batch, record);
				accepted++;
			}
			batch_release(&batch);
			free(p);
		}
	/* Both happen: the counters may say anything, the magic may not. */
	assert_true(refused > 500 && accepted > 500);
	free((void *)good.data);
}

static void any_cut_record_is_refused(void **state)
{
	struct bytes good = small_record();

	(void)state;
	for (size_t length = 0; length < good.length; length++) {
		uint8_t *p = exact_copy(good.data, length);
		struct bytes record = {p, length};
		struct batch batch = {0};
		struct error error;
		int kind;

		assert_int_equal(record_parse(record, &record, &kind, &error), -1);
		/* The same with a length field that agrees. */
		if (length >= 40) {
			put_le(p + 12, length, 4);
			if (!record_parse(record, &record, &kind, &error))
				assert_int_equal(batch_parse(&batch, record, &error), -1);
		}
		batch_release(&batch);
		free(p);
	}
	free((void *)good.data);
}

/* One field wrong. column: its directory entry is meant, else the header of the record. */
static void wrong_fields_are_refused(void **state)
{
	static const struct {
		uint16_t column;
		uint8_t offset, size;
		uint64_t value;
		const char *message;
	} cases[] = {
		{0, 0, 1, 0x88, "magic"},
		{0, 9, 1, 2, "version 2.0"},
		{0, 9, 1, 0, "version 0.0"},
		{0, 12, 4, 100000, "record length 100000"},
		{0, 12, 4, 223, "header length 224 in a record of 223"},
		{0, 16, 4, 39, "header length 39"},
		{0, 16, 4, 191, "batch header of 191"},
		{0, 16, 4, 100000, "header length 100000"},
		{0, 16, 4, UINT32_MAX, "header length 4294967295"},
		{0, 124, 4, 1000, "outside the body"},
		{0, 124, 4, UINT32_MAX, "are the most"},
		{0, 124, 4, 16777217, "16777216 are the most"},
		{0, 128, 4, 65537, "65536 are the most"},
		{0, 132, 4, 16777217, "are the most"},
		{0, 136, 4, 16777217, "are the most"},
		{0, 140, 4, 16777217, "are the most"},
		{0, 128, 4, 1, "outside its table"},
		{0, 132, 4, 1, "outside its table"},
		{0, 140, 4, 0, "outside its table"},
		{0, 144, 4, 100000, "host name of 4 bytes at 100000"},
		{0, 144, 4, UINT32_MAX, "outside its record"},
		{0, 148, 4, UINT32_MAX, "outside its record"},
		{0, 152, 4, UINT32_MAX, "backend"},
		{0, 168, 4, UINT32_MAX, "body"},
		{0, 172, 4, UINT32_MAX, "body"},
		{0, 172, 4, 0, "do not fit"},
		{0, 184, 4, 16777217, "are the most"},
		{0, 180, 2, 65535, "65535 columns do not fit"},
		{0, 182, 1, 1, "cannot decompress"},
		{0, 182, 1, 2, "compression 2"},
		{EVENT_TIME, 2, 1, 3, "width 3"},
		{EVENT_TIME, 2, 1, 16, "width 16"},
		{EVENT_TIME, 2, 1, 255, "width 255"},
		{EVENT_TIME, 4, 4, UINT32_MAX, "outside the body"},
		{EVENT_PROCESS, 8, 8, 1, "process 3"},
		{EVENT_PROCESS, 8, 8, UINT64_MAX, "process 18446744073709551615"},
		{EVENT_SADDR, 8, 8, 10, "source address"},
		{EVENT_DADDR, 8, 8, 0, "destination address 0"},
		{EVENT_DADDR, 8, 8, 10, "destination address"},
		{PROCESS_COMM, 8, 8, 3, "comm"},
		{PROCESS_PARENT, 8, 8, 2, "parent 2 of process 0 is not before it"},
		{STRING_END, 8, 8, 1000, "string 0"},
		{STRING_END, 8, 8, UINT64_MAX, "string "},
		{STRING_BYTES, 4, 4, UINT32_MAX, "strings"},
		{IPV6_HIGH, 2, 1, 8, "outside the body"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct bytes good = small_record(), record;
		uint8_t *p = (uint8_t *)good.data;
		struct batch batch = {0};
		struct error error = {"accepted"};
		int kind;

		if (cases[i].column == IPV6_HIGH) /* more rows than the body holds */
			put_le(p + 140, 1000, 4);
		if (cases[i].column) {
			p = (uint8_t *)find_entry(good, cases[i].column).at;
			assert_non_null(p);
		}
		put_le(p + cases[i].offset, cases[i].value, cases[i].size);
		if (!record_parse(good, &record, &kind, &error))
			batch_parse(&batch, record, &error);
		assert_contains(error.text, cases[i].message);
		batch_release(&batch);
		free((void *)good.data);
	}
}

static void strings_that_end_before_they_begin_are_refused(void **state)
{
	struct bytes good = small_record(), record;
	struct entry end = find_entry(good, STRING_END);
	struct batch batch = {0};
	struct error error;
	int kind;

	(void)state;
	assert_int_equal(end.width, 1);
	memcpy((uint8_t *)end.data, "\x05\x04", 2);
	put_le((uint8_t *)end.at + 8, 0, 8);
	assert_int_equal(record_parse(good, &record, &kind, &error), 0);
	assert_int_equal(batch_parse(&batch, record, &error), -1);
	assert_contains(error.text, "string 1");
	free((void *)good.data);
}

/* tcpconnect-trace(5), Versions: what a newer minor version may do. */
static void newer_minor_versions_are_read(void **state)
{
	struct bytes good = small_record();
	struct batch before = parse(good), after = {0};
	struct event expected, event;
	uint8_t *grown = calloc(1, good.length + 16), *entry;

	(void)state;
	/* A longer header, in front of what the references name. */
	memcpy(grown, good.data, 192);
	memset(grown + 192, 0xee, 16);
	memcpy(grown + 208, good.data + 192, good.length - 192);
	grown[10] = 7;
	put_le(grown + 12, good.length + 16, 4);
	put_le(grown + 16, 208, 4);
	for (unsigned int at = 144; at <= 168; at += 8)
		if (get_le32(grown + at))
			put_le(grown + at, get_le32(grown + at) + 16u, 4);
	batch_release(&after);
	after = parse((struct bytes){grown, good.length + 16});
	for (uint32_t row = 0; row < 3; row++) {
		batch_event(&before, row, &expected);
		batch_event(&after, row, &event);
		assert_events_equal(&event, &expected);
	}
	/* A column of another encoding is absent, whatever else stands in its entry. */
	entry = (uint8_t *)find_entry((struct bytes){grown, good.length + 16}, EVENT_DPORT).at;
	assert_non_null(entry);
	if (entry)
		memset(entry + 2, 0xff, 14);
	batch_release(&after);
	after = parse((struct bytes){grown, good.length + 16});
	batch_event(&after, 0, &event);
	assert_int_equal(event.dport, 0);
	assert_int_equal(event.lport, 40000);
	/* A column of another name is ignored. */
	entry[0] = 0x77;
	entry[3] = 0;
	batch_release(&after);
	after = parse((struct bytes){grown, good.length + 16});
	batch_event(&after, 0, &event);
	assert_int_equal(event.dport, 0);
	batch_release(&before);
	batch_release(&after);
	free(grown);
	free((void *)good.data);
}

/* The order of the directory means nothing. */
static void columns_stand_in_any_order(void **state)
{
	struct bytes good = small_record();
	struct batch before = parse(good), after;
	struct event expected, event;
	uint8_t *directory = (uint8_t *)good.data + get_le32(good.data + 168);
	unsigned int columns = get_le16(good.data + 180);
	uint8_t *copy = exact_copy(directory, columns * 16u);

	(void)state;
	/* The columns of before point into the data, which stay. */
	for (unsigned int i = 0; i < columns; i++)
		memcpy(directory + i * 16u, copy + (columns - 1 - i) * 16u, 16);
	after = parse(good);
	for (uint32_t row = 0; row < 3; row++) {
		batch_event(&before, row, &expected);
		batch_event(&after, row, &event);
		assert_events_equal(&event, &expected);
	}
	batch_release(&before);
	batch_release(&after);
	free(copy);
	free((void *)good.data);
}

static void records_end_where_they_say(void **state)
{
	uint8_t payload[64] = RECORD_MAGIC;
	struct bytes record;
	struct error error;
	int kind;

	(void)state;
	payload[8] = 99; /* an unknown kind is for the caller to skip */
	payload[9] = 1;
	payload[10] = 255;
	put_le(payload + 12, 41, 4);
	put_le(payload + 16, 40, 4);
	assert_int_equal(record_parse((struct bytes){payload, 64}, &record, &kind, &error), 0);
	assert_ptr_equal(record.data, payload);
	assert_int_equal(record.length, 41);
	assert_int_equal(kind, 99);
	assert_int_equal(record_parse((struct bytes){payload, 41}, &record, &kind, &error), 0);
	assert_int_equal(record_parse((struct bytes){payload, 40}, &record, &kind, &error), -1);
	assert_int_equal(record_parse((struct bytes){payload, 39}, &record, &kind, &error), -1);
	assert_contains(error.text, "record of 39 bytes");
	assert_int_equal(record_parse((struct bytes){payload, 0}, &record, &kind, &error), -1);
}

static void wall_times_follow_from_the_anchor(void **state)
{
	static const struct {
		uint64_t boot_ns;
		int64_t wall_ns;
		uint64_t time_ns;
		int64_t expected;
	} cases[] = {
		{1000, 5000, 1000, 5000},
		{1000, 5000, 1001, 5001},
		{1000, 5000, 0, 4000},
		{1000, 0, 999, -1},
		{0, INT64_MAX, 1, INT64_MIN}, /* hostile: wraps */
		{UINT64_MAX, INT64_MIN, 0, INT64_MIN + 1},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		const struct batch batch = {.header.anchor = {cases[i].boot_ns, cases[i].wall_ns}};

		assert_true(batch_wall_ns(&batch, cases[i].time_ns) == cases[i].expected);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(header_and_counters_come_back),
		cmocka_unit_test(a_batch_may_be_empty),
		cmocka_unit_test(the_record_is_as_the_manual_says),
		cmocka_unit_test(columns_are_as_wide_as_their_range),
		cmocka_unit_test(random_events_come_back),
		cmocka_unit_test(a_full_builder_stays_below_the_limit),
		cmocka_unit_test(texts_of_any_length_fit),
		cmocka_unit_test(processes_are_known_by_their_identity),
		cmocka_unit_test(any_changed_byte_is_refused_or_harmless),
		cmocka_unit_test(any_cut_record_is_refused),
		cmocka_unit_test(wrong_fields_are_refused),
		cmocka_unit_test(strings_that_end_before_they_begin_are_refused),
		cmocka_unit_test(newer_minor_versions_are_read),
		cmocka_unit_test(columns_stand_in_any_order),
		cmocka_unit_test(records_end_where_they_say),
		cmocka_unit_test(wall_times_follow_from_the_anchor),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
