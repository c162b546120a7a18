/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Attempts of every kind, each to a port of its own, so that a trace can be
 * checked one by one. tests/live/network.sh makes the network that it wants.
 *
 * usage: attempts PORT    the listening ports are PORT and PORT + 1 (closed), the others follow
 *
 * Prints CSV, a line for each attempt that a recorder must have exactly once:
 * case, pid, tid, uid, euid, pid_inside, ip, daddr, dport, flags, returned,
 * result. A case that makes none has a line with an empty ip. "skip CASE: why"
 * on standard error where a case cannot be made here.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/io_uring.h>
#include <mntent.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif

#define SILENT "198.51.100.2"     /* never answers */
#define NOBODY "198.51.100.3"     /* no such neighbour */
#define UNREACHABLE "203.0.113.1" /* the routing table refuses */
#define PROHIBITED "203.0.113.200"
#define NO_ROUTE "192.0.2.1"
#define NO_ROUTE6 "2001:db8:ffff::1"
#define LINK_LOCAL "fe80::1" /* of lo */
#define OTHER_USER 1001

static uint16_t base_port;
static uint16_t next_port;

struct to {
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	};
	socklen_t length;
};

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "attempts: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void skip(const char *name, const char *why)
{
	fprintf(stderr, "skip %s: %s: %s\n", name, why, strerror(errno));
}

static struct to to(const char *address, uint16_t port)
{
	struct to t;

	memset(&t, 0, sizeof t);
	if (strchr(address, ':')) {
		t.v6.sin6_family = AF_INET6;
		t.v6.sin6_port = htons(port);
		inet_pton(AF_INET6, address, &t.v6.sin6_addr);
		t.length = sizeof t.v6;
	} else {
		t.v4.sin_family = AF_INET;
		t.v4.sin_port = htons(port);
		inet_pton(AF_INET, address, &t.v4.sin_addr);
		t.length = sizeof t.v4;
	}
	return t;
}

static int new_socket(int family, int flags)
{
	int fd = socket(family, SOCK_STREAM | flags, 0);

	if (fd < 0)
		die("socket");
	return fd;
}

/* What one attempt must look like in a trace. */
struct expected {
	const char *name, *result;
	int returned; /* errno, or 0 */
	const char *flags;
	int pid_inside;
	const struct to *to;
};

static const char *word(int error)
{
	return error ? strerrorname_np(error) : "ok";
}

/* Of the calling thread, as it is seen from outside of its namespaces. */
static struct {
	pid_t pid, tid;
	uid_t uid, euid;
} self;

static void know_self(void)
{
	self.pid = getpid();
	self.tid = gettid();
	self.uid = getuid();
	self.euid = geteuid();
}

static void expect(const struct expected *e)
{
	char text[INET6_ADDRSTRLEN];
	const void *address = &e->to->v4.sin_addr;
	int family = e->to->any.sa_family;

	if (family == AF_INET6) {
		address = &e->to->v6.sin6_addr;
		if (IN6_IS_ADDR_V4MAPPED(&e->to->v6.sin6_addr)) {
			address = &e->to->v6.sin6_addr.s6_addr[12];
			family = AF_INET;
		}
	}
	inet_ntop(family, address, text, sizeof text);
	printf("%s,%d,%d,%u,%u,%d,%d,%s,%u,%s,%s,%s\n", e->name, self.pid, self.tid, self.uid,
		self.euid, e->pid_inside, family == AF_INET ? 4 : 6, text,
		ntohs(e->to->v4.sin_port), e->flags ? e->flags : "", word(e->returned), e->result);
	fflush(stdout);
}

/* The case makes no attempt: nothing with that port may be in the trace. */
static void expect_none(const char *name, uint16_t port)
{
	printf("%s,0,0,0,0,0,,,%u,,,\n", name, port);
	fflush(stdout);
}

static int listener_on(const char *address, uint16_t port, int protocol)
{
	struct to at = to(address, port);
	int fd = socket(at.any.sa_family, SOCK_STREAM, protocol), on = 1, queue = 16;

	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	setsockopt(fd, IPPROTO_TCP, TCP_FASTOPEN, &queue, sizeof queue);
	if (bind(fd, &at.any, at.length) || listen(fd, 64))
		die("listen");
	return fd;
}

static int listener(const char *address, uint16_t port)
{
	return listener_on(address, port, 0);
}

/* One blocking call, reported by what it returned. The socket stays open for the caller. */
static int connect_and_expect(const char *name, int fd, const struct to *t, const char *flags)
{
	int error = connect(fd, &t->any, t->length) ? errno : 0;
	/* What the network tells, or its silence, is not what the kernel's function returned. */
	bool later = error == ECONNREFUSED || error == ETIMEDOUT ||
		     t->v4.sin_addr.s_addr == inet_addr(NOBODY);

	expect(&(struct expected){name, word(error), later ? 0 : error, flags, 0, t});
	return error;
}

static int wait_for_outcome(int fd)
{
	struct pollfd p = {fd, POLLOUT, 0};
	socklen_t size = sizeof(int);
	int error = 0;

	poll(&p, 1, 60000);
	getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
	return error;
}

/* A row of the table: the port is the case's own; `open` is listened on in both families. */
struct kind {
	const char *name;
	void (*run)(const struct kind *kind, uint16_t port);
	const char *address;
	bool open;
};

static void blocking(const struct kind *k, uint16_t port)
{
	struct to t = to(k->address, port);
	int fd = new_socket(t.any.sa_family, 0);

	if (IN6_IS_ADDR_LINKLOCAL(&t.v6.sin6_addr) && t.any.sa_family == AF_INET6)
		t.v6.sin6_scope_id = if_nametoindex("lo");
	connect_and_expect(k->name, fd, &t, NULL);
	close(fd);
}

/* connect() to "any" goes to loopback: that is what the trace shows after a success. */
static void to_any(const struct kind *k, uint16_t port)
{
	struct to any = to(k->address, port);
	struct to loopback = to(any.any.sa_family == AF_INET ? "127.0.0.1" : "::1", port);
	int fd = new_socket(any.any.sa_family, 0);
	int error = connect(fd, &any.any, any.length) ? errno : 0;

	expect(&(struct expected){k->name, word(error), 0, NULL, 0, &loopback});
	close(fd);
}

static void nonblocking(const struct kind *k, uint16_t port)
{
	struct to t = to(k->address, port);
	int fd = new_socket(t.any.sa_family, SOCK_NONBLOCK), error;

	connect(fd, &t.any, t.length);
	error = errno == EINPROGRESS ? wait_for_outcome(fd) : errno;
	expect(&(struct expected){k->name, word(error), EINPROGRESS, "nonblocking", 0, &t});
	close(fd);
}

/* Calls while it is under way, and when it is connected, are no attempts of their own. */
static void repeated(const struct kind *k, uint16_t port)
{
	struct to t = to(k->address, port);
	int fd = new_socket(t.any.sa_family, SOCK_NONBLOCK), error;

	connect(fd, &t.any, t.length);
	connect(fd, &t.any, t.length);
	error = wait_for_outcome(fd);
	connect(fd, &t.any, t.length);
	connect(fd, &t.any, t.length);
	expect(&(struct expected){k->name, word(error), EINPROGRESS, "nonblocking", 0, &t});
	close(fd);
}

/* A refused socket may be used again: each call is an attempt. */
static void after_failure(const struct kind *k, uint16_t port)
{
	struct to t = to(k->address, port);
	int fd = new_socket(t.any.sa_family, 0), server;

	connect_and_expect(k->name, fd, &t, NULL);
	connect_and_expect(k->name, fd, &t, NULL);
	server = listener(k->address, port);
	connect_and_expect(k->name, fd, &t, NULL);
	close(fd);
	close(server);
}

/* AF_UNSPEC dissolves the connection: what follows is another attempt. */
static void disconnected(const struct kind *k, uint16_t port)
{
	struct sockaddr none = {.sa_family = AF_UNSPEC};
	struct to t = to(k->address, port);
	int fd = new_socket(t.any.sa_family, 0);

	connect_and_expect(k->name, fd, &t, NULL);
	if (connect(fd, &none, sizeof none))
		die("AF_UNSPEC");
	connect_and_expect(k->name, fd, &t, NULL);
	close(fd);
}

/* Given up by AF_UNSPEC, by close(), by shutdown(). */
static void given_up(const struct kind *k, uint16_t port)
{
	struct sockaddr none = {.sa_family = AF_UNSPEC};
	struct to t = to(k->address, port);

	for (int way = 0; way < 3; way++) {
		int fd = new_socket(t.any.sa_family, SOCK_NONBLOCK);

		connect(fd, &t.any, t.length);
		usleep(20000);
		if (way == 1)
			connect(fd, &none, sizeof none);
		if (way == 2)
			shutdown(fd, SHUT_RDWR);
		expect(&(struct expected){k->name, "abandoned", EINPROGRESS, "nonblocking", 0, &t});
		close(fd);
	}
}

/* A blocking connect in a child of ours that is killed. */
static void killed(const struct kind *k, uint16_t port)
{
	struct to t = to(k->address, port);
	pid_t child = fork();

	if (!child) {
		know_self();
		expect(&(struct expected){k->name, "abandoned", 0, NULL, 0, &t});
		connect(new_socket(t.any.sa_family, 0), &t.any, t.length);
		_exit(0);
	}
	usleep(300000);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
}

static void on_alarm(int number)
{
	(void)number;
}

/* connect() ends with EINTR; the attempt goes on until the socket is closed. */
static void interrupted(const struct kind *k, uint16_t port)
{
	struct sigaction action = {.sa_handler = on_alarm};
	struct to t = to(k->address, port);
	int fd = new_socket(t.any.sa_family, 0);

	sigaction(SIGALRM, &action, NULL);
	alarm(1);
	if (!connect(fd, &t.any, t.length) || errno != EINTR)
		die("no EINTR");
	close(fd);
	expect(&(struct expected){k->name, "abandoned", 0, NULL, 0, &t});
}

static void *connect_in_thread(void *context)
{
	const struct kind *k = context;
	struct to t = to(k->address, next_port);
	int fd = new_socket(t.any.sa_family, 0);

	know_self();
	connect_and_expect(k->name, fd, &t, NULL);
	close(fd);
	return NULL;
}

static void in_thread(const struct kind *k, uint16_t port)
{
	pthread_t thread;

	next_port = port;
	if (pthread_create(&thread, NULL, connect_in_thread, (void *)k))
		die("pthread_create");
	pthread_join(thread, NULL);
	know_self();
}

/* The socket is made here and connected by another program: this one, executed anew. */
static void after_exec(const struct kind *k, uint16_t port)
{
	int fd = new_socket(AF_INET, 0);
	char number[16], service[16], first[16];
	pid_t child;

	snprintf(number, sizeof number, "%d", fd);
	snprintf(service, sizeof service, "%u", port);
	snprintf(first, sizeof first, "%u", base_port);
	child = fork();
	if (!child) {
		execl("/proc/self/exe", "attempts", first, k->name, number, service, NULL);
		_exit(127);
	}
	waitpid(child, NULL, 0);
	close(fd);
}

/* As a program with the setuid bit: the real user is another than the effective one. */
static void with_other_euid(const struct kind *k, uint16_t port)
{
	struct to t = to(k->address, port);
	pid_t child = fork();

	if (!child) {
		if (setresuid(OTHER_USER, 0, 0))
			die("setresuid");
		know_self();
		connect_and_expect(k->name, new_socket(AF_INET, 0), &t, NULL);
		_exit(0);
	}
	waitpid(child, NULL, 0);
}

/* The calls of a 32-bit program: through its gate, with its numbers and pointers. */
#ifdef __x86_64__
/* There are kernels, or hosts of them, that end who tries. */
static bool may_call_with_32_bits(void)
{
	long result;
	pid_t pid = fork();
	int status;

	if (!pid) {
		__asm__ volatile("int $0x80"
				 : "=a"(result)
				 : "a"(20L) /* getpid */
				 : "memory", "r8", "r9", "r10", "r11");
		_exit(0);
	}
	return pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status);
}
#endif

static void with_32_bits(const struct kind *k, uint16_t port)
{
#ifdef __x86_64__
	struct to t = to(k->address, port), *low;
	long result;
	int fd;

	if (!may_call_with_32_bits()) {
		errno = ENOSYS;
		skip(k->name, "no calls of 32-bit programs");
		return;
	}
	fd = new_socket(AF_INET, 0);
	low = mmap(
		NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	if (low == MAP_FAILED)
		die("MAP_32BIT");
	*low = t;
	__asm__ volatile("int $0x80"
			 : "=a"(result)
			 : "a"(362L), "b"((long)fd), "c"(low), "d"((long)t.length)
			 : "memory", "r8", "r9", "r10", "r11");
	if (result == -ENOSYS) {
		errno = ENOSYS;
		skip(k->name, "no calls of 32-bit programs");
	} else {
		expect(&(struct expected){k->name, word((int)-result), 0, NULL, 0, &t});
	}
	close(fd);
#else
	errno = ENOSYS;
	skip(k->name, "x86 only");
#endif
}

static void ipv6_only(const struct kind *k, uint16_t port)
{
	struct to t = to(k->address, port);
	int fd = new_socket(AF_INET6, 0), on = 1;

	setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
	connect_and_expect(
		k->name, fd, &t, IN6_IS_ADDR_V4MAPPED(&t.v6.sin6_addr) ? "mapped" : NULL);
	close(fd);
}

static void mapped(const struct kind *k, uint16_t port)
{
	struct to t = to(k->address, port);
	int fd = new_socket(AF_INET6, 0);

	connect_and_expect(k->name, fd, &t, "mapped");
	close(fd);
}

static void bound(const struct kind *k, uint16_t port)
{
	struct to t = to("127.0.0.1", port), from = to(k->address, 0);
	int fd = new_socket(AF_INET, 0);

	if (bind(fd, &from.any, from.length))
		die("bind");
	connect_and_expect(k->name, fd, &t, NULL);
	close(fd);
}

static void bound_to_device(const struct kind *k, uint16_t port)
{
	struct to t = to(k->address, port);
	int fd = new_socket(AF_INET, 0);

	if (setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, "lo", 3))
		die("SO_BINDTODEVICE");
	connect_and_expect(k->name, fd, &t, NULL);
	close(fd);
}

/* One port for two sockets: the second has none. */
static void no_free_port(const struct kind *k, uint16_t port)
{
	FILE *range = fopen("/proc/sys/net/ipv4/ip_local_port_range", "r+");
	struct to t = to(k->address, port);
	int first = new_socket(AF_INET, 0), second = new_socket(AF_INET, 0);
	char before[64];

	if (!range || !fgets(before, sizeof before, range))
		die("ip_local_port_range");
	rewind(range);
	fputs("50000 50000\n", range);
	fflush(range);
	connect_and_expect(k->name, first, &t, NULL);
	connect_and_expect(k->name, second, &t, NULL);
	rewind(range);
	fputs(before, range);
	fclose(range);
	close(first);
	close(second);
}

static void in_namespace(const struct kind *k, uint16_t port, int type, int inside)
{
	struct to t = to(k->address, port);
	int pipes[2];
	pid_t child;
	pid_t ids[2];

	/* A PID namespace is that of children only; what they are called here the parent knows. */
	if (pipe(pipes))
		die("pipe");
	child = fork();
	if (!child) {
		pid_t grandchild;

		if (unshare(type)) {
			skip(k->name, "unshare");
			_exit(0);
		}
		if (type == CLONE_NEWNET)
			if (system("${ip:-ip} link set lo up"))
				_exit(1);
		grandchild = type == CLONE_NEWPID ? fork() : 0;
		if (grandchild) {
			ids[0] = ids[1] = grandchild; /* seen from here: outside */
			if (write(pipes[1], ids, sizeof ids) != sizeof ids)
				die("write");
			waitpid(grandchild, NULL, 0);
			_exit(0);
		}
		know_self();
		if (type == CLONE_NEWPID) {
			if (read(pipes[0], ids, sizeof ids) != sizeof ids)
				die("read");
			self.pid = ids[0];
			self.tid = ids[1];
		}
		if (type == CLONE_NEWUSER)
			self.uid = self.euid = 0; /* outside it is root still */
		if (type == CLONE_NEWNET && !fork()) {
			int server = listener("127.0.0.1", port);

			know_self();
			connect_and_expect(k->name, new_socket(AF_INET, 0), &t, NULL);
			close(server);
			_exit(0);
		} else if (type == CLONE_NEWNET) {
			wait(NULL);
			_exit(0);
		}
		{
			int fd = new_socket(AF_INET, 0);
			int error = connect(fd, &t.any, t.length) ? errno : 0;

			expect(&(struct expected){
				k->name, word(error), 0, NULL, inside ? getpid() : 0, &t});
		}
		_exit(0);
	}
	waitpid(child, NULL, 0);
	close(pipes[0]);
	close(pipes[1]);
}

static void in_network_namespace(const struct kind *k, uint16_t port)
{
	in_namespace(k, port, CLONE_NEWNET, 0);
}

static void in_pid_namespace(const struct kind *k, uint16_t port)
{
	in_namespace(k, port, CLONE_NEWPID, 1);
}

static void in_user_namespace(const struct kind *k, uint16_t port)
{
	in_namespace(k, port, CLONE_NEWUSER, 0);
}

/* One IORING_OP_CONNECT; flags of the ring and of the request. */
static void by_io_uring(
	const struct kind *k, uint16_t port, unsigned int ring_flags, unsigned int request_flags)
{
	struct io_uring_params params = {.flags = ring_flags, .sq_thread_idle = 1000};
	struct to t = to(k->address, port);
	unsigned char *sq, *cq;
	struct io_uring_sqe *sqe;
	struct io_uring_cqe *cqe;
	unsigned int *tail, *head, *array;
	int ring = (int)syscall(SYS_io_uring_setup, 4, &params), fd, result;

	if (ring < 0) {
		skip(k->name, "io_uring");
		return;
	}
	fd = new_socket(AF_INET, 0);
	sq = mmap(NULL, params.sq_off.array + params.sq_entries * 4, PROT_READ | PROT_WRITE,
		MAP_SHARED | MAP_POPULATE, ring, IORING_OFF_SQ_RING);
	cq = mmap(NULL, params.cq_off.cqes + params.cq_entries * sizeof *cqe,
		PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring, IORING_OFF_CQ_RING);
	sqe = mmap(NULL, params.sq_entries * sizeof *sqe, PROT_READ | PROT_WRITE,
		MAP_SHARED | MAP_POPULATE, ring, IORING_OFF_SQES);
	if (sq == MAP_FAILED || cq == MAP_FAILED || (void *)sqe == MAP_FAILED)
		die("mmap of the ring");
	memset(sqe, 0, sizeof *sqe);
	sqe->opcode = IORING_OP_CONNECT;
	sqe->flags = (unsigned char)request_flags;
	sqe->fd = fd;
	sqe->addr = (unsigned long)&t;
	sqe->off = t.length;
	array = (unsigned int *)(void *)(sq + params.sq_off.array);
	tail = (unsigned int *)(void *)(sq + params.sq_off.tail);
	array[0] = 0;
	__atomic_store_n(tail, 1, __ATOMIC_RELEASE);
	if (syscall(SYS_io_uring_enter, ring, 1, 1,
		    IORING_ENTER_GETEVENTS |
			    (ring_flags & IORING_SETUP_SQPOLL ? IORING_ENTER_SQ_WAKEUP : 0),
		    NULL, 0) < 0)
		die("io_uring_enter");
	head = (unsigned int *)(void *)(cq + params.cq_off.head);
	cqe = (struct io_uring_cqe *)(void *)(cq + params.cq_off.cqes) +
	      (*head & (params.cq_entries - 1));
	result = -cqe->res;
	self.tid = request_flags || ring_flags ? -1 : self.tid; /* a worker of the kernel's */
	expect(&(struct expected){k->name, word(result), 0, NULL, 0, &t});
	know_self();
	close(fd);
	close(ring);
}

static void io_uring_inline(const struct kind *k, uint16_t port)
{
	by_io_uring(k, port, 0, 0);
}

static void io_uring_worker(const struct kind *k, uint16_t port)
{
	by_io_uring(k, port, 0, IOSQE_ASYNC);
}

static void io_uring_poll_thread(const struct kind *k, uint16_t port)
{
	by_io_uring(k, port, IORING_SETUP_SQPOLL, 0);
}

static void fast_open_send(const struct kind *k, uint16_t port)
{
	struct to t = to(k->address, port);
	int fd = new_socket(t.any.sa_family, 0);
	int error = sendto(fd, "x", 1, MSG_FASTOPEN, &t.any, t.length) < 0 ? errno : 0;

	if (error == EOPNOTSUPP)
		skip(k->name, "net.ipv4.tcp_fastopen");
	else
		expect(&(struct expected){k->name, word(error), 0, NULL, 0, &t});
	close(fd);
}

/* connect() only notes the destination once there is a cookie: twice, the second has one. */
static void fast_open_connect(const struct kind *k, uint16_t port)
{
	struct to t = to(k->address, port);

	for (int i = 0; i < 2; i++) {
		int fd = new_socket(t.any.sa_family, 0), on = 1, error;

		if (setsockopt(fd, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, &on, sizeof on)) {
			skip(k->name, "TCP_FASTOPEN_CONNECT");
			close(fd);
			return;
		}
		if (connect(fd, &t.any, t.length))
			die("connect with TCP_FASTOPEN_CONNECT");
		usleep(10000);
		error = write(fd, "x", 1) < 0 ? errno : 0;
		expect(&(struct expected){k->name, word(error), 0, NULL, 0, &t});
		usleep(10000);
		close(fd);
	}
}

/* The first subflow is ours; one more is opened by the kernel, if there is an endpoint for it. */
static void multipath(const struct kind *k, uint16_t port)
{
	struct to t = to(k->address, port);
	int server = listener_on(k->address, port, IPPROTO_MPTCP), fd, peer;
	char byte;

	if (server < 0) {
		skip(k->name, "MPTCP");
		return;
	}
	fd = socket(t.any.sa_family, SOCK_STREAM, IPPROTO_MPTCP);
	if (fd < 0 || connect(fd, &t.any, t.length))
		die("connect with MPTCP");
	expect(&(struct expected){k->name, "ok", 0, NULL, 0, &t});
	peer = accept(server, NULL, NULL);
	/* The subflow is opened when data flows. */
	for (int i = 0; i < 20; i++) {
		if (write(fd, "x", 1) != 1 || read(peer, &byte, 1) != 1)
			die("MPTCP data");
		usleep(20000);
	}
	if (!system("${ip:-ip} mptcp endpoint show 2>/dev/null | grep -q subflow"))
		expect(&(struct expected){k->name, "ok", 0, "subflow", 0, &t});
	close(peer);
	close(fd);
	close(server);
}

static void datagrams(const struct kind *k, uint16_t port)
{
	struct to t = to(k->address, port);
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	if (connect(fd, &t.any, t.length))
		die("connect of a datagram socket");
	expect_none(k->name, port);
	close(fd);
}

static const char *cgroup_root(void)
{
	static char path[256];
	FILE *mounts = setmntent("/proc/self/mounts", "r");
	struct mntent *mount;

	while (mounts && (mount = getmntent(mounts)))
		if (!strcmp(mount->mnt_type, "cgroup2"))
			snprintf(path, sizeof path, "%s", mount->mnt_dir);
	return *path ? path : NULL;
}

/* A program for a cgroup that refuses every connect() of that type. */
static int refuse(int cgroup, unsigned int type)
{
	const struct bpf_insn refusal[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = 0},
		{.code = BPF_JMP | BPF_EXIT},
	};
	const struct rlimit all = {RLIM_INFINITY, RLIM_INFINITY};
	union bpf_attr load, attach;

	setrlimit(RLIMIT_MEMLOCK, &all); /* before 5.11 it counts */
	memset(&load, 0, sizeof load);
	load.prog_type = BPF_PROG_TYPE_CGROUP_SOCK_ADDR;
	load.expected_attach_type = type;
	load.insns = (uintptr_t)refusal;
	load.insn_cnt = 2;
	load.license = (uintptr_t) "BSD";
	memset(&attach, 0, sizeof attach);
	attach.target_fd = (uint32_t)cgroup;
	attach.attach_bpf_fd = (uint32_t)syscall(SYS_bpf, BPF_PROG_LOAD, &load, sizeof load);
	attach.attach_type = type;
	attach.attach_flags = BPF_F_ALLOW_MULTI;
	return (int)syscall(SYS_bpf, BPF_PROG_ATTACH, &attach, sizeof attach);
}

/* What the kernel asks the programs of cgroups too. */
static void refused_but_no_attempt(const struct to *t)
{
	int bound = socket(t->any.sa_family, SOCK_STREAM, 0);
	int datagrams = socket(t->any.sa_family, SOCK_DGRAM, 0);

	if (!bind(bound, &t->any, t->length) || errno != EPERM)
		die("bind() is not refused");
	if (!connect(datagrams, &t->any, t->length) || errno != EPERM)
		die("UDP is not refused");
	close(bound);
	close(datagrams);
}

/* By a child of ours in a cgroup of its own. */
static void refused_by_cgroup(const struct kind *k, uint16_t port)
{
	const char *root = cgroup_root();
	struct to t = to(k->address, port);
	char path[300], procs[400];
	int cgroup;
	pid_t child;

	snprintf(path, sizeof path, "%s/attempts-%d", root ? root : "", getpid());
	if (!root || mkdir(path, 0755)) {
		skip(k->name, "cgroup v2");
		return;
	}
	cgroup = open(path, O_RDONLY | O_DIRECTORY);
	if (refuse(cgroup, BPF_CGROUP_INET4_CONNECT) || refuse(cgroup, BPF_CGROUP_INET6_CONNECT) ||
		refuse(cgroup, BPF_CGROUP_INET4_BIND) || refuse(cgroup, BPF_CGROUP_INET6_BIND))
		die("attach to a cgroup");
	close(cgroup);
	child = fork();
	if (!child) {
		bool v6 = t.any.sa_family == AF_INET6;
		bool is_mapped = v6 && IN6_IS_ADDR_V4MAPPED(&t.v6.sin6_addr);
		FILE *file;

		snprintf(procs, sizeof procs, "%s/cgroup.procs", path);
		file = fopen(procs, "w");
		if (!file || fputs("0", file) < 0 || fclose(file))
			die("cgroup.procs");
		know_self();
		if (connect_and_expect(k->name, new_socket(t.any.sa_family, 0), &t,
			    is_mapped ? "mapped" : NULL) != EPERM)
			die("not refused");
		refused_but_no_attempt(&t);
		_exit(0);
	}
	waitpid(child, NULL, 0);
	rmdir(path);
}

/* In a network namespace of its own. */
static void without_ipv6(const struct kind *k, uint16_t port)
{
	struct to t = to(k->address, port);
	pid_t child = fork();

	if (!child) {
		if (unshare(CLONE_NEWNET) ||
			system("${ip:-ip} link set lo up && "
			       "echo 1 >/proc/sys/net/ipv6/conf/all/disable_ipv6"))
			die("disable_ipv6");
		know_self();
		connect_and_expect(k->name, new_socket(AF_INET6, 0), &t, NULL);
		_exit(0);
	}
	waitpid(child, NULL, 0);
}

static const struct kind kinds[] = {
	{"blocking v4", blocking, "127.0.0.1", true},
	{"blocking v4 closed", blocking, "127.0.0.1", false},
	{"blocking v6", blocking, "::1", true},
	{"blocking v6 closed", blocking, "::1", false},
	{"link-local with scope", blocking, LINK_LOCAL, true},
	{"mapped", mapped, "::ffff:127.0.0.1", true},
	{"mapped closed", mapped, "::ffff:127.0.0.1", false},
	{"IPv6-only socket", ipv6_only, "::1", true},
	{"mapped on an IPv6-only socket", ipv6_only, "::ffff:127.0.0.1", true},
	{"to 0.0.0.0", to_any, "0.0.0.0", true},
	{"to ::", to_any, "::", true},
	{"bound address", bound, "127.0.0.5", true},
	{"bound to a device", bound_to_device, "127.0.0.1", true},
	{"non-blocking", nonblocking, "127.0.0.1", true},
	{"non-blocking closed", nonblocking, "127.0.0.1", false},
	{"non-blocking v6", nonblocking, "::1", true},
	{"repeated while under way", repeated, "127.0.0.1", true},
	{"again after a failure", after_failure, "127.0.0.1", false},
	{"again after AF_UNSPEC", disconnected, "127.0.0.1", true},
	{"another thread", in_thread, "127.0.0.1", true},
	{"fork and exec in between", after_exec, "127.0.0.1", true},
	{"setuid", with_other_euid, "127.0.0.1", true},
	{"32 bits", with_32_bits, "127.0.0.1", true},
	{"another network namespace", in_network_namespace, "127.0.0.1", false},
	{"another PID namespace", in_pid_namespace, "127.0.0.1", true},
	{"another user namespace", in_user_namespace, "127.0.0.1", true},
	{"io_uring", io_uring_inline, "127.0.0.1", true},
	{"io_uring worker", io_uring_worker, "127.0.0.1", true},
	{"io_uring poll thread", io_uring_poll_thread, "127.0.0.1", true},
	{"MSG_FASTOPEN", fast_open_send, "127.0.0.1", true},
	{"TCP_FASTOPEN_CONNECT", fast_open_connect, "127.0.0.1", true},
	{"MPTCP", multipath, "127.0.0.1", false},
	{"UDP", datagrams, "127.0.0.1", false},
	{"no free port", no_free_port, "127.0.0.1", true},
	{"no route", blocking, NO_ROUTE, false},
	{"no route v6", blocking, NO_ROUTE6, false},
	{"unreachable route", blocking, UNREACHABLE, false},
	{"prohibited route", blocking, PROHIBITED, false},
	{"IPv6 switched off", without_ipv6, "::1", false},
	{"IPv6 switched off and no route", without_ipv6, NO_ROUTE6, false},
	{"refused by a cgroup", refused_by_cgroup, "127.0.0.1", false},
	{"refused by a cgroup v6", refused_by_cgroup, "::1", false},
	{"refused by a cgroup mapped", refused_by_cgroup, "::ffff:127.0.0.1", false},
	{"given up", given_up, SILENT, false},
	{"killed", killed, SILENT, false},
	{"interrupted", interrupted, SILENT, false},
	{"no answer", blocking, SILENT, false},
	{"no neighbour", blocking, NOBODY, false},
	{0},
};

/* Else booted with ipv6.disable=1. */
static bool has_ipv6(void)
{
	int fd = socket(AF_INET6, SOCK_STREAM, 0);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

static void run(const struct kind *k, uint16_t port)
{
	int servers[3] = {-1, -1, -1};

	if (k->open && (has_ipv6() || !strchr(k->address, ':'))) {
		servers[0] = listener("127.0.0.1", port);
		servers[1] = listener("::1", port);
		if (!strcmp(k->address, LINK_LOCAL)) {
			struct to at = to(LINK_LOCAL, port);

			at.v6.sin6_scope_id = if_nametoindex("lo");
			servers[2] = new_socket(AF_INET6, 0);
			if (bind(servers[2], &at.any, at.length) || listen(servers[2], 8))
				die("listen on a link-local address");
		}
	}
	know_self();
	if (strchr(k->address, ':') && !has_ipv6())
		skip(k->name, "IPv6");
	else
		k->run(k, port);
	for (int i = 0; i < 3; i++)
		if (servers[i] >= 0)
			close(servers[i]);
}

int main(int argc, char **argv)
{
	if (argc != 2 && argc != 5) {
		fputs("usage: attempts PORT\n", stderr);
		return 2;
	}
	base_port = (uint16_t)atoi(argv[1]);
	if (argc == 5) { /* after_exec() */
		struct to t = to("127.0.0.1", (uint16_t)atoi(argv[4]));

		know_self();
		connect_and_expect(argv[2], atoi(argv[3]), &t, NULL);
		return 0;
	}
	signal(SIGPIPE, SIG_IGN);
	puts("case,pid,tid,uid,euid,pid_inside,ip,daddr,dport,flags,returned,result");
	for (int i = 0; kinds[i].name; i++)
		run(&kinds[i], (uint16_t)(base_port + i));
	return 0;
}
