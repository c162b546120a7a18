/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Many attempts that come to nothing: refused, without a route, given up by close(), by
 * AF_UNSPEC, by the end of their process, by a signal. tests/live/network.sh makes the network
 * that it wants.
 *
 * usage: leaks ATTEMPTS PROCESSES PORT    PORT is closed
 *
 * Prints how many attempts it has made: all of them are over by then.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define SILENT "198.51.100.2"
#define DYING_EVERY 256 /* rounds: a process more is dear */

static uint16_t port;

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "leaks: %s: %s\n", what, strerror(errno));
	_exit(1);
}

static int new_socket(const char *address, int flags)
{
	int fd = socket(strchr(address, ':') ? AF_INET6 : AF_INET, SOCK_STREAM | flags, 0);

	if (fd < 0)
		die("socket");
	return fd;
}

/* One attempt, which must not succeed. */
static void attempt(int fd, const char *address, int error)
{
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
	struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(port)};
	int status;

	if (strchr(address, ':')) {
		inet_pton(AF_INET6, address, &v6.sin6_addr);
		status = connect(fd, (struct sockaddr *)&v6, sizeof v6);
	} else {
		inet_pton(AF_INET, address, &v4.sin_addr);
		status = connect(fd, (struct sockaddr *)&v4, sizeof v4);
	}
	if (!status || errno != error)
		die(address);
}

struct kind {
	const char *address;
	int flags, error;      /* of the socket; errno of connect() */
	bool again, dissolved; /* connects twice; with AF_UNSPEC in between */
};

static const struct kind kinds[] = {
	{"127.0.0.1", 0, ECONNREFUSED, false, false},
	{"::1", SOCK_NONBLOCK, EINPROGRESS, false, false},
	{"::ffff:127.0.0.1", 0, ECONNREFUSED, true, false},
	{"192.0.2.1", 0, ENETUNREACH, true, false},
	{"203.0.113.1", SOCK_NONBLOCK, EHOSTUNREACH, false, false},
	{"203.0.113.200", 0, EACCES, false, false},
	{"2001:db8:ffff::1", 0, ENETUNREACH, false, false},
	{SILENT, SOCK_NONBLOCK, EINPROGRESS, false, false},
	{SILENT, SOCK_NONBLOCK, EINPROGRESS, true, true},
};

#define KINDS (sizeof kinds / sizeof *kinds)

static uint64_t try_kind(const struct kind *k)
{
	static const struct sockaddr none = {.sa_family = AF_UNSPEC};
	int fd = new_socket(k->address, k->flags);

	attempt(fd, k->address, k->error);
	if (k->dissolved && connect(fd, &none, sizeof none))
		die("AF_UNSPEC");
	if (k->again)
		attempt(fd, k->address, k->error);
	close(fd);
	return k->again ? 2 : 1;
}

/* A process that is killed with two attempts under way, one of which it waits for. */
static uint64_t die_connecting(void)
{
	int fd = new_socket(SILENT, 0), status;
	struct tcp_info info = {0};
	socklen_t size;
	pid_t child = fork();

	if (child < 0)
		die("fork");
	if (!child) {
		attempt(new_socket(SILENT, SOCK_NONBLOCK), SILENT, EINPROGRESS);
		attempt(fd, SILENT, 0);
	}
	do {
		size = sizeof info;
		if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size))
			die("TCP_INFO");
	} while (info.tcpi_state != TCP_SYN_SENT && !usleep(200));
	close(fd);
	kill(child, SIGKILL);
	if (waitpid(child, &status, 0) != child || !WIFSIGNALED(status))
		die("a child did not die while it connected");
	return 2;
}

static uint64_t work(uint64_t attempts)
{
	uint64_t made = 0;

	for (uint64_t round = 0; made < attempts; round++)
		made += round % DYING_EVERY ? try_kind(&kinds[round % KINDS]) : die_connecting();
	return made;
}

int main(int argc, char **argv)
{
	uint64_t attempts, made, sum = 0;
	int processes, results[2], status;

	if (argc != 4) {
		fputs("usage: leaks ATTEMPTS PROCESSES PORT\n", stderr);
		return 2;
	}
	attempts = strtoull(argv[1], NULL, 10);
	processes = atoi(argv[2]);
	port = (uint16_t)atoi(argv[3]);
	if (processes < 1 || pipe(results))
		die("pipe");
	for (int i = 0; i < processes; i++)
		if (!fork()) {
			made = work(attempts / (uint64_t)processes);
			_exit(write(results[1], &made, sizeof made) != sizeof made);
		}
	for (int i = 0; i < processes; i++)
		if (wait(&status) < 0 || status)
			return 1;
	for (int i = 0; i < processes; i++)
		if (read(results[0], &made, sizeof made) == sizeof made)
			sum += made;
	printf("%llu\n", (unsigned long long)sum);
	return 0;
}
