/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * -f: waits, without asking again and again, until the files of a merge grew or
 * new ones came: all of a directory that was named; beside a file that was named,
 * those of its sessions.
 */
#ifndef FOLLOW_H
#define FOLLOW_H

#include "merge.h"
#include "names.h"

struct follow;

/* The merge must outlive it. NULL: see error. */
struct follow *follow_new(struct merge *merge, struct error *error);
void follow_free(struct follow *follow);

/* Watches what the name stands for: a file or a directory, and those below. Returns 0 or -1. */
int follow_watch(struct follow *follow, const char *name, struct error *error);

/*
 * Waits for news, or some seconds when rows wait for their results. Returns 1; 0: a
 * signal came; -1: see error.
 */
int follow_wait(struct follow *follow, struct error *error);

#endif
