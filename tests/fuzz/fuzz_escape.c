/* SPDX-License-Identifier: BSD-2-Clause */
/* The bound holds, what comes out is safe to show, and unescaping gives the text back. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "../../formats/escape.h"

/* Length of the well-formed UTF-8 character at p that does not change what is around it. */
static size_t safe_character(const uint8_t *p, size_t length)
{
	static const uint32_t least[] = {0, 0, 0xa0, 0x800, 0x10000};
	uint32_t code;
	size_t n = p[0] >> 5 == 6 ? 2 : p[0] >> 4 == 14 ? 3 : p[0] >> 3 == 30 ? 4 : 1;

	if (n == 1)
		return p[0] >= ' ' && p[0] < 0x7f;
	if (n > length)
		return 0;
	code = p[0] & (0x7fu >> n);
	for (size_t i = 1; i < n; i++) {
		if (p[i] >> 6 != 2)
			return 0;
		code = code << 6 | (p[i] & 0x3fu);
	}
	/* Bidirectional controls (Unicode, Bidi_Control), line ends, surrogates. */
	if (code < least[n] || code > 0x10ffff || code == 0x61c || code == 0x200e ||
		code == 0x200f || (code >= 0x2028 && code <= 0x202e) ||
		(code >= 0x2066 && code <= 0x2069) || (code >= 0xd800 && code <= 0xdfff))
		return 0;
	return n;
}

static size_t hex(uint8_t digit)
{
	const char *at = strchr("0123456789abcdef", digit);

	assert(digit && at);
	return (size_t)(at - "0123456789abcdef");
}

/* What JSON (RFC 8259) allows inside of a string, and nothing that a terminal minds. */
static void check_json(const uint8_t *data, size_t size)
{
	uint8_t *out = malloc(ESCAPED_JSON_MAX(size) + 1);
	size_t length;

	assert(out);
	out[ESCAPED_JSON_MAX(size)] = 0xee;
	length = escape_json((struct bytes){data, size}, (char *)out);
	assert(length <= ESCAPED_JSON_MAX(size) && out[ESCAPED_JSON_MAX(size)] == 0xee);
	for (size_t i = 0, step; i < length; i += step) {
		step = safe_character(out + i, length - i);
		assert(step && out[i] != '"');
		if (out[i] != '\\')
			continue;
		assert(i + 1 < length && strchr("\"\\u", out[i + 1]));
		step = out[i + 1] == 'u' ? 6 : 2;
		for (size_t k = 2; k < step; k++)
			hex(out[i + k]);
	}
	free(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *out = malloc(ESCAPED_MAX(size) + 1), *back = malloc(size + 1);
	size_t length, n = 0;

	assert(out && back);
	check_json(data, size);
	out[ESCAPED_MAX(size)] = 0xee;
	length = escape_column((struct bytes){data, size}, (char *)out);
	assert(length <= ESCAPED_MAX(size) && out[ESCAPED_MAX(size)] == 0xee);
	if (size)
		assert(out[0] != ' ' && out[length - 1] != ' ');
	for (size_t i = 0, step; i < length; i += step) {
		step = safe_character(out + i, length - i);
		assert(step);
	}
	for (size_t i = 0; i < length; n++) {
		assert(n < size);
		if (out[i] != '\\') {
			back[n] = out[i++];
		} else if (out[i + 1] == '\\') {
			back[n] = '\\';
			i += 2;
		} else {
			assert(i + 4 <= length && out[i + 1] == 'x');
			back[n] = (uint8_t)(hex(out[i + 2]) << 4 | hex(out[i + 3]));
			i += 4;
		}
	}
	assert(n == size && (!size || !memcmp(back, data, size)));
	free(out);
	free(back);
	return 0;
}
