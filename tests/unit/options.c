/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"
#include "../../formats/options.h"

#include <getopt.h>

struct options {
	struct filter filter;
	struct columns_choice columns;
	const char *write;
	uint64_t limit;
	bool quiet, only_long;
};

#define AT(member) offsetof(struct options, member)

static const struct option_row table[] = {
	{'w', "write", "FILE", "record to FILE", option_text, AT(write)},
	FILTER_OPTIONS(AT(filter)),
	COLUMN_OPTIONS(AT(columns)),
	{'n', "limit", "N", "stop after N", option_count, AT(limit)},
	{'q', "quiet", NULL, "say less", option_flag, AT(quiet)},
	{0, "only-long", NULL, "has no letter", option_flag, AT(only_long)},
	{0, "style", "STYLE", "has no letter either", option_text,
		AT(columns) + offsetof(struct columns_choice, style)},
	{0},
};

#define ARGUMENTS_MAX 16

/* arguments: with blanks between; the options borrow from a buffer that stays. */
static int parse(const char *arguments, struct options *options, struct error *error)
{
	static char buffer[256], program[] = "program";
	char *argv[ARGUMENTS_MAX] = {program}, *rest;
	int argc = 1;

	memset(options, 0, sizeof *options);
	snprintf(buffer, sizeof buffer, "%s", arguments);
	for (char *a = strtok_r(buffer, " ", &rest); a; a = strtok_r(NULL, " ", &rest)) {
		assert_true(argc < ARGUMENTS_MAX - 1);
		argv[argc++] = a;
	}
	optind = 0; /* glibc: begin anew */
	return options_parse(table, argc, argv, options, error);
}

static void options_reach_their_targets(void **state)
{
	/* The same, said in several ways. */
	static const char *const ways[] = {
		"-w out -p 7 -P 443 -6 -tUL -n 5",
		"-wout -p7 -P443 -6tUL -n5",
		"--write out --pid 7 --port 443 --ipv6 --timestamp --print-uid --lport",
		"--write=out --pid=7 --port=443 --ipv6 --timestamp -U --lp",
	};
	struct options o;
	struct error error;

	(void)state;
	for (size_t i = 0; i < COUNT(ways); i++) {
		if (parse(ways[i], &o, &error))
			fail_msg("%s: %s", ways[i], error.text);
		assert_string_equal(o.write, "out");
		assert_int_equal(o.filter.pids.count, 1);
		assert_int_equal(o.filter.pids.ranges[0].low, 7);
		assert_int_equal(o.filter.ports.ranges[0].high, 443);
		assert_int_equal(o.filter.uids.count, 0);
		assert_int_equal(o.filter.family, 6);
		assert_true(o.columns.time && o.columns.uid && o.columns.lport);
		assert_false(o.columns.clock || o.quiet || o.only_long);
		assert_int_equal(o.limit, i < 2 ? 5 : 0);
		assert_null(o.columns.names);
		assert_null(o.columns.style);
		filter_release(&o.filter);
	}
}

static void options_without_letter_are_told_apart(void **state)
{
	struct options o;
	struct error error;

	(void)state;
	assert_int_equal(parse("--only-long", &o, &error), 0);
	assert_true(o.only_long);
	assert_null(o.columns.style);
	assert_int_equal(parse("--style bcc -q -o pid,ip -u root -4", &o, &error), 0);
	assert_false(o.only_long);
	assert_true(o.quiet);
	assert_string_equal(o.columns.style, "bcc");
	assert_string_equal(o.columns.names, "pid,ip");
	assert_int_equal(o.filter.uids.ranges[0].low, 0);
	assert_int_equal(o.filter.family, 4);
	filter_release(&o.filter);
	assert_int_equal(parse("", &o, &error), 0);
}

static void values_add_up(void **state)
{
	struct options o;
	struct error error;

	(void)state;
	assert_int_equal(parse("-P 1 -P 2,3-4 -n 1 -n 2", &o, &error), 0);
	assert_int_equal(o.filter.ports.count, 3);
	assert_int_equal(o.limit, 2);
	filter_release(&o.filter);
}

/* The message names the option as it was meant, and quotes the value. */
static void wrong_usage_is_told(void **state)
{
	static const struct {
		const char *arguments, *message;
	} cases[] = {
		{"-Z", "unknown option '-Z'"},
		{"-qZ", "unknown option '-Z'"},
		{"--nope", "unknown option '--nope'"},
		{"--nope=5", "unknown option '--nope=5'"},
		{"-q --p", "'--p'"}, /* ambiguous: --pid, --port, --print-uid */
		{"-w", "option '-w' needs an argument"},
		{"--write", "option '--write' needs an argument"},
		{"-n x", "-n: 'x' is not a count"},
		{"-n 0", "-n: '0' is not a count"},
		{"--limit 99999999999999999999", "-n: '99999999999999999999' is not a count"},
		{"-p 0", "-p: '0' is not a process id"},
		{"--port=70000", "-P: '70000' is not a port"},
		{"-4 -6", "-6: -4 and -6 exclude each other"},
		{"operand", "unexpected 'operand'"},
		{"-q operand -t", "unexpected 'operand'"},
		{"-- -q", "unexpected '-q'"},
		{"-", "unexpected '-'"},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct options o;
		struct error error = {"accepted"};

		assert_int_equal(parse(cases[i].arguments, &o, &error), -1);
		assert_contains(error.text, cases[i].message);
		filter_release(&o.filter);
	}
}

/* An option that is known must not be called unknown. */
static void a_value_that_is_not_wanted_is_told(void **state)
{
	static const char *const arguments[] = {"--quiet=yes", "--only-long=yes"};

	(void)state;
	for (size_t i = 0; i < COUNT(arguments); i++) {
		struct options o;
		struct error error = {"accepted"};

		assert_int_equal(parse(arguments[i], &o, &error), -1);
		assert_contains(error.text, arguments[i]);
		assert_null(strstr(error.text, "unknown"));
	}
}

static void the_help_has_every_option(void **state)
{
	char text[4096] = "";
	FILE *out = fmemopen(text, sizeof text, "w");

	(void)state;
	options_help(table, "program [options]", out);
	fclose(out);
	assert_memory_equal(text, "usage: program [options]\n\n", 26);
	for (const struct option_row *row = table; row->name; row++) {
		char wanted[64];

		snprintf(wanted, sizeof wanted, " --%s%s%s ", row->name, row->argument ? " " : "",
			row->argument ? row->argument : "");
		assert_contains(text, wanted);
		assert_contains(text, row->help);
	}
	assert_contains(text, "\n  -q, --quiet                        say less\n");
	assert_contains(text, "\n      --only-long                    has no letter\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(options_reach_their_targets),
		cmocka_unit_test(options_without_letter_are_told_apart),
		cmocka_unit_test(values_add_up),
		cmocka_unit_test(wrong_usage_is_told),
		cmocka_unit_test(a_value_that_is_not_wanted_is_told),
		cmocka_unit_test(the_help_has_every_option),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
