/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A DNS server, and a program that asks it for names and connects to what they are. In a
 * network namespace (or a guest) of its own, where lo is up with an MTU that fragments.
 *
 * usage: lookups PORT    prints a line for each connect, in their order: destination, port, the
 *                        name that it has then, -: none, and how old its answer is, at least and
 *                        at most, in milliseconds
 *        lookups serve   only the server, until it is killed; prints a line when it is there
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define SERVER "127.0.0.2" /* and ::1 */
#define MESSAGE_MAX 8192
#define HEADER 12
#define A 1
#define CNAME 5
#define AAAA 28

static void fail(const char *what)
{
	fprintf(stderr, "lookups: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* What the server knows. count: addresses, one behind the other. */
static const struct name {
	const char *name, *address, *address6;
	unsigned int count;
	const char *alias;
} names[] = {
	{"www.example.test", "127.0.1.1", "::1", 1, NULL},
	{"alias.example.test", "127.0.1.1", NULL, 1, "www.example.test"},
	{"big.example.test", "127.0.2.1", NULL, 60, NULL},
	{"huge.example.test", "127.0.3.1", NULL, 220, NULL}, /* comes in fragments */
	{"over.example.test", "127.0.4.1", NULL, 400, NULL}, /* more than is recorded */
	{"question.example.test", "127.0.5.1", NULL, 1, NULL},
	{"options.example.test", "127.0.6.1", NULL, 1, NULL},
	{"none.example.test", NULL, NULL, 0, NULL},
};

struct message {
	uint8_t bytes[MESSAGE_MAX];
	size_t length;
};

static void put(struct message *m, const void *bytes, size_t length)
{
	if (m->length + length > sizeof m->bytes)
		abort();
	memcpy(m->bytes + m->length, bytes, length);
	m->length += length;
}

static void put16(struct message *m, unsigned int value)
{
	put(m, (const uint8_t[]){(uint8_t)(value >> 8), (uint8_t)value}, 2);
}

static void put_name(struct message *m, const char *name)
{
	while (*name) {
		uint8_t length = (uint8_t)strcspn(name, ".");

		put(m, &length, 1);
		put(m, name, length);
		name += length + (name[length] == '.');
	}
	put(m, "", 1);
}

/* Returns where its data is. */
static size_t put_record(
	struct message *m, size_t owner, unsigned int type, const void *data, unsigned int length)
{
	unsigned int count = (unsigned int)(m->bytes[6] << 8 | m->bytes[7]) + 1;

	m->bytes[6] = (uint8_t)(count >> 8);
	m->bytes[7] = (uint8_t)count;
	put16(m, 0xc000 | (unsigned int)owner);
	put16(m, type);
	put16(m, 1);
	put16(m, 0);
	put16(m, 60);
	put16(m, length);
	put(m, data, length);
	return m->length - length;
}

/* The question's name into text. Returns its end, 0: it is none. */
static size_t name_of(const struct message *m, char text[static 256])
{
	size_t at = HEADER, used = 0;

	while (at < m->length && m->bytes[at]) {
		size_t length = m->bytes[at];

		if (length > 63 || at + 1 + length >= m->length || used + length + 2 > 256)
			return 0;
		if (used)
			text[used++] = '.';
		memcpy(text + used, m->bytes + at + 1, length);
		used += length;
		at += 1 + length;
	}
	text[used] = '\0';
	return at + 5 <= m->length ? at + 5 : 0;
}

/* What the server says. Names that it does not know have an address too. */
static struct message answer_to(const struct message *question, const char *text, size_t end)
{
	static const struct name any = {"", "127.0.7.1", NULL, 1, NULL};
	const struct name *name = &any;
	unsigned int type = question->bytes[end - 3];
	struct message m = {.length = 0};
	size_t owner = HEADER;

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (!strcmp(names[i].name, text))
			name = &names[i];
	put(&m, question->bytes, end);
	m.bytes[2] = 0x81;
	m.bytes[3] = 0x80;
	memset(m.bytes + 6, 0, 6);
	if (name->alias) {
		struct message alias = {.length = 0};

		put_name(&alias, name->alias);
		owner = put_record(&m, owner, CNAME, alias.bytes, (unsigned int)alias.length);
	}
	for (unsigned int i = 0; type == A && i < name->count; i++) {
		struct in_addr address;

		inet_pton(AF_INET, name->address, &address);
		address.s_addr = htonl(ntohl(address.s_addr) + i);
		put_record(&m, owner, A, &address, 4);
	}
	if (type == AAAA && name->address6) {
		struct in6_addr address;

		inet_pton(AF_INET6, name->address6, &address);
		put_record(&m, owner, AAAA, &address, 16);
	}
	if (!strncmp(text, "question.", 9)) /* it is none any more */
		m.bytes[2] = 1;
	return m;
}

static void serve_one(int fd)
{
	static const uint8_t nothing[] = {1, 1, 1, 1}; /* IPOPT_NOOP: a longer header */
	struct sockaddr_storage from;
	socklen_t size = sizeof from;
	struct message question, answer;
	char text[256];
	size_t end;
	ssize_t n = recvfrom(fd, question.bytes, sizeof question.bytes, 0, (void *)&from, &size);
	bool options;

	if (n < HEADER)
		return;
	question.length = (size_t)n;
	end = name_of(&question, text);
	if (!end)
		return;
	answer = answer_to(&question, text, end);
	options = !strncmp(text, "options.", 8);
	if (options && setsockopt(fd, IPPROTO_IP, IP_OPTIONS, nothing, sizeof nothing))
		fail("IP_OPTIONS");
	if (sendto(fd, answer.bytes, answer.length, 0, (void *)&from, size) < 0)
		fail("cannot answer");
	if (options)
		setsockopt(fd, IPPROTO_IP, IP_OPTIONS, NULL, 0);
}

/* Bound to that address and port; address NULL: to any. */
static int open_socket(int type, const char *address, uint16_t port)
{
	struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(port)};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
	bool is_v4 = address && inet_pton(AF_INET, address, &v4.sin_addr) == 1;
	int fd = socket(is_v4 ? AF_INET : AF_INET6, type, 0);

	if (address && !is_v4)
		inet_pton(AF_INET6, address, &v6.sin6_addr);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int)) ||
		bind(fd, is_v4 ? (void *)&v4 : (void *)&v6, is_v4 ? sizeof v4 : sizeof v6))
		fail("cannot bind");
	return fd;
}

static void serve(const int fds[2])
{
	struct pollfd polled[2] = {
		{.fd = fds[0], .events = POLLIN}, {.fd = fds[1], .events = POLLIN}};

	for (;;) {
		if (poll(polled, 2, -1) < 0)
			fail("poll");
		for (int i = 0; i < 2; i++)
			if (polled[i].revents & POLLIN)
				serve_one(fds[i]);
	}
}

static void wait_for(int fd)
{
	struct pollfd polled = {.fd = fd, .events = POLLIN};
	uint8_t bytes[MESSAGE_MAX];

	if (poll(&polled, 1, 10000) != 1 || recv(fd, bytes, sizeof bytes, 0) < 0)
		fail("no answer");
}

static void ask(const char *server, unsigned int type, const char *name)
{
	struct message m = {.length = 0};
	bool v6 = strchr(server, ':');
	int fd = open_socket(SOCK_DGRAM, v6 ? "::1" : "127.0.0.1", 0);
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(53)};
	struct sockaddr_in6 to6 = {.sin6_family = AF_INET6, .sin6_port = htons(53)};

	put(&m, "\x12\x34\1\0\0\1\0\0\0\0\0\0", HEADER);
	put_name(&m, name);
	put16(&m, type);
	put16(&m, 1);
	inet_pton(v6 ? AF_INET6 : AF_INET, server, v6 ? (void *)&to6.sin6_addr : &to.sin_addr);
	if (connect(fd, v6 ? (void *)&to6 : (void *)&to, v6 ? sizeof to6 : sizeof to) ||
		send(fd, m.bytes, m.length, 0) < 0)
		fail("cannot ask");
	wait_for(fd);
	close(fd);
}

/* An answer that nobody has asked for, without a question, from that port. */
static void announce(uint16_t port, const char *name, const char *address)
{
	int from = open_socket(SOCK_DGRAM, "127.0.0.3", port);
	int fd = open_socket(SOCK_DGRAM, "127.0.0.1", 0);
	struct sockaddr_in to;
	socklen_t size = sizeof to;
	struct message m = {.length = 0};
	struct in_addr data;

	put(&m, "\0\0\x84\0\0\0\0\1\0\0\0\0", HEADER);
	put_name(&m, name);
	put16(&m, A);
	put16(&m, 0x8001);
	put(&m, "\0\0\0\x3c\0\4", 6);
	inet_pton(AF_INET, address, &data);
	put(&m, &data, 4);
	if (getsockname(fd, (void *)&to, &size) ||
		sendto(from, m.bytes, m.length, 0, (void *)&to, size) < 0)
		fail("cannot announce");
	wait_for(fd);
	close(from);
	close(fd);
}

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_BOOTTIME, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* before_ms, after_ms: around the answer. */
static void call(
	const char *address, uint16_t port, const char *name, uint64_t before_ms, uint64_t after_ms)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
	struct sockaddr_in6 to6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
	bool v6 = inet_pton(AF_INET, address, &to.sin_addr) != 1;
	int fd = socket(v6 ? AF_INET6 : AF_INET, SOCK_STREAM, 0);
	uint64_t begin = now_ms();
	char text[64];

	snprintf(text, sizeof text, "%s", address);
	if (v6)
		inet_pton(AF_INET6, address, &to6.sin6_addr);
	if (connect(fd, v6 ? (void *)&to6 : (void *)&to, v6 ? sizeof to6 : sizeof to) &&
		errno != ECONNREFUSED)
		fail("cannot connect");
	printf("%s %u %s %llu %llu\n", text, port, name,
		(unsigned long long)(after_ms < begin ? begin - after_ms : 0),
		(unsigned long long)(now_ms() - before_ms + 1));
	close(fd);
}

static void look_up(const char *server, unsigned int type, const char *name, const char *shown,
	const char *address, uint16_t port)
{
	uint64_t before = now_ms(), after;

	ask(server, type, name);
	after = now_ms();
	if (!address)
		return;
	call(address, port, shown ? shown : name, before, after);
}

static void call_unknown(const char *address, uint16_t port)
{
	call(address, port, "-", now_ms(), now_ms());
}

static void make_lookups(uint16_t port)
{
	uint64_t before, after;

	call_unknown("127.0.1.1", port);
	call_unknown("127.0.0.1", port);
	call_unknown("::1", port);
	look_up(SERVER, A, "www.example.test", NULL, "127.0.1.1", port);
	look_up(SERVER, AAAA, "www.example.test", NULL, "::1", port);
	before = now_ms();
	look_up(SERVER, A, "alias.example.test", NULL, "127.0.1.1", port);
	after = now_ms();
	usleep(250000);
	call("127.0.1.1", port, "alias.example.test", before, after);
	call("127.0.1.1", (uint16_t)(port + 1), "alias.example.test", before, after); /* refused */
	/* Names of one address, faster than any reader looks. */
	for (int i = 0; i < 50; i++) {
		char name[32];

		snprintf(name, sizeof name, "host%d.example.test", i);
		look_up(i % 2 ? SERVER : "::1", A, name, NULL, "127.0.7.1", port);
	}
	look_up(SERVER, A, "sp ace\n\xff.example.test", "sp\\032ace\\010\\255.example.test",
		"127.0.7.1", port);
	look_up("::1", A, "big.example.test", NULL, "127.0.2.60", port);
	look_up(SERVER, A, "huge.example.test", NULL, "127.0.3.220", port);
	look_up("::1", A, "huge.example.test", NULL, "127.0.3.1", port);
	look_up(SERVER, A, "options.example.test", NULL, "127.0.6.1", port);
	ask(SERVER, A, "over.example.test");
	call_unknown("127.0.4.1", port);
	ask(SERVER, A, "question.example.test");
	call_unknown("127.0.5.1", port);
	ask(SERVER, A, "none.example.test");
	before = now_ms();
	announce(5353, "printer.local", "127.0.8.1");
	call("127.0.8.1", port, "printer.local", before, now_ms());
	announce(5354, "forged.local", "127.0.8.2");
	call_unknown("127.0.8.2", port);
}

int main(int argc, char **argv)
{
	int fds[2], listening;
	uint16_t port;
	pid_t server;

	if (argc != 2)
		return fprintf(stderr, "usage: lookups PORT|serve\n"), 2;
	fds[0] = open_socket(SOCK_DGRAM, SERVER, 53);
	fds[1] = open_socket(SOCK_DGRAM, "::1", 53);
	if (!strcmp(argv[1], "serve")) {
		puts("here");
		fflush(stdout);
		serve(fds);
	}
	port = (uint16_t)atoi(argv[1]);
	listening = open_socket(SOCK_STREAM, NULL, port);
	if (listen(listening, 1000))
		fail("cannot listen");
	server = fork();
	if (!server)
		serve(fds);
	make_lookups(port);
	kill(server, SIGKILL);
	return 0;
}
