/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"
#include "../../capture/described.h"
#include "../../capture/proc_read.h"

#include <linux/types.h>

#include "../../bpf/tcpconnect.h"

static union {
	struct sample_process head;
	uint8_t bytes[sizeof(struct sample_process) + TEXTS * TEXT_MAX];
} sample;

static size_t length;

static void begin(uint64_t id)
{
	memset(&sample, 0, sizeof sample);
	sample.head = (struct sample_process){.kind = SAMPLE_PROCESS,
		.pid = 7,
		.id = id,
		.state = {.start_ns = 12345678901,
			.parent_start_ns = 5,
			.ppid = 3,
			.mount_ns = 4,
			.euid = UINT32_MAX,
			.egid = 11,
			.loginuid = 12,
			.audit_session = 13,
			.flags = PROCESS_AUDIT},
		.pid_inside = 2,
		.pid_ns = 9,
		.parent_comm = "sixteen bytes .."};
	length = offsetof(struct sample_process, text);
}

static void append(enum process_text which, const char *text, size_t size)
{
	memcpy((uint8_t *)&sample + length, text, size);
	length += size;
	sample.head.lengths[which] = (uint16_t)size;
}

/* From memory of just that size, so that valgrind sees what is read beyond it. */
static int take(struct described *d)
{
	uint8_t *copy = malloc(length + 1);
	int status;

	assert_non_null(copy);
	memcpy(copy + 1, &sample, length);
	status = described_take(d, copy + 1, length);
	free(copy);
	return status;
}

static void check(struct bytes text, const char *wanted)
{
	assert_int_equal(text.length, strlen(wanted));
	assert_memory_equal(text.data, wanted, text.length);
}

static void a_description_is_found_by_its_id(void **state)
{
	struct described *d = described_new(true);
	const struct description *found;
	const struct process *p;

	(void)state;
	begin(99);
	append(TEXT_EXE, "name\0b in\0usr", 14);
	append(TEXT_ARGS, "a\0\0\xff\n", 6);
	append(TEXT_CGROUP, "x.service\0system.slice", 23);
	assert_int_equal(take(d), 0);
	found = described_find(d, 99);
	assert_non_null(found);
	p = &found->process;
	check(p->exe, "/usr/b in/name");
	check(p->cgroup, "/system.slice/x.service");
	assert_int_equal(p->args.length, 6);
	assert_memory_equal(p->args.data, "a\0\0\xff\n", 6);
	assert_int_equal(p->flags, 0);
	assert_int_equal(p->pid, 7);
	assert_int_equal(p->ppid, 3);
	assert_int_equal(p->euid, UINT32_MAX);
	assert_int_equal(p->egid, 11);
	assert_int_equal(p->loginuid, 12);
	assert_int_equal(p->audit_session, 13);
	assert_int_equal(p->start_ns, 12345678901);
	assert_int_equal(p->pid_inside, 2);
	assert_int_equal(p->mount_ns, 4);
	assert_int_equal(p->pid_ns, 9);
	assert_int_equal(found->parent_start_ns, 5);
	check(found->parent_comm, "sixteen bytes ..");
	assert_false(found->same_image);
	assert_null(described_find(d, 98));
	assert_null(described_find(d, 0));
	described_free(d);
	described_free(NULL);
}

static void what_the_kernel_could_not_tell_is_unknown(void **state)
{
	struct described *d = described_new(true);
	const struct process *p;

	(void)state;
	begin(1);
	sample.head.state.flags = PROCESS_SAME_IMAGE;
	assert_int_equal(take(d), 0);
	p = &described_find(d, 1)->process;
	assert_true(described_find(d, 1)->same_image);
	assert_int_equal(p->exe.length + p->args.length + p->cgroup.length, 0);
	assert_int_equal(p->loginuid, UNKNOWN_ID);
	assert_int_equal(p->audit_session, UNKNOWN_ID);
	described_free(d);
}

static struct bytes exe_of(struct described *d, uint32_t flags, const char *names, size_t size)
{
	begin(1);
	sample.head.text_flags = flags;
	append(TEXT_EXE, names, size);
	assert_int_equal(take(d), 0);
	return described_find(d, 1)->process.exe;
}

static void programs_without_a_path_are_marked_as_in_proc(void **state)
{
	struct described *d = described_new(true);

	(void)state;
	check(exe_of(d, TEXT_UNLINKED, "a\0b", 4), "/b/a (deleted)");
	check(exe_of(d, TEXT_MEMORY, "memfd:", 7), "/memfd: (deleted)");
	check(exe_of(d, TEXT_MEMORY, "memfd:\n", 8), "/memfd:\n (deleted)");
	check(exe_of(d, TEXT_MEMORY, "pipe", 5), "");
	check(exe_of(d, TEXT_UNLINKED, "", 0), "");
	described_free(d);
}

static void names_that_are_none_make_no_path(void **state)
{
	struct described *d = described_new(true);

	(void)state;
	check(exe_of(d, 0, "a\0\0b", 5), "");
	check(exe_of(d, 0, "a\0b", 3), "");
	check(exe_of(d, 0, "\0", 1), "");
	check(exe_of(d, 0, "a\0b/c", 6), "");
	check(exe_of(d, 0, "..", 3), "/..");
	described_free(d);
}

static void long_texts_are_bounded(void **state)
{
	struct described *d = described_new(true);
	static char text[TEXT_MAX];
	const struct process *p;

	(void)state;
	memset(text, 'x', sizeof text);
	begin(1);
	append(TEXT_ARGS, text, sizeof text);
	sample.head.text_flags = TEXT_CUT;
	assert_int_equal(take(d), 0);
	p = &described_find(d, 1)->process;
	assert_int_equal(p->args.length, PROC_TEXT_MAX);
	assert_int_equal(p->args.data[PROC_TEXT_MAX - 1], 0);
	assert_int_equal(p->args.data[PROC_TEXT_MAX - 2], 'x');
	assert_int_equal(p->flags, PROCESS_ARGS_CUT);
	text[sizeof text - 1] = '\0';
	assert_int_equal(exe_of(d, 0, text, sizeof text).length, PROC_TEXT_MAX);
	assert_int_equal(exe_of(d, TEXT_UNLINKED, text, sizeof text).length, 0);
	described_free(d);
}

static void the_root_of_cgroups_is_told_where_there_is_no_other(void **state)
{
	struct described *d = described_new(true);

	(void)state;
	begin(1);
	sample.head.text_flags = TEXT_ROOT_CGROUP;
	assert_int_equal(take(d), 0);
	check(described_find(d, 1)->process.cgroup, "/");
	described_free(d);
	d = described_new(false);
	assert_int_equal(take(d), 0);
	check(described_find(d, 1)->process.cgroup, "");
	described_free(d);
}

static void malformed_samples_are_refused(void **state)
{
	struct described *d = described_new(true);
	size_t whole;

	(void)state;
	begin(1);
	append(TEXT_EXE, "a", 2);
	whole = length;
	for (length = 0; length < whole; length++)
		assert_int_equal(take(d), -1);
	length = whole + 1;
	assert_int_equal(take(d), -1);
	length = whole;
	sample.head.id = 0;
	assert_int_equal(take(d), -1);
	begin(1);
	sample.head.pid = 0;
	assert_int_equal(take(d), -1);
	begin(1);
	sample.head.kind = SAMPLE_ATTEMPT;
	assert_int_equal(take(d), -1);
	begin(1);
	sample.head.lengths[TEXT_ARGS] = TEXT_MAX + 1;
	length += TEXT_MAX + 1;
	assert_int_equal(take(d), -1);
	assert_int_equal(described_bytes(d), 0);
	described_free(d);
}

/* Any number of them, with much text: those that are asked for stay. */
static void memory_is_bounded(void **state)
{
	struct described *d = described_new(true);
	static char text[TEXT_MAX];

	(void)state;
	for (uint64_t id = 1; id <= 20000; id++) {
		begin(id);
		append(TEXT_ARGS, text, id > 15000 ? sizeof text : 10);
		append(TEXT_CGROUP, text, id > 15000 ? sizeof text : 0);
		assert_int_equal(take(d), 0);
		assert_true(described_bytes(d) <= DESCRIPTION_BYTES_MAX);
		assert_non_null(described_find(d, 1));
		assert_non_null(described_find(d, id));
	}
	assert_null(described_find(d, 2));
	begin(20000); /* the same id again takes its place */
	assert_int_equal(take(d), 0);
	check(described_find(d, 20000)->process.args, "");
	described_free(d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_description_is_found_by_its_id),
		cmocka_unit_test(what_the_kernel_could_not_tell_is_unknown),
		cmocka_unit_test(programs_without_a_path_are_marked_as_in_proc),
		cmocka_unit_test(names_that_are_none_make_no_path),
		cmocka_unit_test(long_texts_are_bounded),
		cmocka_unit_test(the_root_of_cgroups_is_told_where_there_is_no_other),
		cmocka_unit_test(malformed_samples_are_refused),
		cmocka_unit_test(memory_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
