/* SPDX-License-Identifier: BSD-2-Clause */
#include "options.h"
#include "number.h"

#include <assert.h>
#include <getopt.h>
#include <stddef.h>
#include <stdlib.h>

#define ROWS_MAX 80
#define LONG_ONLY 256 /* val of a row without letter: LONG_ONLY + row */

int option_pids(void *target, const char *value, struct error *error)
{
	return filter_add_pids(target, value, error);
}

int option_uids(void *target, const char *value, struct error *error)
{
	return filter_add_uids(target, value, error);
}

int option_ports(void *target, const char *value, struct error *error)
{
	return filter_add_ports(target, value, error);
}

int option_ipv4(void *target, const char *value, struct error *error)
{
	(void)value;
	return filter_set_family(target, 4, error);
}

int option_ipv6(void *target, const char *value, struct error *error)
{
	(void)value;
	return filter_set_family(target, 6, error);
}

int option_failed(void *target, const char *value, struct error *error)
{
	struct filter *filter = target;

	(void)value;
	(void)error;
	filter->failed = true;
	return 0;
}

int option_results(void *target, const char *value, struct error *error)
{
	return filter_add_results(target, value, error);
}

int option_min_latency(void *target, const char *value, struct error *error)
{
	return filter_set_min_latency(target, value, error);
}

int option_comms(void *target, const char *value, struct error *error)
{
	return filter_add_comms(target, value, error);
}

int option_exes(void *target, const char *value, struct error *error)
{
	return filter_add_exes(target, value, error);
}

int option_containers(void *target, const char *value, struct error *error)
{
	return filter_add_containers(target, value, error);
}

int option_cgroups(void *target, const char *value, struct error *error)
{
	return filter_add_cgroups(target, value, error);
}

int option_netns(void *target, const char *value, struct error *error)
{
	return filter_add_netns(target, value, error);
}

int option_ancestors(void *target, const char *value, struct error *error)
{
	return filter_add_ancestors(target, value, error);
}

int option_hosts(void *target, const char *value, struct error *error)
{
	return filter_add_hosts(target, value, error);
}

int option_since(void *target, const char *value, struct error *error)
{
	return filter_set_since(target, value, error);
}

int option_until(void *target, const char *value, struct error *error)
{
	return filter_set_until(target, value, error);
}

int option_expression(void *target, const char *value, struct error *error)
{
	return filter_set_expression(target, value, error);
}

int option_flag(void *target, const char *value, struct error *error)
{
	(void)value;
	(void)error;
	*(bool *)target = true;
	return 0;
}

int option_text(void *target, const char *value, struct error *error)
{
	(void)error;
	*(const char **)target = value;
	return 0;
}

int option_count(void *target, const char *value, struct error *error)
{
	return number_parse(value, "a count", 1, UINT64_MAX / 2, target, error);
}

static size_t build(const struct option_row *table, struct option *longs, char *letters)
{
	size_t rows = 0;

	*letters++ = ':'; /* getopt: tell a missing argument from an unknown option */
	for (; table[rows].name; rows++) {
		const struct option_row *row = &table[rows];

		assert(rows < ROWS_MAX);
		if (!*row->name) { /* nobody can type this */
			longs[rows] = (struct option){.name = "\n", .val = LONG_ONLY + (int)rows};
			continue;
		}
		longs[rows] = (struct option){.name = row->name,
			.has_arg = row->argument ? required_argument : no_argument,
			.val = row->letter ? row->letter : LONG_ONLY + (int)rows};
		if (row->letter) {
			*letters++ = (char)row->letter;
			if (row->argument)
				*letters++ = ':';
		}
	}
	*letters = '\0';
	return rows;
}

static const struct option_row *find(const struct option_row *table, size_t rows, int value)
{
	for (size_t i = 0; i < rows; i++)
		if (value == (table[i].letter ? table[i].letter : LONG_ONLY + (int)i))
			return &table[i];
	return NULL;
}

/* The first of them is argv[optind]. */
static int parse_operands(
	const struct option_row *table, int argc, char **argv, void *options, struct error *error)
{
	size_t length = 0;
	char *text;
	int status;

	while (table->name && *table->name)
		table++;
	if (!table->name)
		return error_set(error, "unexpected '%s': every argument belongs to an option",
			argv[optind]);
	for (int i = optind; i < argc; i++)
		length += strlen(argv[i]) + 1;
	text = malloc(length + 1);
	if (!text)
		return error_set(error, "out of memory");
	*text = '\0';
	for (int i = optind; i < argc; i++) {
		strcat(text, argv[i]);
		strcat(text, i + 1 < argc ? " " : "");
	}
	status = table->apply((char *)options + table->target, text, error);
	free(text);
	return status ? error_prefix(error, table->argument) : 0;
}

int options_parse(
	const struct option_row *table, int argc, char **argv, void *options, struct error *error)
{
	struct option longs[ROWS_MAX + 1] = {0};
	char letters[2 * ROWS_MAX + 2], name[64];
	size_t rows = build(table, longs, letters);
	int value;

	opterr = 0;
	while ((value = getopt_long(argc, argv, letters, longs, NULL)) != -1) {
		const struct option_row *row = find(table, rows, value);

		if (value == ':')
			return error_set(error, "option '%s' needs an argument", argv[optind - 1]);
		/* Known, and yet refused: getopt_long() leaves it in optopt. */
		if (!row && find(table, rows, optopt))
			return error_set(error, "option '%s' takes no argument", argv[optind - 1]);
		if (!row && optopt)
			return error_set(error, "unknown option '-%c'; -h shows all", optopt);
		if (!row)
			return error_set(
				error, "unknown option '%s'; -h shows all", argv[optind - 1]);
		if (row->apply((char *)options + row->target, optarg, error)) {
			if (row->letter)
				snprintf(name, sizeof name, "-%c", row->letter);
			else
				snprintf(name, sizeof name, "--%s", row->name);
			return error_prefix(error, name);
		}
	}
	return optind < argc ? parse_operands(table, argc, argv, options, error) : 0;
}

void options_help(const struct option_row *table, const char *usage, FILE *out)
{
	fprintf(out, "usage: %s\n\n", usage);
	for (; table->name; table++) {
		char left[64];

		if (!*table->name)
			snprintf(left, sizeof left, "%s", table->argument);
		else
			snprintf(left, sizeof left, "%s%c%s --%s%s%s", table->letter ? "-" : " ",
				table->letter ? table->letter : ' ', table->letter ? "," : " ",
				table->name, table->argument ? " " : "",
				table->argument ? table->argument : "");
		fprintf(out, "  %-34s %s\n", left, table->help);
	}
}
