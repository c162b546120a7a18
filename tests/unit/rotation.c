/* SPDX-License-Identifier: BSD-2-Clause */
/* When files end: by size, by the wall clock, also when that is set. */
#include "unit.h"
#include "../../capture/rotation.h"

#define S INT64_C(1000000000)
#define NOON (INT64_C(1764000000) / 86400 * 86400 * S + 12 * 3600 * S)

static const struct retention no_limit;

static struct rotation hourly(void)
{
	struct rotation r;

	rotation_init(&r, 0, 3600, &no_limit);
	rotation_plan(&r, &(struct clock_anchor){100 * S, NOON + 60 * S});
	return r;
}

static void it_is_due_at_full_hours(void **state)
{
	struct rotation r = hourly();

	(void)state;
	assert_int_equal(r.due_ns, (100 + 3540) * S);
	assert_false(rotation_is_due(&r, &(struct clock_anchor){3639 * S, NOON + 3599 * S}));
	assert_true(rotation_is_due(&r, &(struct clock_anchor){3640 * S, NOON + 3600 * S}));
}

static void a_clock_that_is_slewed_moves_the_time(void **state)
{
	struct rotation r = hourly();

	(void)state;
	assert_false(rotation_is_due(&r, &(struct clock_anchor){3640 * S, NOON + 3598 * S}));
	assert_int_equal(r.due_ns, 3642 * S);
}

static void a_clock_that_is_set_over_a_full_hour_makes_it_due(void **state)
{
	static const struct {
		int64_t wall_s;
		bool due;
	} cases[] = {{12 * 3600 + 1800, false}, {14 * 3600, true}, {11 * 3600 + 1800, true},
		{12 * 3600 + 1, false}};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct rotation r = hourly();

		assert_int_equal(
			rotation_is_due(&r, &(struct clock_anchor){101 * S,
						    NOON - 12 * 3600 * S + cases[i].wall_s * S}),
			cases[i].due);
	}
}

static void a_file_is_full_before_its_end_would_be_too_much(void **state)
{
	struct rotation r;

	(void)state;
	rotation_init(&r, 65536, 0, &no_limit);
	assert_false(rotation_is_full(&r, 60000));
	assert_true(rotation_is_full(&r, 65536 - 512));
	assert_int_equal(r.due_ns, UINT64_MAX);
	assert_false(rotation_is_due(&r, &(struct clock_anchor){3640 * S, NOON}));
}

static void limits_alone_make_files_that_end(void **state)
{
	struct rotation r;

	(void)state;
	rotation_init(&r, 0, 0, &(struct retention){.bytes = 1 << 30});
	assert_int_equal(r.seconds, 86400);
	assert_int_equal(r.bytes, (1 << 30) / 10);
	rotation_init(&r, 0, 0, &(struct retention){.files = 3});
	assert_int_equal(r.seconds, 86400);
	rotation_init(&r, 0, 60, &(struct retention){.bytes = 1 << 30});
	assert_int_equal(r.seconds, 60);
	assert_int_equal(r.bytes, 0);
	rotation_init(&r, 0, 0, &no_limit);
	assert_int_equal(r.seconds + r.bytes, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_is_due_at_full_hours),
		cmocka_unit_test(a_clock_that_is_slewed_moves_the_time),
		cmocka_unit_test(a_clock_that_is_set_over_a_full_hour_makes_it_due),
		cmocka_unit_test(a_file_is_full_before_its_end_would_be_too_much),
		cmocka_unit_test(limits_alone_make_files_that_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
