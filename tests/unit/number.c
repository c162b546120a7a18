/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"
#include "../../formats/number.h"

#define NO UINT64_MAX /* not accepted */

struct number_case {
	const char *text;
	uint64_t low, high, value;
};

typedef int parser(const char *text, const char *what, uint64_t low, uint64_t high,
	uint64_t *number, struct error *error);

static void check(const struct number_case *c, parser *parse)
{
	struct error error = {""};
	uint64_t value = 0;
	char quoted[64];
	int status = parse(c->text, "a thing", c->low, c->high, &value, &error);

	if (status != (c->value == NO ? -1 : 0))
		fail_msg("'%s' gives %d", c->text, status);
	if (c->value != NO) {
		assert_int_equal(value, c->value);
		return;
	}
	snprintf(quoted, sizeof quoted, "'%s' is not a thing: ", c->text);
	assert_contains(error.text, quoted);
	snprintf(quoted, sizeof quoted, " %llu to %llu", (unsigned long long)c->low,
		(unsigned long long)c->high);
	assert_contains(error.text, quoted);
}

static void numbers_are_parsed_whole_and_range_checked(void **state)
{
	static const struct number_case cases[] = {
		{"0", 0, 9, 0},
		{"7", 0, 9, 7},
		{"007", 0, 9, 7},
		{"1", 1, 65535, 1},
		{"0", 1, 65535, NO},
		{"65535", 1, 65535, 65535},
		{"65536", 1, 65535, NO},
		{"65537", 1, 65535, NO},
		{"4294967296", 0, UINT32_MAX, NO},
		{"9223372036854775807", 0, INT64_MAX, INT64_MAX},
		{"9223372036854775808", 0, INT64_MAX, NO},
		/* 2^64 + 1 and more would wrap into the range. */
		{"18446744073709551617", 0, 9, NO},
		{"18446744073709551616", 0, INT64_MAX, NO},
		{"184467440737095516160", 0, INT64_MAX, NO},
		{"99999999999999999999999999", 0, INT64_MAX, NO},
		{"", 0, 9, NO},
		{" 1", 0, 9, NO},
		{"1 ", 0, 9, NO},
		{"+1", 0, 9, NO},
		{"-1", 0, 9, NO},
		{"-0", 0, 9, NO},
		{"0x1", 0, 9, NO},
		{"1.0", 0, 9, NO},
		{"1e0", 0, 9, NO},
		{"1K", 0, 9999, NO},
		{"12abc", 0, 99, NO},
		{"\n1", 0, 9, NO},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		check(&cases[i], number_parse);
}

static void sizes_take_one_unit(void **state)
{
	static const struct number_case cases[] = {
		{"4096", 1, 1 << 20, 4096},
		{"4K", 1, 1 << 20, 4096},
		{"1M", 1, 1 << 20, 1 << 20},
		{"1G", 1, 1 << 30, 1 << 30},
		{"1024K", 1, 1 << 20, 1 << 20},
		{"1025K", 1, 1 << 20, NO},
		{"2M", 1, 1 << 20, NO},
		{"1048576", 1, 1 << 20, 1 << 20},
		{"1048577", 1, 1 << 20, NO},
		{"0", 1, 1 << 20, NO},
		{"0K", 1, 1 << 20, NO},
		{"3K", 4096, 1 << 20, NO},
		/* Shifted left these wrap into the range. */
		{"18014398509481985K", 1, 1 << 20, NO},
		{"17592186044417M", 1, 1 << 20, NO},
		{"17179869185G", 1, 1 << 30, NO},
		{"K", 1, 1 << 20, NO},
		{"", 1, 1 << 20, NO},
		{"1KB", 1, 1 << 20, NO},
		{"1KK", 1, 1 << 20, NO},
		{"1 K", 1, 1 << 20, NO},
		{"1k", 1, 1 << 20, NO},
		{"1T", 1, 1 << 20, NO},
		{"1.5M", 1, 1 << 30, NO},
		{"-1K", 1, 1 << 20, NO},
		{"99999999999999999999K", 1, 1 << 20, NO},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		check(&cases[i], size_parse);
}

static void errors_are_cut_and_prefixed(void **state)
{
	struct error error;
	char wide[2 * sizeof error.text];

	(void)state;
	assert_int_equal(error_set(&error, "%s %d", "port", 7), -1);
	assert_string_equal(error.text, "port 7");
	assert_int_equal(error_prefix(&error, "-P"), -1);
	assert_string_equal(error.text, "-P: port 7");
	memset(wide, 'x', sizeof wide);
	wide[sizeof wide - 1] = '\0';
	error_set(&error, "%s", wide);
	assert_int_equal(strlen(error.text), sizeof error.text - 1);
	error_prefix(&error, "name");
	assert_int_equal(strlen(error.text), sizeof error.text - 1);
	assert_memory_equal(error.text, "name: xx", 8);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_are_parsed_whole_and_range_checked),
		cmocka_unit_test(sizes_take_one_unit),
		cmocka_unit_test(errors_are_cut_and_prefixed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
