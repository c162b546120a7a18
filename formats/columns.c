/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A table of columns, and a table of styles that list columns with their
 * widths. Our own style never fuses columns: there is always a space between.
 * The styles of the peers have their padding to the byte, and so fuse where
 * theirs does; what a hostile name contains is escaped in every style.
 */
#include "columns.h"
#include "escape.h"
#include "result.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdlib.h>
#include <time.h>

#define CELL_TEXT_MAX 255 /* bytes of a text that a cell shows before escaping */
#define CELL_SIZE (ESCAPED_MAX(CELL_TEXT_MAX) + 5) /* and the mark of a cut */
#define LAYOUT_MAX 32
#define CLOCK_WIDTH 27        /* with Z */
#define CLOCK_OFFSET_WIDTH 32 /* with +hh:mm */

struct columns {
	struct cell_layout {
		const struct column_kind *kind;
		const char *header;
		int width;             /* padded to this; 0: not padded */
		int precision;         /* a text is cut to this many bytes; 0: not cut */
		const char *separator; /* in front of it */
	} cells[LAYOUT_MAX];
	size_t count;
	const char *row_end; /* bcc has a space at the end of its rows, not of its header */
	bool zeros;          /* the peers show what is unknown as zero */
	bool started;
	int64_t first_ns; /* of the first row */
};

/* Writes the cell, NUL-terminated, into CELL_SIZE bytes. */
typedef void cell_writer(const struct columns *c, const struct columns_row *row, char *out);

struct column_kind {
	const char *name, *header;
	int width;
	cell_writer *write;
};

static void write_unsigned(uint64_t value, char *out)
{
	snprintf(out, CELL_SIZE, "%" PRIu64, value);
}

static void write_text(struct bytes text, char *out)
{
	if (!text.length)
		text = bytes_of("-");
	if (text.length > CELL_TEXT_MAX)
		text.length = CELL_TEXT_MAX;
	out[escape_column(text, out)] = '\0';
}

static void write_time(const struct columns *c, const struct columns_row *row, char *out)
{
	uint64_t now = (uint64_t)row->wall_ns, first = (uint64_t)c->first_ns;

	/* Unsigned: any two times have a distance. */
	snprintf(out, CELL_SIZE, "%.3f",
		(row->wall_ns < c->first_ns ? -(double)(first - now) : (double)(now - first)) /
			1e9);
}

/* RFC 3339 in the zone of this machine (TZ), microseconds. */
static void write_clock(const struct columns *c, const struct columns_row *row, char *out)
{
	int64_t seconds = row->wall_ns / 1000000000, ns = row->wall_ns % 1000000000;
	char date[32], zone[8];
	struct tm tm;
	time_t t;

	(void)c;
	if (ns < 0) {
		ns += 1000000000;
		seconds--;
	}
	t = seconds;
	localtime_r(&t, &tm);
	strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &tm);
	if (tm.tm_gmtoff == 0)
		strcpy(zone, "Z");
	else
		snprintf(zone, sizeof zone, "%c%02u:%02u", tm.tm_gmtoff < 0 ? '-' : '+',
			(unsigned int)labs(tm.tm_gmtoff) / 3600 % 24,
			(unsigned int)labs(tm.tm_gmtoff) / 60 % 60);
	snprintf(out, CELL_SIZE, "%s.%06u%s", date, (unsigned int)(ns / 1000), zone);
}

static void write_host(const struct columns *c, const struct columns_row *row, char *out)
{
	(void)c;
	write_text(row->host, out);
}

static void write_backend(const struct columns *c, const struct columns_row *row, char *out)
{
	(void)c;
	write_text(row->backend, out);
}

static void write_uid(const struct columns *c, const struct columns_row *row, char *out)
{
	(void)c;
	write_unsigned(row->event->process->uid, out);
}

static void write_gid(const struct columns *c, const struct columns_row *row, char *out)
{
	(void)c;
	write_unsigned(row->event->process->gid, out);
}

static void write_tid(const struct columns *c, const struct columns_row *row, char *out)
{
	(void)c;
	write_unsigned(row->event->tid, out);
}

static void write_comm(const struct columns *c, const struct columns_row *row, char *out)
{
	(void)c;
	write_text(row->event->process->comm, out);
}

/* 0: unknown, but for the peers, which have no word for that. */
static void write_known(const struct columns *c, uint64_t value, char *out)
{
	if (!value && !c->zeros)
		strcpy(out, "-");
	else
		write_unsigned(value, out);
}

static void write_pid(const struct columns *c, const struct columns_row *row, char *out)
{
	write_known(c, row->event->process->pid, out);
}

static void write_ppid(const struct columns *c, const struct columns_row *row, char *out)
{
	write_known(c, row->event->process->ppid, out);
}

static void write_euid(const struct columns *c, const struct columns_row *row, char *out)
{
	(void)c;
	if (row->event->process->euid == UNKNOWN_ID)
		strcpy(out, "-");
	else
		write_unsigned((uint64_t)row->event->process->euid, out);
}

static void write_user(const struct columns *c, const struct columns_row *row, char *out)
{
	(void)c;
	write_text(row->event->process->user, out);
}

static void write_exe(const struct columns *c, const struct columns_row *row, char *out)
{
	(void)c;
	write_text(row->event->process->exe, out);
}

static void write_cgroup(const struct columns *c, const struct columns_row *row, char *out)
{
	(void)c;
	write_text(row->event->process->cgroup, out);
}

static void write_container(const struct columns *c, const struct columns_row *row, char *out)
{
	(void)c;
	write_text(row->event->process->container, out);
}

static void write_unit(const struct columns *c, const struct columns_row *row, char *out)
{
	(void)c;
	write_text(row->event->process->unit, out);
}

/* Arguments with a space between; the mark of a cut is no text that could be one. */
static void write_args(const struct columns *c, const struct columns_row *row, char *out)
{
	const struct process *process = row->event->process;
	struct bytes args = process->args;
	uint8_t text[CELL_TEXT_MAX];
	bool cut = process->flags & PROCESS_ARGS_CUT;

	(void)c;
	if (args.length && !args.data[args.length - 1])
		args.length--;
	if (args.length > sizeof text) {
		args.length = sizeof text;
		cut = true;
	}
	for (size_t i = 0; i < args.length; i++)
		text[i] = args.data[i] ? args.data[i] : ' ';
	write_text((struct bytes){text, args.length}, out);
	if (cut)
		strcat(out, "\\...");
}

static void write_netns(const struct columns *c, const struct columns_row *row, char *out)
{
	write_known(c, row->event->net_ns, out);
}

/* The nearest first: "bash[800]<systemd[1]". */
static void write_ancestors(const struct columns *c, const struct columns_row *row, char *out)
{
	const struct process *p = row->event->process->parent;
	size_t length = 0;

	(void)c;
	if (!p)
		strcpy(out, "-");
	for (; p && length + ESCAPED_MAX(16) + 16 < CELL_SIZE; p = p->parent) {
		struct bytes comm = p->comm;

		comm.length = comm.length < 16 ? comm.length : 16;
		if (length)
			out[length++] = '<';
		length += escape_column(comm, out + length);
		length += (size_t)sprintf(out + length, "[%u]", p->pid);
	}
}

static void write_result(const struct columns *c, const struct columns_row *row, char *out)
{
	(void)c;
	result_text(&row->event->result, out);
}

static void write_returned(const struct columns *c, const struct columns_row *row, char *out)
{
	(void)c;
	if (!*returned_text(row->event, out))
		strcpy(out, "-");
}

/* Milliseconds. */
static void write_latency(const struct columns *c, const struct columns_row *row, char *out)
{
	const struct result *result = &row->event->result;

	(void)c;
	if (result->outcome == OUTCOME_PENDING)
		strcpy(out, "-");
	else
		snprintf(out, CELL_SIZE, "%" PRIu64 ".%03u", result->latency_us / 1000,
			(unsigned int)(result->latency_us % 1000));
}

static void write_ip(const struct columns *c, const struct columns_row *row, char *out)
{
	(void)c;
	write_unsigned(row->event->daddr.family, out);
}

static void write_address(
	const struct columns *c, const struct address *address, uint8_t family, char *out)
{
	if (!address->family && !c->zeros)
		strcpy(out, "-");
	else
		inet_ntop(family == 4 ? AF_INET : AF_INET6, address->bytes, out, CELL_SIZE);
}

static void write_saddr(const struct columns *c, const struct columns_row *row, char *out)
{
	write_address(c, &row->event->saddr, row->event->daddr.family, out);
}

static void write_daddr(const struct columns *c, const struct columns_row *row, char *out)
{
	write_address(c, &row->event->daddr, row->event->daddr.family, out);
}

static void write_lport(const struct columns *c, const struct columns_row *row, char *out)
{
	write_known(c, row->event->lport, out);
}

static void write_dport(const struct columns *c, const struct columns_row *row, char *out)
{
	(void)c;
	write_unsigned(row->event->dport, out);
}

static const struct column_kind kinds[] = {
	{"time", "TIME(s)", 9, write_time},
	{"clock", "CLOCK", CLOCK_WIDTH, write_clock},
	{"host", "HOST", 12, write_host},
	{"uid", "UID", 6, write_uid},
	{"euid", "EUID", 6, write_euid},
	{"user", "USER", 8, write_user},
	{"gid", "GID", 6, write_gid},
	{"pid", "PID", 7, write_pid},
	{"tid", "TID", 7, write_tid},
	{"ppid", "PPID", 7, write_ppid},
	{"comm", "COMM", 15, write_comm},
	{"exe", "EXE", 20, write_exe},
	{"args", "ARGS", 30, write_args},
	{"ancestors", "ANCESTORS", 30, write_ancestors},
	{"cgroup", "CGROUP", 30, write_cgroup},
	{"container", "CONTAINER", 12, write_container},
	{"unit", "UNIT", 16, write_unit},
	{"netns", "NETNS", 10, write_netns},
	{"ip", "IP", 2, write_ip},
	{"saddr", "SADDR", 15, write_saddr},
	{"lport", "LPORT", 5, write_lport},
	{"daddr", "DADDR", 15, write_daddr},
	{"dport", "DPORT", 5, write_dport},
	{"returned", "RETURNED", 12, write_returned},
	{"result", "RESULT", 12, write_result},
	{"latency", "LAT(ms)", 9, write_latency},
	{"backend", "BACKEND", 7, write_backend},
};

/* printf formats of the peers, taken apart (facts about them: the manual's SEE ALSO). */
static const struct style {
	const char *name;
	bool has_lport, zeros;
	const char *row_end, *lport_header;
	bool lport_behind_daddr;
	int pid, comm, comm_cut, saddr, lport, daddr, dport;
} styles[] = {
	{"bcc", true, true, " ", "LPORT", false, 7, 12, 12, 16, 6, 16, 6},
	{"bcc2019", false, true, "", NULL, false, 6, 12, 12, 16, 0, 16, 4},
	{"libbpf", true, true, "", "SPORT", true, 6, 16, 16, 16, 5, 16, 5},
};

/* A zone may have left UTC at any time: asks for each month that a trace can speak of. */
static bool zone_is_utc(void)
{
	struct tm tm;

	for (time_t t = INT64_MIN / 1000000000; t < INT64_MAX / 1000000000; t += 30 * 24 * 3600)
		if (!localtime_r(&t, &tm) || tm.tm_gmtoff)
			return false;
	return true;
}

static const struct column_kind *find_kind(const char *name, size_t length)
{
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
		if (strlen(kinds[i].name) == length && !memcmp(kinds[i].name, name, length))
			return &kinds[i];
	return NULL;
}

static struct cell_layout *add(struct columns *c, const char *name, size_t length)
{
	const struct column_kind *kind = find_kind(name, length);
	struct cell_layout *cell;

	if (!kind || c->count == LAYOUT_MAX)
		return NULL;
	cell = &c->cells[c->count++];
	cell->kind = kind;
	cell->header = kind->header;
	cell->width = kind->width;
	if (kind->write == write_clock && !zone_is_utc())
		cell->width = CLOCK_OFFSET_WIDTH;
	cell->separator = c->count > 1 ? " " : "";
	return cell;
}

static void add_styled(struct columns *c, const char *name, const char *header, int width,
	int precision, const char *separator)
{
	struct cell_layout *cell = add(c, name, strlen(name));

	if (header)
		cell->header = header;
	cell->width = width;
	cell->precision = precision;
	cell->separator = separator;
}

static int choose_style(struct columns *c, const struct columns_choice *choice, struct error *error)
{
	const struct style *s = NULL;

	for (size_t i = 0; i < sizeof styles / sizeof *styles; i++)
		if (!strcmp(styles[i].name, choice->style))
			s = &styles[i];
	if (!s)
		return error_set(
			error, "'%s' is not a style: bcc, bcc2019 or libbpf", choice->style);
	if (choice->names || choice->clock || (choice->lport && !s->has_lport))
		return error_set(error, "style %s has no such column: leave out %s", s->name,
			choice->names   ? "-o"
			: choice->clock ? "-T"
					: "-L");
	c->zeros = s->zeros;
	c->row_end = s->row_end;
	if (choice->time)
		add_styled(c, "time", NULL, 9, 0, "");
	if (choice->uid)
		add_styled(c, "uid", NULL, 6, 0, "");
	add_styled(c, "pid", NULL, s->pid, 0, "");
	add_styled(c, "comm", NULL, s->comm, s->comm_cut, " ");
	add_styled(c, "ip", NULL, 2, 0, " ");
	add_styled(c, "saddr", NULL, s->saddr, 0, " ");
	if (choice->lport && !s->lport_behind_daddr)
		add_styled(c, "lport", s->lport_header, s->lport, 0, " ");
	add_styled(c, "daddr", NULL, s->daddr, 0, " ");
	if (choice->lport && s->lport_behind_daddr)
		add_styled(c, "lport", s->lport_header, s->lport, 0, " ");
	add_styled(c, "dport", NULL, s->dport, 0, " ");
	return 0;
}

static int choose_names(struct columns *c, const char *names, struct error *error)
{
	for (const char *name = names;;) {
		size_t length = strcspn(name, ",");

		if (!add(c, name, length)) {
			char known[512] = "";

			if (c->count == LAYOUT_MAX)
				return error_set(error, "more than %d columns", LAYOUT_MAX);
			for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
				snprintf(known + strlen(known), sizeof known - strlen(known), " %s",
					kinds[i].name);
			return error_set(error, "'%.*s' is not a column:%s",
				(int)(length < 64 ? length : 64), name, known);
		}
		if (!name[length])
			return 0;
		name += length + 1;
	}
}

static void choose_usual(struct columns *c, const struct columns_choice *choice)
{
	const struct {
		bool wanted;
		const char *name;
	} usual[] = {
		{choice->host, "host"},
		{choice->time, "time"},
		{choice->clock, "clock"},
		{choice->uid, "uid"},
		{true, "pid"},
		{true, "comm"},
		{true, "ip"},
		{true, "saddr"},
		{choice->lport, "lport"},
		{true, "daddr"},
		{true, "dport"},
	};

	for (size_t i = 0; i < sizeof usual / sizeof *usual; i++)
		if (usual[i].wanted)
			add(c, usual[i].name, strlen(usual[i].name));
}

struct columns *columns_new(const struct columns_choice *choice, struct error *error)
{
	struct columns *c = calloc(1, sizeof *c);
	int status = 0;

	if (!c) {
		error_set(error, "out of memory");
		return NULL;
	}
	c->row_end = "";
	tzset();
	if (choice->style)
		status = choose_style(c, choice, error);
	else if (choice->names)
		status = choose_names(c, choice->names, error);
	else
		choose_usual(c, choice);
	if (status) {
		free(c);
		return NULL;
	}
	if (!choice->style)
		c->cells[c->count - 1].width = 0; /* no blanks at the end of a line */
	return c;
}

int columns_check(const struct columns_choice *choice, struct error *error)
{
	struct columns *c = columns_new(choice, error);

	columns_free(c);
	return c ? 0 : -1;
}

void columns_free(struct columns *c)
{
	free(c);
}

void columns_header(struct columns *c, FILE *out)
{
	for (size_t i = 0; i < c->count; i++)
		fprintf(out, "%s%-*s", c->cells[i].separator, c->cells[i].width,
			c->cells[i].header);
	putc('\n', out);
}

/* Bytes of the escape (as escape_column() makes them) or the UTF-8 character at p. */
static size_t unit_length(const char *p)
{
	size_t n = 1;

	if (*p == '\\')
		return p[1] == 'x' ? 4 : 2;
	while (((uint8_t)p[n] & 0xc0) == 0x80)
		n++;
	return n;
}

/* To at most length bytes. Half an escape or character could take in what follows it. */
static void cut(char *text, size_t length)
{
	size_t end = 0;

	while (text[end] && end + unit_length(text + end) <= length)
		end += unit_length(text + end);
	text[end] = '\0';
}

void columns_print(struct columns *c, const struct columns_row *row, FILE *out)
{
	char cell[CELL_SIZE];

	if (!c->started) {
		c->started = true;
		c->first_ns = row->wall_ns;
	}
	for (size_t i = 0; i < c->count; i++) {
		const struct cell_layout *layout = &c->cells[i];

		layout->kind->write(c, row, cell);
		if (layout->precision)
			cut(cell, (size_t)layout->precision);
		fprintf(out, "%s%-*s", layout->separator, layout->width, cell);
	}
	fprintf(out, "%s\n", c->row_end);
}
