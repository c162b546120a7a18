/* SPDX-License-Identifier: BSD-2-Clause */
#include "error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int error_set(struct error *error, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(error->text, sizeof error->text, format, arguments);
	va_end(arguments);
	return -1;
}

int error_prefix(struct error *error, const char *prefix)
{
	char old[sizeof error->text];

	memcpy(old, error->text, sizeof old);
	return error_set(error, "%s: %s", prefix, old);
}
