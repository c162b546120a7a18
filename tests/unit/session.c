/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

/* The unit tests link no objects of the reader. */
#include "../../replay/late.c"
#include "../../replay/session.c"

static const uint8_t id[16] = "session";

static struct batch batch_of(uint32_t file, uint64_t sequence, uint32_t events)
{
	return (struct batch){.header = {.file = file, .sequence = sequence}, .events = events};
}

/* As a source does with a batch that it reads. Returns the events that were new. */
static uint64_t meet(struct session *session, const char *name, uint32_t file, uint64_t sequence,
	uint32_t events)
{
	struct batch batch = batch_of(file, sequence, events);
	struct session_place place = session_place_of(&batch, name);
	uint64_t first, behind, met = 0;

	session_note(session, &batch, name);
	while (session_meet(session, sequence, sequence + events, &place, &first, &behind) > 0) {
		assert_true(first >= sequence && behind > first && behind <= sequence + events);
		met += behind - first;
	}
	return met;
}

static void append(void *context, const struct error *error)
{
	strcat(context, error->text);
	strcat(context, "\n");
}

static void check(struct sessions *sessions, const char *expected)
{
	const struct session *session = sessions_get(sessions, id);
	char text[1024] = "";
	size_t lines = 0;

	for (const char *p = expected; (p = strchr(p, '\n')); p++)
		lines++;
	assert_int_equal(session_report(session, append, text), lines);
	assert_string_equal(text, expected);
	sessions_release(sessions);
	assert_int_equal(sessions->count, 0);
}

static void a_whole_file_has_no_losses(void **state)
{
	struct sessions all = {0};
	struct session *s = sessions_get(&all, id);

	(void)state;
	assert_int_equal(meet(s, "t", 1, 0, 10), 10);
	assert_int_equal(meet(s, "t", 1, 10, 0), 0);
	assert_int_equal(meet(s, "t", 1, 10, 5), 5);
	assert_int_equal(s->count, 1);
	check(&all, "");
}

static void a_later_file_begins_anywhere(void **state)
{
	struct sessions all = {0};
	struct session *s = sessions_get(&all, id);

	(void)state;
	meet(s, "t", 2, 1000, 10);
	check(&all, "");
}

static void a_first_file_begins_with_0(void **state)
{
	struct sessions all = {0};
	struct session *s = sessions_get(&all, id);

	(void)state;
	meet(s, "t", 1, 7, 10);
	check(&all, "t: 7 events are missing from this file\n");
}

static void missing_batches_are_added_up(void **state)
{
	struct sessions all = {0};
	struct session *s = sessions_get(&all, id);

	(void)state;
	meet(s, "t", 1, 0, 2);
	meet(s, "t", 1, 5, 2);
	meet(s, "t", 1, 8, 1);
	/* Only the counters of the last one are there. */
	meet(s, "t", 1, 20, 0);
	assert_int_equal(session_missing(s), 3 + 1 + 11);
	check(&all, "t: 15 events are missing from this file\n");
}

static void a_missing_file_is_named_by_its_neighbours(void **state)
{
	struct sessions all = {0};
	struct session *s = sessions_get(&all, id);

	(void)state;
	meet(s, "c", 4, 30, 10);
	meet(s, "a", 1, 0, 5);
	meet(s, "a", 1, 6, 4);
	meet(s, "b", 2, 10, 10);
	check(&all, "a: 1 events are missing from this file\n"
		    "b: 10 events are missing between this file and c\n");
}

static void copies_count_once(void **state)
{
	struct sessions all = {0};
	struct session *s = sessions_get(&all, id);

	(void)state;
	assert_int_equal(meet(s, "a", 1, 0, 10), 10);
	assert_int_equal(meet(s, "b", 1, 0, 10), 0);
	assert_true(session_has_met(s, 0, 10));
	assert_true(session_has_met(s, 3, 4));
	assert_false(session_has_met(s, 9, 11));
	assert_false(session_has_met(s, 10, 11));
	/* Batches of other sizes. */
	assert_int_equal(meet(s, "a", 1, 20, 10), 10);
	assert_int_equal(meet(s, "b", 1, 5, 20), 10);
	assert_int_equal(meet(s, "b", 1, 25, 10), 5);
	assert_int_equal(s->count, 1);
	check(&all, "");
}

static void numbers_that_wrap_do_no_harm(void **state)
{
	struct sessions all = {0};
	struct session *s = sessions_get(&all, id);

	(void)state;
	assert_int_equal(meet(s, "a", 2, UINT64_MAX - 3, 10), 0);
	assert_int_equal(meet(s, "a", 2, UINT64_MAX - 3, 2), 2);
	check(&all, "");
}

static void losses_have_a_time(void **state)
{
	struct sessions all = {0};
	struct session *s = sessions_get(&all, id);
	struct batch batch = batch_of(1, 0, 0);

	(void)state;
	for (unsigned int i = 0; i < 4; i++) {
		batch.header.anchor.wall_ns = (int64_t)i * 1000;
		batch.header.counters = (struct counters){.seen = i * 10, .lost = i / 2 * 3};
		session_note(s, &batch, "t");
	}
	assert_int_equal(s->loss_count, 1);
	assert_int_equal(s->losses[0].lost, 3);
	assert_int_equal(s->losses[0].after_ns, 1000);
	assert_int_equal(s->losses[0].before_ns, 2000);
	check(&all, "t: 3 events were lost while recording\n");
}

static void late_results_are_found_and_forgotten(void **state)
{
	struct late late = {0};

	(void)state;
	assert_null(late_find(&late, 0));
	for (uint64_t i = 0; i < 10000; i++)
		assert_int_equal(
			late_add(&late, &(struct late_result){i * 7, {.latency_us = i}}), 0);
	assert_int_equal(late_add(&late, &(struct late_result){7, {.latency_us = 99}}), 0);
	assert_int_equal(late.count, 10000);
	assert_int_equal(late_find(&late, 7)->latency_us, 99);
	assert_int_equal(late_find(&late, 69993)->latency_us, 9999);
	assert_null(late_find(&late, 8));
	late_forget(&late, 69000);
	assert_null(late_find(&late, 7));
	assert_int_equal(late_find(&late, 69993)->latency_us, 9999);
	assert_int_equal(late.count, 142);
	late_release(&late);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_whole_file_has_no_losses),
		cmocka_unit_test(a_later_file_begins_anywhere),
		cmocka_unit_test(a_first_file_begins_with_0),
		cmocka_unit_test(missing_batches_are_added_up),
		cmocka_unit_test(a_missing_file_is_named_by_its_neighbours),
		cmocka_unit_test(copies_count_once),
		cmocka_unit_test(numbers_that_wrap_do_no_harm),
		cmocka_unit_test(losses_have_a_time),
		cmocka_unit_test(late_results_are_found_and_forgotten),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
