/* SPDX-License-Identifier: BSD-2-Clause */
/* The command line of tcpconnect-read. */
#ifndef REPLAY_OPTIONS_H
#define REPLAY_OPTIONS_H

#include "../formats/options.h"
#include "answer.h"

struct read_options {
	const char **files; /* borrowed from argv; the array is owned */
	size_t file_count;
	struct filter filter;
	struct columns_choice columns;
	struct answer_choice answer;
	const struct answer_kind *answer_kind; /* NULL: print the events */
	const char *write, *redact;
	bool packets, no_packets;
	uint64_t limit;      /* stop after so many matches; 0: never */
	uint64_t pace_milli; /* thousandths of the recorded speed; 0: as fast as it goes */
	uint64_t threads;    /* 0: as many as there are processors */
	bool follow, json, csv, quiet, verbose, help, version;
};

/* Returns 0, or -1: wrong usage. read_options_release() is due in both cases. */
int read_options_parse(struct read_options *options, int argc, char **argv, struct error *error);
void read_options_release(struct read_options *options);
void read_options_help(FILE *out);

#endif
