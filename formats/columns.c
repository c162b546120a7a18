/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Styles list columns with their widths. Our own style never fuses columns:
 * there is always a space between. The styles of the peers have their padding to
 * the byte, and so fuse where theirs does; what a hostile name contains is
 * escaped in every style.
 */
#include "columns.h"
#include "detail.h"

#include <stdlib.h>
#include <time.h>

#define LAYOUT_MAX 32
#define CLOCK_OFFSET_WIDTH 32 /* with +hh:mm instead of Z */
#define CACHE_SLOTS 4096      /* of a run of cells, for what they looked like; a power of two */
#define CACHE_BYTES (1u << 20)
#define ADAPTED_MAX 60 /* a column does not grow beyond it by itself */

struct columns {
	struct cell_layout {
		const struct column_kind *kind;
		const char *header;
		int width;             /* padded to this; 0: not padded */
		int precision;         /* a text is cut to this many bytes; 0: not cut */
		const char *separator; /* in front of it */
		size_t run; /* of it and the next ones: cells about the same, or about two; or 0 */
		enum column_about second; /* of the run; the first one if it has no other */
	} cells[LAYOUT_MAX];
	size_t count;
	enum value_format format;
	const char *row_end; /* bcc has a space at the end of its rows, not of its header */
	bool zeros;          /* the peers show what is unknown as zero */
	bool colour, adapt, detail;
	bool started;
	int64_t first_ns; /* of the first row */
	struct text line;
	/* What cells in a row that are all about the same looked like, in memory. */
	struct cached {
		uint64_t scope, key[2]; /* scope 0: nothing */
		uint32_t offset, length;
	} (*cache)[CACHE_SLOTS]; /* for each run of such cells */
	size_t runs;
	struct text memory;
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
	if (kind->value == VALUE_CLOCK && !zone_is_utc())
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
	if (choice->format != FORMAT_COLUMNS)
		return error_set(error, "--style goes with columns, not with JSON or CSV");
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
	};

	for (size_t i = 0; i < sizeof usual / sizeof *usual; i++)
		if (usual[i].wanted)
			add(c, usual[i].name, strlen(usual[i].name));
}

/* What another program gets: all there is. */
static void choose_all(struct columns *c)
{
	for (size_t i = 0; i < COLUMN_KINDS; i++)
		if (!column_kinds[i].extra)
			add(c, column_kinds[i].name, strlen(column_kinds[i].name));
}

/* Cells about these two are kept together: few rows have one of the other alone. */
static bool go_together(enum column_about a, enum column_about b)
{
	return (a == ABOUT_PROCESS && b == ABOUT_FAMILY) ||
	       (a == ABOUT_DESTINATION && b == ABOUT_PORT);
}

/* Without memory for it, or with widths that change, each cell is made anew. */
static void find_runs(struct columns *c)
{
	if (c->adapt)
		return;
	for (size_t i = 0, end; i < c->count; i = end) {
		enum column_about about = c->cells[i].kind->about, second = about;

		for (end = i + 1; end < c->count; end++) {
			enum column_about next = c->cells[end].kind->about;

			if (second == about && go_together(about, next))
				second = next;
			if (next != about && next != second)
				break;
		}
		if (about == ABOUT_EVENT)
			continue;
		c->cells[i].run = end - i;
		c->cells[i].second = second;
		c->runs++;
	}
	c->cache = c->runs ? calloc(c->runs, sizeof *c->cache) : NULL;
	if (!c->cache)
		c->runs = 0;
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
	c->format = choice->format;
	c->colour = choice->colour && !choice->style;
	c->adapt = choice->adapt && !choice->style;
	c->detail = choice->detail && !choice->style && choice->format == FORMAT_COLUMNS;
	tzset();
	if (choice->style)
		status = choose_style(c, choice, error);
	else if (choice->names)
		status = choose_names(c, choice->names, error);
	else if (choice->format != FORMAT_COLUMNS)
		choose_all(c);
	else
		choose_usual(c, choice);
	if (status) {
		free(c);
		return NULL;
	}
	if (!choice->style)
		c->cells[c->count - 1].width = 0; /* no blanks at the end of a line */
	find_runs(c);
	return c;
}

int columns_check(const struct columns_choice *choice, struct error *error)
{
	struct columns *c = columns_new(choice, error);
	int status = c ? 0 : -1;

	columns_free(c);
	return status;
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
	text_release(&c->memory);
	free(c->cache);
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

static void put_cell(struct columns *c, struct cell_layout *cell, const struct columns_row *row)
{
	struct value value = cell->kind->get(row);
	const char *colour = c->colour ? colour_of(cell->kind, row) : NULL;
	struct address zero = {.family = row->event->daddr.family};
	size_t start;

	if (*cell->separator)
		text_char(&c->line, *cell->separator); /* never more than one */
	if (value.kind == VALUE_UNKNOWN && c->zeros) {
		if (cell->kind->value == VALUE_ADDRESS)
			value = (struct value){.kind = VALUE_ADDRESS, .of = &zero};
		else if (cell->kind->value == VALUE_NUMBER)
			value.kind = VALUE_NUMBER;
	}
	if (colour)
		text_string(&c->line, colour);
	start = c->line.length;
	value_put_column(&value, c->first_ns, &c->line);
	if (cell->precision)
		cut(&c->line, start, (size_t)cell->precision);
	pad(c, cell, start);
	if (colour)
		text_string(&c->line, "\x1b[0m");
}

static void put_json(struct columns *c, struct cell_layout *cell, const struct columns_row *row)
{
	struct value value = cell->kind->get(row);

	text_char(&c->line, cell == c->cells ? '{' : ',');
	value_put_json(&value, cell->kind->value, cell->kind->name, &c->line);
}

static void put_csv(struct columns *c, struct cell_layout *cell, const struct columns_row *row)
{
	struct value value = cell->kind->get(row);

	if (cell != c->cells)
		text_char(&c->line, ',');
	value_put_csv(&value, cell->kind->value, &c->line);
}

/* How each format shows a cell, and ends a line. */
static const struct {
	void (*put)(struct columns *c, struct cell_layout *cell, const struct columns_row *row);
	const char *end;
} formats[] = {
	[FORMAT_COLUMNS] = {put_cell, "\n"},
	[FORMAT_JSON] = {put_json, "}\n"},
	[FORMAT_CSV] = {put_csv, "\r\n"},
};

static void put_cells(struct columns *c, size_t first, size_t behind, const struct columns_row *row)
{
	for (size_t i = first; i < behind; i++)
		formats[c->format].put(c, &c->cells[i], row);
}

static void remember(struct columns *c, struct cached *cached, size_t start)
{
	struct bytes made = {(uint8_t *)c->line.data + start, c->line.length - start};

	if (c->memory.length + made.length > CACHE_BYTES) {
		memset(c->cache, 0, c->runs * sizeof *c->cache);
		c->memory.length = 0;
	}
	cached->offset = (uint32_t)c->memory.length;
	cached->length = (uint32_t)made.length;
	text_put(&c->memory, made);
	if (c->memory.failed || c->line.failed)
		cached->scope = 0;
}

/* What the cells of a run depend on: an address is the same in all batches. */
static void find_key(
	const struct cell_layout *first, const struct columns_row *row, struct cached *key)
{
	const struct event *e = row->event;
	const struct address *address = NULL;

	if (first->kind->about == ABOUT_SOURCE)
		address = &e->saddr;
	else if (first->kind->about == ABOUT_DESTINATION)
		address = &e->daddr;
	if (address) {
		memcpy(key->key, address->bytes, sizeof key->key);
		key->scope = UINT64_C(1) << 63 | address->family | (uint64_t)e->daddr.family << 8;
		if (first->second == ABOUT_PORT)
			key->scope |= (uint64_t)e->dport << 16;
		return;
	}
	key->scope = row->batch;
	key->key[0] = column_key(first->kind->about, row);
	key->key[1] = first->second == first->kind->about ? 0 : column_key(first->second, row);
}

/* The same, but from memory when what they are about was seen. */
static void put_run(
	struct columns *c, size_t run, size_t first, size_t behind, const struct columns_row *row)
{
	size_t start = c->line.length;
	struct cached key, *cached;
	uint64_t hash;

	find_key(&c->cells[first], row, &key);
	hash = (key.scope ^ key.key[0]) * UINT64_C(0x9e3779b97f4a7c15);
	hash = (hash ^ hash >> 32 ^ key.key[1]) * UINT64_C(0x9e3779b97f4a7c15);
	cached = &c->cache[run][(hash >> 32) % CACHE_SLOTS];
	if (cached->scope == key.scope && cached->key[0] == key.key[0] &&
		cached->key[1] == key.key[1]) {
		text_put_part(&c->line, &c->memory, cached->offset, cached->length);
		return;
	}
	put_cells(c, first, behind, row);
	*cached = key;
	remember(c, cached, start);
}

static void put_row(struct columns *c, const struct columns_row *row)
{
	for (size_t i = 0, run = 0; i < c->count;) {
		size_t length = c->cells[i].run;

		if (length && c->runs && row->batch)
			put_run(c, run, i, i + length, row);
		else
			put_cells(c, i, i + (length ? length : 1), row);
		run += length != 0;
		i += length ? length : 1;
	}
	if (*c->row_end)
		text_string(&c->line, c->row_end);
	text_string(&c->line, formats[c->format].end);
	if (c->detail)
		detail_put(row, &c->line);
}

void columns_begin(struct columns *c, int64_t first_ns)
{
	c->started = true;
	c->first_ns = first_ns;
}

void columns_put(struct columns *c, const struct columns_row *row)
{
	if (!c->started)
		columns_begin(c, row->wall_ns);
	put_row(c, row);
}

void columns_take(struct columns *c, struct text *text)
{
	struct text empty = *text;

	empty.length = 0;
	*text = c->line;
	c->line = empty;
}

int columns_print(struct columns *c, const struct columns_row *row, FILE *out)
{
	columns_put(c, row);
	return text_write(&c->line, out);
}
