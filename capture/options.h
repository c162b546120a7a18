/* SPDX-License-Identifier: BSD-2-Clause */
/* The command line of tcpconnect-rec. */
#ifndef CAPTURE_OPTIONS_H
#define CAPTURE_OPTIONS_H

#include "../formats/options.h"
#include "filters.h"
#include "retention.h"

struct rec_options {
	const char *write; /* NULL: print only */
	const char *backend;
	struct filter filter;
	struct filter_maps maps;
	struct columns_choice columns;
	uint64_t ring_bytes, flush_ms, duration, events;
	uint64_t rotate_bytes, rotate_seconds, queue_bytes;
	struct retention retention;
	const char *command, *user, *compress;
	bool overwrite, print, print_finished, list_expired, no_packets, no_args, live, unbuffered;
	bool names; /* are asked for: -d, or a column */
	bool count, list_backends, quiet, verbose, help, version;
};

/* Returns 0, or -1: wrong usage. rec_options_release() is due in both cases. */
int rec_options_parse(struct rec_options *options, int argc, char **argv, struct error *error);
void rec_options_release(struct rec_options *options);
void rec_options_help(FILE *out);

#endif
