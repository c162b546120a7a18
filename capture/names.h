/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where the files of a recording are, and what they are called: for
 * "-w /var/log/out.pcapng" the directory /var/log, and in it names such as
 * out_00001_20261123T104500Z.pcapng, with .part behind it while it is being
 * written and .new for what will replace that.
 */
#ifndef NAMES_H
#define NAMES_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "../formats/error.h"

#define NAME_SIZE (NAME_MAX + 1)

struct names {
	int dir;                /* the directory, open */
	char path[PATH_MAX];    /* of it, with a slash at its end; "" for the current one */
	char base[NAME_SIZE];   /* out.pcapng */
	char stem[NAME_SIZE];   /* out */
	char suffix[NAME_SIZE]; /* .pcapng, or "" */
};

/* Opens the directory of file. names_close() is due in any case. */
int names_open(struct names *names, const char *file, struct error *error);
void names_close(struct names *names);

/* When the directory is gone and another one has come in its place: goes there. */
void names_reopen(struct names *names);

/* The final name of a file that begins at wall_ns. -1: longer than the system allows. */
int names_format(const struct names *names, uint64_t number, int64_t wall_ns,
	char out[static NAME_SIZE], struct error *error);

enum name_kind {
	NAME_FINAL, /* also .gz, .zst, .xz, .bz2 behind it */
	NAME_PART,
	NAME_NEW,
};

struct named_file {
	char name[NAME_SIZE];
	enum name_kind kind;
	uint64_t number;
	uint64_t bytes; /* that it takes on the disk */
	struct timespec modified;
};

/* Is it one of ours? Sets kind and number, of the rest only the name. */
bool names_parse(const struct names *names, const char *name, struct named_file *out);

/* All of ours that are regular files, by number. *files is to be freed. Returns how many, or -1. */
int names_list(const struct names *names, struct named_file **files, struct error *error);

#endif
