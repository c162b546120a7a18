/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Connects whose answers come after a known time: a thread at the other end of
 * a pair of devices (tests/live/network.sh) answers each SYN itself, after 2 to
 * 40 ms, with an acknowledgement or a reset, or not at all.
 *
 * usage: timed CONNECTS THREADS
 *
 * Prints CSV: lport, dport, result, answered_us, took_us. What a recorder says
 * must lie between the last two: the time from the SYN to the answer as the
 * other end saw it, and that of connect() as the program saw it. answered_us is
 * empty where no answer was sent.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define NEAR "198.51.100.1"
#define FAR "198.18.0.1"
#define CLASSES 4 /* of answers, by their delay */
#define FIRST_PORT 1000

static const uint64_t delays_us[CLASSES] = {2000, 10000, 20000, 40000};

struct frame {
	struct ethhdr ethernet;
	struct iphdr ip;
	struct tcphdr tcp;
} __attribute__((packed));

/* Waits for its time. Of each class they come in the order of their times. */
struct answer {
	struct frame frame;
	uint64_t received_us, due_us;
};

struct queue {
	struct answer *answers;
	size_t head, tail;
};

struct call {
	uint16_t lport, dport;
	int result;
	uint64_t answered_us, took_us;
};

static struct {
	size_t connects, threads, next;
	struct call *calls;
	int device;
	bool stop;
	struct queue queues[CLASSES];
} all;

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "timed: %s: %s\n", what, strerror(errno));
	exit(1);
}

static uint64_t now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static uint16_t port_of(size_t call)
{
	return (uint16_t)(FIRST_PORT + call);
}

/* By the port: refused, never answered, or accepted. */
static bool is_refused(uint16_t port)
{
	return port % 3 == 0;
}

static bool is_silent(uint16_t port)
{
	return port % 100 == 7;
}

static uint16_t checksum(const void *data, size_t length, uint32_t sum)
{
	const uint8_t *p = data;

	for (size_t i = 0; i + 1 < length; i += 2)
		sum += (uint32_t)(p[i] << 8 | p[i + 1]);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return htons((uint16_t)~sum);
}

/* Turns a SYN into the answer to it. */
static void turn(struct frame *f)
{
	struct ethhdr e = f->ethernet;
	struct iphdr ip = f->ip;
	struct tcphdr tcp = f->tcp;
	uint32_t sum = IPPROTO_TCP + sizeof tcp;

	memcpy(f->ethernet.h_dest, e.h_source, ETH_ALEN);
	memcpy(f->ethernet.h_source, e.h_dest, ETH_ALEN);
	f->ip = (struct iphdr){.version = 4,
		.ihl = 5,
		.ttl = 64,
		.protocol = IPPROTO_TCP,
		.tot_len = htons(sizeof ip + sizeof tcp),
		.saddr = ip.daddr,
		.daddr = ip.saddr};
	f->ip.check = checksum(&f->ip, sizeof f->ip, 0);
	f->tcp = (struct tcphdr){.source = tcp.dest,
		.dest = tcp.source,
		.seq = htonl(1),
		.ack_seq = htonl(ntohl(tcp.seq) + 1),
		.doff = 5,
		.ack = 1,
		.syn = !is_refused(ntohs(tcp.dest)),
		.rst = is_refused(ntohs(tcp.dest)),
		.window = htons(64000)};
	for (unsigned int i = 0; i < 2; i++) {
		uint32_t address = ntohl(i ? ip.saddr : ip.daddr);

		sum += (address >> 16) + (address & 0xffff);
	}
	f->tcp.check = checksum(&f->tcp, sizeof f->tcp, sum);
}

static void take_frames(void)
{
	struct frame frame;

	while (recv(all.device, &frame, sizeof frame, MSG_DONTWAIT) >= (ssize_t)sizeof frame) {
		uint16_t port = ntohs(frame.tcp.dest);
		struct queue *q = &all.queues[port % CLASSES];

		if (frame.ethernet.h_proto != htons(ETH_P_IP) || frame.ip.protocol != IPPROTO_TCP ||
			frame.ip.daddr != inet_addr(FAR) || !frame.tcp.syn || frame.tcp.ack ||
			is_silent(port) || q->tail == all.connects)
			continue;
		q->answers[q->tail].received_us = now_us();
		q->answers[q->tail].due_us = now_us() + delays_us[port % CLASSES];
		q->answers[q->tail++].frame = frame;
	}
}

static void send_answers(void)
{
	for (size_t c = 0; c < CLASSES; c++) {
		struct queue *q = &all.queues[c];

		for (; q->head < q->tail && q->answers[q->head].due_us <= now_us(); q->head++) {
			struct answer *a = &q->answers[q->head];
			uint16_t port = ntohs(a->frame.tcp.dest);
			struct call *call = &all.calls[port - FIRST_PORT];

			turn(&a->frame);
			call->answered_us = now_us() - a->received_us;
			if (send(all.device, &a->frame, sizeof a->frame, 0) < 0)
				die("send");
		}
	}
}

static void *answer(void *context)
{
	struct pollfd p = {all.device, POLLIN, 0};
	struct timespec wait = {0, 200000};

	(void)context;
	while (!__atomic_load_n(&all.stop, __ATOMIC_ACQUIRE)) {
		ppoll(&p, 1, &wait, NULL);
		take_frames();
		send_answers();
	}
	return NULL;
}

static void connect_once(size_t number)
{
	struct sockaddr_in near = {.sin_family = AF_INET, .sin_addr.s_addr = inet_addr(NEAR)};
	struct sockaddr_in far = {.sin_family = AF_INET,
		.sin_addr.s_addr = inet_addr(FAR),
		.sin_port = htons(port_of(number))};
	const struct linger reset = {1, 0};
	struct call *call = &all.calls[number];
	socklen_t size = sizeof near;
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	uint64_t begin;

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset) ||
		bind(fd, (struct sockaddr *)&near, size) ||
		getsockname(fd, (struct sockaddr *)&near, &size))
		die("socket");
	begin = now_us();
	if (connect(fd, (struct sockaddr *)&far, sizeof far))
		call->result = errno;
	call->took_us = now_us() - begin + 1; /* both were cut to whole microseconds */
	call->lport = ntohs(near.sin_port);
	call->dport = port_of(number);
	close(fd);
}

static void *connect_all(void *context)
{
	size_t number;

	(void)context;
	while ((number = __atomic_fetch_add(&all.next, 1, __ATOMIC_RELAXED)) < all.connects)
		connect_once(number);
	return NULL;
}

int main(int argc, char **argv)
{
	struct sockaddr_ll far = {.sll_family = AF_PACKET,
		.sll_protocol = htons(ETH_P_ALL),
		.sll_ifindex = (int)if_nametoindex("far")};
	pthread_t answerer, *threads;
	int large = 8 << 20;

	all.connects = argc == 3 ? (size_t)atol(argv[1]) : 0;
	all.threads = argc == 3 ? (size_t)atol(argv[2]) : 0;
	if (!all.connects || all.connects > 60000 || !all.threads) {
		fputs("usage: timed CONNECTS THREADS\n", stderr);
		return 2;
	}
	all.calls = calloc(all.connects, sizeof *all.calls);
	threads = calloc(all.threads, sizeof *threads);
	for (size_t c = 0; c < CLASSES; c++)
		all.queues[c].answers = calloc(all.connects, sizeof *all.queues[c].answers);
	all.device = socket(AF_PACKET, SOCK_RAW, htons(ETH_P_ALL));
	if (all.device < 0 || bind(all.device, (struct sockaddr *)&far, sizeof far))
		die("the far device");
	setsockopt(all.device, SOL_SOCKET, SO_RCVBUFFORCE, &large, sizeof large);
	if (pthread_create(&answerer, NULL, answer, NULL))
		die("pthread_create");
	for (size_t i = 0; i < all.threads; i++)
		if (pthread_create(&threads[i], NULL, connect_all, NULL))
			die("pthread_create");
	for (size_t i = 0; i < all.threads; i++)
		pthread_join(threads[i], NULL);
	__atomic_store_n(&all.stop, true, __ATOMIC_RELEASE);
	pthread_join(answerer, NULL);
	puts("lport,dport,result,answered_us,took_us");
	for (size_t i = 0; i < all.connects; i++) {
		const struct call *c = &all.calls[i];

		printf("%u,%u,%s,", c->lport, c->dport,
			c->result ? strerrorname_np(c->result) : "ok");
		if (c->answered_us)
			printf("%llu", (unsigned long long)c->answered_us);
		printf(",%llu\n", (unsigned long long)c->took_us);
	}
	return 0;
}
