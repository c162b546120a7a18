/* SPDX-License-Identifier: BSD-2-Clause */
#include "text.h"

#include <stdlib.h>
#include <time.h>

#define NS 1000000000u

void text_release(struct text *t)
{
	free(t->data);
	memset(t, 0, sizeof *t);
}

char *text_grow(struct text *t, size_t length)
{
	size_t capacity = t->capacity * 2 + length + 256 + TEXT_SLACK;
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

static const char pairs[] =
	"00010203040506070809101112131415161718192021222324252627282930313233343536373839"
	"40414243444546474849505152535455565758596061626364656667686970717273747576777879"
	"8081828384858687888990919293949596979899";

/* Puts the last count digits in front of end. */
static inline void put_back(char *end, uint64_t number, unsigned int count)
{
	for (; count > 1; count -= 2, number /= 100) {
		end -= 2;
		memcpy(end, pairs + number % 100 * 2, 2);
	}
	if (count)
		*--end = (char)('0' + number % 10);
}

/* How many digits it has: by its bits, and one more from a power of ten on. */
static inline unsigned int count_digits(uint64_t number)
{
	static const uint64_t powers[] = {0, 10, 100, 1000, 10000, 100000, 1000000, 10000000,
		100000000, 1000000000, 10000000000, 100000000000, 1000000000000, 10000000000000,
		100000000000000, 1000000000000000, 10000000000000000, 100000000000000000,
		1000000000000000000, 10000000000000000000u};
	unsigned int bits = 64 - (unsigned int)__builtin_clzll(number | 1);
	unsigned int fewest = bits * 1233 >> 12; /* log10(2) */

	return fewest + (number >= powers[fewest]);
}

void text_unsigned(struct text *t, uint64_t number)
{
	unsigned int count = count_digits(number);
	char *out = text_reserve(t, count);

	if (!out)
		return;
	put_back(out + count, number, count);
	t->length += count;
}

/* Exactly count digits, with zeros in front. */
static inline void put_digits(struct text *t, uint32_t number, unsigned int count)
{
	char *out = text_reserve(t, count);

	if (!out)
		return;
	put_back(out + count, number, count);
	t->length += count;
}

void text_thousandths(struct text *t, uint64_t number)
{
	text_unsigned(t, number / 1000);
	text_char(t, '.');
	put_digits(t, (uint32_t)(number % 1000), 3);
}

static void remember_second(struct text *t, int64_t wall_ns, bool utc)
{
	time_t when = wall_ns / NS - (wall_ns % NS < 0);
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
	t->time.begin_ns = (uint64_t)when * NS;
	t->time.utc = utc;
	t->time.valid = true;
}

void text_time(struct text *t, int64_t wall_ns, bool utc, unsigned int digits)
{
	uint64_t ns = (uint64_t)wall_ns - t->time.begin_ns;
	char *out;

	if (ns >= NS || !t->time.valid || t->time.utc != utc) {
		remember_second(t, wall_ns, utc);
		ns = (uint64_t)wall_ns - t->time.begin_ns;
	}
	out = text_reserve(t, sizeof t->time.date + 10 + sizeof t->time.zone);
	if (!out)
		return;
	memcpy(out, t->time.date, sizeof t->time.date); /* more than it may be long */
	out += t->time.date_length;
	if (digits)
		*out++ = '.';
	switch (digits) {
	case 3:
		put_back(out + 3, ns / 1000000, 3);
		break;
	case 6:
		put_back(out + 6, ns / 1000, 6);
		break;
	case 9:
		put_back(out + 9, ns, 9);
		break;
	}
	out += digits;
	memcpy(out, t->time.zone, sizeof t->time.zone);
	t->length = (size_t)(out + t->time.zone_length - t->data);
}

int text_write(struct text *t, FILE *out)
{
	fwrite_unlocked(t->data, 1, t->length, out);
	t->length = 0;
	return t->failed ? -1 : 0;
}
