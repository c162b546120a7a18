/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"
#include "../../formats/intern.h"

#define FULL UINT32_MAX

static uint32_t add(struct intern *intern, const char *string)
{
	return intern_add(intern, bytes_of(string));
}

static void strings_are_numbered_in_order_of_appearance(void **state)
{
	struct intern *intern = intern_new(10, 100);

	(void)state;
	assert_non_null(intern);
	assert_int_equal(intern_count(intern), 0);
	assert_int_equal(intern_bytes(intern), 0);
	assert_int_equal(add(intern, "ab"), 0);
	assert_int_equal(add(intern, "a"), 1);
	assert_int_equal(add(intern, "abc"), 2);
	assert_int_equal(add(intern, "a"), 1);
	assert_int_equal(add(intern, "ab"), 0);
	assert_int_equal(intern_count(intern), 3);
	assert_int_equal(intern_bytes(intern), 6);
	assert_true(bytes_equal(intern_get(intern, 0), bytes_of("ab")));
	assert_true(bytes_equal(intern_get(intern, 1), bytes_of("a")));
	assert_true(bytes_equal(intern_get(intern, 2), bytes_of("abc")));
	intern_free(intern);
	intern_free(NULL);
}

static void any_bytes_are_a_string(void **state)
{
	struct intern *intern = intern_new(10, 100);
	const struct bytes none = {NULL, 0}, with_nul = {(const uint8_t *)"a\0b", 3},
			   other = {(const uint8_t *)"a\0c", 3};

	(void)state;
	assert_int_equal(intern_add(intern, none), 0);
	assert_int_equal(add(intern, "a"), 1);
	assert_int_equal(add(intern, ""), 0);
	assert_int_equal(intern_add(intern, with_nul), 2);
	assert_int_equal(intern_add(intern, other), 3);
	assert_int_equal(intern_add(intern, with_nul), 2);
	assert_int_equal(intern_get(intern, 0).length, 0);
	assert_true(bytes_equal(intern_get(intern, 3), other));
	intern_free(intern);
}

static void limits_hold_and_known_strings_are_still_found(void **state)
{
	struct intern *intern = intern_new(2, 100);

	(void)state;
	assert_int_equal(add(intern, "one"), 0);
	assert_int_equal(add(intern, "two"), 1);
	assert_int_equal(add(intern, "three"), FULL);
	assert_int_equal(add(intern, "two"), 1);
	assert_int_equal(intern_count(intern), 2);
	intern_free(intern);

	intern = intern_new(10, 6);
	assert_int_equal(add(intern, "1234"), 0);
	assert_int_equal(add(intern, "567"), FULL);
	assert_int_equal(intern_bytes(intern), 4);
	assert_int_equal(add(intern, "56"), 1);
	assert_int_equal(add(intern, "7"), FULL);
	assert_int_equal(add(intern, ""), 2);
	assert_int_equal(add(intern, "1234"), 0);
	assert_int_equal(intern_bytes(intern), 6);
	intern_free(intern);
}

/*
 * Full tables of random strings, over and over: in a table that is half full
 * many of them share a slot. A model with a linear search tells the numbers.
 */
static void full_tables_agree_with_a_linear_search(void **state)
{
	static const uint32_t limits[] = {1, 7, 8, 9, 64, 200};
	uint64_t seed = 2;

	(void)state;
	for (size_t l = 0; l < COUNT(limits); l++) {
		uint32_t limit = limits[l];
		struct intern *intern = intern_new(limit, limit * 2);

		assert_non_null(intern);
		for (unsigned int round = 0; round < 20; round++) {
			uint8_t known[200][2];
			uint32_t count = 0, fill = 1 + random_below(&seed, limit);

			while (count < fill) {
				uint16_t key = (uint16_t)random_below(&seed, 3 * limit);
				uint32_t expected = 0;

				while (expected < count && memcmp(known[expected], &key, 2))
					expected++;
				if (expected == count)
					memcpy(known[count++], &key, 2);
				assert_int_equal(
					intern_add(intern, (struct bytes){(uint8_t *)&key, 2}),
					expected);
			}
			assert_int_equal(intern_count(intern), count);
			for (uint32_t i = 0; i < count; i++)
				assert_memory_equal(intern_get(intern, i).data, known[i], 2);
			/* Both ways of clearing: few strings and many. */
			intern_clear(intern);
			assert_int_equal(intern_count(intern), 0);
			assert_int_equal(intern_bytes(intern), 0);
		}
		intern_free(intern);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(strings_are_numbered_in_order_of_appearance),
		cmocka_unit_test(any_bytes_are_a_string),
		cmocka_unit_test(limits_hold_and_known_strings_are_still_found),
		cmocka_unit_test(full_tables_agree_with_a_linear_search),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
