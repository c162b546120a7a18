/* SPDX-License-Identifier: BSD-2-Clause */
/* The words for how an attempt ended. */
#ifndef RESULT_H
#define RESULT_H

#include "event.h"

#define RESULT_TEXT_SIZE 24

/*
 * "ok", "abandoned", "pending", the errno's name (ECONNREFUSED) or "errnoN" for
 * one without a name here, or "failed": the reason is unknown. Returns out.
 */
char *result_text(const struct result *result, char out[static RESULT_TEXT_SIZE]);

/*
 * What the kernel's connect function returned: "0", "EINPROGRESS" (0, on a
 * socket that does not wait), the errno's name, or "" when it is unknown.
 */
char *returned_text(const struct event *event, char out[static RESULT_TEXT_SIZE]);

/* The number of an errno by its name, whatever this machine's numbers are; 0: not known. */
uint16_t errno_by_name(const char *name);

/* It is known to have ended other than established. */
bool result_is_failure(const struct result *result);

#endif
