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
#define ROTATE_MIN 4096
#define SIZE_MAX_ALLOWED (1ull << 60)
#define SECONDS_MAX (366ull * 24 * 3600)
#define DAYS_MAX 36500
#define QUEUE_MIN (64ull << 10)
#define QUEUE_DEFAULT (64ull << 20)

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

static int set_rotate_bytes(void *target, const char *value, struct error *error)
{
	return size_parse(value, "a file size", ROTATE_MIN, SIZE_MAX_ALLOWED, target, error);
}

static int set_bytes(void *target, const char *value, struct error *error)
{
	return size_parse(value, "a size", 1, SIZE_MAX_ALLOWED, target, error);
}

static int set_queue(void *target, const char *value, struct error *error)
{
	return size_parse(value, "a queue size", QUEUE_MIN, SIZE_MAX_ALLOWED, target, error);
}

static int set_seconds(void *target, const char *value, struct error *error)
{
	return number_parse(value, "a time in seconds", 1, SECONDS_MAX, target, error);
}

static int set_days(void *target, const char *value, struct error *error)
{
	return number_parse(value, "a number of days", 1, DAYS_MAX, target, error);
}

static int set_compress(void *target, const char *value, struct error *error)
{
	if (strcmp(value, "zstd") && strcmp(value, "gzip") && strcmp(value, "none"))
		return error_set(error, "'%s' is not a compression: zstd, gzip or none", value);
	*(const char **)target = value;
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
	{'C', "size", "SIZE", "next file when one has grown to SIZE", set_rotate_bytes,
		AT(rotate_bytes)},
	{'G', "seconds", "N", "next file at full multiples of N seconds", set_seconds,
		AT(rotate_seconds)},
	{'W', "files", "N", "keep the newest N complete files", option_count, AT(retention.files)},
	{0, "keep", "SIZE", "keep at most SIZE of files", set_bytes, AT(retention.bytes)},
	{0, "keep-days", "N", "keep files for N days", set_days, AT(retention.days)},
	{0, "min-free", "SIZE", "delete old files when less is free", set_bytes,
		AT(retention.min_free)},
	{0, "list-expired", NULL, "which files would be deleted now", option_flag,
		AT(list_expired)},
	{0, "exec", "COMMAND", "run COMMAND FILE for each finished file", option_text, AT(command)},
	{0, "print-finished", NULL, "print the name of each finished file", option_flag,
		AT(print_finished)},
	{0, "compress", "zstd|gzip|none", "of batches, of finished files", set_compress,
		AT(compress)},
	{0, "queue", "SIZE", "what may wait for the disk (64M)", set_queue, AT(queue_bytes)},
	{'Z', "user", "USER", "run as USER once attached", option_text, AT(user)},
	FILTER_OPTIONS(AT(filter)),
	{'x', "failed", NULL, "only attempts that fail; adds the column RESULT", option_failed,
		AT(filter)},
	PROCESS_FILTER_OPTIONS(AT(filter)),
	{0, "cgroupmap", "PATH", "only cgroups whose ids are in this pinned map", option_text,
		AT(maps.cgroups)},
	{0, "mntnsmap", "PATH", "only mount namespaces that are in this pinned map", option_text,
		AT(maps.mount_namespaces)},
	EXPRESSION_OPTION(AT(filter)),
	{'c', "count", NULL, "count connects per source, destination and port", option_flag,
		AT(count)},
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

/* What only makes sense for a file. */
static int check_files(const struct rec_options *o, struct error *error)
{
	bool limited = retention_is_set(&o->retention);
	bool numbered = o->rotate_bytes || o->rotate_seconds || limited;
	bool file = o->write && strcmp(o->write, "-");

	if (numbered && !file)
		return error_set(error, "-C, -G, -W, --keep, --keep-days and --min-free go with -w "
					"FILE");
	if (numbered && o->overwrite)
		return error_set(error, "--overwrite does not go with numbered files: none is ever "
					"replaced");
	if (o->list_expired && !limited)
		return error_set(error, "--list-expired goes with -W, --keep, --keep-days or "
					"--min-free");
	if ((o->command || o->print_finished || o->compress) && !o->write)
		return error_set(error, "--exec, --print-finished and --compress go with -w");
	if (o->compress && !strcmp(o->compress, "gzip") && !numbered)
		return error_set(error,
			"--compress gzip is of finished files: it goes with -C, -G, -W, "
			"--keep, --keep-days or --min-free");
	if ((o->command || o->print_finished) && !file)
		return error_set(error, "--exec and --print-finished need a name: not -w -");
	return 0;
}

/* columns: of -o, all of them known; or NULL. */
static bool shows_names(const char *columns)
{
	static const char query[] = "query";

	for (const char *name = columns; name; name = strchr(name, ',')) {
		name += *name == ',';
		if (!strncmp(name, query, sizeof query - 1)) /* and query_age */
			return true;
	}
	return false;
}

int rec_options_parse(struct rec_options *options, int argc, char **argv, struct error *error)
{
	options->ring_bytes = RING_DEFAULT;
	options->flush_ms = FLUSH_DEFAULT_MS;
	options->queue_bytes = QUEUE_DEFAULT;
	if (options_parse(table, argc, argv, options, error))
		return -1;
	options->columns.result = options->filter.failed;
	if (columns_check(&options->columns, error))
		return -1;
	options->names = options->columns.query || shows_names(options->columns.names);
	if (options->print && !options->write)
		return error_set(error, "--print goes with -w: without it the columns are printed");
	if (options->print && !strcmp(options->write, "-"))
		return error_set(error, "--print and -w - both want standard output");
	if (options->count && (options->print || (options->write && !strcmp(options->write, "-"))))
		return error_set(error, "-c, --print and -w - all want standard output");
	if (options->count && options->columns.query)
		return error_set(error, "-d and -c exclude each other");
	return check_files(options, error);
}

void rec_options_release(struct rec_options *options)
{
	filter_release(&options->filter);
}

void rec_options_help(FILE *out)
{
	options_help(table, "tcpconnect-rec [-w FILE] [options] [EXPRESSION]", out);
}
