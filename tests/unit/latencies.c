/* SPDX-License-Identifier: BSD-2-Clause */
/* Where latencies are counted. */
#include "unit.h"

#include "../../replay/latencies.h"

/* Of all values for which it may be asked. */
static void many_places_are_those_of_each(void **state)
{
	uint32_t values[LATENCIES_MANY], places[LATENCIES_MANY];

	(void)state;
	for (uint32_t first = 0; first < LATENCIES_SMALL; first += LATENCIES_MANY) {
		for (uint32_t i = 0; i < LATENCIES_MANY; i++)
			values[i] = first + i;
		latencies_places(values, LATENCIES_MANY, places);
		for (uint32_t i = 0; i < LATENCIES_MANY; i++)
			if (places[i] != latencies_place(values[i]))
				fail_msg("%u is in place %u", values[i], places[i]);
	}
}

static void places_ascend(void **state)
{
	uint64_t value = 0;

	(void)state;
	for (uint32_t place = 0; value < UINT64_C(1) << 63; place++) {
		assert_int_equal(latencies_place(value), place);
		/* The next place is at most a 64th away. */
		value += value < 2 * LATENCIES_BUCKETS
				 ? 1
				 : UINT64_C(1) << (63 - __builtin_clzll(value) - 6);
	}
	assert_true(latencies_place(UINT64_MAX) < LATENCIES_NO_PLACE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(many_places_are_those_of_each),
		cmocka_unit_test(places_ascend),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
