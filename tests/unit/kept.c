/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"
#include "../../capture/kept.h"

static uint64_t add(struct kept *k, uint32_t pid)
{
	char name[] = "curl", query[] = "a.net";
	struct process process = {.pid = pid, .comm = bytes_of(name)};
	struct event event = {.tid = pid, .process = &process};
	uint64_t ticket;

	if (pid % 2)
		event.query = bytes_of(query);
	ticket = kept_add(k, &event, pid + 100);
	memset(name, 'x', 4); /* the copy is complete */
	memset(query, 'x', 5);
	process.pid = 0;
	return ticket;
}

/* Removes them all, the oldest first: their threads. */
static void take_all(struct kept *k, char *text)
{
	*text = '\0';
	for (uint64_t ticket; (ticket = kept_oldest(k)) != KEPT_NONE; kept_remove(k, ticket)) {
		const struct kept_event *kept = kept_get(k, ticket);

		sprintf(text + strlen(text), "%u %u %.*s %.*s, ", kept->event.tid,
			kept->event.process->pid, (int)kept->event.process->comm.length,
			kept->event.process->comm.data, (int)kept->event.query.length,
			kept->event.query.length ? (const char *)kept->event.query.data : "");
	}
}

static void events_are_copied_and_left_in_order(void **state)
{
	struct kept *k = kept_new(3);
	uint64_t tickets[4];
	char text[200];

	(void)state;
	assert_true(kept_oldest(k) == KEPT_NONE);
	for (uint32_t i = 0; i < 3; i++) {
		assert_false(kept_is_full(k));
		tickets[i] = add(k, i + 1);
	}
	assert_true(kept_is_full(k));
	assert_int_equal(kept_get(k, tickets[1])->number, 102);
	kept_remove(k, tickets[1]);
	tickets[3] = add(k, 5);
	take_all(k, text);
	assert_string_equal(text, "1 1 curl a.net, 3 3 curl a.net, 5 5 curl a.net, ");
	assert_true(add(k, 6) != KEPT_NONE);
	take_all(k, text);
	assert_string_equal(text, "6 6 curl , ");
	kept_free(k);
	kept_free(NULL);
}

/* The outcome of one that had to make room is not taken for that of its successor. */
static void a_ticket_is_good_for_one_event(void **state)
{
	struct kept *k = kept_new(1);
	uint64_t first = add(k, 1), second;

	(void)state;
	kept_remove(k, first);
	second = add(k, 2);
	assert_true(first != second);
	assert_null(kept_get(k, first));
	assert_null(kept_get(k, KEPT_NONE));
	assert_int_equal(kept_get(k, second)->event.tid, 2);
	kept_free(k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(events_are_copied_and_left_in_order),
		cmocka_unit_test(a_ticket_is_good_for_one_event),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
