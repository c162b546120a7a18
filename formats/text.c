/* SPDX-License-Identifier: BSD-2-Clause */
#include "text.h"

#include <stdlib.h>
#include <time.h>

void text_release(struct text *t)
{
	free(t->data);
	memset(t, 0, sizeof *t);
}

char *text_reserve(struct text *t, size_t length)
{
	if (t->capacity - t->length < length) {
		size_t capacity = t->capacity * 2 + length + 256;
		char *grown = t->failed ? NULL : realloc(t->data, capacity);

		if (!grown) {
			t->failed = true;
			return NULL;
		}
		t->data = grown;
		t->capacity = capacity;
	}
	return t->data + t->length;
}

void text_put(struct text *t, struct bytes bytes)
{
	char *out = text_reserve(t, bytes.length);

	if (!out || !bytes.length)
		return;
	memcpy(out, bytes.data, bytes.length);
	t->length += bytes.length;
}

void text_string(struct text *t, const char *string)
{
	text_put(t, bytes_of(string));
}

void text_char(struct text *t, char c)
{
	char *out = text_reserve(t, 1);

	if (out) {
		*out = c;
		t->length++;
	}
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
static void put_digits(struct text *t, uint64_t number, unsigned int count)
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
	put_digits(t, number % 1000, 3);
}

void text_time(struct text *t, int64_t wall_ns, bool utc, unsigned int digits)
{
	int64_t seconds = wall_ns / 1000000000, ns = wall_ns % 1000000000;
	struct tm tm;
	time_t when;
	long east;

	if (ns < 0) {
		ns += 1000000000;
		seconds--;
	}
	when = seconds;
	if (utc)
		gmtime_r(&when, &tm);
	else
		localtime_r(&when, &tm);
	put_digits(t, (uint64_t)tm.tm_year + 1900, 4);
	text_char(t, '-');
	put_digits(t, (uint64_t)tm.tm_mon + 1, 2);
	text_char(t, '-');
	put_digits(t, (uint64_t)tm.tm_mday, 2);
	text_char(t, 'T');
	put_digits(t, (uint64_t)tm.tm_hour, 2);
	text_char(t, ':');
	put_digits(t, (uint64_t)tm.tm_min, 2);
	text_char(t, ':');
	put_digits(t, (uint64_t)tm.tm_sec, 2);
	for (unsigned int i = digits; i < 9; i++)
		ns /= 10;
	if (digits) {
		text_char(t, '.');
		put_digits(t, (uint64_t)ns, digits);
	}
	east = tm.tm_gmtoff;
	if (!east) {
		text_char(t, 'Z');
		return;
	}
	text_char(t, east < 0 ? '-' : '+');
	east = labs(east);
	put_digits(t, (uint64_t)east / 3600 % 24, 2);
	text_char(t, ':');
	put_digits(t, (uint64_t)east / 60 % 60, 2);
}

int text_write(struct text *t, FILE *out)
{
	fwrite_unlocked(t->data, 1, t->length, out);
	t->length = 0;
	return t->failed ? -1 : 0;
}
