/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Wireshark's way to capture with other programs (extcap): it calls
 * tcpconnect-rec with options of its own to ask what there is, and then to record.
 */
#ifndef EXTCAP_H
#define EXTCAP_H

#include <stdbool.h>

#include "../formats/error.h"

enum extcap {
	EXTCAP_NO,     /* it is not Wireshark that calls */
	EXTCAP_DONE,   /* a question, answered on standard output */
	EXTCAP_RECORD, /* go on: standard output is what Wireshark reads, the arguments are ours */
	EXTCAP_FAILED, /* see error */
};

/* Takes Wireshark's options out of argv and puts those of a recording in. */
enum extcap extcap_arguments(int *argc, char **argv, struct error *error);

/* After a recording failed: Wireshark stopped reading, which is how it ends a capture. */
bool extcap_stopped(void);

#endif
