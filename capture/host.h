/* SPDX-License-Identifier: BSD-2-Clause */
/* What a trace says about the machine it was recorded on. */
#ifndef HOST_H
#define HOST_H

#include "../formats/trace_writer.h"

struct host {
	char name[256], boot_id[64], kernel[256], hardware[72], filters[4096];
	struct trace_info info; /* its bytes point into this struct: do not copy it */
};

/* Fills all of it but the filters: a new session, file 1, the clocks as of now. -1: no random
 * numbers. */
int host_describe(struct host *host, const char *backend, struct error *error);

#endif
