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

void text_spaces(struct text *t, size_t count)
{
	char *out = text_reserve(t, count);

	if (out) {
		memset(out, ' ', count);
		t->length += count;
	}
}

#define EIGHT 100000000u                   /* the first number with more digits than that */
#define ZEROS UINT64_C(0x3030303030303030) /* as characters */

/*
 * The eight digits of a number below that as characters, the first in the lowest byte: halves
 * of four, of two and of one digit, all at once.
 */
static inline uint64_t eight_digits(uint32_t number)
{
	uint64_t value = number / 10000 | (uint64_t)(number % 10000) << 32, high;

	high = value * 10486 >> 20 & UINT64_C(0x0000007f0000007f); /* each / 100 */
	value = high | (value - high * 100) << 16;
	high = value * 103 >> 10 & UINT64_C(0x000f000f000f000f); /* each / 10 */
	value = high | (value - high * 10) << 8;
	return value | ZEROS;
}

static inline void put_eight(char *out, uint64_t digits)
{
	put_le64((uint8_t *)out, digits);
}

/* How many digits it has: by its bits, and one more from a power of ten on. */
static inline unsigned int count_digits(uint32_t number)
{
	static const uint32_t powers[] = {
		0, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000};
	unsigned int bits = 32 - (unsigned int)__builtin_clz(number | 1);
	unsigned int fewest = bits * 1233 >> 12; /* log10(2) */

	return fewest + (number >= powers[fewest]);
}

void text_unsigned(struct text *t, uint64_t number)
{
	unsigned int count = 8;
	char *out;

	/* Not from the digits: what follows need not wait for them. */
	if (number < EIGHT)
		count = count_digits((uint32_t)number);
	else
		text_unsigned(t, number / EIGHT);
	out = text_reserve(t, 8);
	if (!out)
		return;
	put_eight(out, eight_digits((uint32_t)(number % EIGHT)) >> (64 - 8 * count));
	t->length += count;
}

/* Exactly count digits, at most 9, with zeros in front. What is behind them is overwritten. */
static inline char *put_digits(char *out, uint32_t number, unsigned int count)
{
	if (count > 8)
		*out++ = (char)('0' + number / EIGHT);
	put_eight(out, eight_digits(number % EIGHT) >> (count < 8 ? 64 - 8 * count : 0));
	return out + (count < 8 ? count : 8);
}

void text_thousandths(struct text *t, uint64_t number)
{
	char *out;

	text_unsigned(t, number / 1000);
	out = text_reserve(t, 4);
	if (!out)
		return;
	*out = '.';
	put_digits(out + 1, (uint32_t)(number % 1000), 3);
	t->length += 4;
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
	t->time.begin_length = when > 0 ? (uint8_t)snprintf(t->time.begin, sizeof t->time.begin,
						  "%llu", (unsigned long long)when)
					: 0;
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
		out = put_digits(out, (uint32_t)ns / 1000000, 3);
		break;
	case 6:
		out = put_digits(out, (uint32_t)ns / 1000, 6);
		break;
	case 9:
		out = put_digits(out, (uint32_t)ns, 9);
		break;
	}
	memcpy(out, t->time.zone, sizeof t->time.zone);
	t->length = (size_t)(out + t->time.zone_length - t->data);
}

void text_nanoseconds(struct text *t, int64_t wall_ns)
{
	uint64_t ns = (uint64_t)wall_ns - t->time.begin_ns;
	char *out;

	if (wall_ns < 0 || !t->time.begin_length || ns >= NS) {
		if (wall_ns < 0)
			text_char(t, '-');
		text_unsigned(t, wall_ns < 0 ? -(uint64_t)wall_ns : (uint64_t)wall_ns);
		return;
	}
	out = text_reserve(t, sizeof t->time.begin + 9);
	if (!out)
		return;
	memcpy(out, t->time.begin, sizeof t->time.begin);
	put_digits(out + t->time.begin_length, (uint32_t)ns, 9);
	t->length += t->time.begin_length + 9u;
}

int text_write(struct text *t, FILE *out)
{
	fwrite_unlocked(t->data, 1, t->length, out);
	t->length = 0;
	return t->failed ? -1 : 0;
}
