/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"
#include "../../capture/undecided.h"

static void add(struct undecided *u, uint64_t id, uint64_t number)
{
	undecided_add(u, &(struct undecided_entry){id, number, number & 1});
}

static void entries_are_found_until_they_are_removed(void **state)
{
	struct undecided *u = undecided_new(4);

	(void)state;
	assert_null(undecided_find(u, 7));
	add(u, 7, 1);
	add(u, 0, 2);
	assert_int_equal(undecided_find(u, 7)->number, 1);
	assert_true(undecided_find(u, 7)->waiting);
	assert_int_equal(undecided_find(u, 0)->number, 2);
	add(u, 7, 3); /* replaces */
	assert_int_equal(undecided_find(u, 7)->number, 3);
	assert_int_equal(undecided_count(u), 2);
	undecided_remove(u, 7);
	undecided_remove(u, 7);
	assert_null(undecided_find(u, 7));
	assert_int_equal(undecided_count(u), 1);
	undecided_free(u);
	undecided_free(NULL);
}

static void the_oldest_go_when_there_is_no_room(void **state)
{
	struct undecided *u = undecided_new(3);

	(void)state;
	for (uint64_t id = 1; id <= 3; id++)
		add(u, id, id);
	add(u, 1, 10); /* now the newest */
	add(u, 4, 4);
	assert_null(undecided_find(u, 2));
	assert_int_equal(undecided_find(u, 1)->number, 10);
	add(u, 5, 5);
	assert_null(undecided_find(u, 3));
	assert_non_null(undecided_find(u, 4));
	assert_int_equal(undecided_count(u), 3);
	undecided_free(u);
}

/* Against a plain array. */
static void random_changes_agree_with_a_model(void **state)
{
	enum { LIMIT = 50, IDS = 120 };
	struct undecided *u = undecided_new(LIMIT);
	uint64_t numbers[IDS] = {0}, ages[IDS] = {0}, seed = 5;
	uint32_t count = 0;

	(void)state;
	for (uint64_t step = 1; step <= 100000; step++) {
		uint64_t id = random_below(&seed, IDS);

		if (random_below(&seed, 3)) {
			if (!ages[id] && count++ == LIMIT) {
				uint64_t oldest = IDS;

				for (uint64_t i = 0; i < IDS; i++)
					if (ages[i] && (oldest == IDS || ages[i] < ages[oldest]))
						oldest = i;
				ages[oldest] = 0;
				count--;
			}
			ages[id] = step;
			numbers[id] = step;
			add(u, id << 32, step);
		} else {
			count -= ages[id] != 0;
			ages[id] = 0;
			undecided_remove(u, id << 32);
		}
		assert_int_equal(undecided_count(u), count);
		id = random_below(&seed, IDS);
		assert_int_equal(!undecided_find(u, id << 32), !ages[id]);
		if (ages[id])
			assert_int_equal(undecided_find(u, id << 32)->number, numbers[id]);
	}
	undecided_free(u);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(entries_are_found_until_they_are_removed),
		cmocka_unit_test(the_oldest_go_when_there_is_no_room),
		cmocka_unit_test(random_changes_agree_with_a_model),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
