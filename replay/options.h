/* SPDX-License-Identifier: BSD-2-Clause */
/* The command line of tcpconnect-read. */
#ifndef REPLAY_OPTIONS_H
#define REPLAY_OPTIONS_H

#include "../formats/options.h"

struct read_options {
	const char **files; /* borrowed from argv; the array is owned */
	size_t file_count;
	struct filter filter;
	struct columns_choice columns;
	uint64_t limit; /* stop after so many matches; 0: never */
	bool quiet, verbose, help, version;
};

/* Returns 0, or -1: wrong usage. read_options_release() is due in both cases. */
int read_options_parse(struct read_options *options, int argc, char **argv, struct error *error);
void read_options_release(struct read_options *options);
void read_options_help(FILE *out);

#endif
