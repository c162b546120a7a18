/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Connects that fail inside the call, before a SYN is sent, each with a port of
 * its own so that a trace of them can be checked one by one. The routes that
 * some cases need are made by the script that runs this.
 *
 * usage: syncfail USER PORT: as that user (and group), with ports from PORT on
 *
 * Prints CSV, a line for each call: case, pid, tid, uid, gid, comm, ip, saddr,
 * lport (both empty if the socket is not bound), daddr, dport, result. ip is
 * empty for calls that name no destination: these are no attempts.
 */
#define _GNU_SOURCE /* strerrorname_np */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct endpoint {
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	};
	socklen_t length;
};

enum how {
	PLAIN,
	IPV6_ONLY,     /* the socket takes no IPv4-mapped addresses */
	TAKEN,         /* from a port that has this connection already */
	SHORT_ADDRESS, /* the length stops before the address */
	OTHER_FAMILY,  /* an address of the other family than the socket's */
	AGAIN          /* a second call, on a connected socket */
};

static const struct attempt {
	const char *name;
	int family;
	const char *address;
	enum how how;
} attempts[] = {
	{"v4 without a route", AF_INET, "192.0.2.1", PLAIN},
	{"v6 without a route", AF_INET6, "2001:db8::1", PLAIN},
	{"mapped without a route", AF_INET6, "::ffff:192.0.2.1", PLAIN},
	{"mapped on an IPv6-only socket", AF_INET6, "::ffff:127.0.0.1", IPV6_ONLY},
	{"v4 to an unreachable network", AF_INET, "203.0.113.1", PLAIN},
	{"v6 to an unreachable network", AF_INET6, "2001:db8:1::1", PLAIN},
	{"v4 to a prohibited network", AF_INET, "203.0.113.200", PLAIN},
	{"v4 to a broadcast address", AF_INET, "127.255.255.255", PLAIN},
	{"v6 to a multicast address", AF_INET6, "ff02::1", PLAIN},
	{"v6 link-local without a scope", AF_INET6, "fe80::1", PLAIN},
	{"v4 from a taken port", AF_INET, "127.0.0.1", TAKEN},
	{"v6 from a taken port", AF_INET6, "::1", TAKEN},
	{"mapped from a taken port", AF_INET6, "::ffff:127.0.0.1", TAKEN},
	{"v4 with a short address", AF_INET, "127.0.0.1", SHORT_ADDRESS},
	{"v6 with a short address", AF_INET6, "::1", SHORT_ADDRESS},
	{"v4 with a v6 address", AF_INET, "2001:db8::1", OTHER_FAMILY},
	{"v6 with a v4 address", AF_INET6, "127.0.0.1", OTHER_FAMILY},
	{"v4 a second time", AF_INET, "127.0.0.1", AGAIN},
};

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static struct endpoint endpoint(const char *address, uint16_t port)
{
	struct endpoint e;

	memset(&e, 0, sizeof e);
	if (strchr(address, ':')) {
		e.v6.sin6_family = AF_INET6;
		e.v6.sin6_port = htons(port);
		e.length = sizeof e.v6;
		inet_pton(AF_INET6, address, &e.v6.sin6_addr);
	} else {
		e.v4.sin_family = AF_INET;
		e.v4.sin_port = htons(port);
		e.length = sizeof e.v4;
		inet_pton(AF_INET, address, &e.v4.sin_addr);
	}
	return e;
}

static int new_socket(int family)
{
	int fd = socket(family, SOCK_STREAM, 0), on = 1;

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on))
		fail("socket");
	return fd;
}

/* A mapped address is shown as the IPv4 address that it is. */
static const char *show(const struct endpoint *e, char text[static INET6_ADDRSTRLEN])
{
	if (e->any.sa_family == AF_INET)
		inet_ntop(AF_INET, &e->v4.sin_addr, text, INET6_ADDRSTRLEN);
	else if (IN6_IS_ADDR_V4MAPPED(&e->v6.sin6_addr))
		inet_ntop(AF_INET, &e->v6.sin6_addr.s6_addr[12], text, INET6_ADDRSTRLEN);
	else
		inet_ntop(AF_INET6, &e->v6.sin6_addr, text, INET6_ADDRSTRLEN);
	return text;
}

/* Calls connect() and prints its line. is_attempt: the call names a destination. */
static void call(const char *name, int fd, const struct endpoint *to, bool is_attempt)
{
	char source[INET6_ADDRSTRLEN] = "", lport[8] = "", destination[INET6_ADDRSTRLEN];
	struct endpoint from = {.length = sizeof from.v6};
	const char *result = "ok", *ip = "";

	if (getsockname(fd, &from.any, &from.length))
		fail("getsockname");
	if (from.v4.sin_port) { /* at the same place in both families */
		show(&from, source);
		snprintf(lport, sizeof lport, "%u", ntohs(from.v4.sin_port));
	}
	if (connect(fd, &to->any, to->length))
		result = strerrorname_np(errno);
	show(to, destination);
	if (is_attempt)
		ip = strchr(destination, ':') ? "6" : "4";
	printf("%s,%d,%d,%u,%u,syncfail,%s,%s,%s,%s,%u,%s\n", name, getpid(), gettid(), getuid(),
		getgid(), ip, source, lport, destination, ntohs(to->v4.sin_port), result);
}

static int listener(const struct attempt *a, const struct endpoint *at)
{
	int fd = new_socket(a->family);

	if (bind(fd, &at->any, at->length) || listen(fd, 8))
		fail("listen");
	return fd;
}

/* The first connect succeeds and is printed too; the second finds the four-tuple in use. */
static void connect_taken(const struct attempt *a, const struct endpoint *to)
{
	int server = listener(a, to), first = new_socket(a->family), second = new_socket(a->family);
	struct endpoint from = endpoint(a->address, 0);

	if (bind(first, &from.any, from.length) || getsockname(first, &from.any, &from.length))
		fail("bind");
	call(a->name, first, to, true);
	if (bind(second, &from.any, from.length))
		fail("bind again");
	call(a->name, second, to, true);
	close(second);
	close(first);
	close(server);
}

static void connect_again(const struct attempt *a, const struct endpoint *to)
{
	int server = listener(a, to), fd = new_socket(a->family);
	struct endpoint from = endpoint(a->address, 0);

	if (bind(fd, &from.any, from.length))
		fail("bind");
	call(a->name, fd, to, true);
	call(a->name, fd, to, false);
	close(fd);
	close(server);
}

static void run(const struct attempt *a, uint16_t port)
{
	struct endpoint to = endpoint(a->address, port);
	int fd, on = 1;

	if (a->how == TAKEN) {
		connect_taken(a, &to);
		return;
	}
	if (a->how == AGAIN) {
		connect_again(a, &to);
		return;
	}
	fd = new_socket(a->family);
	if (a->how == IPV6_ONLY && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on))
		fail("IPV6_V6ONLY");
	if (a->how == SHORT_ADDRESS)
		to.length = 4; /* family and port */
	call(a->name, fd, &to, a->how == PLAIN || a->how == IPV6_ONLY);
	close(fd);
}

int main(int argc, char **argv)
{
	uid_t user = argc == 3 ? (uid_t)atoi(argv[1]) : 0;
	int port = argc == 3 ? atoi(argv[2]) : 0;

	if (!user || !port) {
		fputs("usage: syncfail USER PORT\n", stderr);
		return 2;
	}
	if (setgid(user) || setuid(user))
		fail("setuid");
	puts("case,pid,tid,uid,gid,comm,ip,saddr,lport,daddr,dport,result");
	for (size_t i = 0; i < sizeof attempts / sizeof *attempts; i++)
		run(&attempts[i], (uint16_t)(port + (int)i));
	return 0;
}
