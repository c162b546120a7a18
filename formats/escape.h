/* SPDX-License-Identifier: BSD-2-Clause */
/* Hostile text made safe for where it goes: one function for each place. */
#ifndef ESCAPE_H
#define ESCAPE_H

#include "bytes.h"

/* An escaped byte takes at most four characters. */
#define ESCAPED_MAX(length) ((length)*4)

/*
 * For a column on a terminal: printable ASCII and valid UTF-8 of printable
 * characters stay, every other byte becomes \xNN, a backslash \\, and a space
 * \x20 where it would split or hide the column (first, last). Writes at most
 * ESCAPED_MAX(text.length) bytes, no NUL. Returns the number of bytes.
 */
size_t escape_column(struct bytes text, char *out);

/* By escape_json(). */
#define ESCAPED_JSON_MAX(length) ((length)*6)

/*
 * For the inside of a JSON string: a byte that is not UTF-8 becomes U+FFFD;
 * controls and invisible characters become \uNNNN, which means the same. Writes at
 * most ESCAPED_JSON_MAX(text.length) bytes, no NUL. Returns the number of bytes.
 */
size_t escape_json(struct bytes text, char *out);
/* The same for a word in a line that is split at spaces: every space becomes \x20. */
size_t escape_word(struct bytes text, char *out);

#endif
