/* SPDX-License-Identifier: BSD-2-Clause */
/* tcpconnect-rec: records the outgoing TCP connection attempts of this host. */
#include "attach.h"
#include "extcap.h"
#include "recorder.h"

#include <inttypes.h>

#define PROGRAM "tcpconnect-rec"

enum { EXIT_DONE = 0, EXIT_CANNOT = 1, EXIT_USAGE = 2, EXIT_LOST = 3 };

static int complain(const struct error *error, int status)
{
	fprintf(stderr, PROGRAM ": %s\n", error->text);
	return status;
}

static int record(const struct rec_options *options, enum extcap extcap)
{
	struct recorder *recorder;
	struct counters c;
	struct error error;
	int status = EXIT_DONE;

	recorder = recorder_new(options, &error);
	if (!recorder)
		return complain(&error, EXIT_CANNOT);
	if (recorder_run(recorder, &error) && (extcap != EXTCAP_RECORD || !extcap_stopped()))
		status = complain(&error, EXIT_CANNOT);
	c = recorder_counters(recorder);
	if (!options->quiet)
		fprintf(stderr,
			PROGRAM ": %" PRIu64 " events recorded, %" PRIu64
				" filtered in the kernel, %" PRIu64 " lost\n",
			c.recorded, c.filtered, c.lost);
	recorder_free(recorder);
	if (status == EXIT_DONE && (c.lost || c.partial))
		status = EXIT_LOST;
	return status;
}

static int print_name(void *context, const struct named_file *file)
{
	const struct names *names = context;

	printf("%s%s\n", names->path, file->name);
	return 0;
}

static int list_expired(const struct rec_options *options)
{
	struct names names;
	struct error error;
	int status = names_open(&names, options->write, &error);

	if (!status && retention_apply(&options->retention, &names, UINT64_MAX, print_name, &names,
			       &error) < 0)
		status = -1;
	names_close(&names);
	return status ? complain(&error, EXIT_CANNOT) : EXIT_DONE;
}

int main(int argc, char **argv)
{
	struct rec_options options = {0};
	struct error error;
	int status = EXIT_DONE;
	enum extcap extcap = extcap_arguments(&argc, argv, &error);

	if (extcap == EXTCAP_DONE)
		return EXIT_DONE;
	if (extcap == EXTCAP_FAILED)
		return complain(&error, EXIT_USAGE);
	if (rec_options_parse(&options, argc, argv, &error))
		status = complain(&error, EXIT_USAGE);
	else if (options.help)
		rec_options_help(stdout);
	else if (options.version)
		puts(PROGRAM " " VERSION);
	else if (options.list_backends)
		status = attach_list(stdout) ? EXIT_DONE : EXIT_CANNOT;
	else if (options.list_expired)
		status = list_expired(&options);
	else
		status = record(&options, extcap);
	rec_options_release(&options);
	return status;
}
