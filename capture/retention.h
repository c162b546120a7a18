/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which files of a recording have to go. Decided from the directory alone, so
 * that it holds for what earlier runs left behind. Only names that the
 * recorder gives are ever touched, the oldest first.
 */
#ifndef RETENTION_H
#define RETENTION_H

#include "names.h"

/* 0: no limit. */
struct retention {
	uint64_t files;    /* that are complete */
	uint64_t bytes;    /* of all of them, the one being written included */
	uint64_t days;     /* since they were last written to */
	uint64_t min_free; /* bytes of the file system for unprivileged users */
};

bool retention_is_set(const struct retention *retention);

/*
 * Calls expire for each file that must go. A .part or .new file whose number is
 * protect_from or more is being written and stays. Returns how many went, or -1.
 * expire returns 0, or -1: that one cannot be deleted; the others are tried.
 */
int retention_apply(const struct retention *retention, const struct names *names,
	uint64_t protect_from, int (*expire)(void *context, const struct named_file *file),
	void *context, struct error *error);

/* For retention_apply(): deletes. context: struct names. */
int retention_delete(void *context, const struct named_file *file);

#endif
