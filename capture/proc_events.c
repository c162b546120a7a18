/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Two sockets get the same messages. One keeps them until they are wanted; the
 * other, the bell, keeps execs only and wakes us: forks and exits do not.
 */
#include "proc_events.h"

#include <errno.h>
#include <linux/cn_proc.h>
#include <linux/connector.h>
#include <linux/filter.h>
#include <linux/netlink.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define QUEUE_BYTES (16 << 20) /* a message takes about 900: 18,000 of them */
#define BELL_BYTES (64 << 10)  /* one message is enough */
#define MESSAGE_MAX 256        /* those that we know take 76 */
#define MESSAGES_AT_ONCE 64
#define ACK_WAIT_MS 200
#define LOOKS 100                 /* at the clocks */
#define OFFSET_CHANGED_NS 1000000 /* between two looks at two clocks: the machine slept */

/* Of a message: the headers, then struct proc_event, which is not aligned in it. */
#define AT_EVENT (NLMSG_HDRLEN + sizeof(struct cn_msg))
#define AT_WHAT AT_EVENT
#define AT_DATA (AT_EVENT + offsetof(struct proc_event, event_data))

struct proc_events {
	int queue, bell;
	uint64_t boot_ns; /* CLOCK_BOOTTIME - CLOCK_MONOTONIC */
	struct mmsghdr headers[MESSAGES_AT_ONCE];
	struct iovec vectors[MESSAGES_AT_ONCE];
	struct sockaddr_nl senders[MESSAGES_AT_ONCE];
	uint8_t messages[MESSAGES_AT_ONCE][MESSAGE_MAX];
};

static uint64_t clock_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/*
 * It changes only when the machine sleeps. Whatever happens between two looks at
 * the clocks would shift all changes against the samples: the closest counts.
 */
static uint64_t boot_offset(unsigned int looks)
{
	uint64_t offset = 0, best = UINT64_MAX;

	for (unsigned int i = 0; i < looks; i++) {
		uint64_t before = clock_ns(CLOCK_MONOTONIC);
		uint64_t boot = clock_ns(CLOCK_BOOTTIME);
		uint64_t gap = clock_ns(CLOCK_MONOTONIC) - before;

		if (gap < best) {
			best = gap;
			offset = boot - before;
		}
	}
	return offset;
}

bool proc_events_parse(struct bytes message, uint64_t boot_ns, struct proc_change *change)
{
	struct nlmsghdr header;
	struct cn_msg connector;
	struct proc_event e;

	if (message.length < AT_EVENT + sizeof e)
		return false;
	memcpy(&header, message.data, sizeof header);
	memcpy(&connector, message.data + NLMSG_HDRLEN, sizeof connector);
	memcpy(&e, message.data + AT_EVENT, sizeof e);
	if (header.nlmsg_type != NLMSG_DONE || header.nlmsg_len < AT_EVENT + sizeof e ||
		connector.id.idx != CN_IDX_PROC || connector.id.val != CN_VAL_PROC ||
		connector.len < sizeof e)
		return false;
	memset(change, 0, sizeof *change);
	change->time_ns = e.timestamp_ns + boot_ns;
	/* In exec, id, comm and exit the ids stand at the same place. */
	change->tid = (uint32_t)e.event_data.exec.process_pid;
	change->pid = (uint32_t)e.event_data.exec.process_tgid;
	switch (e.what) {
	case PROC_EVENT_FORK:
		change->kind = CHANGE_FORK;
		change->tid = (uint32_t)e.event_data.fork.child_pid;
		change->pid = (uint32_t)e.event_data.fork.child_tgid;
		change->parent = (uint32_t)e.event_data.fork.parent_tgid;
		return change->pid == change->tid;
	case PROC_EVENT_EXEC:
		change->kind = CHANGE_EXEC;
		return true;
	case PROC_EVENT_UID:
	case PROC_EVENT_GID:
		change->kind = e.what == PROC_EVENT_UID ? CHANGE_UID : CHANGE_GID;
		change->real = e.event_data.id.r.ruid;
		change->effective = e.event_data.id.e.euid;
		return true;
	case PROC_EVENT_COMM:
		change->kind = CHANGE_COMM;
		memcpy(change->comm, e.event_data.comm.comm, sizeof change->comm);
		return true;
	case PROC_EVENT_EXIT:
		change->kind = CHANGE_EXIT;
		change->by_itself = !(e.event_data.exit.exit_code & 0x7f);
		return change->pid == change->tid;
	default:
		return false;
	}
}

/* A filter loads words in network order; the messages are in host order. */
#define AS_LOADED(word) (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? (word) : __builtin_bswap32(word))
#define LOAD(at) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)(at))
#define IF_WHAT(what, to, or_else)                                                                 \
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AS_LOADED((uint32_t)(what)), (to), (or_else))
#define IF_SAME(to, or_else) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_X, 0, (to), (or_else))
#define RETURN(bytes) BPF_STMT(BPF_RET | BPF_K, (bytes))
#define TO_X BPF_STMT(BPF_MISC | BPF_TAX, 0)
#define AT_FORK(member) (AT_DATA + offsetof(struct fork_proc_event, member))
#define AT_EXIT(member) (AT_DATA + offsetof(struct exit_proc_event, member))

/* Threads come and go in great numbers: the kernel need not queue that. */
static struct sock_filter of_queue[] = {
	LOAD(AT_WHAT),
	IF_WHAT(PROC_EVENT_NONE, 15, 0),
	IF_WHAT(PROC_EVENT_EXEC, 14, 0),
	IF_WHAT(PROC_EVENT_UID, 13, 0),
	IF_WHAT(PROC_EVENT_GID, 12, 0),
	IF_WHAT(PROC_EVENT_COMM, 11, 0),
	IF_WHAT(PROC_EVENT_FORK, 0, 4),
	LOAD(AT_FORK(child_pid)),
	TO_X,
	LOAD(AT_FORK(child_tgid)),
	IF_SAME(6, 5),
	IF_WHAT(PROC_EVENT_EXIT, 0, 4),
	LOAD(AT_EXIT(process_pid)),
	TO_X,
	LOAD(AT_EXIT(process_tgid)),
	IF_SAME(1, 0),
	RETURN(0),
	RETURN(MESSAGE_MAX),
};

static struct sock_filter of_bell[] = {
	LOAD(AT_WHAT),
	IF_WHAT(PROC_EVENT_EXEC, 0, 1),
	RETURN(MESSAGE_MAX),
	RETURN(0),
};

static int open_socket(struct sock_filter *filter, size_t count, int bytes)
{
	const struct sock_fprog program = {(unsigned short)count, filter};
	const struct sockaddr_nl address = {.nl_family = AF_NETLINK, .nl_groups = CN_IDX_PROC};
	int fd = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_CONNECTOR);

	if (fd < 0)
		return -1;
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof bytes))
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
	if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) ||
		bind(fd, (const struct sockaddr *)&address, sizeof address)) {
		close(fd);
		return -1;
	}
	return fd;
}

static int listen_to(int fd, enum proc_cn_mcast_op operation)
{
	uint8_t message[AT_EVENT + sizeof operation];
	const struct nlmsghdr header = {.nlmsg_len = sizeof message, .nlmsg_type = NLMSG_DONE};
	const struct cn_msg connector = {.id = {CN_IDX_PROC, CN_VAL_PROC}, .len = sizeof operation};

	memcpy(message, &header, sizeof header);
	memcpy(message + NLMSG_HDRLEN, &connector, sizeof connector);
	memcpy(message + AT_EVENT, &operation, sizeof operation);
	return send(fd, message, sizeof message, 0) == sizeof message ? 0 : -1;
}

/* Outside of the initial namespaces the kernel does not even refuse. */
static bool answered(int fd)
{
	struct pollfd waiting = {.fd = fd, .events = POLLIN};

	return poll(&waiting, 1, ACK_WAIT_MS) == 1 && waiting.revents & POLLIN;
}

struct proc_events *proc_events_open(struct error *error)
{
	struct proc_events *events = calloc(1, sizeof *events);

	if (!events) {
		error_set(error, "out of memory");
		return NULL;
	}
	events->boot_ns = boot_offset(LOOKS);
	for (size_t i = 0; i < MESSAGES_AT_ONCE; i++) {
		events->vectors[i] = (struct iovec){events->messages[i], MESSAGE_MAX};
		events->headers[i].msg_hdr = (struct msghdr){
			.msg_iov = &events->vectors[i],
			.msg_iovlen = 1,
			.msg_name = &events->senders[i],
		};
	}
	events->queue = open_socket(of_queue, sizeof of_queue / sizeof *of_queue, QUEUE_BYTES);
	events->bell = open_socket(of_bell, sizeof of_bell / sizeof *of_bell, BELL_BYTES);
	if (events->queue < 0 || events->bell < 0 ||
		listen_to(events->queue, PROC_CN_MCAST_LISTEN)) {
		error_set(error, "the proc connector: %s", strerror(errno));
		proc_events_close(events);
		return NULL;
	}
	if (!answered(events->queue)) {
		error_set(error, "the proc connector does not answer");
		proc_events_close(events);
		return NULL;
	}
	listen_to(events->bell, PROC_CN_MCAST_LISTEN);
	return events;
}

void proc_events_close(struct proc_events *events)
{
	if (!events)
		return;
	if (events->queue >= 0) {
		listen_to(events->queue, PROC_CN_MCAST_IGNORE);
		close(events->queue);
	}
	if (events->bell >= 0) {
		listen_to(events->bell, PROC_CN_MCAST_IGNORE);
		close(events->bell);
	}
	free(events);
}

int proc_events_bell(const struct proc_events *events)
{
	return events->bell;
}

int proc_events_queue(const struct proc_events *events)
{
	return events->queue;
}

void proc_events_silence(struct proc_events *events)
{
	uint8_t byte;

	while (recv(events->bell, &byte, sizeof byte, MSG_DONTWAIT) > 0 || errno == ENOBUFS)
		continue;
}

static int receive(struct proc_events *events, int fd)
{
	for (size_t i = 0; i < MESSAGES_AT_ONCE; i++)
		events->headers[i].msg_hdr.msg_namelen = sizeof events->senders[i];
	return recvmmsg(fd, events->headers, MESSAGES_AT_ONCE, MSG_DONTWAIT, NULL);
}

/* What was queued before has an older offset than we have now: as good as lost. */
static bool has_slept(struct proc_events *events)
{
	uint64_t offset = boot_offset(1);

	if (offset - events->boot_ns + OFFSET_CHANGED_NS <= 2 * OFFSET_CHANGED_NS)
		return false;
	offset = boot_offset(LOOKS);
	if (offset - events->boot_ns + OFFSET_CHANGED_NS <= 2 * OFFSET_CHANGED_NS)
		return false;
	events->boot_ns = offset;
	return true;
}

int proc_events_drain(struct proc_events *events, proc_events_change *give, void *context)
{
	struct proc_change change;
	bool lost = has_slept(events);
	int n;

	while ((n = receive(events, events->queue)) > 0 || (n < 0 && errno == ENOBUFS)) {
		lost |= n < 0;
		for (int i = 0; i < n; i++) {
			const struct bytes message = {
				events->messages[i], events->headers[i].msg_len};

			if (!events->senders[i].nl_pid &&
				proc_events_parse(message, events->boot_ns, &change))
				give(context, &change);
		}
	}
	return lost;
}
