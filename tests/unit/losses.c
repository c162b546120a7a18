/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

/* The unit tests link no objects of the reader. */
#include "../../replay/losses.c"

static struct batch batch_of(char session, uint32_t file, uint64_t sequence, uint32_t events)
{
	struct batch batch = {.header = {.file = file, .sequence = sequence}, .events = events};

	memset(batch.header.session, session, sizeof batch.header.session);
	return batch;
}

static void note(
	struct losses *losses, char session, uint32_t file, uint64_t sequence, uint32_t events)
{
	struct batch batch = batch_of(session, file, sequence, events);

	assert_int_equal(losses_note(losses, &batch), 0);
}

static void append(void *context, const struct error *error)
{
	strcat(context, error->text);
	strcat(context, "\n");
}

/* The findings, which must be as many lines; releases the losses. */
static void check(struct losses *losses, const char *expected)
{
	char text[1024] = "";
	size_t lines = 0;

	for (const char *p = expected; (p = strchr(p, '\n')); p++)
		lines++;
	assert_int_equal(losses_report(losses, "t", append, text), lines);
	assert_string_equal(text, expected);
	losses_release(losses);
	assert_int_equal(losses->count, 0);
}

static void a_whole_file_has_none(void **state)
{
	struct losses losses = {0};

	(void)state;
	note(&losses, 'a', 1, 0, 10);
	note(&losses, 'a', 1, 10, 0);
	note(&losses, 'a', 1, 10, 5);
	check(&losses, "");
	check(&losses, ""); /* nothing was seen at all */
}

static void a_later_file_begins_anywhere(void **state)
{
	struct losses losses = {0};

	(void)state;
	note(&losses, 'a', 2, 1000, 10);
	note(&losses, 'a', 2, 1010, 10);
	check(&losses, "");
}

static void missing_batches_are_counted(void **state)
{
	struct losses losses = {0};

	(void)state;
	note(&losses, 'a', 1, 3, 10);  /* 3 before the first */
	note(&losses, 'a', 1, 20, 10); /* 7 */
	note(&losses, 'a', 1, 30, 10);
	note(&losses, 'a', 1, 41, 0); /* 1 */
	check(&losses, "t: 11 events are missing from this file\n");
	note(&losses, 'a', 2, 5, 1);
	note(&losses, 'a', 2, 7, 1);
	check(&losses, "t: 1 events are missing from this file\n");
}

static void the_counters_of_the_last_batch_count(void **state)
{
	struct losses losses = {0};
	struct batch batch = batch_of('a', 1, 0, 1);

	(void)state;
	batch.header.counters = (struct counters){.lost = 1, .partial = 1};
	assert_int_equal(losses_note(&losses, &batch), 0);
	batch.header.sequence = 1;
	batch.header.counters = (struct counters){.lost = 7, .partial = 2};
	assert_int_equal(losses_note(&losses, &batch), 0);
	check(&losses, "t: 7 events were lost while recording\n"
		       "t: 2 events are without their source address, lost while recording\n");
}

static void each_session_counts_for_itself(void **state)
{
	struct losses losses = {0};

	(void)state;
	note(&losses, 'a', 1, 0, 10);
	note(&losses, 'b', 1, 0, 5);
	note(&losses, 'a', 1, 10, 10);
	note(&losses, 'c', 3, 70, 5);
	note(&losses, 'b', 1, 7, 5);
	note(&losses, 'a', 1, 21, 10);
	note(&losses, 'c', 3, 75, 5);
	assert_int_equal(losses.count, 3);
	check(&losses, "t: 1 events are missing from this file\n"
		       "t: 2 events are missing from this file\n");
}

/* The same batches once more, as in two copies of a file behind each other. */
static void what_comes_twice_is_not_missing(void **state)
{
	struct losses losses = {0};

	(void)state;
	for (unsigned int i = 0; i < 2; i++) {
		note(&losses, 'a', 1, 0, 10);
		note(&losses, 'a', 1, 10, 10);
	}
	check(&losses, "");
}

static void hostile_numbers_do_no_harm(void **state)
{
	struct losses losses = {0};

	(void)state;
	note(&losses, 'a', 1, UINT64_MAX, 10);
	note(&losses, 'a', 1, 0, UINT32_MAX);
	note(&losses, 'a', 1, UINT64_MAX - 1, 1);
	losses_release(&losses);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_whole_file_has_none),
		cmocka_unit_test(a_later_file_begins_anywhere),
		cmocka_unit_test(missing_batches_are_counted),
		cmocka_unit_test(the_counters_of_the_last_batch_count),
		cmocka_unit_test(each_session_counts_for_itself),
		cmocka_unit_test(what_comes_twice_is_not_missing),
		cmocka_unit_test(hostile_numbers_do_no_harm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
