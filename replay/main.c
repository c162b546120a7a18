/* SPDX-License-Identifier: BSD-2-Clause */
/* tcpconnect-read: shows what tcpconnect-rec recorded. */
#include "merge.h"
#include "options.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>

#define PROGRAM "tcpconnect-read"

enum { EXIT_COMPLETE = 0, EXIT_CANNOT = 1, EXIT_USAGE = 2, EXIT_INCOMPLETE = 3 };

static void say(void *context, const struct error *error)
{
	(void)context;
	fflush(stdout); /* so that on a terminal the message stands where it belongs */
	fprintf(stderr, PROGRAM ": %s\n", error->text);
}

/* context: struct read_options */
static void say_facts(void *context, const char *name, struct trace_facts facts)
{
	const struct read_options *options = context;

	if (!trace_is_readable(&facts))
		return;
	if (!facts.has_records && !options->quiet)
		fprintf(stderr, PROGRAM ": %s: no records of tcpconnect-rec in it\n", name);
	else if (!facts.events && !options->quiet)
		fprintf(stderr, PROGRAM ": %s: no connect events in it\n", name);
	if (options->verbose && facts.has_records)
		fprintf(stderr, PROGRAM ": %s: %" PRIu64 " events in %" PRIu64 " batches, %s\n",
			name, facts.events, facts.batches,
			facts.closed ? "closed in order"
				     : "no summary at its end: still being written, cut off, or "
				       "rewritten by another program");
}

/* The usual columns tell several hosts apart. */
static struct columns *choose_columns(
	struct merge *merge, const struct read_options *options, struct error *error)
{
	struct columns_choice choice = options->columns;

	choice.host = !choice.style && !choice.names && merge_has_several_hosts(merge);
	return columns_new(&choice, error);
}

/* Prints what matches. Returns 0, or -1: see error. */
static int print_matches(
	struct merge *merge, const struct read_options *options, struct error *error)
{
	struct columns *columns = choose_columns(merge, options, error);
	struct columns_row row;
	uint64_t matches = 0;

	if (!columns)
		return -1;
	columns_header(columns, stdout);
	while ((!options->limit || matches < options->limit) && merge_next(merge, &row)) {
		if (!filter_matches(&options->filter, row.event))
			continue;
		columns_print(columns, &row, stdout);
		matches++;
	}
	columns_free(columns);
	if (fflush(stdout) || ferror(stdout))
		return error_set(error, "cannot write to standard output: %s", strerror(errno));
	/* What is said of a file is said of all of it. */
	while (options->verbose && merge_next(merge, &row))
		continue;
	return 0;
}

static int run(const struct read_options *options)
{
	struct merge *merge = merge_new(say, NULL);
	int status = EXIT_COMPLETE;
	size_t opened = 0;
	struct error error;

	if (!merge) {
		error_set(&error, "out of memory");
		say(NULL, &error);
		return EXIT_CANNOT;
	}
	for (size_t i = 0; i < options->file_count; i++) {
		if (merge_add(merge, options->files[i], &error)) {
			say(NULL, &error);
			status = EXIT_INCOMPLETE;
		} else {
			opened++;
		}
	}
	if (opened && print_matches(merge, options, &error)) {
		say(NULL, &error);
		status = EXIT_CANNOT;
	} else if (opened == merge_unreadable(merge)) {
		status = EXIT_CANNOT;
	} else if (merge_incomplete(merge)) {
		status = EXIT_INCOMPLETE;
	}
	merge_visit(merge, say_facts, (void *)options);
	merge_free(merge);
	return status;
}

int main(int argc, char **argv)
{
	struct read_options options = {0};
	int status = EXIT_USAGE;
	struct error error;

	signal(SIGPIPE, SIG_DFL); /* ends quietly, also when it was inherited as ignored */
	if (read_options_parse(&options, argc, argv, &error)) {
		say(NULL, &error);
	} else if (options.help) {
		read_options_help(stdout);
		status = EXIT_COMPLETE;
	} else if (options.version) {
		puts(PROGRAM " " VERSION);
		status = EXIT_COMPLETE;
	} else {
		status = run(&options);
	}
	read_options_release(&options);
	return status;
}
