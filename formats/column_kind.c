/* SPDX-License-Identifier: BSD-2-Clause */
#include "column_kind.h"
#include "rows.h"

#define GET(name) static struct value get_##name(const struct columns_row *row)

static struct value number(uint64_t value)
{
	return (struct value){.kind = VALUE_NUMBER, .number = value};
}

/* 0: unknown. */
static struct value known(uint64_t value)
{
	return (struct value){.kind = value ? VALUE_NUMBER : VALUE_UNKNOWN, .number = value};
}

/* Empty: unknown. */
static struct value text(struct bytes value)
{
	return (struct value){.kind = value.length ? VALUE_TEXT : VALUE_UNKNOWN, .text = value};
}

GET(time)
{
	return (struct value){.kind = VALUE_SINCE, .wall_ns = row->wall_ns};
}

GET(clock)
{
	return (struct value){.kind = VALUE_CLOCK, .wall_ns = row->wall_ns};
}

GET(host)
{
	return text(row->host);
}

GET(backend)
{
	return text(row->backend);
}

#define GET_FROM_PROCESS(name, how)                                                                \
	GET(name)                                                                                  \
	{                                                                                          \
		return how(row->event->process->name);                                             \
	}
GET_FROM_PROCESS(uid, number)
GET_FROM_PROCESS(gid, number)
GET_FROM_PROCESS(pid, known)
GET_FROM_PROCESS(ppid, known)
GET_FROM_PROCESS(user, text)
GET_FROM_PROCESS(comm, text)
GET_FROM_PROCESS(exe, text)
GET_FROM_PROCESS(cgroup, text)
GET_FROM_PROCESS(container, text)
GET_FROM_PROCESS(unit, text)

GET(euid)
{
	int64_t euid = row->event->process->euid;

	return euid == UNKNOWN_ID ? known(0) : number((uint64_t)euid);
}

GET(tid)
{
	return number(row->event->tid);
}

GET(args)
{
	const struct process *process = row->event->process;

	return (struct value){.kind = process->args.length ? VALUE_ARGUMENTS : VALUE_UNKNOWN,
		.text = process->args,
		.cut = process->flags & PROCESS_ARGS_CUT};
}

GET(ancestors)
{
	const struct process *process = row->event->process;

	return (struct value){
		.kind = process->parent ? VALUE_ANCESTORS : VALUE_UNKNOWN, .of = process};
}

GET(netns)
{
	return known(row->event->net_ns);
}

GET(ip)
{
	return number(row->event->daddr.family);
}

static struct value address(const struct address *value)
{
	return (struct value){.kind = value->family ? VALUE_ADDRESS : VALUE_UNKNOWN, .of = value};
}

GET(saddr)
{
	return address(&row->event->saddr);
}

GET(daddr)
{
	return address(&row->event->daddr);
}

GET(lport)
{
	return known(row->event->lport);
}

GET(dport)
{
	return number(row->event->dport);
}

/* "" (unknown, or none) .. by the bits of EVENT_MAPPED, EVENT_NONBLOCKING, EVENT_SUBFLOW. */
GET(flags)
{
	static const char *const words[EVENT_FLAGS_KNOWN + 1] = {"", "mapped", "nonblocking",
		"mapped+nonblocking", "subflow", "mapped+subflow", "nonblocking+subflow",
		"mapped+nonblocking+subflow"};

	return text(bytes_of(words[row->event->flags & EVENT_FLAGS_KNOWN]));
}

GET(returned)
{
	return (struct value){
		.kind = row->event->returned ? VALUE_RETURNED : VALUE_UNKNOWN, .of = row->event};
}

GET(result)
{
	return (struct value){.kind = VALUE_RESULT, .of = &row->event->result};
}

GET(latency)
{
	const struct result *result = &row->event->result;

	return (struct value){
		.kind = result->outcome == OUTCOME_PENDING ? VALUE_UNKNOWN : VALUE_LATENCY,
		.number = result->latency_us};
}

GET(retransmits)
{
	uint32_t plus_one = row->event->result.retransmits;

	return plus_one ? number(plus_one - 1) : known(0);
}

GET(query)
{
	const struct event *event = row->event;
	bool known = event->answered || event->query.length;

	return (struct value){.kind = known ? VALUE_QUERY : VALUE_UNKNOWN, .of = event};
}

GET(query_age)
{
	const struct event *event = row->event;
	bool known = event->answered >= ANSWERED_AGE && event->query.length;

	return (struct value){.kind = known ? VALUE_LATENCY : VALUE_UNKNOWN,
		.number = event->answered - ANSWERED_AGE};
}

#define AT(name)                                                                                   \
	static struct value name##_at(                                                             \
		const struct rows *rows, uint32_t i, const struct result *late)

AT(time)
{
	(void)late;
	return (struct value){.kind = VALUE_SINCE, .wall_ns = rows_wall_ns(rows, i)};
}

AT(clock)
{
	(void)late;
	return (struct value){.kind = VALUE_CLOCK, .wall_ns = rows_wall_ns(rows, i)};
}

AT(tid)
{
	const struct batch *b = rows->batch;
	uint32_t row = rows->rows[i], pid = b->table[column_get(&b->process, row)].pid;

	(void)late;
	return number(pid + (uint32_t)column_get(&b->tid, row));
}

AT(lport)
{
	(void)late;
	return known((uint16_t)column_get(&rows->batch->lport, rows->rows[i]));
}

AT(latency)
{
	uint64_t outcome = column_get(&rows->batch->outcome, rows->rows[i]);
	uint64_t latency = column_get(&rows->batch->latency, rows->rows[i]);
	bool decided = outcome - 1 < OUTCOME_ABANDONED;

	if (late) {
		decided = late->outcome != OUTCOME_PENDING;
		latency = late->latency_us;
	}
	return (struct value){.kind = decided ? VALUE_LATENCY : VALUE_UNKNOWN, .number = latency};
}

#define PROCESS .about = ABOUT_PROCESS, .needs = EVENT_BIT(EVENT_PROCESS)

const struct column_kind column_kinds[COLUMN_KINDS] = {
	{"time", "TIME(s)", 9, VALUE_SINCE, .needs = EVENT_BIT(EVENT_TIME), .get = get_time,
		.at = time_at},
	{"clock", "CLOCK", 27, VALUE_CLOCK, .extra = true, .needs = EVENT_BIT(EVENT_TIME),
		.get = get_clock, .at = clock_at},
	{"host", "HOST", 12, VALUE_TEXT, .about = ABOUT_RECORDING, .get = get_host},
	{"uid", "UID", 6, VALUE_NUMBER, PROCESS, .get = get_uid},
	{"euid", "EUID", 6, VALUE_NUMBER, PROCESS, .get = get_euid},
	{"user", "USER", 8, VALUE_TEXT, PROCESS, .get = get_user},
	{"gid", "GID", 6, VALUE_NUMBER, PROCESS, .get = get_gid},
	{"pid", "PID", 7, VALUE_NUMBER, PROCESS, .get = get_pid},
	{"tid", "TID", 7, VALUE_NUMBER, .needs = EVENT_BIT(EVENT_TID) | EVENT_BIT(EVENT_PROCESS),
		.get = get_tid, .at = tid_at},
	{"ppid", "PPID", 7, VALUE_NUMBER, PROCESS, .get = get_ppid},
	{"comm", "COMM", 15, VALUE_TEXT, PROCESS, .get = get_comm},
	{"exe", "EXE", 20, VALUE_TEXT, PROCESS, .get = get_exe},
	{"args", "ARGS", 30, VALUE_ARGUMENTS, PROCESS, .get = get_args},
	{"ancestors", "ANCESTORS", 30, VALUE_ANCESTORS, PROCESS, .get = get_ancestors},
	{"cgroup", "CGROUP", 30, VALUE_TEXT, PROCESS, .get = get_cgroup},
	{"container", "CONTAINER", 12, VALUE_TEXT, PROCESS, .get = get_container},
	{"unit", "UNIT", 16, VALUE_TEXT, PROCESS, .get = get_unit},
	{"netns", "NETNS", 10, VALUE_NUMBER, .about = ABOUT_NETNS, .needs = EVENT_BIT(EVENT_NET_NS),
		.get = get_netns},
	{"ip", "IP", 2, VALUE_NUMBER, .about = ABOUT_FAMILY, .needs = EVENT_BIT(EVENT_DADDR),
		.get = get_ip},
	{"saddr", "SADDR", 15, VALUE_ADDRESS, .about = ABOUT_SOURCE,
		.needs = EVENT_BIT(EVENT_SADDR) | EVENT_BIT(EVENT_DADDR), .get = get_saddr},
	{"lport", "LPORT", 5, VALUE_NUMBER, .needs = EVENT_BIT(EVENT_LPORT),
		.port = offsetof(struct batch, lport), .get = get_lport, .at = lport_at},
	{"daddr", "DADDR", 15, VALUE_ADDRESS, .about = ABOUT_DESTINATION,
		.needs = EVENT_BIT(EVENT_DADDR), .get = get_daddr},
	{"dport", "DPORT", 5, VALUE_NUMBER, .about = ABOUT_PORT, .needs = EVENT_BIT(EVENT_DPORT),
		.get = get_dport},
	{"flags", "FLAGS", 18, VALUE_TEXT, .about = ABOUT_CALL, .needs = EVENT_BIT(EVENT_FLAGS),
		.get = get_flags},
	{"returned", "RETURNED", 12, VALUE_RETURNED, .about = ABOUT_CALL,
		.needs = EVENT_BIT(EVENT_RETURNED) | EVENT_BIT(EVENT_FLAGS), .get = get_returned},
	{"result", "RESULT", 12, VALUE_RESULT, true, .about = ABOUT_RESULT,
		.needs = EVENT_RESULT_BITS, .get = get_result},
	{"latency", "LAT(ms)", 9, VALUE_LATENCY, true, .needs = EVENT_RESULT_BITS,
		.get = get_latency, .at = latency_at},
	{"retransmits", "RETRANSMITS", 11, VALUE_NUMBER, true, .about = ABOUT_RESULT,
		.needs = EVENT_RESULT_BITS, .get = get_retransmits},
	{"backend", "BACKEND", 7, VALUE_TEXT, .about = ABOUT_RECORDING, .get = get_backend},
	{"query", "QUERY", 30, VALUE_QUERY, .extra = true, .about = ABOUT_QUERY,
		.needs = EVENT_QUERY_BITS | EVENT_BIT(EVENT_DADDR), .get = get_query},
	{"query_age", "QUERY_AGE(ms)", 13, VALUE_LATENCY, .extra = true, .needs = EVENT_QUERY_BITS,
		.get = get_query_age},
};

const struct column_kind *column_kind_find(const char *name, size_t length)
{
	for (size_t i = 0; i < COLUMN_KINDS; i++)
		if (strlen(column_kinds[i].name) == length &&
			!memcmp(column_kinds[i].name, name, length))
			return &column_kinds[i];
	return NULL;
}

int column_kind_unknown(const char *name, size_t length, struct error *error)
{
	char known_names[512] = "";

	for (size_t i = 0; i < COLUMN_KINDS; i++)
		snprintf(known_names + strlen(known_names),
			sizeof known_names - strlen(known_names), " %s", column_kinds[i].name);
	return error_set(error, "'%.*s' is not a column:%s", (int)(length < 64 ? length : 64), name,
		known_names);
}
