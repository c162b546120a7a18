/* SPDX-License-Identifier: BSD-2-Clause */
/* Numbers distinct byte strings in the order of their first appearance: 0, 1, 2 .. */
#ifndef INTERN_H
#define INTERN_H

#include <stdint.h>

#include "bytes.h"

struct intern;

/* Holds up to limit strings of together up to bytes_limit bytes. NULL: out of memory. */
struct intern *intern_new(uint32_t limit, size_t bytes_limit);
void intern_free(struct intern *intern);

/* Forgets all strings; keeps the memory. */
void intern_clear(struct intern *intern);

/* Returns the number of the string, new or known; UINT32_MAX if there is no room. */
uint32_t intern_add(struct intern *intern, struct bytes string);

uint32_t intern_count(const struct intern *intern);

/* Number of bytes of all strings together. */
size_t intern_bytes(const struct intern *intern);

/* The string of that number, below intern_count(). Valid until intern_clear(). */
struct bytes intern_get(const struct intern *intern, uint32_t number);

#endif
