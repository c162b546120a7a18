/* SPDX-License-Identifier: BSD-2-Clause */
/* Numbers and times, as printf(3) has them. */
#include "unit.h"
#include "../../formats/text.h"

#include <inttypes.h>
#include <time.h>

static void assert_text(struct text *text, const char *wanted)
{
	assert_false(text->failed);
	assert_int_equal(text->length, strlen(wanted));
	assert_memory_equal(text->data, wanted, text->length);
	text->length = 0;
}

static void assert_number(struct text *text, uint64_t number)
{
	char wanted[32];

	text_unsigned(text, number);
	snprintf(wanted, sizeof wanted, "%" PRIu64, number);
	assert_text(text, wanted);
	text_thousandths(text, number);
	snprintf(wanted, sizeof wanted, "%" PRIu64 ".%03u", number / 1000,
		(unsigned int)(number % 1000));
	assert_text(text, wanted);
}

static void numbers_have_all_their_digits(void **context)
{
	struct text text = {0};
	uint64_t state = 1;

	(void)context;
	for (uint64_t power = 1, last = 0; power > last; last = power, power *= 10) {
		assert_number(&text, power - 1);
		assert_number(&text, power);
		assert_number(&text, power + 1);
		if (power > UINT64_MAX / 10)
			break;
	}
	for (uint32_t i = 0; i < 100000; i++)
		assert_number(&text, i);
	for (uint32_t i = 0; i < 100000; i++)
		assert_number(&text, random_next(&state) >> random_below(&state, 64));
	assert_number(&text, UINT64_MAX);
	text_release(&text);
}

static void assert_time(struct text *text, int64_t wall_ns)
{
	time_t when = wall_ns / 1000000000 - (wall_ns % 1000000000 < 0);
	unsigned int ns = (unsigned int)((uint64_t)wall_ns - (uint64_t)when * 1000000000);
	static const struct {
		unsigned int digits, divisor;
	} fractions[] = {{3, 1000000}, {6, 1000}, {9, 1}};
	char date[32], wanted[64];
	struct tm tm;

	strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", gmtime_r(&when, &tm));
	snprintf(wanted, sizeof wanted, "%" PRId64, wall_ns);
	text_nanoseconds(text, wall_ns); /* before its second is known, and then again */
	assert_text(text, wanted);
	for (size_t i = 0; i < COUNT(fractions); i++) {
		char fraction[64];

		snprintf(fraction, sizeof fraction, "%s.%0*uZ", date, (int)fractions[i].digits,
			ns / fractions[i].divisor);
		text_time(text, wall_ns, true, fractions[i].digits);
		assert_text(text, fraction);
	}
	text_nanoseconds(text, wall_ns);
	assert_text(text, wanted);
}

static void times_are_those_of_the_calendar(void **context)
{
	static const int64_t edges[] = {INT64_MIN, -1000000001, -1000000000, -999999999, -1, 0, 1,
		999999999, 1000000000, 9999999999, 4294967295999999999, 4294967296000000000,
		1795430700000000007, INT64_MAX};
	struct text text = {0};
	uint64_t state = 2;

	(void)context;
	for (size_t i = 0; i < COUNT(edges); i++)
		assert_time(&text, edges[i]);
	for (uint32_t i = 0; i < 20000; i++) {
		uint64_t wall_ns = random_next(&state);

		assert_time(&text, (int64_t)wall_ns);
		assert_time(&text, (int64_t)(wall_ns + random_below(&state, 1000000000)));
	}
	text_release(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_have_all_their_digits),
		cmocka_unit_test(times_are_those_of_the_calendar),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
