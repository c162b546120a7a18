/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * -w: what matches, as a trace of its own. Each session becomes a new one: the
 * numbers of events have no holes for what did not match. Processes that made no
 * event that matches are not in it.
 */
#ifndef EXTRACT_H
#define EXTRACT_H

#include "merge.h"

struct extract;

/* redact: the columns to leave out, with commas between; may be NULL. Returns 0, or -1. */
int extract_check(const char *redact, struct error *error);

/*
 * Creates the file, which must not exist; - is standard output. packets: with a
 * synthetic one for each event. NULL: see error.
 */
struct extract *extract_new(
	const char *name, const char *redact, bool packets, struct error *error);
void extract_free(struct extract *extract);

/* Both return 0, or -1: see error. */
int extract_add(struct extract *extract, const struct columns_row *row,
	const struct session *session, struct error *error);
int extract_finish(struct extract *extract, struct error *error);

#endif
