/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"
#include "../../formats/escape.h"

/* Escapes into memory that ends with the bound; the result is the caller's to free. */
static char *escaped(struct bytes text)
{
	uint8_t *input = exact_copy(text.data, text.length);
	char *out = malloc(ESCAPED_MAX(text.length) + 1);
	size_t length;

	assert_non_null(out);
	memset(out, '\x01', ESCAPED_MAX(text.length) + 1);
	length = escape_column((struct bytes){input, text.length}, out);
	assert_true(length <= ESCAPED_MAX(text.length));
	assert_int_equal(out[length], '\x01'); /* nothing behind it, no NUL */
	out[length] = '\0';
	free(input);
	return out;
}

static void check(const char *text, size_t length, const char *expected)
{
	char *out = escaped((struct bytes){(const uint8_t *)text, length});

	assert_string_equal(out, expected);
	free(out);
}

#define CHECK(text, expected) check(text, sizeof(text) - 1, expected)

static void every_byte_alone(void **state)
{
	(void)state;
	for (unsigned int c = 0; c < 256; c++) {
		char text[3] = {'a', (char)c, 'z'}, expected[8];

		if (c == '\\')
			strcpy(expected, "a\\\\z");
		else if (c >= ' ' && c <= '~')
			snprintf(expected, sizeof expected, "a%cz", (int)c);
		else
			snprintf(expected, sizeof expected, "a\\x%02xz", c);
		check(text, 3, expected);
	}
}

static void spaces_at_the_edges_show(void **state)
{
	(void)state;
	CHECK("", "");
	CHECK(" ", "\\x20");
	CHECK("  ", "\\x20\\x20");
	CHECK(" a b ", "\\x20a b\\x20");
	CHECK("a b", "a b");
}

static void words_have_no_spaces(void **state)
{
	char out[ESCAPED_MAX(6)];

	(void)state;
	assert_int_equal(escape_word(bytes_of("a b\\ c"), out), 13);
	assert_memory_equal(out, "a\\x20b\\\\\\x20c", 13);
}

static void printable_utf8_stays(void **state)
{
	(void)state;
	CHECK("\u00e9", "\u00e9");
	CHECK("\u4e2d\u6587", "\u4e2d\u6587");
	CHECK("a\U0001f600b", "a\U0001f600b");
	CHECK("\u07ff\u0800\ud7ff\ue000\uffff\U00010000",
		"\u07ff\u0800\ud7ff\ue000\uffff\U00010000");
	CHECK("\xf4\x8f\xbf\xbf", "\xf4\x8f\xbf\xbf"); /* U+10FFFF */
}

static void broken_utf8_is_escaped(void **state)
{
	(void)state;
	CHECK("\xc3", "\\xc3");
	CHECK("\xc3z", "\\xc3z");
	CHECK("\xe4\xb8", "\\xe4\\xb8");
	CHECK("\xe4\xb8z", "\\xe4\\xb8z");
	CHECK("\xf0\x9f\x98", "\\xf0\\x9f\\x98");
	CHECK("\xf0\x9f\x98\xc3\xa9", "\\xf0\\x9f\\x98\u00e9");
	CHECK("\x80\xbf", "\\x80\\xbf");
	CHECK("\xc0\x80", "\\xc0\\x80");          /* overlong NUL */
	CHECK("\xc1\x9b", "\\xc1\\x9b");          /* overlong [ */
	CHECK("\xe0\x9f\xbf", "\\xe0\\x9f\\xbf"); /* overlong U+07FF */
	CHECK("\xf0\x8f\xbf\xbf", "\\xf0\\x8f\\xbf\\xbf");
	CHECK("\xed\xa0\x80", "\\xed\\xa0\\x80"); /* surrogates */
	CHECK("\xed\xbf\xbf", "\\xed\\xbf\\xbf");
	CHECK("\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80"); /* above U+10FFFF */
	CHECK("\xf5\x80\x80\x80", "\\xf5\\x80\\x80\\x80");
	CHECK("\xff\xfe", "\\xff\\xfe");
}

static size_t encode(uint32_t code, uint8_t *p)
{
	if (code < 0x80) {
		p[0] = (uint8_t)code;
		return 1;
	}
	if (code < 0x800) {
		p[0] = (uint8_t)(0xc0 | code >> 6);
		p[1] = (uint8_t)(0x80 | (code & 63));
		return 2;
	}
	if (code < 0x10000) {
		p[0] = (uint8_t)(0xe0 | code >> 12);
		p[1] = (uint8_t)(0x80 | (code >> 6 & 63));
		p[2] = (uint8_t)(0x80 | (code & 63));
		return 3;
	}
	p[0] = (uint8_t)(0xf0 | code >> 18);
	p[1] = (uint8_t)(0x80 | (code >> 12 & 63));
	p[2] = (uint8_t)(0x80 | (code >> 6 & 63));
	p[3] = (uint8_t)(0x80 | (code & 63));
	return 4;
}

/* Characters that change how their surroundings look, or do not show. */
static const struct {
	uint32_t low, high;
} unsafe[] = {
	{0x80, 0x9f},     /* C1 controls: some terminals take 9B for ESC [ */
	{0xad, 0xad},     /* soft hyphen */
	{0x61c, 0x61c},   /* bidirectional: ALM, then LRM, RLM, embeddings, isolates */
	{0x200b, 0x200f}, /* zero width */
	{0x2028, 0x202e}, /* line, paragraph, embeddings and overrides */
	{0x2060, 0x206f}, {0xd800, 0xdfff},                     /* no characters */
	{0xfeff, 0xfeff}, {0xfff9, 0xfffb}, {0xe0001, 0xe007f}, /* tags */
};

static void unsafe_characters_are_escaped(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(unsafe); i++)
		for (uint32_t code = unsafe[i].low; code <= unsafe[i].high; code++) {
			uint8_t text[4];
			char expected[17] = "";
			size_t n = encode(code, text);

			for (size_t k = 0; k < n; k++)
				snprintf(expected + 4 * k, 5, "\\x%02x", text[k]);
			check((char *)text, n, expected);
		}
}

/* No character is half escaped, and of the rest none is lost. */
static void every_character_stays_or_is_escaped_whole(void **state)
{
	uint32_t stays = 0;

	(void)state;
	for (uint32_t code = 0xa0; code <= 0x10ffff; code++) {
		uint8_t text[4];
		char out[ESCAPED_MAX(4)];
		size_t n = encode(code, text), length = escape_column((struct bytes){text, n}, out);

		if (length == n && !memcmp(out, text, n))
			stays++;
		else if (length != 4 * n)
			fail_msg("U+%04X becomes '%.*s'", code, (int)length, out);
	}
	assert_in_range(stays, 0x10ffff - 0x2000, 0x10ffff);
}

static size_t unescape(const char *text, uint8_t *out)
{
	size_t n = 0;
	unsigned int byte;

	while (*text) {
		if (*text != '\\') {
			out[n++] = (uint8_t)*text++;
		} else if (text[1] == '\\') {
			out[n++] = '\\';
			text += 2;
		} else {
			assert_int_equal(sscanf(text, "\\x%2x", &byte), 1);
			out[n++] = (uint8_t)byte;
			text += 4;
		}
	}
	return n;
}

static void unescaping_gives_the_text_back(void **state)
{
	uint64_t seed = 1;

	(void)state;
	for (unsigned int run = 0; run < 20000; run++) {
		uint8_t text[24], back[24];
		size_t length = random_below(&seed, sizeof text + 1);
		char *out;

		for (size_t i = 0; i < length; i++) {
			static const uint8_t common[] =
				"\\x41 \xc2\x9b\xe2\x80\xae\xf0\x9f\x98\x80";

			text[i] = random_below(&seed, 2)
					  ? (uint8_t)random_next(&seed)
					  : common[random_below(&seed, sizeof common)];
		}
		out = escaped((struct bytes){text, length});
		assert_int_equal(unescape(out, back), length);
		assert_memory_equal(back, text, length);
		free(out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_byte_alone),
		cmocka_unit_test(spaces_at_the_edges_show),
		cmocka_unit_test(words_have_no_spaces),
		cmocka_unit_test(printable_utf8_stays),
		cmocka_unit_test(broken_utf8_is_escaped),
		cmocka_unit_test(unsafe_characters_are_escaped),
		cmocka_unit_test(every_character_stays_or_is_escaped_whole),
		cmocka_unit_test(unescaping_gives_the_text_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
