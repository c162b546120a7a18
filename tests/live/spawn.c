/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Processes that connect, for the tests of who it was. Every connect goes to a
 * closed port of a loopback address of its own, 127.x.y.z, whose last 24 bits
 * are its number: it tells the test which one it was, whatever the recorder says.
 *
 * usage: spawn once NUMBER PORT ..     connects and ends
 *        spawn children FIRST COUNT PORT AT_ONCE EVEN ODD
 *                                      COUNT children that execute EVEN or ODD as "once"
 *        spawn reuse FIRST COUNT PORT EVEN ODD
 *                                      the same, one after the other, all with one pid
 *        spawn forks FIRST COUNT PORT  COUNT children that connect themselves
 *        spawn chain FIRST COUNT PORT EVEN ODD
 *                                      connects, executes the other one, .. in one process
 *        spawn threads FIRST COUNT PORT
 *                                      COUNT threads named "thread NUMBER"
 *        spawn users FIRST COUNT PORT  connects with COUNT effective users, 1000 + NUMBER
 *        spawn memory NUMBER PORT      executes itself from memory as "once"
 *        spawn wait NUMBER PORT ..     connects at each line of standard input
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/sched.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static char *port_text;

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static void connect_to(unsigned int number)
{
	struct sockaddr_in to = {.sin_family = AF_INET,
		.sin_port = htons((uint16_t)atoi(port_text)),
		.sin_addr.s_addr = htonl(127u << 24 | (number & 0xffffff))};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		fail("socket");
	if (!connect(fd, (struct sockaddr *)&to, sizeof to) || errno != ECONNREFUSED)
		fail("connect");
	close(fd);
}

static void execute(const char *program, const char *how, unsigned int number)
{
	char text[16];

	snprintf(text, sizeof text, "%u", number);
	execl(program, program, how, text, port_text, NULL);
	fail(program);
}

static void reap(pid_t pid)
{
	int status;

	if (waitpid(pid, &status, 0) < 0 || status)
		fail("a child");
}

static void children(
	unsigned int first, unsigned int count, unsigned int at_once, char *const programs[2])
{
	for (unsigned int i = 0; i < count; i++) {
		pid_t pid = fork();

		if (pid < 0)
			fail("fork");
		if (!pid)
			execute(programs[(first + i) % 2], "once", first + i);
		if (i + 1 >= at_once)
			reap(-1);
	}
	while (wait(NULL) > 0)
		continue;
}

/* Finds a pid that is free, then gives it to all children. */
static void reuse(unsigned int first, unsigned int count, char *const programs[2])
{
	pid_t wanted = fork();

	if (!wanted)
		_exit(0);
	reap(wanted);
	for (unsigned int i = 0; i < count; i++) {
		struct clone_args arguments = {.exit_signal = SIGCHLD,
			.set_tid = (uint64_t)(uintptr_t)&wanted,
			.set_tid_size = 1};
		long pid = syscall(SYS_clone3, &arguments, sizeof arguments);

		if (pid < 0)
			fail("clone3");
		if (!pid)
			execute(programs[(first + i) % 2], "once", first + i);
		reap((pid_t)pid);
	}
}

static void forks(unsigned int first, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++) {
		pid_t pid = fork();

		if (pid < 0)
			fail("fork");
		if (!pid) {
			connect_to(first + i);
			_exit(0);
		}
		reap(pid);
	}
}

static void *thread(void *argument)
{
	unsigned int number = (unsigned int)(uintptr_t)argument;
	char name[16];

	snprintf(name, sizeof name, "thread %u", number);
	prctl(PR_SET_NAME, name);
	connect_to(number);
	return NULL;
}

static void threads(unsigned int first, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++) {
		pthread_t id;

		if (pthread_create(&id, NULL, thread, (void *)(uintptr_t)(first + i)) ||
			pthread_join(id, NULL))
			fail("a thread");
	}
}

static void users(unsigned int first, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++) {
		if (seteuid(1000 + first + i))
			fail("seteuid");
		connect_to(first + i);
		if (seteuid(0))
			fail("seteuid");
	}
}

static void memory(const char *number)
{
	int from = open("/proc/self/exe", O_RDONLY), to = memfd_create("a (name)", MFD_CLOEXEC);
	char *argv[] = {"memory", "once", (char *)number, port_text, NULL};
	char buffer[65536];
	ssize_t n;

	if (from < 0 || to < 0)
		fail("open");
	while ((n = read(from, buffer, sizeof buffer)) > 0)
		if (write(to, buffer, (size_t)n) != n)
			fail("write");
	fexecve(to, argv, environ);
	fail("exec");
}

int main(int argc, char **argv)
{
	unsigned int first = argc > 2 ? (unsigned int)atoi(argv[2]) : 0;
	unsigned int count = argc > 3 ? (unsigned int)atoi(argv[3]) : 0;
	const char *what = argc > 3 ? argv[1] : "";

	port_text = argv[argc > 4 ? 4 : argc - 1];
	if (!strcmp(what, "once") || !strcmp(what, "wait") || !strcmp(what, "memory"))
		port_text = argv[3];
	if (!strcmp(what, "once"))
		connect_to(first);
	else if (!strcmp(what, "wait"))
		while (getchar() != EOF)
			connect_to(first);
	else if (!strcmp(what, "children") && argc == 8)
		children(first, count, (unsigned int)atoi(argv[5]), argv + 6);
	else if (!strcmp(what, "reuse") && argc == 7)
		reuse(first, count, argv + 5);
	else if (!strcmp(what, "forks"))
		forks(first, count);
	else if (!strcmp(what, "users"))
		users(first, count);
	else if (!strcmp(what, "memory"))
		memory(argv[2]);
	else if (!strcmp(what, "threads"))
		threads(first, count);
	else if (!strcmp(what, "chain") && argc == 7) {
		char next[16], left[16], *programs[2] = {argv[5], argv[6]};

		connect_to(first);
		if (!count)
			return 0;
		snprintf(next, sizeof next, "%u", first + 1);
		snprintf(left, sizeof left, "%u", count - 1);
		execl(programs[(first + 1) % 2], programs[(first + 1) % 2], "chain", next, left,
			port_text, argv[5], argv[6], NULL);
		fail("exec");
	} else {
		fprintf(stderr, "spawn: wrong usage\n");
		return 2;
	}
	return 0;
}
