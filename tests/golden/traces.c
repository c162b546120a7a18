/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Writes the golden traces that the trace writer itself can produce into a
 * directory: fixed sessions, clocks and events, so that the same bytes come out
 * every time. tests/golden/derive.py makes the others from them.
 */
#include "../../formats/trace_writer.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* A row leaves out what is unknown of most. */
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

#define COUNT(array) (sizeof(array) / sizeof *(array))
#define TEXT(literal)                                                                              \
	{                                                                                          \
		(const uint8_t *)(literal), sizeof(literal) - 1                                    \
	}

#define MS INT64_C(1000000)
#define BOOT_NS UINT64_C(1000000000000)      /* 1000 s after the boot .. */
#define WALL_NS INT64_C(1795430700000000000) /* .. it was 2026-11-23T10:45:00Z */
#define DRIFT_NS 250000                      /* of the wall clock, from batch to batch */

struct row {
	int64_t ns; /* after the anchor of the first batch */
	uint32_t pid, tid, uid, gid;
	struct bytes comm;
	const char *saddr; /* NULL: unknown */
	uint16_t lport;
	const char *daddr;
	uint16_t dport;
	uint32_t flags;
	/* Left out of most. */
	const struct process *process; /* instead of the ids and the name above */
	uint16_t returned;
	uint32_t net_ns;
	struct result result;
	struct bytes query;
	uint64_t answered;
};

/* Cumulative, as in the record; pending attempts are seen and nothing else yet. */
struct batch_plan {
	size_t events;
	uint64_t pending, filtered, lost, partial;
	const struct late_result *late;
	size_t late_count;
};

struct plan {
	const char *name;
	struct bytes host, backend, filters;
	uint8_t session;
	uint32_t file;
	uint64_t sequence; /* of the first batch */
	struct clock_anchor anchor;
	const struct row *rows;
	const struct batch_plan *batches;
	size_t batch_count;
	bool finish, packets;
};

static const struct row plain_rows[] = {
	{0 * MS, 1234, 1234, 1000, 1000, TEXT("curl"), "192.0.2.10", 40000, "198.51.100.7", 443, 0},
	{12 * MS, 1234, 1235, 1000, 1000, TEXT("curl"), "2001:db8::10", 40002, "2001:db8::7", 443,
		0},
	{30 * MS, 77, 77, 0, 0, TEXT("sshd"), "127.0.0.1", 51000, "127.0.0.1", 22, 0},
	/* Failed before a source was chosen. */
	{45 * MS, 1300, 1300, 1001, 100, TEXT("nc"), NULL, 0, "203.0.113.9", 8080, 0},
	{46 * MS, 1300, 1300, 1001, 100, TEXT("nc"), NULL, 0, "2001:db8:ffff::9", 8080, 0},
	{1010 * MS, 1400, 1402, 1000, 1000, TEXT("java"), "192.0.2.10", 40010, "198.51.100.8", 5432,
		EVENT_MAPPED},
	/* A process by two names, and an event that came late. */
	{1200 * MS, 1234, 1234, 1000, 1000, TEXT("curl-worker"), "192.0.2.10", 40012,
		"198.51.100.7", 80, 0},
	{1190 * MS, 78, 78, 0, 0, TEXT("chronyd"), "::1", 41000, "::1", 8081, 0},
	{2001 * MS, 4194304, 4194304, 65534, 65534, TEXT("backup"), "192.0.2.10", 40020,
		"192.0.2.250", 8090, 0},
	{2500 * MS + 123456, 1300, 1300, 1001, 100, TEXT("nc"), "192.0.2.10", 40022, "203.0.113.9",
		8080, 0},
};
static const struct batch_plan plain_batches[] = {
	{5, 2, 0, 0, 0},
	{3, 0, 3, 0, 0},
	{2, 0, 4, 0, 0},
};

/* Between those of plain. */
static const struct row beta_rows[] = {
	{-500 * MS, 1234, 1234, 1000, 1000, TEXT("wget"), "192.0.2.20", 50000, "198.51.100.7", 443,
		0},
	{20 * MS, 900, 901, 33, 33, TEXT("php-fpm"), "2001:db8::20", 50002, "2001:db8::7", 5432, 0},
	{2100 * MS, 900, 902, 33, 33, TEXT("php-fpm"), "192.0.2.20", 50004, "192.0.2.250", 3306, 0},
};
static const struct batch_plan beta_batches[] = {{3, 0, 0, 0, 0}};

/* Names that harm a terminal or a table when they are printed as they are. */
#define HOSTILE(at, number, comm)                                                                  \
	{                                                                                          \
		(at) * MS, 2000 + (number), 2000 + (number), 1000, 1000, TEXT(comm), "127.0.0.1",  \
			(uint16_t)(42000 + (number)), "127.0.0.1", 80, 0                           \
	}
static const struct row hostile_rows[] = {
	HOSTILE(0, 0, "new\nline"),
	HOSTILE(1, 1, "\x1b[31mred\x1b[0m"),
	HOSTILE(2, 2, "not\xff\xfeutf8"),
	HOSTILE(3, 3, "quo\"te 'd,;"),
	HOSTILE(4, 4,
		"ab\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e\xc3\xa9"), /* wide, then é: 13 bytes */
	HOSTILE(5, 5, "0123456789abcdef"),                         /* 16 bytes, no NUL */
	HOSTILE(6, 6, "back\\slash\\x41"),
	HOSTILE(7, 7, " lead trail "),
	HOSTILE(8, 8, "\x89TCPCON\n"),        /* our own magic */
	HOSTILE(9, 9, "\xe2\x80\xaetxt.exe"), /* U+202E turns the line round */
	HOSTILE(10, 10, "nul\0byte"),
	HOSTILE(11, 11,
		"\xc2\x9b"
		"31mC1"),                        /* U+009B, CSI in one character */
	HOSTILE(12, 12, "\xed\xa0\x80\xc0\xaf"), /* a surrogate, an overlong slash */
	HOSTILE(13, 13, "smile\xf0\x9f\x98\x80"),
	HOSTILE(14, 14, "%s%n\t%d"),
	HOSTILE(15, 15, "-"),
	HOSTILE(16, 16, ""), /* unknown */
	HOSTILE(17, 17, "cut\xe2\x82"),
	HOSTILE(18, 18, " "),
};
static const struct batch_plan hostile_batches[] = {{COUNT(hostile_rows), 0, 0, 0, 0}};

/* With the anchor at boot 2^63 and wall 0 every time that the format can hold. */
static const struct row extreme_rows[] = {
	{INT64_MIN, UINT32_MAX, 0, UINT32_MAX, UINT32_MAX, TEXT("first"), "0.0.0.0", 65535,
		"255.255.255.255", 65535, 0},
	{-1, 0, UINT32_MAX, 0, 0, TEXT("before 1970"), "::", 1,
		"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 0, 0},
	{0, 1, 1, 0, 0, TEXT("1970"), "::1.2.3.4", 2, "64:ff9b::192.0.2.1", 1, 0},
	{999, 1, 2, 0, 0, TEXT("0.999 us"), "fe80::1", 3, "1:0:0:2:0:0:0:3", 1, 0},
	{INT64_MAX, UINT32_MAX, UINT32_MAX, 1, 1, TEXT("last"), NULL, 0, "0.0.0.0", 0, 0},
};
static const struct batch_plan extreme_batches[] = {{COUNT(extreme_rows), 0, 0, 0, 0}};

/* Everything that is recorded of a process and of how an attempt ended. */
#define IDS_UNKNOWN                                                                                \
	.euid = UNKNOWN_ID, .egid = UNKNOWN_ID, .loginuid = UNKNOWN_ID, .audit_session = UNKNOWN_ID
static const struct process init = {.pid = 1,
	.start_ns = 2000000000,
	.comm = TEXT("systemd"),
	.exe = TEXT("/usr/lib/systemd/systemd"),
	IDS_UNKNOWN};
static const struct process shell = {.pid = 800,
	.ppid = 1,
	.uid = 1000,
	.gid = 1000,
	.start_ns = UINT64_C(900000000000),
	.comm = TEXT("bash"),
	.exe = TEXT("/usr/bin/bash"),
	.parent = &init,
	IDS_UNKNOWN};
static const struct process curl = {.pid = 1234,
	.ppid = 800,
	.uid = 1000,
	.gid = 1000,
	.euid = 1000,
	.egid = 1000,
	.loginuid = 1000,
	.audit_session = 3,
	.start_ns = UINT64_C(999999000000),
	.mount_ns = 4026531841,
	.pid_ns = 4026531836,
	.comm = TEXT("curl"),
	.exe = TEXT("/usr/bin/curl"),
	.args = TEXT("curl\0-H\0X-Name: a b\0https://www.example.net/\0"),
	.cgroup = TEXT("/user.slice/user-1000.slice/session-3.scope"),
	.user = TEXT("alice"),
	.unit = TEXT("session-3.scope"),
	.parent = &shell};
static const struct process sudo = {.pid = 1300,
	.ppid = 800,
	.uid = 1000,
	.gid = 1000,
	.euid = 0,
	.egid = 1000,
	.loginuid = 1000,
	.audit_session = 3,
	.comm = TEXT("sudo"),
	.user = TEXT("alice"),
	.parent = &shell};
static const struct process nginx = {.pid = 2000,
	.ppid = 1990,
	.uid = 33,
	.gid = 33,
	.euid = 33,
	.egid = 33,
	.loginuid = UINT32_MAX,
	.audit_session = UINT32_MAX,
	.start_ns = UINT64_C(500000000000),
	.pid_inside = 7,
	.mount_ns = 4026532500,
	.pid_ns = 4026532501,
	.comm = TEXT("nginx"),
	.exe = TEXT("/usr/sbin/nginx"),
	.args = TEXT("nginx: worker process\0"),
	.cgroup = TEXT("/system.slice/docker-"
		       "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef.scope"),
	.user = TEXT("www-data"),
	.container = TEXT("0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"),
	.unit = TEXT("docker-"
		     "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef.scope")};
static const struct process evil = {.pid = 3000,
	.flags = PROCESS_ARGS_CUT,
	.comm = TEXT("new\nline"),
	.exe = TEXT("/tmp/\x1b[31m \"}\xff"),
	.args = TEXT("a\"}\0\0b c\n\x1b]0;x\x07"),
	.cgroup = TEXT("/evil\n{\"pid\":1}"),
	.container = TEXT("<script>"),
	IDS_UNKNOWN};
#define CALL(at, from, source_port, to, port)                                                      \
	.ns = (at)*MS, .saddr = (from), .lport = (source_port), .daddr = (to), .dport = (port)
static const struct row details_rows[] = {
	{CALL(0, "192.0.2.10", 40000, "198.51.100.7", 443), .process = &curl, .tid = 1234,
		.returned = 1, .net_ns = 4026531840, .result = {OUTCOME_ESTABLISHED, 0, 1, 12345}},
	{CALL(1, "192.0.2.10", 40001, "198.51.100.7", 81), .process = &curl, .tid = 1240,
		.returned = 1, .net_ns = 4026531840, .flags = EVENT_NONBLOCKING,
		.result = {OUTCOME_FAILED, 111, 1, 999}},
	{CALL(2, NULL, 0, "203.0.113.9", 8080), .process = &sudo, .tid = 1300, .returned = 102,
		.result = {OUTCOME_FAILED, 101, 0, 0}},
	{CALL(3, "192.0.2.10", 40002, "198.51.100.9", 22), .process = &nginx, .tid = 2000,
		.returned = 1, .net_ns = 4026532502},
	{CALL(4, "2001:db8::10", 40003, "2001:db8::7", 443), .process = &nginx, .tid = 2001,
		.returned = 1, .net_ns = 4026532502},
	{CALL(5, "192.0.2.10", 40004, "198.51.100.9", 25), .process = &evil, .tid = 3000,
		.result = {OUTCOME_ABANDONED, 0, 3, 3000000}},
	{CALL(6, "192.0.2.10", 40005, "198.51.100.9", 26), .process = &evil, .tid = 3000,
		.result = {OUTCOME_FAILED, 0, 0, 0}},
	{CALL(7, "192.0.2.10", 40006, "198.51.100.9", 27), .process = &evil, .tid = 3000},
	/* Of the kernel for a process; an errno and an outcome that nobody knows. */
	{CALL(8, "192.0.2.10", 40007, "198.51.100.7", 443), .process = &curl, .tid = 1234,
		.flags = EVENT_SUBFLOW, .returned = 1, .result = {OUTCOME_FAILED, 60000, 1, 5}},
	{CALL(9, "192.0.2.10", 40008, "198.51.100.7", 443), .process = &curl, .tid = 1234,
		.result = {77, 0, 0, 5}},
};
static const struct late_result details_late[] = {
	{3, {OUTCOME_FAILED, 110, 7, 130123456}}, {4, {OUTCOME_ESTABLISHED, 0, 2, 1000500}},
	{999, {OUTCOME_FAILED, 113, 1, 3000000}}, /* of an event that is not there */
};
static const struct batch_plan details_batches[] = {
	{6, 4, 0, 0, 0},
	{4, 0, 0, 0, 0, details_late, 1},
	{0, 0, 0, 0, 0, details_late + 1, 2},
};

/* With the names that were looked up: young and old answers, none, and hostile ones. */
#define V4 "192.0.2.10"
#define V6 "2001:db8::10"
#define AGE(us) (ANSWERED_AGE + (us))
#define NAMED(at, from, to, name, answer)                                                          \
	{                                                                                          \
		CALL(at, from, (uint16_t)(43000 + (at)), to, 443),                                 \
			.process = &curl, .tid = 1234, .query = TEXT(name), .answered = (answer)   \
	}
#define LABEL "sixty-three-characters-are-the-most-that-a-label-of-a-name-has-"
static const struct row names_rows[] = {
	NAMED(0, V4, "198.51.100.7", "www.example.net", AGE(12345)),
	NAMED(1, V4, "198.51.100.7", "www.example.net", AGE(100000)),
	NAMED(2, V4, "198.51.100.7", "www.example.net", AGE(100001)),
	NAMED(3, V4, "198.51.100.7", "cdn.example.org", AGE(0)),
	NAMED(4, V6, "2001:db8::7", "ipv6.example.net", AGE(UINT64_C(86400000000))),
	NAMED(5, V4, "203.0.113.9", "", ANSWERED_NEVER),
	NAMED(6, V4, "127.0.0.1", "", ANSWERED_NEVER),
	NAMED(7, V6, "::1", "", ANSWERED_NEVER),
	NAMED(8, V4, "127.0.0.53", "", ANSWERED_NEVER),
	NAMED(9, V4, "127.0.0.1", "blocked.example", AGE(5000)),
	NAMED(10, V4, "203.0.113.9", "new\nline.\x1b[31m", AGE(1)),
	NAMED(11, V4, "203.0.113.9", "\xe6\x97\xa5\xe6\x9c\xac.example", AGE(1)),
	NAMED(12, V4, "203.0.113.9", "not\xff\xfeutf8", AGE(200000)),
	NAMED(13, V4, "203.0.113.9", "quo\\\"te,\\032.example result=ok", AGE(1)),
	NAMED(14, V4, "203.0.113.9", LABEL "." LABEL "." LABEL "." LABEL ".x", AGE(1)),
	NAMED(15, V4, "203.0.113.9", " (0.000ms)", AGE(1)),
	NAMED(16, V4, "203.0.113.9", "No DNS Query", AGE(1)),
	/* Not recorded, and what no recorder writes. */
	NAMED(17, V4, "127.0.0.1", "", ANSWERED_UNKNOWN),
	NAMED(18, V4, "203.0.113.9", "", AGE(5)),
	NAMED(19, V4, "203.0.113.9", "unknown.age", ANSWERED_UNKNOWN),
	NAMED(20, V4, "203.0.113.9", "largest.age", UINT64_MAX),
};
static const struct batch_plan names_batches[] = {{COUNT(names_rows), 0, 0, 0, 0}};

static const struct late_result late_results[] = {
	{1, {OUTCOME_FAILED, 110, 7, 130123456}},
	{0, {OUTCOME_ESTABLISHED, 0, 1, 1000500}},
};
static const struct batch_plan late_first[] = {{2, 0, 0, 0, 0}};
static const struct batch_plan late_second[] = {{1, 0, 0, 0, 0, late_results, 2}};
/* Those of the events above that a recorder could have written. */
static const struct batch_plan packets_batches[] = {
	{6, 3, 0, 0, 0},
	{3, 0, 0, 0, 0, details_late, 1},
	{0, 0, 0, 0, 0, details_late + 1, 1},
};

static const struct batch_plan losses_batches[] = {
	{3, 0, 1, 0, 0},
	{2, 0, 2, 5, 1},
};

static const struct batch_plan no_events[] = {{0, 0, 9, 0, 0}};
static const struct batch_plan first_file[] = {{3, 1, 0, 0, 0}, {2, 1, 0, 0, 0}};
static const struct batch_plan second_file[] = {{5, 0, 0, 0, 0}};

#define ANCHOR                                                                                     \
	{                                                                                          \
		BOOT_NS, WALL_NS                                                                   \
	}
#define BATCHES(array) (array), COUNT(array)

static const struct plan plans[] = {
	{"plain", TEXT("alpha"), TEXT("fentry"), TEXT("port !25 (in the kernel)"), 0xa1, 1, 0,
		ANCHOR, plain_rows, BATCHES(plain_batches), true},
	{"beta", TEXT("beta"), TEXT("kprobe"), TEXT("none"), 0xb1, 1, 0, ANCHOR, beta_rows,
		BATCHES(beta_batches), true},
	{"hostile", TEXT("evil\nhost\x1b[2J"), TEXT("cgroup"), TEXT("none"), 0xc1, 1, 0, ANCHOR,
		hostile_rows, BATCHES(hostile_batches), true},
	{"extreme", TEXT("end-of-time"), TEXT("fentry"), TEXT("none"), 0xd1, 1, 0,
		{UINT64_C(1) << 63, 0}, extreme_rows, BATCHES(extreme_batches), true},
	{"losses", TEXT("alpha"), TEXT("fentry"), TEXT("none"), 0xe1, 1, 0, ANCHOR, plain_rows,
		BATCHES(losses_batches), true},
	{"details", TEXT("alpha"), TEXT("fentry"), TEXT("none"), 0xa4, 1, 0, ANCHOR, details_rows,
		BATCHES(details_batches), true},
	/* With synthetic packets. */
	{"packets", TEXT("alpha"), TEXT("fentry"), TEXT("none"), 0xa5, 1, 0, ANCHOR, details_rows,
		BATCHES(packets_batches), true, true},
	{"packets-plain", TEXT("beta"), TEXT("fentry"), TEXT("none"), 0xa6, 1, 0, ANCHOR,
		plain_rows, BATCHES(plain_batches), true, true},
	{"packets-hostile", TEXT("evil\nhost\x1b[2J"), TEXT("cgroup"), TEXT("none"), 0xc2, 1, 0,
		ANCHOR, hostile_rows, BATCHES(hostile_batches), true, true},
	{"packets-extreme", TEXT("end-of-time"), TEXT("fentry"), TEXT("none"), 0xd2, 1, 0,
		{UINT64_C(1) << 63, 0}, extreme_rows, BATCHES(extreme_batches), true, true},
	{"names", TEXT("alpha"), TEXT("fentry"), TEXT("none"), 0xa7, 1, 0, ANCHOR, names_rows,
		BATCHES(names_batches), true, true},
	{"no-events", TEXT("alpha"), TEXT("fentry"), TEXT("none"), 0xf1, 1, 0, ANCHOR, NULL,
		BATCHES(no_events), true},
	{"no-batches", TEXT("alpha"), TEXT("fentry"), TEXT("none"), 0xf2, 1, 0, ANCHOR, NULL, NULL,
		0, true},
	{"growing", TEXT("alpha"), TEXT("fentry"), TEXT("none"), 0xa2, 1, 0, ANCHOR, plain_rows,
		BATCHES(first_file), false},
	/* One session, rotated once. */
	{"session-1", TEXT("alpha"), TEXT("fentry"), TEXT("none"), 0xa3, 1, 0, ANCHOR, plain_rows,
		BATCHES(first_file), true},
	{"session-2", TEXT("alpha"), TEXT("fentry"), TEXT("none"), 0xa3, 2, 5, ANCHOR,
		plain_rows + 5, BATCHES(second_file), true},
	/* A later file of it, behind one that is not there. */
	{"session-3", TEXT("alpha"), TEXT("fentry"), TEXT("none"), 0xa3, 4, 17,
		{BOOT_NS + 10000000000, WALL_NS + 10000000000}, plain_rows, BATCHES(beta_batches),
		true},
	/* Outcomes that became known after a rotation. */
	{"late-1", TEXT("alpha"), TEXT("fentry"), TEXT("none"), 0xa5, 1, 0, ANCHOR,
		details_rows + 3, BATCHES(late_first), true},
	{"late-2", TEXT("alpha"), TEXT("fentry"), TEXT("none"), 0xa5, 2, 2,
		{BOOT_NS + 10000000000, WALL_NS + 10000000000}, details_rows, BATCHES(late_second),
		true},
};

static struct address address_of(const char *text)
{
	struct address address = {0};

	if (!text)
		return address;
	if (inet_pton(AF_INET, text, address.bytes) == 1)
		address.family = 4;
	else if (inet_pton(AF_INET6, text, address.bytes) == 1)
		address.family = 6;
	else
		abort();
	return address;
}

static void add_row(
	struct batch_builder *builder, const struct clock_anchor *anchor, const struct row *row)
{
	const struct process process = {
		.pid = row->pid, .uid = row->uid, .gid = row->gid, .comm = row->comm, IDS_UNKNOWN};
	struct event event = {
		.time_ns = anchor->boot_ns + (uint64_t)row->ns,
		.process = row->process ? row->process : &process,
		.returned = row->returned,
		.net_ns = row->net_ns,
		.result = row->result,
		.tid = row->tid,
		.flags = row->flags,
		.saddr = address_of(row->saddr),
		.daddr = address_of(row->daddr),
		.lport = row->lport,
		.dport = row->dport,
		.query = row->query,
		.answered = row->answered,
	};

	if (batch_builder_add(builder, &event))
		abort(); /* no golden trace fills a batch */
}

static int write_batches(const struct plan *plan, struct trace_writer *writer,
	struct batch_builder *builder, struct error *error)
{
	const struct row *row = plan->rows;
	uint64_t sequence = plan->sequence;

	for (size_t i = 0; i < plan->batch_count; i++) {
		const struct batch_plan *batch = &plan->batches[i];
		uint64_t recorded = sequence + batch->events;
		uint64_t seen = recorded + batch->pending + batch->filtered + batch->lost;
		struct batch_header header = {
			.sequence = sequence,
			.anchor = {plan->anchor.boot_ns + i * UINT64_C(1000000000),
				plan->anchor.wall_ns + (int64_t)i * (1000000000 + DRIFT_NS)},
			.counters = {seen, recorded, batch->filtered, batch->lost, batch->partial},
			.host = plan->host,
			.backend = plan->backend,
		};

		memset(header.session, plan->session, sizeof header.session);
		for (size_t k = 0; k < batch->events; k++)
			add_row(builder, &plan->anchor, row++);
		for (size_t k = 0; k < batch->late_count; k++)
			if (batch_builder_add_late(builder, &batch->late[k]))
				abort();
		if (trace_writer_batch(writer, builder, &header, error))
			return -1;
		sequence = recorded;
	}
	return plan->finish ? trace_writer_finish(writer, error) : 0;
}

static int write_trace(const struct plan *plan, const char *directory, struct error *error)
{
	struct trace_info info = {
		.file = plan->file,
		.anchor = plan->anchor,
		.host = plan->host,
		.boot_id = TEXT("01234567-89ab-cdef-0123-456789abcdef"),
		.kernel = TEXT("Linux 6.1.0"),
		.hardware = TEXT("x86_64"),
		.recorder = TEXT("tcpconnect-rec 0.1"),
		.backend = plan->backend,
		.filters = plan->filters,
		.packets = plan->packets,
	};
	struct batch_builder *builder = batch_builder_new();
	struct trace_writer *writer = NULL;
	int fd, status = -1;
	char name[512];

	snprintf(name, sizeof name, "%s/%s.pcapng", directory, plan->name);
	memset(info.session, plan->session, sizeof info.session);
	fd = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0644);
	if (fd < 0 || !builder)
		error_set(error, "%s: %s", name, strerror(errno));
	else
		writer = trace_writer_new(fd, name, &info, error);
	if (writer)
		status = write_batches(plan, writer, builder, error);
	trace_writer_free(writer);
	batch_builder_free(builder);
	if (fd >= 0)
		close(fd);
	return status;
}

int main(int argc, char **argv)
{
	struct error error;

	if (argc != 2) {
		fprintf(stderr, "usage: traces DIRECTORY\n");
		return 2;
	}
	for (size_t i = 0; i < COUNT(plans); i++) {
		if (write_trace(&plans[i], argv[1], &error)) {
			fprintf(stderr, "traces: %s\n", error.text);
			return 1;
		}
	}
	return 0;
}
