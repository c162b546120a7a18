/* SPDX-License-Identifier: BSD-2-Clause */
#include "value.h"
#include "escape.h"
#include "result.h"

#include <arpa/inet.h>

#define CELL_TEXT_MAX 255 /* bytes of a text that a cell of columns shows before escaping */
#define CELL_NAME_MAX 16  /* of an ancestor */
#define CELL_ANCESTORS 8  /* that a cell shows */

static void put_escaped(struct text *out, struct bytes text)
{
	char *p = text_reserve(out, ESCAPED_MAX(text.length));

	if (p)
		out->length += escape_column(text, p);
}

static void put_json_string(struct text *out, struct bytes text)
{
	char *p;

	text_char(out, '"');
	p = text_reserve(out, ESCAPED_JSON_MAX(text.length));
	if (p)
		out->length += escape_json(text, p);
	text_char(out, '"');
}

/*
 * RFC 5952 as inet_ntop(3) does it. *rest: the byte at which an IPv4 address at
 * its end begins, which is yet to be put; 16: there is none.
 */
static char *put_ipv6(char *p, const uint8_t *b, unsigned int *rest)
{
	static const char hex[] = "0123456789abcdef";
	unsigned int groups[8], best = 8, best_length = 1, end = 8;

	for (unsigned int i = 0; i < 8; i++)
		groups[i] = (unsigned int)(b[2 * i] << 8 | b[2 * i + 1]);
	for (unsigned int i = 0, length; i < 8; i += length + 1) {
		for (length = 0; i + length < 8 && !groups[i + length]; length++)
			continue;
		if (length > best_length) {
			best = i;
			best_length = length;
		}
	}
	if (!best && (best_length == 6 || (best_length == 5 && groups[5] == 0xffff)))
		end = 6;
	for (unsigned int i = 0; i < end; i++) {
		if (i == best) {
			*p++ = ':';
			i += best_length - 1;
			if (i >= 7)
				*p++ = ':';
			continue;
		}
		if (i)
			*p++ = ':';
		for (int shift = 12; shift >= 0; shift -= 4)
			if (!shift || groups[i] >> shift)
				*p++ = hex[groups[i] >> shift & 15];
	}
	if (end == 6)
		*p++ = ':';
	*rest = 2 * end;
	return p;
}

static void put_address(struct text *out, const struct address *address)
{
	const uint8_t *b = address->bytes;
	char *begin = text_reserve(out, INET6_ADDRSTRLEN), *p = begin;
	unsigned int first = 0;

	if (!p)
		return;
	if (address->family == 6)
		p = put_ipv6(p, b, &first);
	for (unsigned int i = first; i < first + 4 && first < 16; i++) {
		if (i > first)
			*p++ = '.';
		if (b[i] >= 100)
			*p++ = (char)('0' + b[i] / 100);
		if (b[i] >= 10)
			*p++ = (char)('0' + b[i] / 10 % 10);
		*p++ = (char)('0' + b[i] % 10);
	}
	out->length += (size_t)(p - begin);
}

static void put_result(struct text *out, const struct value *value)
{
	char word[RESULT_TEXT_SIZE];

	text_string(out, value->kind == VALUE_RESULT ? result_text(value->of, word)
						     : returned_text(value->of, word));
}

/* Arguments with a space between; the mark of a cut is no text that could be one. */
static void put_arguments(struct text *out, const struct value *value, size_t most)
{
	struct bytes args = value->text;
	uint8_t copy[CELL_TEXT_MAX];
	bool cut = value->cut;

	if (args.length && !args.data[args.length - 1])
		args.length--;
	while (args.length) {
		size_t n = args.length < sizeof copy ? args.length : sizeof copy;

		if (n > most)
			n = most;
		if (!n) {
			cut = true;
			break;
		}
		for (size_t i = 0; i < n; i++)
			copy[i] = args.data[i] ? args.data[i] : ' ';
		put_escaped(out, (struct bytes){copy, n});
		most -= n;
		args = (struct bytes){args.data + n, args.length - n};
	}
	if (cut)
		text_string(out, "\\...");
}

/* The nearest first: "bash[800]<systemd[1]". */
static void put_ancestors(struct text *out, const struct process *process, int most)
{
	for (const struct process *p = process->parent; p; p = p->parent, most--) {
		struct bytes comm = p->comm;

		if (!most) {
			text_string(out, "<\\...");
			return;
		}
		comm.length = comm.length < CELL_NAME_MAX ? comm.length : CELL_NAME_MAX;
		if (p != process->parent)
			text_char(out, '<');
		put_escaped(out, comm);
		text_char(out, '[');
		text_unsigned(out, p->pid);
		text_char(out, ']');
	}
}

static void put_since(struct text *out, int64_t wall_ns, int64_t first_ns)
{
	/* Unsigned: any two times have a distance. */
	uint64_t now = (uint64_t)wall_ns, first = (uint64_t)first_ns;
	bool before = wall_ns < first_ns;
	uint64_t distance = before ? first - now : now - first;

	if (before)
		text_char(out, '-');
	text_thousandths(out, distance / 1000000 + (distance % 1000000 >= 500000));
}

/* What localhost(7) stands for: nobody asks a server for it. */
static bool is_localhost(const struct address *address)
{
	static const struct address both[] = {{4, {127, 0, 0, 1}}, {6, {[15] = 1}}};

	return address_equal(address, &both[0]) || address_equal(address, &both[1]);
}

/* As tcpconnect(8) of bcc. */
static void put_query(struct text *out, const struct event *event, bool with_age)
{
	struct bytes name = event->query;
	uint64_t age = event->answered - ANSWERED_AGE;

	name.length = name.length < CELL_TEXT_MAX ? name.length : CELL_TEXT_MAX;
	if (!name.length) {
		text_string(out, is_localhost(&event->daddr) ? "localhost" : "No DNS Query");
		return;
	}
	put_escaped(out, name);
	if (!with_age || event->answered < ANSWERED_AGE || age <= VALUE_OLD_US)
		return;
	text_string(out, " (");
	text_thousandths(out, age);
	text_string(out, "ms)");
}

/* JSON and CSV have only what was seen. */
static struct bytes name_of(const struct value *value)
{
	return ((const struct event *)value->of)->query;
}

void value_put_column(const struct value *value, int64_t first_ns, struct text *out)
{
	struct bytes text = value->text;

	switch (value->kind) {
	case VALUE_UNKNOWN:
		text_char(out, '-');
		break;
	case VALUE_NUMBER:
		text_unsigned(out, value->number);
		break;
	case VALUE_WORD:
		text_put(out, text);
		break;
	case VALUE_TEXT:
		text.length = text.length < CELL_TEXT_MAX ? text.length : CELL_TEXT_MAX;
		put_escaped(out, text);
		break;
	case VALUE_ARGUMENTS:
		put_arguments(out, value, CELL_TEXT_MAX);
		break;
	case VALUE_ANCESTORS:
		put_ancestors(out, value->of, CELL_ANCESTORS);
		break;
	case VALUE_ADDRESS:
		put_address(out, value->of);
		break;
	case VALUE_RESULT:
	case VALUE_RETURNED:
		put_result(out, value);
		break;
	case VALUE_SINCE:
		put_since(out, value->wall_ns, first_ns);
		break;
	case VALUE_CLOCK:
		text_time(out, value->wall_ns, false, 6);
		break;
	case VALUE_LATENCY:
	case VALUE_RATE:
		text_thousandths(out, value->number);
		break;
	case VALUE_QUERY:
	case VALUE_NAME:
		put_query(out, value->of, value->kind == VALUE_QUERY);
		break;
	}
}

static void put_json_arguments(struct text *out, struct bytes args)
{
	char before = '[';

	while (args.length) {
		const uint8_t *end = memchr(args.data, 0, args.length);
		size_t n = end ? (size_t)(end - args.data) : args.length;

		text_char(out, before);
		put_json_string(out, (struct bytes){args.data, n});
		before = ',';
		n += end != NULL;
		args = (struct bytes){args.data + n, args.length - n};
	}
	text_char(out, ']');
}

static void put_json_ancestors(struct text *out, const struct process *process)
{
	text_char(out, '[');
	for (const struct process *p = process->parent; p; p = p->parent) {
		if (p != process->parent)
			text_char(out, ',');
		text_string(out, "{\"pid\":");
		text_unsigned(out, p->pid);
		text_string(out, ",\"comm\":");
		if (p->comm.length)
			put_json_string(out, p->comm);
		else
			text_string(out, "null");
		text_string(out, ",\"exe\":");
		if (p->exe.length)
			put_json_string(out, p->exe);
		else
			text_string(out, "null");
		text_char(out, '}');
	}
	text_char(out, ']');
}

/* What JSON and CSV show the same way. */
static void put_plain(struct text *out, const struct value *value)
{
	switch (value->kind) {
	case VALUE_SINCE:
		text_time(out, value->wall_ns, true, 9);
		break;
	case VALUE_CLOCK:
		text_time(out, value->wall_ns, false, 6);
		break;
	case VALUE_ADDRESS:
		put_address(out, value->of);
		break;
	case VALUE_RESULT:
	case VALUE_RETURNED:
		put_result(out, value);
		break;
	case VALUE_RATE:
		text_thousandths(out, value->number);
		break;
	case VALUE_NUMBER:
	case VALUE_LATENCY:
		text_unsigned(out, value->number);
		break;
	default:
		text_put(out, value->text);
	}
}

static void put_key(struct text *out, const char *key, const char *more)
{
	text_char(out, '"');
	text_string(out, key);
	text_string(out, more);
	text_string(out, "\":");
}

void value_put_json_key(enum value_kind kind, const char *key, struct text *out)
{
	put_key(out, key, kind == VALUE_LATENCY ? "_us" : "");
}

void value_put_json(
	const struct value *value, enum value_kind kind, const char *key, struct text *out)
{
	value_put_json_key(kind, key, out);
	value_put_json_value(value, kind, key, out);
}

void value_put_json_value(
	const struct value *value, enum value_kind kind, const char *key, struct text *out)
{
	switch (value->kind) {
	case VALUE_UNKNOWN:
		text_string(out, "null");
		break;
	case VALUE_TEXT:
		put_json_string(out, value->text);
		break;
	case VALUE_ARGUMENTS:
		put_json_arguments(out, value->text);
		break;
	case VALUE_ANCESTORS:
		put_json_ancestors(out, value->of);
		break;
	case VALUE_NUMBER:
	case VALUE_LATENCY:
	case VALUE_RATE:
		put_plain(out, value);
		break;
	case VALUE_QUERY:
	case VALUE_NAME:
		if (name_of(value).length)
			put_json_string(out, name_of(value));
		else
			text_string(out, "null");
		break;
	default:
		text_char(out, '"');
		put_plain(out, value);
		text_char(out, '"');
	}
	if (kind == VALUE_SINCE) {
		text_char(out, ',');
		put_key(out, key, "_ns");
		if (value->kind == VALUE_SINCE)
			text_nanoseconds(out, value->wall_ns);
		else
			text_string(out, "null");
	}
}

void value_put_csv_header(enum value_kind kind, const char *key, struct text *out)
{
	text_string(out, key);
	if (kind == VALUE_LATENCY)
		text_string(out, "_us");
	if (kind == VALUE_SINCE) {
		text_char(out, ',');
		text_string(out, key);
		text_string(out, "_ns");
	}
}

/* RFC 4180: quotes around a field that holds a comma or a quote; it is on one line anyway. */
static void quote(struct text *out, size_t start)
{
	size_t length = out->length - start, quotes = 0;
	char *p;

	if (!length || out->failed ||
		(!memchr(out->data + start, ',', length) &&
			!memchr(out->data + start, '"', length)))
		return;
	for (size_t i = 0; i < length; i++)
		quotes += out->data[start + i] == '"';
	p = text_reserve(out, quotes + 2);
	if (!p)
		return;
	p += quotes + 2;
	*--p = '"';
	while (length--) {
		char c = out->data[start + length];

		*--p = c;
		if (c == '"')
			*--p = '"';
	}
	*--p = '"';
	out->length += quotes + 2;
}

void value_put_csv(const struct value *value, enum value_kind kind, struct text *out)
{
	size_t start = out->length;

	switch (value->kind) {
	case VALUE_UNKNOWN:
		break;
	case VALUE_TEXT:
		put_escaped(out, value->text);
		break;
	case VALUE_ARGUMENTS:
		put_arguments(out, value, SIZE_MAX);
		break;
	case VALUE_ANCESTORS:
		put_ancestors(out, value->of, ANCESTORS_MAX);
		break;
	case VALUE_QUERY:
	case VALUE_NAME:
		put_escaped(out, name_of(value));
		break;
	default:
		put_plain(out, value);
	}
	quote(out, start);
	if (kind == VALUE_SINCE) {
		text_char(out, ',');
		if (value->kind == VALUE_SINCE)
			text_nanoseconds(out, value->wall_ns);
	}
}

static void pad(struct text *out, size_t start, int width)
{
	size_t length = out->length - start;

	if (length < (size_t)width)
		text_spaces(out, (size_t)width - length);
}

void values_put_header(enum value_format format, const struct value_column *columns,
	const enum value_kind *kinds, size_t count, struct text *out)
{
	if (format == FORMAT_JSON)
		return;
	for (size_t i = 0; i < count; i++) {
		size_t start;

		if (i)
			text_char(out, format == FORMAT_CSV ? ',' : ' ');
		start = out->length;
		if (format == FORMAT_CSV)
			value_put_csv_header(kinds[i], columns[i].key, out);
		else
			text_string(out, columns[i].header);
		if (format == FORMAT_COLUMNS && i + 1 < count)
			pad(out, start, columns[i].width);
	}
	text_string(out, format == FORMAT_CSV ? "\r\n" : "\n");
}

void values_put_row(enum value_format format, const struct value_column *columns,
	const enum value_kind *kinds, const struct value *values, size_t count, struct text *out)
{
	static const char separators[] = {' ', ',', ','};

	if (format == FORMAT_JSON)
		text_char(out, '{');
	for (size_t i = 0; i < count; i++) {
		size_t start;

		if (i)
			text_char(out, separators[format]);
		start = out->length;
		if (format == FORMAT_JSON) {
			value_put_json(&values[i], kinds[i], columns[i].key, out);
		} else if (format == FORMAT_CSV) {
			value_put_csv(&values[i], kinds[i], out);
		} else {
			struct value value = values[i];

			/* There is no first row that a distance could count from. */
			if (value.kind == VALUE_SINCE)
				value.kind = VALUE_CLOCK;
			value_put_column(&value, 0, out);
			if (i + 1 < count)
				pad(out, start, columns[i].width);
		}
	}
	text_string(out, format == FORMAT_JSON ? "}\n" : format == FORMAT_CSV ? "\r\n" : "\n");
}
