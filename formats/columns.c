/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Styles list columns with their widths. Our own style never fuses columns:
 * there is always a space between. The styles of the peers have their padding to
 * the byte, and so fuse where theirs does; what a hostile name contains is
 * escaped in every style.
 */
#include "columns.h"
#include "alike.h"
#include "detail.h"

#include <stdlib.h>
#include <time.h>

#define LAYOUT_MAX 32
#define ROW_END_MAX 4
#define ALIKE_PARTS_MAX 16
#define BLOCK 16              /* rows that are looked up at once */
#define CLOCK_OFFSET_WIDTH 32 /* with +hh:mm instead of Z */
#define WRITTEN 32768         /* bytes at a time, or more */
#define ADAPTED_MAX 60        /* a column does not grow beyond it by itself */

struct columns {
	struct cell_layout {
		const struct column_kind *kind;
		const char *header;
		int width;             /* padded to this; 0: not padded */
		int precision;         /* a text is cut to this many bytes; 0: not cut */
		const char *separator; /* in front of it */
		struct text lead;      /* of JSON: all that stands in front of the value */
	} cells[LAYOUT_MAX];
	size_t count;
	/* Of a row of a batch: cells that are put in the same way. */
	struct part {
		size_t first, behind;
		enum part_kind {
			PART_CELLS,
			PART_ALIKE,
			PART_VALUE, /* one cell, without the event */
			PART_CLOCK, /* the same as a column, faster */
			PART_PORT,
		} kind;
		struct alike alike;
	} parts[LAYOUT_MAX];
	size_t part_count;
	size_t alike_parts[ALIKE_PARTS_MAX], alike_count; /* their numbers */
	enum value_format format;
	char row_end[ROW_END_MAX];
	size_t row_end_length;
	bool zeros; /* the peers show what is unknown as zero */
	bool colour, adapt, detail, terminal;
	bool started;
	int64_t first_ns; /* of the first row */
	struct text line;
};

/* printf formats of the peers, taken apart (facts about them: the manual's SEE ALSO). */
static const struct style {
	const char *name;
	bool has_lport, has_query, zeros;
	const char *row_end; /* bcc has a space at the end of its rows, not of its header */
	const char *lport_header;
	bool lport_behind_daddr;
	int pid, comm, comm_cut, saddr, lport, daddr, dport;
} styles[] = {
	{"bcc", true, true, true, " ", "LPORT", false, 7, 12, 12, 16, 6, 16, 6},
	{"bcc2019", false, false, true, "", NULL, false, 6, 12, 12, 16, 0, 16, 4},
	{"libbpf", true, false, true, "", "SPORT", true, 6, 16, 16, 16, 5, 16, 5},
};

static const char *const row_ends[] = {
	[FORMAT_COLUMNS] = "\n", [FORMAT_JSON] = "}\n", [FORMAT_CSV] = "\r\n"};

/*
 * A zone may have left UTC at any time that a trace can speak of. Rules are of the year: of
 * days so far apart some are in each part of it.
 */
static bool zone_is_utc(void)
{
	struct tm tm;

	for (time_t t = INT64_MIN / 1000000000; t < INT64_MAX / 1000000000; t += 100 * 24 * 3600)
		if (!localtime_r(&t, &tm) || tm.tm_gmtoff)
			return false;
	return true;
}

static struct cell_layout *add(struct columns *c, const char *name, size_t length)
{
	const struct column_kind *kind = column_kind_find(name, length);
	struct cell_layout *cell;

	if (!kind || c->count == LAYOUT_MAX)
		return NULL;
	cell = &c->cells[c->count++];
	cell->kind = kind;
	cell->header = kind->header;
	cell->width = kind->width;
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
	if (choice->names || choice->clock || (choice->lport && !s->has_lport) ||
		(choice->query && !s->has_query))
		return error_set(error, "style %s has no such column: leave out %s", s->name,
			choice->names                    ? "-o"
			: choice->clock                  ? "-T"
			: choice->lport && !s->has_lport ? "-L"
							 : "-d");
	if (choice->format != FORMAT_COLUMNS)
		return error_set(error, "--style goes with columns, not with JSON or CSV");
	c->zeros = s->zeros;
	strcpy(c->row_end, choice->query ? "" : s->row_end);
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
	if (choice->query)
		add_styled(c, "query", NULL, 0, 0, " ");
	return 0;
}

static int choose_names(struct columns *c, const char *names, struct error *error)
{
	for (const char *name = names;;) {
		size_t length = strcspn(name, ",");

		if (!add(c, name, length))
			return c->count == LAYOUT_MAX
				       ? error_set(error, "more than %d columns", LAYOUT_MAX)
				       : column_kind_unknown(name, length, error);
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
		{choice->result, "result"},
		{choice->query, "query"},
	};

	for (size_t i = 0; i < sizeof usual / sizeof *usual; i++)
		if (usual[i].wanted)
			add(c, usual[i].name, strlen(usual[i].name));
}

/* What another program gets: all there is. */
static void choose_all(struct columns *c, const struct columns_choice *choice)
{
	for (size_t i = 0; i < COLUMN_KINDS; i++)
		if (!column_kinds[i].extra)
			add(c, column_kinds[i].name, strlen(column_kinds[i].name));
	if (choice->query) {
		add(c, "query", strlen("query"));
		add(c, "query_age", strlen("query_age"));
	}
}

/* Takes in the cells that depend on the same. Without memory for it each is made anew. */
static void extend(struct columns *c, struct part *p)
{
	unsigned int abouts = ALIKE(c->cells[p->first].kind->about), more;

	for (; p->behind < c->count; p->behind++) {
		more = abouts | ALIKE(c->cells[p->behind].kind->about);
		if (!alike_go_together(more))
			break;
		abouts = more;
	}
	if (c->alike_count == ALIKE_PARTS_MAX || alike_init(&p->alike, abouts))
		return;
	p->kind = PART_ALIKE;
	c->alike_parts[c->alike_count++] = c->part_count;
}

static void fit_clocks(struct columns *c)
{
	bool asked = false, is_utc = false;

	for (size_t i = 0; i < c->count; i++) {
		if (c->cells[i].kind->value != VALUE_CLOCK)
			continue;
		is_utc = asked ? is_utc : zone_is_utc();
		asked = true;
		if (!is_utc)
			c->cells[i].width = CLOCK_OFFSET_WIDTH;
	}
}

/* -1: out of memory. */
static int make_leads(struct columns *c)
{
	for (size_t i = 0; c->format == FORMAT_JSON && i < c->count; i++) {
		struct cell_layout *cell = &c->cells[i];

		text_char(&cell->lead, i ? ',' : '{');
		value_put_json_key(cell->kind->value, cell->kind->name, &cell->lead);
		if (cell->lead.failed)
			return -1;
	}
	return 0;
}

static void find_parts(struct columns *c)
{
	bool plain = c->format == FORMAT_COLUMNS && !c->adapt; /* widths do not change */

	for (size_t i = 0; i < c->count; i = c->parts[c->part_count++].behind) {
		const struct column_kind *kind = c->cells[i].kind;
		struct part *p = &c->parts[c->part_count];

		p->first = i;
		p->behind = i + 1;
		if (kind->about != ABOUT_EVENT && !c->adapt)
			extend(c, p);
		else if (plain && kind->value == VALUE_CLOCK)
			p->kind = PART_CLOCK;
		else if (plain && kind->port)
			p->kind = PART_PORT;
		else if (kind->at)
			p->kind = PART_VALUE;
	}
}

static struct columns *choose(const struct columns_choice *choice, struct error *error)
{
	struct columns *c = calloc(1, sizeof *c);
	int status = 0;

	if (!c) {
		error_set(error, "out of memory");
		return NULL;
	}
	c->format = choice->format;
	c->colour = choice->colour && !choice->style;
	c->adapt = choice->adapt && !choice->style;
	c->terminal = choice->adapt;
	c->detail = choice->detail && !choice->style && choice->format == FORMAT_COLUMNS;
	if (choice->style)
		status = choose_style(c, choice, error);
	else if (choice->names)
		status = choose_names(c, choice->names, error);
	else if (choice->format != FORMAT_COLUMNS)
		choose_all(c, choice);
	else
		choose_usual(c, choice);
	if (!status)
		return c;
	free(c);
	return NULL;
}

struct columns *columns_new(const struct columns_choice *choice, struct error *error)
{
	struct columns *c = choose(choice, error);

	if (!c)
		return NULL;
	tzset();
	fit_clocks(c);
	if (!choice->style)
		c->cells[c->count - 1].width = 0; /* no blanks at the end of a line */
	strcat(c->row_end, row_ends[c->format]);
	c->row_end_length = strlen(c->row_end);
	find_parts(c);
	if (!make_leads(c))
		return c;
	error_set(error, "out of memory");
	columns_free(c);
	return NULL;
}

int columns_check(const struct columns_choice *choice, struct error *error)
{
	struct columns *c = choose(choice, error);
	bool good = c;

	free(c);
	return good ? 0 : -1;
}

bool columns_need_result(const struct columns *c)
{
	for (size_t i = 0; i < c->count; i++)
		if (c->cells[i].kind->about_result)
			return true;
	return c->detail;
}

uint32_t columns_need(const struct columns *c)
{
	uint32_t bits = c->detail ? EVENT_BITS : 0;

	for (size_t i = 0; i < c->count; i++)
		bits |= c->cells[i].kind->needs;
	return bits;
}

void columns_free(struct columns *c)
{
	if (!c)
		return;
	text_release(&c->line);
	for (size_t i = 0; i < c->part_count; i++)
		alike_release(&c->parts[i].alike);
	for (size_t i = 0; i < c->count; i++)
		text_release(&c->cells[i].lead);
	free(c);
}

/* Pads what was put since start to the width of the cell. */
static void pad(struct columns *c, struct cell_layout *cell, size_t start)
{
	size_t length = c->line.length - start;

	if (length < (size_t)cell->width)
		text_spaces(&c->line, (size_t)cell->width - length);
	else if (c->adapt && cell->width && length < ADAPTED_MAX)
		cell->width = (int)length;
}

static const char *colour_of(const struct column_kind *kind, const struct columns_row *row)
{
	if (kind->value != VALUE_RESULT)
		return NULL;
	switch (row->event->result.outcome) {
	case OUTCOME_FAILED:
		return "\x1b[31m";
	case OUTCOME_ESTABLISHED:
		return "\x1b[32m";
	}
	return "\x1b[33m";
}

int columns_header(struct columns *c, FILE *out)
{
	if (c->format == FORMAT_JSON)
		return 0;
	if (c->colour)
		text_string(&c->line, "\x1b[1m");
	for (size_t i = 0; i < c->count; i++) {
		struct cell_layout *cell = &c->cells[i];
		size_t start;

		if (c->format == FORMAT_CSV) {
			if (i)
				text_char(&c->line, ',');
			value_put_csv_header(cell->kind->value, cell->kind->name, &c->line);
			continue;
		}
		text_string(&c->line, cell->separator);
		start = c->line.length;
		text_string(&c->line, cell->header);
		pad(c, cell, start);
	}
	text_string(&c->line, c->colour ? "\x1b[0m" : "");
	text_string(&c->line, c->format == FORMAT_CSV ? "\r\n" : "\n");
	return text_write(&c->line, out);
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
static void cut(struct text *line, size_t start, size_t length)
{
	size_t end = 0;

	text_char(line, '\0');
	if (line->failed)
		return;
	while (line->data[start + end] && end + unit_length(line->data + start + end) <= length)
		end += unit_length(line->data + start + end);
	line->length = start + end;
}

static void put_separator(struct columns *c, const struct cell_layout *cell)
{
	if (*cell->separator)
		text_char(&c->line, *cell->separator); /* never more than one */
}

/* What a peer shows of what is unknown. family: for an address. */
static struct value zero_of(
	enum value_kind kind, const struct columns_row *row, struct address *zero)
{
	*zero = (struct address){0};
	if (kind == VALUE_ADDRESS) {
		zero->family = row->event->daddr.family;
		return (struct value){.kind = VALUE_ADDRESS, .of = zero};
	}
	return (struct value){.kind = kind == VALUE_NUMBER ? VALUE_NUMBER : VALUE_UNKNOWN};
}

/* row: NULL for a cell that is about the event alone. */
static void put_cell(struct columns *c, struct cell_layout *cell, const struct value *value,
	const struct columns_row *row)
{
	const char *colour = c->colour ? colour_of(cell->kind, row) : NULL;
	struct address zero;
	struct value shown;
	size_t start;

	put_separator(c, cell);
	if (value->kind == VALUE_UNKNOWN && c->zeros) {
		shown = zero_of(cell->kind->value, row, &zero);
		value = &shown;
	}
	if (colour)
		text_string(&c->line, colour);
	start = c->line.length;
	value_put_column(value, c->first_ns, &c->line);
	if (cell->precision)
		cut(&c->line, start, (size_t)cell->precision);
	pad(c, cell, start);
	if (colour)
		text_string(&c->line, "\x1b[0m");
}

static void put_json(struct columns *c, struct cell_layout *cell, const struct value *value,
	const struct columns_row *row)
{
	(void)row;
	text_put_part(&c->line, &cell->lead, 0, cell->lead.length);
	value_put_json_value(value, cell->kind->value, cell->kind->name, &c->line);
}

static void put_csv(struct columns *c, struct cell_layout *cell, const struct value *value,
	const struct columns_row *row)
{
	(void)row;
	if (cell != c->cells)
		text_char(&c->line, ',');
	value_put_csv(value, cell->kind->value, &c->line);
}

/* How each format shows a cell. */
static void (*const put_as[])(struct columns *c, struct cell_layout *cell,
	const struct value *value, const struct columns_row *row) = {
	[FORMAT_COLUMNS] = put_cell, [FORMAT_JSON] = put_json, [FORMAT_CSV] = put_csv};

static void put_cells(struct columns *c, size_t first, size_t behind, const struct columns_row *row)
{
	for (size_t i = first; i < behind; i++) {
		struct value value = c->cells[i].kind->get(row);

		put_as[c->format](c, &c->cells[i], &value, row);
	}
}

static void end_row(struct columns *c)
{
	char *out = text_reserve(&c->line, ROW_END_MAX);

	if (out) {
		memcpy(out, c->row_end, ROW_END_MAX);
		c->line.length += c->row_end_length;
	}
}

int columns_print(struct columns *c, const struct columns_row *row, FILE *out)
{
	if (!c->started)
		columns_begin(c, row->wall_ns);
	put_cells(c, 0, c->count, row);
	end_row(c);
	if (c->detail)
		detail_put(row, &c->line);
	return text_write(&c->line, out);
}

/* A row of a batch. */
struct shown {
	const struct rows *rows;
	uint32_t number, row; /* in rows, in the batch */
	const struct result *late;
	/* Of each PART_ALIKE: where it is looked for. */
	struct looked {
		struct alike_key key;
		struct alike_slot *slots;
	} looked[ALIKE_PARTS_MAX];
};

/* Its event, from when a cell asks for it. */
struct made {
	const struct shown *shown; /* NULL: not yet */
	struct columns_row row;
	struct event event;
};

static const struct columns_row *make(struct made *m, const struct shown *s)
{
	if (m->shown != s)
		rows_get(s->rows, s->number, s->late, &m->event, &m->row);
	m->shown = s;
	return &m->row;
}

/* What is in memory is asked for before it is looked at. */
static void look(const struct columns *c, struct shown *s)
{
	for (size_t i = 0; i < c->alike_count; i++) {
		const struct alike *alike = &c->parts[c->alike_parts[i]].alike;
		struct looked *l = &s->looked[i];

		l->key = alike_key_of(alike, s->rows, s->row, s->late);
		l->slots = alike_slots(alike, &l->key);
		__builtin_prefetch(l->slots);
	}
}

static void put_alike(struct columns *c, struct part *p, const struct shown *s,
	const struct looked *looked, struct made *made)
{
	const struct alike_slot *slot = alike_find(looked->slots, &looked->key);
	size_t start = c->line.length;

	if (slot) {
		alike_put(&p->alike, slot, &c->line);
		return;
	}
	put_cells(c, p->first, p->behind, make(made, s));
	if (!c->line.failed)
		alike_remember(&p->alike, looked->slots, &looked->key,
			(struct bytes){(uint8_t *)c->line.data + start, c->line.length - start});
}

/* Without the event. */
static void put_at(struct columns *c, struct cell_layout *cell, const struct shown *s)
{
	struct value value = cell->kind->at(s->rows, s->number, s->late);

	put_as[c->format](c, cell, &value, NULL);
}

static void put_clock(struct columns *c, struct cell_layout *cell, const struct shown *s)
{
	size_t start;

	put_separator(c, cell);
	start = c->line.length;
	text_time(&c->line, rows_wall_ns(s->rows, s->number), false, 6);
	pad(c, cell, start);
}

static void put_port(struct columns *c, struct cell_layout *cell, const struct shown *s)
{
	const char *batch = (const char *)s->rows->batch;
	const struct column *column = (const struct column *)(batch + cell->kind->port);
	uint16_t port = (uint16_t)column_get(column, s->row);
	size_t start;

	if (!port) {
		put_at(c, cell, s);
		return;
	}
	put_separator(c, cell);
	start = c->line.length;
	text_unsigned(&c->line, port);
	pad(c, cell, start);
}

static void put_parts(struct columns *c, const struct shown *s, struct made *made)
{
	const struct looked *looked = s->looked;

	for (size_t i = 0; i < c->part_count; i++) {
		struct part *p = &c->parts[i];

		switch (p->kind) {
		case PART_ALIKE:
			put_alike(c, p, s, looked++, made);
			break;
		case PART_VALUE:
			put_at(c, &c->cells[p->first], s);
			break;
		case PART_CLOCK:
			put_clock(c, &c->cells[p->first], s);
			break;
		case PART_PORT:
			put_port(c, &c->cells[p->first], s);
			break;
		case PART_CELLS:
			put_cells(c, p->first, p->behind, make(made, s));
		}
	}
	end_row(c);
	if (c->detail)
		detail_put(make(made, s), &c->line);
}

void columns_begin(struct columns *c, int64_t first_ns)
{
	c->started = true;
	c->first_ns = first_ns;
}

static void put_block(struct columns *c, const struct shown *block, size_t count)
{
	struct made made = {.shown = NULL};

	for (size_t i = 0; i < count; i++)
		put_parts(c, &block[i], &made);
}

void columns_put_runs(struct columns *c, const struct rows *runs, size_t count)
{
	struct shown block[BLOCK];
	size_t n = 0;

	if (!c->started && count)
		columns_begin(c, rows_wall_ns(runs, 0));
	for (const struct rows *rows = runs; rows < runs + count; rows++) {
		const struct found *found = rows->found;
		uint32_t left = rows->found_count;

		for (uint32_t i = 0; i < rows->count; i++) {
			struct shown *s = &block[n++];

			s->rows = rows;
			s->number = i;
			s->row = rows->rows[i];
			for (; left && found->row < s->row; left--)
				found++;
			s->late = left && found->row == s->row ? &found->result : NULL;
			look(c, s);
			if (n < BLOCK)
				continue;
			put_block(c, block, n);
			n = 0;
		}
	}
	put_block(c, block, n);
}

void columns_take(struct columns *c, struct text *text)
{
	struct text empty = *text;

	empty.length = 0;
	*text = c->line;
	c->line = empty;
}

int columns_print_runs(struct columns *c, const struct rows *runs, size_t count, FILE *out)
{
	columns_put_runs(c, runs, count);
	if ((c->line.length >= WRITTEN || c->terminal) && text_write(&c->line, out))
		return -1;
	return c->line.failed ? -1 : 0;
}

int columns_flush(struct columns *c, FILE *out)
{
	return text_write(&c->line, out);
}
