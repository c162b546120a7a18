/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include "../../formats/column.h"

#define ROWS_MAX 2000

static const unsigned int widths[] = {0, 1, 2, 4, 8};
static uint64_t seed = 8;

static uint8_t *random_bytes(size_t length)
{
	uint8_t *bytes = malloc(length + 1), *copy;

	assert_non_null(bytes);
	for (size_t i = 0; i < length; i++)
		bytes[i] = (uint8_t)random_next(&seed);
	copy = exact_copy(bytes, length);
	free(bytes);
	return copy;
}

static uint64_t in_planes(const uint8_t *planes, unsigned int width, size_t rows, size_t row)
{
	uint64_t value = 0;

	for (unsigned int k = 0; k < width; k++)
		value |= (uint64_t)planes[k * rows + row] << (8 * k);
	return value;
}

static void planes_become_whole_integers(void **state)
{
	(void)state;
	for (size_t i = 2; i < COUNT(widths); i++)
		for (int round = 0; round < 50; round++) {
			unsigned int width = widths[i];
			size_t rows = random_below(&seed, ROWS_MAX);
			uint8_t *planes = random_bytes(rows * width);
			uint8_t *out = exact_copy(planes, rows * width);

			column_undo_bits(planes, 8 * width, rows, out, NULL);
			for (size_t row = 0; row < rows; row++)
				assert_true(get_le(out + row * width, width) ==
					    in_planes(planes, width, rows, row));
			free(planes);
			free(out);
		}
}

static void steps_are_added_up(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(widths); i++)
		for (int round = 0; round < 50; round++) {
			unsigned int width = widths[i];
			size_t rows = random_below(&seed, ROWS_MAX);
			uint8_t *planes = random_bytes(rows * width);
			uint64_t base = random_next(&seed), sum = 0;
			uint8_t *out = random_bytes(rows * 8);

			column_undo_steps(planes, width, base, rows, out);
			for (size_t row = 0; row < rows; row++) {
				sum += base + in_planes(planes, width, rows, row);
				assert_true(get_le64(out + row * 8) == sum);
			}
			free(planes);
			free(out);
		}
}

/* It may say no of a column whose sums wrap, and must not say yes of a value that is not below. */
static void what_is_below_is_below(void **state)
{
	(void)state;
	for (int round = 0; round < 3000; round++) {
		unsigned int width = widths[random_below(&seed, COUNT(widths))];
		uint32_t rows = 1 + random_below(&seed, 100);
		uint8_t *data = random_bytes(rows * width);
		struct column column = {
			data, random_next(&seed) >> random_below(&seed, 64), (uint8_t)width};
		uint64_t most = 0, least = UINT64_MAX;

		if (round % 7 == 0)
			column.base = UINT64_MAX - random_below(&seed, 300);
		for (uint32_t row = 0; row < rows; row++) {
			uint64_t value = column_get(&column, row);

			most = value > most ? value : most;
			least = value < least ? value : least;
		}
		assert_false(column_is_below(&column, rows, most));
		if (least >= column.base && most < UINT64_MAX)
			assert_true(column_is_below(&column, rows, most + 1));
		if (column_is_below(&column, rows, column.base + 1000))
			assert_true(least >= column.base && most < column.base + 1000);
		free(data);
	}
}

static uint32_t small(uint64_t value)
{
	return value < UINT32_MAX ? (uint32_t)value : UINT32_MAX;
}

static void values_of_rows_are_taken(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(widths); i++)
		for (int round = 0; round < 80; round++) {
			uint32_t rows = 1 + random_below(&seed, ROWS_MAX - 1);
			uint8_t *data = random_bytes((size_t)rows * widths[i]);
			struct column column = {data, random_next(&seed), (uint8_t)widths[i]};
			uint32_t taken[ROWS_MAX], count = 0;
			uint64_t values[ROWS_MAX];
			uint32_t smalls[ROWS_MAX];
			uint32_t first = random_below(&seed, rows);

			/* Also of sums that are near to 2^32, and of small ones. */
			column.base >>= random_below(&seed, 64);
			column.base = round % 3 ? column.base : UINT32_MAX - column.base % 300;

			/* All from one on, or some. */
			for (uint32_t row = first; row < rows; row++)
				if (round % 2 || random_below(&seed, 3))
					taken[count++] = row;
			column_take(&column, taken, count, values);
			for (uint32_t k = 0; k < count; k++)
				assert_true(values[k] == column_get(&column, taken[k]));
			column_take_small(&column, taken, count, smalls);
			for (uint32_t k = 0; k < count; k++)
				assert_int_equal(smalls[k], small(values[k]));
			column_values(&column, first, rows - first, values);
			for (uint32_t row = first; row < rows; row++)
				assert_true(values[row - first] == column_get(&column, row));
			free(data);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(planes_become_whole_integers),
		cmocka_unit_test(steps_are_added_up),
		cmocka_unit_test(values_of_rows_are_taken),
		cmocka_unit_test(what_is_below_is_below),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
