/* SPDX-License-Identifier: BSD-2-Clause */
#include "number.h"

#include <stdbool.h>
#include <string.h>

/* Reads digits; returns what follows them, or NULL: none, or too large. */
static const char *digits(const char *text, uint64_t *number)
{
	const char *p = text;
	uint64_t value = 0;

	for (; *p >= '0' && *p <= '9'; p++) {
		if (value > (UINT64_MAX - 9) / 10)
			return NULL;
		value = value * 10 + (uint64_t)(*p - '0');
	}
	*number = value;
	return p == text ? NULL : p;
}

int number_parse(const char *text, const char *what, uint64_t low, uint64_t high, uint64_t *number,
	struct error *error)
{
	const char *end = digits(text, number);

	if (!end || *end || *number < low || *number > high)
		return error_set(error, "'%s' is not %s: a number from %llu to %llu", text, what,
			(unsigned long long)low, (unsigned long long)high);
	return 0;
}

int size_parse(const char *text, const char *what, uint64_t low, uint64_t high, uint64_t *size,
	struct error *error)
{
	static const char units[] = "KMG";
	const char *end = digits(text, size), *unit;
	bool valid = end;

	if (end && *end) {
		unit = strchr(units, *end);
		valid = unit && !end[1] && *size <= high >> (10 * (unit - units + 1));
		if (valid)
			*size <<= 10 * (unit - units + 1);
	}
	if (!valid || *size < low || *size > high)
		return error_set(error,
			"'%s' is not %s: a number of bytes from %llu to %llu, with K, M or G", text,
			what, (unsigned long long)low, (unsigned long long)high);
	return 0;
}
