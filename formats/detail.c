/* SPDX-License-Identifier: BSD-2-Clause */
#include "detail.h"

/* Facts of one kind stand on one line, with commas between. */
struct line {
	struct text *out;
	const char *name;
	bool begun;
};

static void begin(struct line *line)
{
	if (line->begun) {
		text_string(line->out, ", ");
		return;
	}
	text_string(line->out, "    ");
	text_string(line->out, line->name);
	text_spaces(line->out, 11 - strlen(line->name));
	line->begun = true;
}

static void end(struct line *line)
{
	if (line->begun)
		text_char(line->out, '\n');
}

static void put_number(struct line *line, const char *what, uint64_t number)
{
	begin(line);
	text_string(line->out, what);
	text_char(line->out, ' ');
	text_unsigned(line->out, number);
}

/* 0: unknown. */
static void put_known(struct line *line, const char *what, uint64_t number)
{
	if (number)
		put_number(line, what, number);
}

static void put_id(struct line *line, const char *what, int64_t id)
{
	if (id == UINT32_MAX) {
		begin(line);
		text_string(line->out, "no ");
		text_string(line->out, what);
	} else if (id != UNKNOWN_ID) {
		put_number(line, what, (uint64_t)id);
	}
}

static void put_word(struct line *line, const char *word)
{
	begin(line);
	text_string(line->out, word);
}

static void put_column(const struct columns_row *row, const char *name, struct text *out)
{
	struct value value = column_kind_find(name, strlen(name))->get(row);
	struct line line = {out, name, false};

	if (value.kind == VALUE_UNKNOWN)
		return;
	begin(&line);
	value_put_column(&value, row->wall_ns, out);
	end(&line);
}

static void put_process(const struct columns_row *row, struct text *out)
{
	const struct process *p = row->event->process;
	struct line line = {out, "process", false};

	put_known(&line, "pid", p->pid);
	if (row->event->tid != p->pid)
		put_number(&line, "thread", row->event->tid);
	put_known(&line, "pid inside", p->pid_inside);
	put_known(&line, "parent", p->ppid);
	if (p->start_ns) {
		put_word(&line, "started ");
		/* The distance of two boot times is that of their wall times. */
		text_time(out,
			(int64_t)((uint64_t)row->wall_ns - (row->event->time_ns - p->start_ns)),
			false, 3);
	}
	end(&line);
}

static void put_user(const struct columns_row *row, struct text *out)
{
	const struct process *p = row->event->process;
	struct value name = {.kind = VALUE_TEXT, .text = p->user};
	struct line line = {out, "user", false};

	put_number(&line, "uid", p->uid);
	if (p->user.length) {
		text_string(out, " (");
		value_put_column(&name, 0, out);
		text_char(out, ')');
	}
	put_id(&line, "effective", p->euid);
	put_number(&line, "gid", p->gid);
	put_id(&line, "effective", p->egid);
	put_id(&line, "login", p->loginuid);
	put_id(&line, "audit session", p->audit_session);
	end(&line);
}

static void put_connect(const struct columns_row *row, struct text *out)
{
	static const struct {
		uint32_t flag;
		const char *word;
	} flags[] = {
		{EVENT_NONBLOCKING, "non-blocking"},
		{EVENT_MAPPED, "IPv4-mapped address"},
		{EVENT_SUBFLOW, "MPTCP subflow"},
	};
	const struct event *event = row->event;
	struct value value = {.kind = VALUE_RESULT, .of = &event->result};
	struct line line = {out, "connect", false};

	begin(&line);
	value_put_column(&value, 0, out);
	if (event->result.outcome != OUTCOME_PENDING) {
		text_string(out, " after ");
		text_thousandths(out, event->result.latency_us);
		text_string(out, " ms");
	}
	if (event->returned) {
		put_word(&line, "returned ");
		value = (struct value){.kind = VALUE_RETURNED, .of = event};
		value_put_column(&value, 0, out);
	}
	if (event->result.retransmits)
		put_number(&line, "SYN retransmits", event->result.retransmits - 1);
	for (size_t i = 0; i < sizeof flags / sizeof *flags; i++)
		if (event->flags & flags[i].flag)
			put_word(&line, flags[i].word);
	end(&line);
}

static void put_namespaces(const struct columns_row *row, struct text *out)
{
	const struct process *p = row->event->process;
	struct line line = {out, "namespaces", false};

	put_known(&line, "net", row->event->net_ns);
	put_known(&line, "mount", p->mount_ns);
	put_known(&line, "pid", p->pid_ns);
	end(&line);
}

void detail_put(const struct columns_row *row, struct text *out)
{
	put_connect(row, out);
	put_column(row, "query", out);
	put_process(row, out);
	put_user(row, out);
	put_column(row, "exe", out);
	put_column(row, "args", out);
	put_column(row, "ancestors", out);
	put_column(row, "cgroup", out);
	put_column(row, "container", out);
	put_column(row, "unit", out);
	put_namespaces(row, out);
}
