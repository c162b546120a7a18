/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The life of a recording: attach, then sleep, drain, print and write until
 * told to stop, then detach, drain and close.
 */
#ifndef RECORDER_H
#define RECORDER_H

#include "options.h"

struct recorder;

/*
 * Opens the output and the first backend that can run. NULL: see error; it may
 * be followed by more lines that were printed to stderr, one for each backend.
 */
struct recorder *recorder_new(const struct rec_options *options, struct error *error);

/* Runs until a signal, --duration or -n. -1: it had to stop, and why; what it had is written. */
int recorder_run(struct recorder *recorder, struct error *error);

/* As of the end of recorder_run(): seen = recorded + filtered + lost. */
struct counters recorder_counters(const struct recorder *recorder);

void recorder_free(struct recorder *recorder);

#endif
