/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Makes a known number of connects and logs each one with all that a recorder
 * should know of it. The servers are its own: three listeners whose
 * connections are closed at once, and three ports that are bound but do not
 * listen, so that they are certainly closed.
 *
 * Each client waits for the server's end and then resets the connection:
 * neither side keeps a port, nor does the accept queue grow. The rows are
 * written by the clients into memory that they share with the parent.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PROCESSES_MAX 256
#define LIST_MAX 16
#define GID_OFFSET 10000 /* so that a recorder that mixes uid and gid up is found out */
#define NS_PER_S 1000000000ull

static const char usage[] =
	"connects -n N [options] -o LOG\n"
	"  -n N           connects in all\n"
	"  -k PROCESSES   that make them (1)\n"
	"  -t THREADS     in each process (1)\n"
	"  -u UID,..      of the processes in turn; gid is uid + 10000 (own uid and gid)\n"
	"  -m MODE,..     in turn: v4 v6 mapped closed4 closed6 closedmapped (v4)\n"
	"  -p PORT        of the server of the first mode, one more for each mode (any)\n"
	"  -r RATE        connects per second in all (0: as fast as possible)\n"
	"  -i             print the process ids, begin at the end of standard input\n"
	"  -o LOG         file for a CSV row of each connect\n";

static const struct mode {
	const char *name;
	int family;
	const char *address;
	bool open;
} modes[] = {
	{"v4", AF_INET, "127.0.0.1", true},
	{"v6", AF_INET6, "::1", true},
	{"mapped", AF_INET6, "::ffff:127.0.0.1", true},
	{"closed4", AF_INET, "127.0.0.1", false},
	{"closed6", AF_INET6, "::1", false},
	{"closedmapped", AF_INET6, "::ffff:127.0.0.1", false},
	{0},
};

struct server {
	const struct mode *mode;
	int fd;
	struct sockaddr_storage address;
};

struct row {
	uint64_t time_ns; /* CLOCK_BOOTTIME, just before connect() */
	pid_t pid, tid;
	uid_t uid;
	gid_t gid;
	char comm[16];
	struct sockaddr_storage local, remote;
	int result; /* 0 or errno of connect() */
};

struct plan {
	uint64_t connects, processes, threads, rate, first_port;
	uint32_t uids[LIST_MAX];
	size_t uid_count;
	struct server servers[LIST_MAX];
	size_t server_count;
	bool interactive;
	const char *log;
	struct row *rows;
	int go; /* ends when the connects may begin */
};

/* One client thread: its number over all processes and its part of the rows. */
struct client {
	struct plan *plan;
	uint64_t process, thread, number;
	struct row *rows;
	uint64_t count;
	pthread_t handle;
};

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "connects: %s: %s\n", what, strerror(errno));
	exit(1);
}

static _Noreturn void die_usage(const char *what, const char *value)
{
	fprintf(stderr, "connects: '%s' is not %s\n%s", value, what, usage);
	exit(1);
}

static uint64_t now_ns(clockid_t clock)
{
	struct timespec t;

	if (clock_gettime(clock, &t))
		die("clock_gettime");
	return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

static socklen_t address_size(int family)
{
	return family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
}

static void set_address(const struct mode *mode, uint16_t port, struct sockaddr_storage *address)
{
	struct sockaddr_in *in = (struct sockaddr_in *)address;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)address;
	void *bytes = mode->family == AF_INET ? (void *)&in->sin_addr : (void *)&in6->sin6_addr;

	memset(address, 0, sizeof *address);
	address->ss_family = (sa_family_t)mode->family;
	in->sin_port = htons(port); /* at the same place in both */
	if (inet_pton(mode->family, mode->address, bytes) != 1)
		die(mode->address);
}

static int open_socket(const struct mode *mode)
{
	int no = 0, fd = socket(mode->family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		die("socket");
	if (mode->family == AF_INET6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &no, sizeof no))
		die("IPV6_V6ONLY");
	return fd;
}

static void local_address(int fd, struct sockaddr_storage *address)
{
	socklen_t size = sizeof *address;

	if (getsockname(fd, (struct sockaddr *)address, &size))
		die("getsockname");
}

static void bind_to(int fd, const struct mode *mode, uint16_t port)
{
	struct sockaddr_storage address;

	set_address(mode, port, &address);
	if (bind(fd, (struct sockaddr *)&address, address_size(mode->family)))
		die("bind");
}

static void start_server(struct server *server, uint16_t port)
{
	server->fd = open_socket(server->mode);
	bind_to(server->fd, server->mode, port);
	if (server->mode->open && listen(server->fd, SOMAXCONN))
		die("listen");
	local_address(server->fd, &server->address);
}

static void *accept_all(void *context)
{
	const struct server *server = context;

	for (;;) {
		int fd = accept4(server->fd, NULL, NULL, SOCK_CLOEXEC);

		if (fd >= 0)
			close(fd);
		else if (errno != ECONNABORTED)
			die("accept");
	}
}

static void connect_once(const struct server *server, struct row *row)
{
	static const struct linger reset = {.l_onoff = 1, .l_linger = 0};
	int fd = open_socket(server->mode);
	char byte;

	if (setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset))
		die("SO_LINGER");
	if (!server->mode->open) /* the local port is gone after a refusal, unless it is bound */
		bind_to(fd, server->mode, 0);
	row->remote = server->address;
	row->time_ns = now_ns(CLOCK_BOOTTIME);
	if (connect(fd, (const struct sockaddr *)&server->address,
		    address_size(server->mode->family)))
		row->result = errno;
	local_address(fd, &row->local);
	if (!row->result && recv(fd, &byte, 1, 0) != 0)
		die("the server's end");
	close(fd);
}

static void sleep_until(uint64_t ns)
{
	struct timespec t = {.tv_sec = (time_t)(ns / NS_PER_S), .tv_nsec = (long)(ns % NS_PER_S)};

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) == EINTR)
		;
}

static void *run_client(void *context)
{
	struct client *c = context;
	const struct plan *p = c->plan;
	uint64_t clients = p->processes * p->threads, start = now_ns(CLOCK_MONOTONIC);
	char name[64], comm[16] = "";

	/* As long as the kernel takes: 15 characters. */
	snprintf(
		name, sizeof name, "gen-%" PRIu64 "-%" PRIu64 "-0123456789", c->process, c->thread);
	memcpy(comm, name, sizeof comm - 1);
	if (prctl(PR_SET_NAME, comm, 0, 0, 0))
		die("PR_SET_NAME");
	for (uint64_t i = 0; i < c->count; i++) {
		struct row *row = &c->rows[i];

		row->pid = getpid();
		row->tid = gettid();
		row->uid = getuid();
		row->gid = getgid();
		memcpy(row->comm, comm, sizeof comm);
		if (p->rate)
			sleep_until(start + (i * clients + c->number) * NS_PER_S / p->rate);
		connect_once(&p->servers[(i + c->number) % p->server_count], row);
	}
	return NULL;
}

static void become(uint32_t uid)
{
	gid_t gid = uid + GID_OFFSET;

	if (setresgid(gid, gid, gid))
		die("setresgid");
	if (setresuid(uid, uid, uid))
		die("setresuid");
}

/* How much of total the part with this number gets. */
static uint64_t share(uint64_t total, uint64_t parts, uint64_t number)
{
	return total / parts + (number < total % parts);
}

/* The first thread of the process is a client too. */
static void run_process(struct plan *p, uint64_t number, struct row *rows)
{
	struct client *clients = calloc(p->threads, sizeof *clients);
	uint64_t connects = share(p->connects, p->processes, number);
	char byte;

	if (!clients)
		die("calloc");
	if (p->uid_count)
		become(p->uids[number % p->uid_count]);
	if (read(p->go, &byte, 1) != 0)
		die("the parent's word");
	for (uint64_t t = 0; t < p->threads; t++) {
		clients[t] = (struct client){.plan = p,
			.process = number,
			.thread = t,
			.number = number * p->threads + t,
			.rows = rows,
			.count = share(connects, p->threads, t)};
		rows += clients[t].count;
		if (t &&
			(errno = pthread_create(&clients[t].handle, NULL, run_client, &clients[t])))
			die("pthread_create");
	}
	run_client(&clients[0]);
	for (uint64_t t = 1; t < p->threads; t++)
		pthread_join(clients[t].handle, NULL);
	free(clients);
}

static void run_all(struct plan *p)
{
	struct row *rows = p->rows;
	pid_t pids[PROCESSES_MAX];
	bool failed = false;
	pthread_t acceptor;
	int gate[2], status;

	if (pipe(gate))
		die("pipe");
	p->go = gate[0];
	for (uint64_t i = 0; i < p->processes; i++) {
		pids[i] = fork();
		if (pids[i] < 0)
			die("fork");
		if (!pids[i]) {
			close(gate[1]);
			run_process(p, i, rows);
			exit(0);
		}
		rows += share(p->connects, p->processes, i);
	}
	for (size_t i = 0; i < p->server_count; i++)
		if (p->servers[i].mode->open &&
			(errno = pthread_create(&acceptor, NULL, accept_all, &p->servers[i])))
			die("pthread_create");
	if (p->interactive) {
		for (uint64_t i = 0; i < p->processes; i++)
			printf("%s%d", i ? "," : "", pids[i]);
		putchar('\n');
		fflush(stdout);
		while (getchar() != EOF)
			;
	}
	close(gate[1]);
	for (uint64_t i = 0; i < p->processes; i++)
		if (waitpid(pids[i], &status, 0) < 0 || status)
			failed = true;
	if (failed) {
		fputs("connects: a process failed\n", stderr);
		exit(1);
	}
}

static uint16_t port_of(const struct sockaddr_storage *address)
{
	return ntohs(((const struct sockaddr_in *)address)->sin_port);
}

/* A mapped address as IPv4. Returns 4 or 6. */
static int address_text(const struct sockaddr_storage *address, char text[INET6_ADDRSTRLEN])
{
	const struct sockaddr_in *in = (const struct sockaddr_in *)address;
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)address;
	bool mapped = address->ss_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr);

	if (address->ss_family == AF_INET6 && !mapped) {
		inet_ntop(AF_INET6, &in6->sin6_addr, text, INET6_ADDRSTRLEN);
		return 6;
	}
	inet_ntop(AF_INET, mapped ? &in6->sin6_addr.s6_addr[12] : (const void *)&in->sin_addr, text,
		INET6_ADDRSTRLEN);
	return 4;
}

static void write_log(const struct plan *p)
{
	FILE *out = fopen(p->log, "w");

	if (!out)
		die(p->log);
	fputs("time_ns,pid,tid,uid,gid,comm,ip,saddr,lport,daddr,dport,result\n", out);
	for (uint64_t i = 0; i < p->connects; i++) {
		const struct row *r = &p->rows[i];
		char saddr[INET6_ADDRSTRLEN], daddr[INET6_ADDRSTRLEN];
		int ip = address_text(&r->remote, daddr);

		address_text(&r->local, saddr);
		fprintf(out, "%" PRIu64 ",%d,%d,%u,%u,%s,%d,%s,%u,%s,%u,%s\n", r->time_ns, r->pid,
			r->tid, r->uid, r->gid, r->comm, ip, saddr, port_of(&r->local), daddr,
			port_of(&r->remote), r->result ? strerrorname_np(r->result) : "ok");
	}
	if (fclose(out))
		die(p->log);
}

/* Every connect was made and ended as its port says. */
static int check(const struct plan *p)
{
	int status = 0;

	for (uint64_t i = 0; i < p->connects; i++) {
		const struct row *r = &p->rows[i];
		int expected = -1;

		for (size_t s = 0; s < p->server_count; s++)
			if (!memcmp(&r->remote, &p->servers[s].address, sizeof r->remote))
				expected = p->servers[s].mode->open ? 0 : ECONNREFUSED;
		if (r->pid && r->result == expected)
			continue;
		fprintf(stderr, "connects: row %" PRIu64 ": ended with '%s', not as planned\n", i,
			strerror(r->result));
		status = 1;
	}
	return status;
}

static uint64_t parse_number(const char *text, uint64_t low, uint64_t high)
{
	char what[64], *end;
	uint64_t value;

	errno = 0;
	value = strtoull(text, &end, 10);
	snprintf(what, sizeof what, "a number from %" PRIu64 " to %" PRIu64, low, high);
	if (errno || *end || *text < '0' || *text > '9' || value < low || value > high)
		die_usage(what, text);
	return value;
}

static void parse_uids(struct plan *p, char *list)
{
	for (char *uid = strtok(list, ","); uid; uid = strtok(NULL, ",")) {
		if (p->uid_count == LIST_MAX)
			die_usage("possible: too many users", uid);
		p->uids[p->uid_count++] = (uint32_t)parse_number(uid, 0, 1000000);
	}
}

static void parse_modes(struct plan *p, char *list)
{
	for (char *name = strtok(list, ","); name; name = strtok(NULL, ",")) {
		const struct mode *mode = modes;

		while (mode->name && strcmp(mode->name, name))
			mode++;
		if (!mode->name || p->server_count == LIST_MAX)
			die_usage("a mode", name);
		p->servers[p->server_count++].mode = mode;
	}
}

static void parse(struct plan *p, int argc, char **argv)
{
	char v4[] = "v4";
	int option;

	while ((option = getopt(argc, argv, "n:k:t:u:m:p:r:io:")) != -1) {
		switch (option) {
		case 'n':
			p->connects = parse_number(optarg, 1, 100000000);
			break;
		case 'k':
			p->processes = parse_number(optarg, 1, PROCESSES_MAX);
			break;
		case 't':
			p->threads = parse_number(optarg, 1, 1000);
			break;
		case 'u':
			parse_uids(p, optarg);
			break;
		case 'm':
			parse_modes(p, optarg);
			break;
		case 'p':
			p->first_port = parse_number(optarg, 1, 65535 - LIST_MAX);
			break;
		case 'r':
			p->rate = parse_number(optarg, 0, 1000000000);
			break;
		case 'i':
			p->interactive = true;
			break;
		case 'o':
			p->log = optarg;
			break;
		default:
			fputs(usage, stderr);
			exit(1);
		}
	}
	if (optind < argc)
		die_usage("an option", argv[optind]);
	if (!p->connects || !p->log) {
		fputs(usage, stderr);
		exit(1);
	}
	if (!p->server_count)
		parse_modes(p, v4);
}

int main(int argc, char **argv)
{
	struct plan plan = {.processes = 1, .threads = 1};

	parse(&plan, argc, argv);
	plan.rows = mmap(NULL, plan.connects * sizeof *plan.rows, PROT_READ | PROT_WRITE,
		MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (plan.rows == MAP_FAILED)
		die("mmap");
	for (size_t i = 0; i < plan.server_count; i++)
		start_server(
			&plan.servers[i], plan.first_port ? (uint16_t)(plan.first_port + i) : 0);
	run_all(&plan);
	write_log(&plan);
	return check(&plan);
}
