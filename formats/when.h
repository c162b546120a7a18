/* SPDX-License-Identifier: BSD-2-Clause */
/* Points in time and lengths of time as users give them. */
#ifndef WHEN_H
#define WHEN_H

#include <stdint.h>

#include "error.h"

/*
 * Nanoseconds since 1970 of: RFC 3339 (2026-11-23T10:45:00.5Z, also with an
 * offset); a date, a time or both, down to the minute or finer, in the zone of
 * this machine (2026-11-23, 2026-11-23 10:45, 10:45: today); so long before now
 * (-15m). now_ns: wall clock. Returns 0 or -1.
 */
int when_parse(const char *text, int64_t now_ns, int64_t *time_ns, struct error *error);

/* A number with ms, s, m, h or d behind it, as nanoseconds, more than 0. Returns 0 or -1. */
int length_parse(const char *text, int64_t *length_ns, struct error *error);

#endif
