/* SPDX-License-Identifier: BSD-2-Clause */
#include "escape.h"

/* Length of the valid UTF-8 sequence of two bytes or more at p (RFC 3629), 0 if there is none. */
static size_t sequence(const uint8_t *p, size_t length, uint32_t *code)
{
	size_t n;

	if (p[0] >= 0xc2 && p[0] <= 0xdf)
		n = 2, *code = p[0] & 0x1fu;
	else if (p[0] >= 0xe0 && p[0] <= 0xef)
		n = 3, *code = p[0] & 0x0fu;
	else if (p[0] >= 0xf0 && p[0] <= 0xf4)
		n = 4, *code = p[0] & 0x07u;
	else
		return 0;
	if (length < n)
		return 0;
	for (size_t i = 1; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		*code = *code << 6 | (p[i] & 0x3fu);
	}
	if ((n == 3 && *code < 0x800) || (n == 4 && (*code < 0x10000 || *code > 0x10ffff)) ||
		(*code >= 0xd800 && *code <= 0xdfff))
		return 0;
	return n;
}

/*
 * C1 controls, bidirectional controls and other invisible format characters:
 * they change how the rest of the line looks.
 */
static bool is_hidden(uint32_t code)
{
	return code < 0xa0 || code == 0xad || code == 0x061c || code == 0x180e ||
	       (code >= 0x200b && code <= 0x200f) || (code >= 0x2028 && code <= 0x202e) ||
	       (code >= 0x2060 && code <= 0x206f) || code == 0xfeff ||
	       (code >= 0xfff9 && code <= 0xfffb) || (code >= 0xe0000 && code <= 0xe0fff);
}

static size_t printable_sequence(const uint8_t *p, size_t length)
{
	uint32_t code;
	size_t n = sequence(p, length, &code);

	return n && !is_hidden(code) ? n : 0;
}

static const char hex[] = "0123456789abcdef";

static char *put_unicode(char *out, uint32_t unit)
{
	*out++ = '\\';
	*out++ = 'u';
	for (int shift = 12; shift >= 0; shift -= 4)
		*out++ = hex[unit >> shift & 15];
	return out;
}

size_t escape_json(struct bytes text, char *out)
{
	char *start = out;

	for (size_t i = 0; i < text.length;) {
		uint8_t c = text.data[i];
		uint32_t code = c;
		size_t n = c < 0x80 ? 1 : sequence(text.data + i, text.length - i, &code);

		if (n == 1 && (c == '"' || c == '\\')) {
			*out++ = '\\';
			*out++ = (char)c;
		} else if (n == 1 && c >= ' ' && c < 0x7f) {
			*out++ = (char)c;
		} else if (n == 1 || (n && is_hidden(code) && code < 0x10000)) {
			out = put_unicode(out, code);
		} else if (n && is_hidden(code)) {
			out = put_unicode(out, 0xd800 | (code - 0x10000) >> 10);
			out = put_unicode(out, 0xdc00 | ((code - 0x10000) & 0x3ff));
		} else if (n) {
			memcpy(out, text.data + i, n);
			out += n;
		} else {
			memcpy(out, "\xef\xbf\xbd", 3); /* U+FFFD */
			out += 3;
		}
		i += n ? n : 1;
	}
	return (size_t)(out - start);
}

static size_t escape(struct bytes text, bool word, char *out)
{
	char *start = out;

	for (size_t i = 0; i < text.length;) {
		uint8_t c = text.data[i];
		size_t n = c < 0x80 ? 0 : printable_sequence(text.data + i, text.length - i);
		bool hidden = c == ' ' && (word || i == 0 || i == text.length - 1);

		if (n) {
			memcpy(out, text.data + i, n);
			out += n;
			i += n;
			continue;
		}
		if (c >= ' ' && c < 0x7f && c != '\\' && !hidden) {
			*out++ = (char)c;
		} else if (c == '\\') {
			*out++ = '\\';
			*out++ = '\\';
		} else {
			*out++ = '\\';
			*out++ = 'x';
			*out++ = hex[c >> 4];
			*out++ = hex[c & 15];
		}
		i++;
	}
	return (size_t)(out - start);
}

size_t escape_column(struct bytes text, char *out)
{
	return escape(text, false, out);
}

size_t escape_word(struct bytes text, char *out)
{
	return escape(text, true, out);
}
