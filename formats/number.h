/* SPDX-License-Identifier: BSD-2-Clause */
/* Numbers given by a user: parsed whole, range-checked, errors that quote what was given. */
#ifndef NUMBER_H
#define NUMBER_H

#include <stdint.h>

#include "error.h"

/* Decimal digits and nothing else. what: what it is, for the message. Returns 0 or -1. */
int number_parse(const char *text, const char *what, uint64_t low, uint64_t high, uint64_t *number,
	struct error *error);

/* A number with an optional K, M or G (powers of 1,024) behind it. Returns 0 or -1. */
int size_parse(const char *text, const char *what, uint64_t low, uint64_t high, uint64_t *size,
	struct error *error);

#endif
