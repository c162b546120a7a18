/* SPDX-License-Identifier: BSD-2-Clause */
#include "when.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define NS INT64_C(1000000000)

static const struct {
	const char *name;
	int64_t ns;
} units[] = {
	{"ms", 1000000},
	{"s", NS},
	{"m", 60 * NS},
	{"h", 3600 * NS},
	{"d", 86400 * NS},
};

/* Reads exactly count digits. Returns what follows, or NULL. */
static const char *digits(const char *p, int count, int low, int high, int *number)
{
	*number = 0;
	for (int i = 0; i < count; i++) {
		if (p[i] < '0' || p[i] > '9')
			return NULL;
		*number = *number * 10 + p[i] - '0';
	}
	return *number < low || *number > high ? NULL : p + count;
}

/* YYYY-MM-DD */
static const char *parse_date(const char *p, struct tm *tm)
{
	p = digits(p, 4, 1678, 2261, &tm->tm_year); /* what 64 bits of nanoseconds hold */
	if (!p || *p != '-' || !(p = digits(p + 1, 2, 1, 12, &tm->tm_mon)) || *p != '-' ||
		!(p = digits(p + 1, 2, 1, 31, &tm->tm_mday)))
		return NULL;
	tm->tm_year -= 1900;
	tm->tm_mon--;
	return p;
}

/* HH:MM[:SS[.fraction]] */
static const char *parse_time(const char *p, struct tm *tm, int64_t *ns)
{
	p = digits(p, 2, 0, 23, &tm->tm_hour);
	if (!p || *p != ':' || !(p = digits(p + 1, 2, 0, 59, &tm->tm_min)))
		return NULL;
	if (*p != ':')
		return p;
	p = digits(p + 1, 2, 0, 60, &tm->tm_sec);
	if (!p || *p != '.')
		return p;
	if (*++p < '0' || *p > '9')
		return NULL;
	for (int64_t place = NS / 10; *p >= '0' && *p <= '9'; p++, place /= 10)
		*ns += (*p - '0') * place;
	return p;
}

/* Z or +HH:MM. offset_s: seconds east of UTC. */
static const char *parse_zone(const char *p, long *offset_s)
{
	int sign = *p == '-' ? -1 : 1, hours, minutes;

	*offset_s = 0;
	if (*p == 'Z' || *p == 'z')
		return p + 1;
	if (*p != '+' && *p != '-')
		return NULL;
	p = digits(p + 1, 2, 0, 23, &hours);
	if (!p || *p != ':' || !(p = digits(p + 1, 2, 0, 59, &minutes)))
		return NULL;
	*offset_s = sign * (hours * 3600L + minutes * 60L);
	return p;
}

static int parse_absolute(const char *text, int64_t now_ns, int64_t *time_ns)
{
	struct tm tm = {.tm_isdst = -1}, checked;
	time_t now = (time_t)(now_ns / NS), seconds;
	const char *p = parse_date(text, &tm);
	int64_t ns = 0;
	long offset_s = 0;
	bool zone = false;

	if (!p) {
		struct tm today;

		if (!localtime_r(&now, &today))
			return -1;
		tm.tm_year = today.tm_year;
		tm.tm_mon = today.tm_mon;
		tm.tm_mday = today.tm_mday;
		p = parse_time(text, &tm, &ns);
	} else if (*p == 'T' || *p == 't' || *p == ' ') {
		p = parse_time(p + 1, &tm, &ns);
	}
	if (p && *p) {
		p = parse_zone(p, &offset_s);
		zone = true;
	}
	if (!p || *p)
		return -1;
	checked = tm;
	seconds = zone ? timegm(&checked) : mktime(&checked);
	/* A day that the month does not have was moved into the next one. */
	if (checked.tm_mday != tm.tm_mday && tm.tm_sec < 60)
		return -1;
	*time_ns = ((int64_t)seconds - offset_s) * NS + ns;
	return 0;
}

int length_parse(const char *text, int64_t *length_ns, struct error *error)
{
	char *end;
	long long number = *text >= '0' && *text <= '9' ? strtoll(text, &end, 10) : 0;

	if (number > 0)
		for (size_t i = 0; i < sizeof units / sizeof *units; i++)
			if (!strcmp(end, units[i].name) && number <= INT64_MAX / units[i].ns) {
				*length_ns = number * units[i].ns;
				return 0;
			}
	return error_set(
		error, "'%s' is not a length of time: a number with ms, s, m, h or d", text);
}

int when_parse(const char *text, int64_t now_ns, int64_t *time_ns, struct error *error)
{
	struct error ignored;
	int64_t length_ns;

	if (*text == '-' && !length_parse(text + 1, &length_ns, &ignored)) {
		*time_ns = now_ns - length_ns;
		return 0;
	}
	if (!parse_absolute(text, now_ns, time_ns))
		return 0;
	return error_set(error,
		"'%s' is not a time: RFC 3339, 'YYYY-MM-DD HH:MM', HH:MM (today), or -15m (before "
		"now)",
		text);
}
