/* SPDX-License-Identifier: BSD-2-Clause */
#include "options.h"

#include <stddef.h>
#include <stdlib.h>

/* target: struct read_options */
static int add_file(void *target, const char *value, struct error *error)
{
	struct read_options *options = target;
	const char **grown = realloc(options->files, (options->file_count + 1) * sizeof *grown);

	if (!grown)
		return error_set(error, "out of memory");
	options->files = grown;
	options->files[options->file_count++] = value;
	return 0;
}

#define AT(member) offsetof(struct read_options, member)

static const struct option_row table[] = {
	{'r', "read", "FILE", "a trace, or - for standard input; repeat it for more", add_file, 0},
	FILTER_OPTIONS(AT(filter)),
	COLUMN_OPTIONS(AT(columns)),
	{'T', "clock", NULL, "column CLOCK: date and time, RFC 3339", option_flag,
		AT(columns) + offsetof(struct columns_choice, clock)},
	{0, "style", "STYLE", "columns as of that peer: bcc, bcc2019 or libbpf", option_text,
		AT(columns) + offsetof(struct columns_choice, style)},
	{'n', "limit", "N", "stop after N matches", option_count, AT(limit)},
	{'q', "quiet", NULL, "only errors on stderr", option_flag, AT(quiet)},
	{'v', "verbose", NULL, "say what is in each file", option_flag, AT(verbose)},
	{'h', "help", NULL, "this text", option_flag, AT(help)},
	{'V', "version", NULL, "the version", option_flag, AT(version)},
	{0},
};

int read_options_parse(struct read_options *options, int argc, char **argv, struct error *error)
{
	if (options_parse(table, argc, argv, options, error))
		return -1;
	if (options->help || options->version)
		return 0;
	if (!options->file_count)
		return error_set(error, "no trace to read: give one with -r FILE");
	return columns_check(&options->columns, error);
}

void read_options_release(struct read_options *options)
{
	filter_release(&options->filter);
	free(options->files);
}

void read_options_help(FILE *out)
{
	options_help(table, "tcpconnect-read -r FILE [-r FILE ..] [options]", out);
}
