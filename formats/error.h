/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The one error convention: a function that can fail returns -1 and puts one
 * line into the caller's struct error. Only main() prints it.
 */
#ifndef ERROR_H
#define ERROR_H

struct error {
	char text[512];
};

/* Formats the message (cut if too long) and returns -1, so that a caller can return it. */
int error_set(struct error *error, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Puts "prefix: " before the message that is there. Returns -1. */
int error_prefix(struct error *error, const char *prefix);

#endif
