/* SPDX-License-Identifier: BSD-2-Clause */
#include "options.h"
#include "../formats/number.h"
#include "extract.h"
#include "pool.h"

#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

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

/* target: struct filter */
static int set_expression(void *target, const char *value, struct error *error)
{
	if (!access(value, F_OK))
		return error_set(error, "'%s' is a file: give it with -r", value);
	return filter_set_expression(target, value, error);
}

/* target: uint64_t */
static int set_pace(void *target, const char *value, struct error *error)
{
	uint64_t *pace = target;
	char *end;
	double x = *value >= '0' && *value <= '9' ? strtod(value, &end) : 0;

	if (!(x >= 0.001 && x <= 1e6) || *end)
		return error_set(
			error, "'%s' is not a speed: a number from 0.001 to 1000000", value);
	*pace = (uint64_t)(x * 1000);
	return 0;
}

/* target: uint64_t */
static int set_threads(void *target, const char *value, struct error *error)
{
	return number_parse(value, "a number of threads", 1, THREADS_MAX, target, error);
}

#define AT(member) offsetof(struct read_options, member)

static const struct option_row table[] = {
	{'r', "read", "FILE", "a trace, a directory of them, or -; repeat it for more", add_file,
		0},
	FILTER_OPTIONS(AT(filter)),
	PROCESS_FILTER_OPTIONS(AT(filter)),
	TRACE_FILTER_OPTIONS(AT(filter)),
	{0, "", "EXPRESSION", "only what matches this pcap-filter(7)", set_expression, AT(filter)},
	COLUMN_OPTIONS(AT(columns)),
	{'T', "clock", NULL, "column CLOCK: date and time, RFC 3339", option_flag,
		AT(columns) + offsetof(struct columns_choice, clock)},
	{0, "style", "STYLE", "columns as of that peer: bcc, bcc2019 or libbpf", option_text,
		AT(columns) + offsetof(struct columns_choice, style)},
	{'j', "json", NULL, "a JSON object on each line", option_flag, AT(json)},
	{0, "csv", NULL, "CSV with a header", option_flag, AT(csv)},
	{'c', "count", NULL, "count connects per source, destination and port", option_flag,
		AT(answer) + offsetof(struct answer_choice, count)},
	{0, "top", "COL[,COL..]", "attempts, failures, latencies by these columns", option_text,
		AT(answer) + offsetof(struct answer_choice, top)},
	{0, "sort", "WHAT", "of --top: attempts, failures, p95, first .. or a column", option_text,
		AT(answer) + offsetof(struct answer_choice, sort)},
	{0, "summary", NULL, "what the traces hold, and what they lack", option_flag,
		AT(answer) + offsetof(struct answer_choice, summary)},
	{0, "new-since", "TIME", "programs and destinations that were not seen before", option_text,
		AT(answer) + offsetof(struct answer_choice, fresh)},
	{0, "timeline", "STEP", "attempts and failures in each 10s, 5m, 1h ..", option_text,
		AT(answer) + offsetof(struct answer_choice, timeline)},
	{'f', "follow", NULL, "go on with what is being recorded", option_flag, AT(follow)},
	{0, "pace", "X", "at X times the speed of the recording", set_pace, AT(pace_milli)},
	{'w', "write", "FILE", "write what matches as a trace", option_text, AT(write)},
	{0, "redact", "COL[,COL..]", "of -w: leave these out, such as args", option_text,
		AT(redact)},
	{0, "packets", NULL, "of -w: with packets for Wireshark (default)", option_flag,
		AT(packets)},
	{0, "no-packets", NULL, "of -w: without them", option_flag, AT(no_packets)},
	{'n', "limit", "N", "stop after N matches; of --top: N rows", option_count, AT(limit)},
	{0, "threads", "N", "use so many threads; default: one for each processor", set_threads,
		AT(threads)},
	{'q', "quiet", NULL, "only errors on stderr", option_flag, AT(quiet)},
	{'v', "verbose", NULL, "detail under each row; say what is in each file", option_flag,
		AT(verbose)},
	{'h', "help", NULL, "this text", option_flag, AT(help)},
	{'V', "version", NULL, "the version", option_flag, AT(version)},
	{0},
};

/* A pipe is followed anyway. */
static bool has_files(const struct read_options *o)
{
	for (size_t i = 0; i < o->file_count; i++)
		if (strcmp(o->files[i], "-"))
			return true;
	return false;
}

/* What goes together and what does not. */
static int check(struct read_options *o, struct error *error)
{
	if (!o->file_count)
		return error_set(error, "no trace to read: give one with -r FILE");
	if (o->json && o->csv)
		return error_set(error, "--json and --csv exclude each other");
	o->columns.format = o->json ? FORMAT_JSON : o->csv ? FORMAT_CSV : FORMAT_COLUMNS;
	o->columns.result = o->filter.failed;
	o->columns.detail = o->verbose;
	o->answer.format = o->columns.format;
	o->answer.style = o->columns.style;
	o->answer.limit = o->limit;
	if (answer_choose(&o->answer, &o->answer_kind, error))
		return -1;
	if (o->answer_kind) {
		struct answer *answer = o->answer_kind->create(&o->answer, error);

		if (!answer)
			return -1;
		o->answer_kind->destroy(answer);
	}
	if (o->columns.query && o->answer.count)
		return error_set(error, "-d and -c exclude each other");
	if (o->answer_kind && o->follow)
		return error_set(error, "--follow has no end at which an answer could be given");
	if (o->answer_kind && o->write)
		return error_set(error, "--write prints nothing: leave out the other answer");
	if (o->write && (o->json || o->csv || o->pace_milli))
		return error_set(
			error, "--write makes a trace: leave out --json, --csv and --pace");
	o->follow = o->follow && has_files(o);
	if ((o->packets || o->no_packets) && !o->write)
		return error_set(error, "--%spackets goes with --write", o->packets ? "" : "no-");
	if (o->packets && o->no_packets)
		return error_set(error, "--packets and --no-packets exclude each other");
	if (o->redact && !o->write)
		return error_set(error, "--redact goes with --write");
	if (o->write && extract_check(o->redact, error))
		return -1;
	return columns_check(&o->columns, error);
}

int read_options_parse(struct read_options *options, int argc, char **argv, struct error *error)
{
	if (options_parse(table, argc, argv, options, error))
		return -1;
	return options->help || options->version ? 0 : check(options, error);
}

void read_options_release(struct read_options *options)
{
	filter_release(&options->filter);
	free(options->files);
}

void read_options_help(FILE *out)
{
	options_help(table, "tcpconnect-read -r FILE [-r FILE ..] [options] [EXPRESSION]", out);
}
