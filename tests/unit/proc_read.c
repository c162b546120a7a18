/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"
#include "../../capture/clock.h"
#include "../../capture/proc_read.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

static struct proc_reading reading;

static int parse_stat(const char *text)
{
	uint8_t *copy = exact_copy(text, strlen(text));
	int status;

	memset(&reading, 0, sizeof reading);
	status = proc_parse_stat((struct bytes){copy, strlen(text)}, &reading);
	free(copy);
	return status;
}

#define TAIL " -1 4194560 1 0 0 0 2 3 4 5 20 0 "

static void stat_names_end_at_the_last_parenthesis(void **state)
{
	static const char *const names[] = {
		"sh", "a b", ")", "(", ") S 1 1 (", "a\nb", "\033[31m", "\xff\xfe", ""};

	(void)state;
	for (size_t i = 0; i < COUNT(names); i++) {
		char text[256];

		snprintf(text, sizeof text, "77 (%s) S 12 77 77 0" TAIL "1 0 1234 9 9\n", names[i]);
		assert_int_equal(parse_stat(text), 0);
		assert_true(bytes_equal(reading.process.comm, bytes_of(names[i])));
		assert_int_equal(reading.process.ppid, 12);
		assert_int_equal(reading.process.start_ns, 12340000000u);
		assert_true(reading.settled);
	}
}

static void stat_tells_whether_an_exec_may_be_under_way(void **state)
{
	(void)state;
	assert_int_equal(parse_stat("7 (a) R 1 7 7 0" TAIL "1 0 5 "), 0);
	assert_false(reading.settled);
	assert_int_equal(parse_stat("7 (a) R 1 7 7 0" TAIL "2 0 5 "), 0);
	assert_true(reading.settled);
	assert_int_equal(parse_stat("7 (a) D 1 7 7 0" TAIL "1 0 5 "), 0);
	assert_false(reading.settled);
	assert_int_equal(parse_stat("7 (a) t 1 7 7 0" TAIL "1 0 5 "), 0);
	assert_false(reading.settled);
	/* A kernel thread never executes. */
	assert_int_equal(parse_stat("7 (a) R 1 7 7 0 -1 2129984 1 0 0 0 2 3 4 5 20 0 1 0 5 "), 0);
	assert_true(reading.settled);
}

static void stat_that_is_none_is_refused(void **state)
{
	static const char whole[] = "7 (a) R 1 7 7 0" TAIL "1 0 5";
	char text[sizeof whole];

	(void)state;
	for (size_t length = 0; length < sizeof whole - 2; length++) {
		memcpy(text, whole, length);
		text[length] = '\0';
		assert_int_equal(parse_stat(text), -1);
	}
	assert_int_equal(parse_stat(")("), -1);
	assert_int_equal(parse_stat("7 (a) R 1 7 7 0 x"), -1);
}

static void status_gives_ids(void **state)
{
	struct process p = {.euid = UNKNOWN_ID, .egid = UNKNOWN_ID};

	(void)state;
	proc_parse_status(bytes_of("Name:\tUid:\\nGid:\nUid:\t1000\t4294967295\t0\t0\n"
				   "Gid:\t100\t0\t0\t0\nNSpid:\t77\t12\t1\nNSsid:\t5\n"),
		&p);
	assert_int_equal(p.uid, 1000);
	assert_int_equal(p.euid, 4294967295u);
	assert_int_equal(p.gid, 100);
	assert_int_equal(p.egid, 0);
	assert_int_equal(p.pid_inside, 1);
	p = (struct process){.euid = UNKNOWN_ID, .egid = UNKNOWN_ID};
	proc_parse_status(bytes_of("Uid:\t5\nGid:"), &p);
	assert_int_equal(p.euid, UNKNOWN_ID);
	assert_int_equal(p.egid, UNKNOWN_ID);
}

static void cgroup_is_that_of_v2_or_of_systemd(void **state)
{
	static const struct {
		const char *text, *path;
	} cases[] = {
		{"0::/system.slice/a.service\n", "/system.slice/a.service"},
		{"0::/\n", "/"},
		{"0::/a b\\x2d:c\n", "/a b\\x2d:c"},
		{"12:pids:/x\n1:name=systemd:/docker/id\n0::/\n", "/docker/id"},
		{"12:pids:/x\n1:name=systemd:/y\n", "/y"},
		{"1:name=systemd:/y\n0::/z\n", "/z"},
		{"12:pids:/x\n", ""},
		{"", ""},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		assert_true(bytes_equal(
			proc_parse_cgroup(bytes_of(cases[i].text)), bytes_of(cases[i].path)));
}

/* A child that sleeps, read once it does. */
static pid_t sleeping_child(char *argument)
{
	char *const argv[] = {"sleep", "100", argument, NULL};
	pid_t pid = fork();

	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		execv("/bin/sleep", argv);
		_exit(1);
	}
	do {
		usleep(1000);
		assert_int_equal(proc_read((uint32_t)pid, true, &reading), 0);
		/* The last of what is read, as it executes: then once more. */
		if (bytes_equal(reading.process.comm, bytes_of("sleep")))
			assert_int_equal(proc_read((uint32_t)pid, true, &reading), 0);
	} while (!reading.settled || !bytes_equal(reading.process.comm, bytes_of("sleep")));
	return pid;
}

static void a_process_is_read_while_it_runs(void **state)
{
	uint64_t before = clock_boot_ns();
	pid_t pid = sleeping_child(NULL);
	const struct process *p = &reading.process;

	(void)state;
	assert_true(reading.begin_ns >= before && reading.end_ns >= reading.begin_ns);
	assert_int_equal(p->pid, pid);
	assert_int_equal(p->ppid, getpid());
	assert_int_equal(p->euid, geteuid());
	assert_int_equal(p->gid, getgid());
	assert_true(p->start_ns <= reading.end_ns && p->start_ns + 20000000 > before);
	assert_true(p->exe.length >= 5 && !memcmp(p->exe.data + p->exe.length - 5, "sleep", 5));
	assert_memory_equal(p->args.data,
		"sleep\0"
		"100",
		p->args.length);
	assert_int_equal(p->args.length, 10);
	assert_int_not_equal(p->mount_ns, 0);
	assert_int_not_equal(p->pid_ns, 0);
	assert_int_equal(p->flags, 0);
	assert_int_equal(proc_read((uint32_t)pid, false, &reading), 0);
	assert_int_equal(p->args.length, 0);
	assert_int_not_equal(p->exe.length, 0);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	assert_int_equal(proc_read((uint32_t)pid, true, &reading), -1);
}

static void long_arguments_are_cut_and_said_to_be(void **state)
{
	static char argument[2 * PROC_TEXT_MAX];

	(void)state;
	for (size_t length = PROC_TEXT_MAX - 12; length < PROC_TEXT_MAX - 8; length++) {
		size_t all = 10 + length + 1;
		bool cut = all > PROC_TEXT_MAX;
		pid_t pid;

		memset(argument, '0', sizeof argument); /* no time at all, for sleep */
		argument[length] = '\0';
		pid = sleeping_child(argument);
		assert_int_equal(reading.process.args.length, cut ? PROC_TEXT_MAX : all);
		assert_int_equal(reading.process.flags, cut ? PROCESS_ARGS_CUT : 0);
		assert_int_equal(reading.process.args.data[reading.process.args.length - 1], 0);
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(stat_names_end_at_the_last_parenthesis),
		cmocka_unit_test(stat_tells_whether_an_exec_may_be_under_way),
		cmocka_unit_test(stat_that_is_none_is_refused),
		cmocka_unit_test(status_gives_ids),
		cmocka_unit_test(cgroup_is_that_of_v2_or_of_systemd),
		cmocka_unit_test(a_process_is_read_while_it_runs),
		cmocka_unit_test(long_arguments_are_cut_and_said_to_be),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
