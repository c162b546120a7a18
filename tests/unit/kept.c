/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"
#include "../../capture/kept.h"

static int64_t add(struct kept *k, uint32_t pid)
{
	char name[] = "curl";
	struct process process = {.pid = pid, .comm = bytes_of(name)};
	struct event event = {.tid = pid, .process = &process};
	int64_t slot = kept_add(k, &event, pid + 100);

	memset(name, 'x', 4); /* the copy is complete */
	process.pid = 0;
	return slot;
}

static void note(void *context, struct kept_event *kept)
{
	char *text = context;

	sprintf(text + strlen(text), "%u %u %.*s, ", kept->event.tid, kept->event.process->pid,
		(int)kept->event.process->comm.length, kept->event.process->comm.data);
}

static void events_are_copied_and_left_in_order(void **state)
{
	struct kept *k = kept_new(3);
	char text[200] = "";
	int64_t slots[3];

	(void)state;
	for (uint32_t i = 0; i < 3; i++)
		slots[i] = add(k, i + 1);
	assert_int_equal(add(k, 4), -1);
	assert_int_equal(kept_get(k, (uint64_t)slots[1])->number, 102);
	kept_remove(k, (uint64_t)slots[0]);
	assert_int_equal(add(k, 5), slots[0]);
	kept_visit(k, note, text);
	assert_string_equal(text, "2 2 curl, 3 3 curl, 5 5 curl, ");
	for (unsigned int i = 0; i < 3; i++)
		kept_remove(k, (uint64_t)slots[i]);
	text[0] = '\0';
	kept_visit(k, note, text);
	assert_string_equal(text, "");
	assert_true(add(k, 6) >= 0);
	kept_free(k);
	kept_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(events_are_copied_and_left_in_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
