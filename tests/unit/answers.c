/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

/* The unit tests link no objects of the reader; what is static there is told apart by name. */
#include "../../formats/groups.h"
#define compare compare_latencies
#include "../../replay/arena.c"
#include "../../replay/latencies.c"
#include "../../replay/numbers.c"

static void groups_keep_their_keys_apart(void **state)
{
	struct groups g = {.payload_size = sizeof(uint32_t)};
	bool is_new;

	(void)state;
	for (uint32_t round = 0; round < 2; round++)
		for (uint32_t i = 0; i < 5000; i++) {
			uint8_t key[12] = {0};
			uint32_t *payload;

			put_le(key, i, 4);
			payload = groups_get(&g, (struct bytes){key, i % 13}, &is_new);
			assert_non_null(payload);
			if (is_new)
				*payload = i;
			else
				assert_true(*payload <= i);
		}
	/* Lengths 0 to 3 hold less than the number. */
	assert_true(g.count > 3000 && g.count < 5000);
	for (size_t i = 0; i < g.count; i++)
		assert_true(groups_get(&g, g.groups[i]->key, &is_new) == g.groups[i]->payload &&
			    !is_new);
	groups_release(&g);
}

/* Also a key of zeros. */
static void numbers_keep_their_keys_apart(void **state)
{
	(void)state;
	for (unsigned int words = 1; words <= 3; words++) {
		struct numbers n = {.words = words};

		for (uint32_t round = 0; round < 2; round++)
			for (uint32_t i = 0; i < 5000; i++) {
				uint64_t key[3] = {
					words > 1 ? i & 7 : i, words > 2 ? 0 : i >> 3, i >> 3};
				uint64_t hash = numbers_hash(key, words);

				numbers_prefetch(&n, hash);
				assert_int_equal(numbers_get(&n, key, hash, words), i + 1);
			}
		assert_int_equal(n.count, 5000);
		numbers_release(&n);
	}
}

static void few_latencies_are_exact(void **state)
{
	struct latencies l = {0};
	struct arena arena = {0};

	(void)state;
	for (uint64_t i = LATENCIES_EXACT; i > 0; i--)
		assert_int_equal(latencies_add(&l, i * 1000003, &arena), 0);
	assert_int_equal(latencies_percentile(&l, 50), 16 * 1000003);
	assert_int_equal(latencies_percentile(&l, 95), 31 * 1000003);
	assert_int_equal(latencies_percentile(&l, 99), 32 * 1000003);
	assert_int_equal(latencies_percentile(&l, 0), 1000003);
	latencies_release(&l);
	arena_release(&arena);
}

static void many_latencies_are_right_within_1_percent(void **state)
{
	static const unsigned int percents[] = {1, 50, 95, 99, 100};

	(void)state;
	for (unsigned int shift = 0; shift < 44; shift += 11) {
		struct latencies l = {0};
		struct arena arena = {0};

		for (uint64_t i = 1; i <= 100000; i++)
			assert_int_equal(latencies_add(&l, i << shift, &arena), 0);
		for (size_t k = 0; k < 5; k++) {
			uint64_t wanted = (uint64_t)(1000 * percents[k]) << shift;
			uint64_t got = latencies_percentile(&l, percents[k]);
			uint64_t off = got > wanted ? got - wanted : wanted - got;

			assert_true(off <= wanted / 100 + 1);
		}
		latencies_release(&l);
		arena_release(&arena);
	}
}

static void the_largest_latency_has_a_place(void **state)
{
	struct latencies l = {0};
	struct arena arena = {0};

	(void)state;
	for (int i = 0; i < 40; i++)
		assert_int_equal(latencies_add(&l, UINT64_MAX, &arena), 0);
	assert_true(latencies_percentile(&l, 50) > UINT64_MAX / 100 * 99);
	latencies_release(&l);
	arena_release(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_keep_their_keys_apart),
		cmocka_unit_test(groups_keep_their_keys_apart),
		cmocka_unit_test(few_latencies_are_exact),
		cmocka_unit_test(many_latencies_are_right_within_1_percent),
		cmocka_unit_test(the_largest_latency_has_a_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
