/* SPDX-License-Identifier: BSD-2-Clause */
/* A file of the recording from its creation until it has its final name. */
#ifndef LIVE_FILE_H
#define LIVE_FILE_H

#include "names.h"

struct live_file {
	int fd;                /* locked as long as it is open, if it is a regular file */
	bool regular;          /* otherwise a pipe or a device: no second try, no cutting back */
	bool owned;            /* fd is ours to close */
	bool torn;             /* a part of some may stand behind them */
	uint64_t size;         /* of whole blocks */
	uint64_t number;       /* of a numbered name */
	char name[NAME_SIZE];  /* in the directory, as it is now */
	char final[NAME_SIZE]; /* as it will be; "": it has that name already */
};

/* Creates the numbered file, with .part behind its name; takes a higher number if one is taken. */
int live_file_create(struct live_file *file, const struct names *names, uint64_t number,
	int64_t wall_ns, struct error *error);

/* Creates the file of the name that was given, unless it exists. overwrite: empties it then. */
int live_file_create_plain(
	struct live_file *file, const struct names *names, bool overwrite, struct error *error);

/* A .part that nobody writes any more, to be finished. Returns 1: somebody does. */
int live_file_adopt(struct live_file *file, const struct names *names,
	const struct named_file *part, struct error *error);

/*
 * Whole blocks at the end, or again at offset, where they stood. Returns 0, or the
 * errno: of what did not get in as a whole nothing stays, in a regular file.
 */
int live_file_append(struct live_file *file, const uint8_t *blocks, size_t length);
int live_file_repeat(struct live_file *file, uint64_t offset, const uint8_t *blocks, size_t length);

void live_file_close(struct live_file *file);

#endif
