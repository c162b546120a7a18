/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What becomes of a numbered file when nothing is written to it any more, or
 * when a crash left it: the many small batches are written again as few full
 * ones, with the late results joined into their events, and the summary at the
 * end. At any moment exactly one name in the directory holds the whole file:
 *
 *   X.part    as it was recorded
 *   X.new     the new one, under way; worth nothing
 *   X.part    the new one, complete and on the disk (replaced by rename)
 *   X         its final name (renamed unless that exists)
 */
#ifndef FINISH_H
#define FINISH_H

#include "live_file.h"

struct finish_options {
	bool compress; /* the batches, by zstd */
	bool gzip;     /* and the whole file, see gzip.h */
};

enum finished {
	FINISH_CANNOT = -1, /* it stays a .part; see error */
	FINISH_DONE = 0,
	FINISH_AS_IT_WAS = 1, /* not written again, for the reason in error; cut to whole blocks */
	FINISH_EMPTY = 2      /* there was no batch in it; deleted */
};

/* The caller closes the file. stop is asked now and then: true makes it return FINISH_CANNOT. */
enum finished finish_file(const struct names *names, struct live_file *file,
	const struct finish_options *options, bool (*stop)(void *context), void *context,
	struct error *error);

#endif
