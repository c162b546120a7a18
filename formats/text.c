/* SPDX-License-Identifier: BSD-2-Clause */
#include "text.h"

#include <stdlib.h>
#include <time.h>

void text_release(struct text *t)
{
	free(t->data);
	memset(t, 0, sizeof *t);
}

char *text_grow(struct text *t, size_t length)
{
	size_t capacity = t->capacity * 2 + length + 256;
	char *grown = t->failed ? NULL : realloc(t->data, capacity);

	if (!grown) {
		t->failed = true;
		return NULL;
	}
	t->data = grown;
	t->capacity = capacity;
	return t->data + t->length;
}

void text_string(struct text *t, const char *string)
{
	text_put(t, bytes_of(string));
}

void text_spaces(struct text *t, size_t count)
{
	char *out = text_reserve(t, count);

	if (out) {
		memset(out, ' ', count);
		t->length += count;
	}
}

void text_unsigned(struct text *t, uint64_t number)
{
	char digits[20], *p = digits + sizeof digits;

	do
		*--p = (char)('0' + number % 10);
	while (number /= 10);
	text_put(t, (struct bytes){(uint8_t *)p, (size_t)(digits + sizeof digits - p)});
}

/* Exactly count digits, with zeros in front. */
static void put_digits(struct text *t, uint32_t number, unsigned int count)
{
	char *out = text_reserve(t, count);

	if (!out)
		return;
	for (unsigned int i = count; i-- > 0; number /= 10)
		out[i] = (char)('0' + number % 10);
	t->length += count;
}

void text_thousandths(struct text *t, uint64_t number)
{
	text_unsigned(t, number / 1000);
	text_char(t, '.');
	put_digits(t, (uint32_t)(number % 1000), 3);
}

static void remember_second(struct text *t, int64_t second, bool utc)
{
	time_t when = second;
	struct tm tm;
	long east;

	if (utc)
		gmtime_r(&when, &tm);
	else
		localtime_r(&when, &tm);
	/* 64 bits of nanoseconds end in 2262. */
	t->time.date_length =
		(uint8_t)strftime(t->time.date, sizeof t->time.date, "%Y-%m-%dT%H:%M:%S", &tm);
	east = labs(tm.tm_gmtoff);
	if (tm.tm_gmtoff)
		snprintf(t->time.zone, sizeof t->time.zone, "%c%02u:%02u",
			tm.tm_gmtoff < 0 ? '-' : '+', (unsigned int)east / 3600 % 24,
			(unsigned int)east / 60 % 60);
	else
		strcpy(t->time.zone, "Z");
	t->time.zone_length = (uint8_t)strlen(t->time.zone);
	t->time.second = second;
	t->time.utc = utc;
	t->time.valid = true;
}

void text_time(struct text *t, int64_t wall_ns, bool utc, unsigned int digits)
{
	int64_t second = wall_ns / 1000000000, ns = wall_ns % 1000000000;

	if (ns < 0) {
		ns += 1000000000;
		second--;
	}
	if (!t->time.valid || t->time.second != second || t->time.utc != utc)
		remember_second(t, second, utc);
	text_put(t, (struct bytes){(const uint8_t *)t->time.date, t->time.date_length});
	if (digits) {
		uint32_t fraction = (uint32_t)ns;

		for (unsigned int i = digits; i < 9; i++)
			fraction /= 10;
		text_char(t, '.');
		put_digits(t, fraction, digits);
	}
	text_put(t, (struct bytes){(const uint8_t *)t->time.zone, t->time.zone_length});
}

int text_write(struct text *t, FILE *out)
{
	fwrite_unlocked(t->data, 1, t->length, out);
	t->length = 0;
	return t->failed ? -1 : 0;
}
