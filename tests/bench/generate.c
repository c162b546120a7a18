/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Writes the traces that the reader is measured with, the same each time:
 * generate DIRECTORY EVENTS HOSTS FILES [packets] [raw] [gzip] [live] [pcap]
 *
 * Each host is a session of FILES files: recorded as the recorder does it, a
 * batch each second with what became known late, and then finished by its own
 * code. 50 processes of 20 users connect to 2,000 destinations, chosen by Zipf's
 * law, a quarter of them IPv6, 200 times a second. One process
 * of a user of its own (4242) connects for a moment on the first host, to an
 * address that nobody else uses. raw: not compressed. gzip: as a whole. live: not finished.
 * pcap: DIRECTORY/HOST.pcap besides, the same packets for programs that read those.
 */
#include "../../capture/finish.h"
#include "../random.h"
#include "../../formats/packet.h"
#include "../../formats/trace_writer.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define WALL_NS INT64_C(1795430700000000000)
#define BOOT_NS UINT64_C(1000000000000)
#define SECOND UINT64_C(1000000000)
#define RATE 200 /* of a host */
#define PROCESSES 50
#define USERS 20
#define DESTINATIONS 2000
#define RARE_USER 4242
#define RARE_EVENTS 100
#define TIMEOUT_US UINT64_C(127000000) /* what 6 SYNs without an answer take */
#define PENDING_MAX 65536

struct choice {
	uint64_t events, files;
	uint32_t hosts;
	bool packets, raw, gzip, live, pcap;
};

static struct destination {
	struct address address;
	uint16_t port;
	double until; /* sum of the weights up to here */
} destinations[DESTINATIONS];

static void make_destinations(void)
{
	static const uint16_t ports[] = {
		443, 443, 443, 443, 443, 443, 80, 5432, 6379, 9092, 53, 22};
	double sum = 0;

	random_state = 7;
	for (uint32_t i = 0; i < DESTINATIONS; i++) {
		struct destination *d = &destinations[i];

		if (i % 4 == 3) {
			uint64_t low = random_next();

			d->address = (struct address){6, {0x20, 0x01, 0x0d, 0xb8}};
			put_le(d->address.bytes + 4, random_below(200), 2);
			memcpy(d->address.bytes + 8, &low, 8);
		} else {
			uint32_t v4 = random_below(UINT32_C(0xdf000000) - 0x0b000000) + 0x0b000000;

			d->address.family = 4;
			for (int k = 0; k < 4; k++)
				d->address.bytes[k] = (uint8_t)(v4 >> (24 - 8 * k));
		}
		d->port = ports[i % (sizeof ports / sizeof *ports)];
		d->until = sum += 1.0 / (i + 1);
	}
}

static const struct destination *pick_destination(void)
{
	double at = (double)(random_next() >> 11) / 9007199254740992.0 *
		    destinations[DESTINATIONS - 1].until;
	uint32_t low = 0, high = DESTINATIONS - 1;

	while (low < high) {
		uint32_t middle = (low + high) / 2;

		if (destinations[middle].until < at)
			low = middle + 1;
		else
			high = middle;
	}
	return &destinations[low];
}

struct host {
	uint32_t number;
	char name[32];
	uint8_t session[16];
	struct names names;
	struct live_file file;
	struct trace_writer *writer;
	FILE *pcap;
	struct clock_anchor anchor; /* as of the batch at hand */
	uint64_t now_ns;
	struct batch_header header;
	struct process systemd, shell, processes[PROCESSES + 1];
	char exes[PROCESSES + 1][48], comms[PROCESSES + 1][16], args[PROCESSES + 1][64];
	char cgroups[PROCESSES + 1][64];
	struct pending {
		uint64_t due_ns;
		struct late_result late;
	} pending[PENDING_MAX];
	size_t pending_count;
};

static void die(const struct error *error)
{
	fprintf(stderr, "generate: %s\n", error->text);
	exit(1);
}

static void make_processes(struct host *h)
{
	h->systemd = (struct process){.identity = 1,
		.pid = 1,
		.comm = bytes_of("systemd"),
		.exe = bytes_of("/usr/lib/systemd/systemd"),
		.euid = 0,
		.egid = 0,
		.loginuid = UINT32_MAX,
		.audit_session = UINT32_MAX,
		.start_ns = 10000000};
	h->shell = (struct process){.identity = 2,
		.pid = 800,
		.ppid = 1,
		.parent = &h->systemd,
		.comm = bytes_of("supervise"),
		.exe = bytes_of("/usr/bin/supervise"),
		.euid = 0,
		.egid = 0,
		.loginuid = UINT32_MAX,
		.audit_session = UINT32_MAX,
		.start_ns = 20000000};
	for (uint32_t i = 0; i <= PROCESSES; i++) {
		struct process *p = &h->processes[i];
		uint32_t uid = i == PROCESSES ? RARE_USER : 1000 + i % USERS;
		int n;

		snprintf(h->comms[i], sizeof h->comms[i], "service%u", i);
		snprintf(h->exes[i], sizeof h->exes[i], "/usr/lib/services/%u/bin/service%u", i, i);
		n = snprintf(h->args[i], sizeof h->args[i], "service%u%c--listen%c%u", i, 0, 0,
			8000 + i);
		snprintf(h->cgroups[i], sizeof h->cgroups[i], "/system.slice/service%u.service", i);
		*p = (struct process){.identity = 10 + i,
			.pid = 1000 + 37 * i,
			.ppid = 800,
			.parent = &h->shell,
			.uid = uid,
			.gid = uid,
			.euid = uid,
			.egid = uid,
			.loginuid = UINT32_MAX,
			.audit_session = UINT32_MAX,
			.start_ns = 30000000 + i * SECOND,
			.mount_ns = 4026531841,
			.pid_ns = 4026531836,
			.comm = bytes_of(h->comms[i]),
			.exe = bytes_of(h->exes[i]),
			.args = {(uint8_t *)h->args[i], (size_t)n + 1},
			.cgroup = bytes_of(h->cgroups[i]),
			.user = bytes_of("service"),
			.unit = bytes_of(h->cgroups[i] + strlen("/system.slice/"))};
	}
}

static struct result pick_result(void)
{
	uint32_t percent = random_below(100);
	struct result r = {.outcome = OUTCOME_ESTABLISHED, .retransmits = 1};

	r.latency_us = 100 + random_below(1u << (8 + random_below(10)));
	if (percent < 3) {
		r.outcome = OUTCOME_FAILED;
		r.error = 111;
	} else if (percent < 5) {
		r = (struct result){OUTCOME_FAILED, 110, 7, TIMEOUT_US + random_below(1000)};
	} else if (percent < 6) {
		r.outcome = OUTCOME_ABANDONED;
	}
	return r;
}

/* The packet stands in its block. */
static void put_pcap(struct host *h, const struct event *event)
{
	uint8_t buffer[PACKET_BLOCK_MAX];
	struct block_writer block = {.data = buffer, .capacity = sizeof buffer};
	int64_t wall_ns = (int64_t)(event->time_ns - BOOT_NS) + WALL_NS;
	struct packet_origin origin = {h->session, wall_ns, -1, NULL};
	uint8_t head[16];
	uint32_t length;

	packet_block(&block, event, &origin);
	length = get_le32(buffer + 20);
	put_le(head, (uint64_t)wall_ns / SECOND, 4);
	put_le(head + 4, (uint64_t)wall_ns % SECOND / 1000, 4);
	put_le(head + 8, length, 4);
	put_le(head + 12, length, 4);
	fwrite(head, sizeof head, 1, h->pcap);
	fwrite(buffer + 28, length, 1, h->pcap);
}

static void open_pcap(struct host *h, const char *directory)
{
	static const uint8_t head[24] = {0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, [17] = 4, [20] = 101};
	char name[4096];

	snprintf(name, sizeof name, "%s/%s.pcap", directory, h->name);
	h->pcap = fopen(name, "w");
	if (!h->pcap)
		exit(1);
	fwrite(head, sizeof head, 1, h->pcap);
}

static void open_file(struct host *h, const struct choice *choice, uint32_t number)
{
	struct trace_info info = {.file = number,
		.anchor = h->anchor,
		.host = bytes_of(h->name),
		.kernel = bytes_of("Linux 6.1.0"),
		.hardware = bytes_of("x86_64"),
		.recorder = bytes_of("tcpconnect-rec " VERSION),
		.backend = bytes_of("fentry"),
		.filters = bytes_of("none"),
		.packets = choice->packets};
	struct error error;

	memcpy(info.session, h->session, 16);
	if (live_file_create(&h->file, &h->names, number, h->anchor.wall_ns, &error))
		die(&error);
	h->writer = trace_writer_new(h->file.fd, h->file.name, &info, &error);
	if (!h->writer)
		die(&error);
	h->header.file = number;
}

static bool never(void *context)
{
	(void)context;
	return false;
}

static void close_file(struct host *h, const struct choice *choice)
{
	struct finish_options options = {.compress = !choice->raw, .gzip = choice->gzip};
	struct error error;

	if (trace_writer_finish(h->writer, &error))
		die(&error);
	trace_writer_free(h->writer);
	if (!choice->live &&
		finish_file(&h->names, &h->file, &options, never, NULL, &error) != FINISH_DONE)
		die(&error);
	live_file_close(&h->file);
}

static void write_batch(struct host *h, struct batch_builder *builder)
{
	struct error error;
	size_t kept = 0;

	for (size_t i = 0; i < h->pending_count; i++) {
		struct pending *p = &h->pending[i];

		/* Those of this batch were set there. */
		if (p->due_ns > h->now_ns || batch_builder_add_late(builder, &p->late))
			h->pending[kept++] = *p;
	}
	h->pending_count = kept;
	h->anchor.wall_ns += (int64_t)(h->now_ns - h->anchor.boot_ns);
	h->anchor.boot_ns = h->now_ns;
	h->header.anchor = h->anchor;
	h->header.counters.recorded = h->header.sequence + batch_builder_count(builder);
	h->header.counters.seen = h->header.counters.recorded;
	if (trace_writer_batch(h->writer, builder, &h->header, &error))
		die(&error);
	h->header.sequence = h->header.counters.recorded;
}

static void add_event(struct host *h, struct batch_builder *builder, uint64_t batch_end, bool rare)
{
	const struct destination *d = pick_destination();
	const struct process *p = &h->processes[rare ? PROCESSES : random_below(PROCESSES)];
	struct result result = pick_result();
	uint64_t number = h->header.sequence + batch_builder_count(builder), due;
	struct event e = {.number = number,
		.time_ns = h->now_ns,
		.process = p,
		.tid = p->pid,
		.flags = random_below(4) ? EVENT_NONBLOCKING : 0,
		.returned = 1,
		.net_ns = 4026531840,
		.daddr = d->address,
		.dport = d->port,
		.lport = (uint16_t)(32768 + random_below(28232))};

	e.saddr.family = e.daddr.family;
	if (rare) {
		e.daddr = (struct address){4, {203, 0, 113, 77}};
		e.saddr.family = 4;
		e.dport = 7777;
	}
	if (e.saddr.family == 4)
		memcpy(e.saddr.bytes, (uint8_t[]){10, 1, 0, (uint8_t)(h->number + 1)}, 4);
	else
		memcpy(e.saddr.bytes, (uint8_t[]){0xfd, 0, [15] = (uint8_t)(h->number + 1)}, 16);
	due = h->now_ns + result.latency_us * 1000;
	if (due <= batch_end)
		e.result = result;
	else if (h->pending_count < PENDING_MAX)
		h->pending[h->pending_count++] = (struct pending){due, {number, result}};
	if (h->pcap)
		put_pcap(h, &e);
	if (batch_builder_add(builder, &e))
		abort();
}

static void write_host(struct host *h, struct batch_builder *builder, const struct choice *choice)
{
	uint64_t events = choice->events / choice->hosts, each = events / choice->files;
	uint64_t gap_ns = 2 * SECOND / RATE;
	uint64_t rare = h->number ? UINT64_MAX : events / 3;

	for (uint64_t file = 1, done = 0; file <= choice->files; file++) {
		uint64_t until = file == choice->files ? events : file * each;

		open_file(h, choice, (uint32_t)file);
		while (done < until) {
			uint64_t batch_end = h->now_ns + SECOND;

			while (done < until && h->now_ns < batch_end) {
				h->now_ns += random_next() % gap_ns;
				add_event(h, builder, batch_end,
					done >= rare && done < rare + RARE_EVENTS);
				done++;
			}
			write_batch(h, builder);
		}
		close_file(h, choice);
	}
}

int main(int argc, char **argv)
{
	struct batch_builder *builder = batch_builder_new();
	struct choice choice = {0};
	static struct host h;
	struct error error;
	char path[4096];

	if (argc < 5 || !builder) {
		fputs("usage: generate DIRECTORY EVENTS HOSTS FILES [packets] [raw] [gzip] [live] "
		      "[pcap]\n",
			stderr);
		return 2;
	}
	choice.events = strtoull(argv[2], NULL, 10);
	choice.hosts = (uint32_t)strtoul(argv[3], NULL, 10);
	choice.files = strtoull(argv[4], NULL, 10);
	for (int i = 5; i < argc; i++) {
		choice.packets |= !strcmp(argv[i], "packets");
		choice.raw |= !strcmp(argv[i], "raw");
		choice.gzip |= !strcmp(argv[i], "gzip");
		choice.live |= !strcmp(argv[i], "live");
		choice.pcap |= !strcmp(argv[i], "pcap");
	}
	make_destinations();
	for (uint32_t i = 0; i < choice.hosts; i++) {
		random_state = 1000003 + i;
		memset(&h, 0, sizeof h);
		h.number = i;
		snprintf(h.name, sizeof h.name, "host%03u", i);
		for (size_t k = 0; k < 16; k++)
			h.session[k] = (uint8_t)random_next();
		h.anchor = (struct clock_anchor){BOOT_NS, WALL_NS};
		h.now_ns = BOOT_NS;
		memcpy(h.header.session, h.session, 16);
		h.header.host = bytes_of(h.name);
		h.header.backend = bytes_of("fentry");
		make_processes(&h);
		snprintf(path, sizeof path, "%s/%s.pcapng", argv[1], h.name);
		if (names_open(&h.names, path, &error))
			die(&error);
		if (choice.pcap)
			open_pcap(&h, argv[1]);
		write_host(&h, builder, &choice);
		if (h.pcap && fclose(h.pcap))
			return 1;
		names_close(&h.names);
	}
	batch_builder_free(builder);
	return 0;
}
