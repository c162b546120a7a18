/* SPDX-License-Identifier: BSD-2-Clause */
/* Where latencies are counted. */
#include "unit.h"

#include "../../replay/arena.c"
#include "../../replay/latencies.c"

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

/* Few and many, and octaves that only one of them has. */
static void joined_are_as_added_to_one(void **state)
{
	static const uint64_t counts[] = {0, 1, 16, 17, 31, 32, 33, 500, 5000};
	static const uint64_t least[] = {0, 1000, UINT64_C(1) << 40};
	const size_t n = sizeof counts / sizeof *counts;

	(void)state;
	for (size_t i = 0; i < n * n * 3; i++) {
		struct latencies one = {0}, other = {0}, all = {0};
		struct arena arena = {0};
		uint64_t value = 1;

		for (uint64_t k = 0; k < counts[i % n] + counts[i / n % n]; k++) {
			bool first = k < counts[i % n];

			value = value * 6364136223846793005u + 1442695040888963407u;
			value = (value >> 44) + (first ? 0 : least[i / n / n]);
			assert_int_equal(latencies_add(first ? &one : &other, value, &arena), 0);
			assert_int_equal(latencies_add(&all, value, &arena), 0);
		}
		assert_int_equal(latencies_join(&one, &other, &arena), 0);
		assert_int_equal(latencies_count(&one), latencies_count(&all));
		for (unsigned int percent = 0; percent <= 100 && latencies_count(&all); percent++)
			assert_int_equal(latencies_percentile(&one, percent),
				latencies_percentile(&all, percent));
		latencies_release(&one);
		latencies_release(&other);
		latencies_release(&all);
		arena_release(&arena);
	}
}

/* More of one value than 16 bits hold, in one and in two that are joined. */
static void any_number_is_counted(void **state)
{
	static const uint64_t counts[][2] = {
		{65535, 1}, {65536, 65536}, {40000, 40000}, {200000, 31}, {200000, 65535 * 3}};

	(void)state;
	for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
		struct latencies both[2] = {0};
		struct arena arena = {0};
		uint64_t all = counts[i][0] + counts[i][1];

		for (size_t k = 0; k < 2; k++)
			for (uint64_t n = 0; n < counts[i][k]; n++)
				assert_int_equal(latencies_add(&both[k], 63, &arena), 0);
		assert_int_equal(latencies_join(&both[0], &both[1], &arena), 0);
		assert_int_equal(latencies_count(&both[0]), all);
		/* As many below: the lower half, and nothing of it is above the middle. */
		for (uint64_t n = 0; n < all; n++)
			assert_int_equal(latencies_add(&both[0], 1, &arena), 0);
		assert_int_equal(latencies_percentile(&both[0], 50), 1);
		assert_int_equal(latencies_percentile(&both[0], 51), 63);
		assert_int_equal(latencies_percentile(&both[0], 100), 63);
		assert_int_equal(latencies_count(&both[0]), 2 * all);
		latencies_release(&both[0]);
		latencies_release(&both[1]);
		arena_release(&arena);
	}
}

/* All zero, apart, and as many as it takes. */
static void an_arena_gives_lines(void **state)
{
	struct arena arena = {0};
	unsigned char *got, *before = NULL;

	(void)state;
	for (size_t i = 0; i < 3000; i++) {
		size_t size = i % 50 ? i : ARENA_MAX;

		got = arena_get(&arena, size);
		assert_non_null(got);
		assert_int_equal((uintptr_t)got % ARENA_LINE, 0);
		for (size_t k = 0; k < size; k++)
			assert_int_equal(got[k], 0);
		memset(got, 0xff, size);
		assert_true(got != before);
		before = got;
	}
	arena_release(&arena);
	assert_null(arena.chunks);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(many_places_are_those_of_each),
		cmocka_unit_test(places_ascend),
		cmocka_unit_test(joined_are_as_added_to_one),
		cmocka_unit_test(any_number_is_counted),
		cmocka_unit_test(an_arena_gives_lines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
