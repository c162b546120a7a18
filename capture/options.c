/* SPDX-License-Identifier: BSD-2-Clause */
#include "options.h"
#include "../formats/number.h"
#include "backend.h"

#include <stddef.h>

#define RING_MIN 4096
#define RING_MAX (1ull << 30)
#define RING_DEFAULT (8ull << 20)
#define FLUSH_DEFAULT_MS 1000
#define FLUSH_MAX_MS 3600000
#define DURATION_MAX (10ull * 365 * 24 * 3600)

/* The kernel wants a power of two: rounded up. */
static int set_ring(void *target, const char *value, struct error *error)
{
	uint64_t *bytes = target, asked;

	if (size_parse(value, "a buffer size", 1, RING_MAX, &asked, error))
		return -1;
	for (*bytes = RING_MIN; *bytes < asked;)
		*bytes *= 2;
	return 0;
}

static int set_flush(void *target, const char *value, struct error *error)
{
	return number_parse(value, "a time in milliseconds", 1, FLUSH_MAX_MS, target, error);
}

static int set_duration(void *target, const char *value, struct error *error)
{
	return number_parse(value, "a time in seconds", 1, DURATION_MAX, target, error);
}

static int set_backend(void *target, const char *value, struct error *error)
{
	if (strcmp(value, "auto") && !backend_find(value))
		return error_set(
			error, "'%s' is not a backend: auto, fentry, kprobe or cgroup", value);
	*(const char **)target = strcmp(value, "auto") ? value : NULL;
	return 0;
}

#define AT(member) offsetof(struct rec_options, member)

static const struct option_row table[] = {
	{'w', "write", "FILE", "record to FILE, - for standard output", option_text, AT(write)},
	{0, "overwrite", NULL, "an existing FILE is replaced", option_flag, AT(overwrite)},
	{0, "print", NULL, "with -w: print the columns too", option_flag, AT(print)},
	{0, "no-packets", NULL, "with -w: no synthetic packets for Wireshark", option_flag,
		AT(no_packets)},
	{0, "live", NULL, "with -w: for a Wireshark that reads along", option_flag, AT(live)},
	FILTER_OPTIONS(AT(filter)),
	{'x', "failed", NULL, "only attempts that fail; adds the column RESULT", option_failed,
		AT(filter)},
	COLUMN_OPTIONS(AT(columns)),
	{0, "style", "STYLE", "columns as of that peer: bcc, bcc2019 or libbpf", option_text,
		AT(columns) + offsetof(struct columns_choice, style)},
	{0, "no-args", NULL, "do not store command lines", option_flag, AT(no_args)},
	{0, "unbuffered", NULL, "write each event at once", option_flag, AT(unbuffered)},
	{0, "flush-interval", "MS", "write after so many milliseconds (1000)", set_flush,
		AT(flush_ms)},
	{'B', "buffer", "SIZE", "kernel ring buffer (8M)", set_ring, AT(ring_bytes)},
	{0, "backend", "NAME", "auto, fentry, kprobe or cgroup", set_backend, AT(backend)},
	{0, "list-backends", NULL, "which can run here, and why not", option_flag,
		AT(list_backends)},
	{0, "duration", "SECONDS", "stop after this time", set_duration, AT(duration)},
	{'n', "events", "N", "stop after N events", option_count, AT(events)},
	{'q', "quiet", NULL, "only errors on stderr", option_flag, AT(quiet)},
	{'v', "verbose", NULL, "say what is done, and what libbpf says", option_flag, AT(verbose)},
	{'h', "help", NULL, "this text", option_flag, AT(help)},
	{'V', "version", NULL, "the version", option_flag, AT(version)},
	{0},
};

int rec_options_parse(struct rec_options *options, int argc, char **argv, struct error *error)
{
	options->ring_bytes = RING_DEFAULT;
	options->flush_ms = FLUSH_DEFAULT_MS;
	if (options_parse(table, argc, argv, options, error))
		return -1;
	options->columns.result = options->filter.failed;
	if (columns_check(&options->columns, error))
		return -1;
	if (options->print && !options->write)
		return error_set(error, "--print goes with -w: without it the columns are printed");
	if (options->print && !strcmp(options->write, "-"))
		return error_set(error, "--print and -w - both want standard output");
	return 0;
}

void rec_options_release(struct rec_options *options)
{
	filter_release(&options->filter);
}

void rec_options_help(FILE *out)
{
	options_help(table, "tcpconnect-rec [-w FILE] [options]", out);
}
