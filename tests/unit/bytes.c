/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

static const uint8_t digits[] = {0x01, 0x02, 0x03, 0x04, 0x85, 0x86, 0x87, 0x88};

static void integers_are_read_in_both_orders(void **state)
{
	(void)state;
	assert_int_equal(get_le(digits, 0), 0);
	assert_int_equal(get_le(digits, 1), 0x01);
	assert_int_equal(get_le(digits + 4, 1), 0x85);
	assert_int_equal(get_le16(digits), 0x0201);
	assert_int_equal(get_le(digits, 3), 0x030201);
	assert_int_equal(get_le32(digits + 4), 0x88878685u);
	assert_int_equal(get_le64(digits), 0x8887868504030201u);
	assert_int_equal(get_be(digits, 0), 0);
	assert_int_equal(get_be(digits, 1), 0x01);
	assert_int_equal(get_be(digits, 2), 0x0102);
	assert_int_equal(get_be(digits + 4, 4), 0x85868788u);
	assert_int_equal(get_be(digits, 8), 0x0102030485868788u);
}

static void integers_are_written_and_nothing_beside_them(void **state)
{
	(void)state;
	for (unsigned int n = 0; n <= 8; n++) {
		uint8_t out[10];

		memset(out, 0xee, sizeof out);
		put_le(out + 1, 0x8887868504030201u, n);
		assert_memory_equal(out + 1, digits, n);
		assert_int_equal(out[0], 0xee);
		assert_int_equal(out[1 + n], 0xee);
	}
}

static void slices_stay_inside(void **state)
{
	const struct bytes whole = {digits, sizeof digits};
	static const struct {
		uint64_t offset, length;
		bool fits;
	} cases[] = {
		{0, 0, true},
		{0, 8, true},
		{8, 0, true},
		{3, 5, true},
		{7, 1, true},
		{0, 9, false},
		{8, 1, false},
		{9, 0, false},
		{3, 6, false},
		{UINT64_MAX, 0, false},
		{0, UINT64_MAX, false},
		{4, UINT64_MAX - 3, false}, /* the sum wraps to 0 */
		{UINT64_MAX, 1, false},
		{UINT64_MAX - 3, 8, false},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct bytes part = {(const uint8_t *)"left alone", 77};

		if (bytes_slice(whole, cases[i].offset, cases[i].length, &part) != cases[i].fits)
			fail_msg("case %zu", i);
		if (cases[i].fits) {
			assert_ptr_equal(part.data, digits + cases[i].offset);
			assert_int_equal(part.length, cases[i].length);
		} else {
			assert_string_equal(part.data, "left alone");
			assert_int_equal(part.length, 77);
		}
	}
}

static void equality_is_of_all_bytes(void **state)
{
	const struct bytes none = {NULL, 0};

	(void)state;
	assert_true(bytes_equal(none, none));
	assert_true(bytes_equal(none, bytes_of("")));
	assert_true(bytes_equal(bytes_of("abc"), bytes_of("abc")));
	assert_false(bytes_equal(bytes_of("abc"), bytes_of("abd")));
	assert_false(bytes_equal(bytes_of("abc"), bytes_of("ab")));
	assert_false(bytes_equal(bytes_of("a"), none));
	assert_false(bytes_equal((struct bytes){(const uint8_t *)"a\0b", 3},
		(struct bytes){(const uint8_t *)"a\0c", 3}));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(integers_are_read_in_both_orders),
		cmocka_unit_test(integers_are_written_and_nothing_beside_them),
		cmocka_unit_test(slices_stay_inside),
		cmocka_unit_test(equality_is_of_all_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
