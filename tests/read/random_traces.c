/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Writes random traces: usage: random_traces SEED DIRECTORY HOSTS FILES EVENTS [gzip]
 * Each host is one session, rotated into FILES files of EVENTS events, in
 * DIRECTORY/HOST-FILE.pcapng. Its clock is off by up to a minute and drifts;
 * some outcomes are late, in this file or the next ones; much is unknown. Every
 * other file is compressed and has summaries, as one that is finished. gzip: all
 * have packets and are compressed as a whole; they are the same else.
 */
#include "../random.h"
#include "../../formats/gzip.h"
#include "../../formats/trace_writer.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define WALL_NS INT64_C(1795430700000000000)
#define BOOT_NS UINT64_C(1000000000000)
#define PENDING_MAX 4096

static bool chance(uint32_t percent)
{
	return random_below(100) < percent;
}

static struct bytes pick(const char *const *texts, uint32_t count)
{
	return bytes_of(texts[random_below(count)]);
}

#define PICK(...)                                                                                  \
	pick((const char *const[]){__VA_ARGS__},                                                   \
		sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *))

static struct process random_process(const struct process *parent)
{
	struct process p = {.pid = 1 + random_below(40),
		.uid = random_below(4) * 500,
		.gid = random_below(3) * 100,
		.euid = chance(50) ? UNKNOWN_ID : (int64_t)random_below(3) * 500,
		.egid = UNKNOWN_ID,
		.loginuid = UNKNOWN_ID,
		.audit_session = UNKNOWN_ID,
		.start_ns = BOOT_NS / 2 + random_below(1000000),
		.parent = parent};

	if (parent)
		p.ppid = parent->pid;
	if (chance(95))
		p.comm = PICK(
			"curl", "sshd", "new\nline", "\xff\xfe", "a,b", "quo\"te", "java", " x ");
	if (chance(70))
		p.exe = PICK(
			"/usr/bin/curl", "/usr/sbin/sshd", "/opt/java", "/tmp/\x1b[31m", "java");
	if (chance(60))
		p.args = (struct bytes){(const uint8_t *)"a\0b \"c\0", 7};
	if (chance(60))
		p.cgroup = PICK("/a", "/a/b", "/a/bc", "/a/b/c", "/");
	if (chance(30))
		p.container = PICK("0123456789abcdef", "0123ffff", "ffff");
	if (chance(50))
		p.user = PICK("alice", "bob");
	return p;
}

static struct address random_address(uint8_t family)
{
	struct address a = {.family = family};

	if (family == 4)
		memcpy(a.bytes,
			(uint8_t[]){10, 0, (uint8_t)random_below(2), (uint8_t)random_below(4)}, 4);
	else
		memcpy(a.bytes, (uint8_t[]){0x20, 1, 0x0d, 0xb8, [15] = (uint8_t)random_below(4)},
			16);
	return a;
}

static struct result random_result(void)
{
	static const uint16_t errors[] = {0, 111, 110, 113, 60000};
	struct result r = {0};

	r.outcome = (uint8_t)(1 + random_below(3));
	if (r.outcome == OUTCOME_FAILED)
		r.error = errors[random_below(5)];
	r.retransmits = random_below(4);
	r.latency_us = random_next() >> (30 + random_below(30));
	return r;
}

struct host {
	char name[32];
	uint8_t session[16];
	struct clock_anchor anchor; /* of the batch at hand */
	uint64_t now_ns, number;
	struct late_result pending[PENDING_MAX];
	size_t pending_count;
	struct counters counters;
	struct process processes[12];
};

static void add_event(struct host *h, struct batch_builder *builder)
{
	const struct process *process = &h->processes[random_below(12)];
	uint8_t family = chance(75) ? 4 : 6;
	struct event e = {.time_ns = h->now_ns += random_below(20000000),
		.process = process,
		.tid = process->pid + random_below(2),
		.flags = random_below(8),
		.returned = (uint16_t)(chance(30) ? 0 : 1),
		.net_ns = chance(30) ? 0 : 4026531840u + random_below(2),
		.daddr = random_address(family),
		.dport = (uint16_t)(chance(50) ? 443 : 1 + random_below(100))};

	if (chance(80)) {
		e.saddr = random_address(family);
		e.lport = (uint16_t)(30000 + random_below(10));
	}
	if (chance(50)) {
		e.result = random_result();
	} else if (chance(70) && h->pending_count < PENDING_MAX) {
		h->pending[h->pending_count++] = (struct late_result){h->number, random_result()};
	}
	if (batch_builder_add(builder, &e))
		abort();
	h->number++;
}

static void write_batch(struct host *h, struct trace_writer *writer, struct batch_builder *builder)
{
	struct batch_header header = {.sequence = h->counters.recorded,
		.host = bytes_of(h->name),
		.backend = bytes_of("fentry")};
	struct error error;

	memcpy(header.session, h->session, 16);
	/* Some of what was undecided before this batch is decided now. */
	for (size_t i = 0; i < h->pending_count;) {
		if (h->pending[i].number >= header.sequence || !chance(40)) {
			i++;
			continue;
		}
		if (batch_builder_add_late(builder, &h->pending[i]))
			abort();
		h->pending[i] = h->pending[--h->pending_count];
	}
	h->anchor.wall_ns += (int64_t)(h->now_ns - h->anchor.boot_ns) + random_below(1000);
	h->anchor.boot_ns = h->now_ns;
	header.anchor = h->anchor;
	h->counters.recorded = h->counters.seen = h->number;
	header.counters = h->counters;
	if (trace_writer_batch(writer, builder, &header, &error)) {
		fprintf(stderr, "%s\n", error.text);
		exit(1);
	}
}

static void write_file(struct host *h, struct batch_builder *builder, const char *directory,
	uint32_t file, uint32_t events, bool finished, bool packed)
{
	struct trace_info info = {.file = file,
		.anchor = h->anchor,
		.host = bytes_of(h->name),
		.backend = bytes_of("fentry"),
		.packets = packed};
	struct trace_writer *writer = NULL;
	struct gzip_writer *gzip = NULL;
	struct error error;
	char name[4096];
	int fd;

	memcpy(info.session, h->session, 16);
	snprintf(name, sizeof name, "%s/%s-%03u.pcapng", directory, h->name, file);
	fd = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0644);
	if (packed)
		gzip = gzip_writer_new(fd, name);
	if (gzip)
		writer = trace_writer_new_sink(gzip_writer_blocks, gzip, name, &info, &error);
	else if (!packed && fd >= 0)
		writer = trace_writer_new(fd, name, &info, &error);
	if (!writer)
		exit(1);
	if (finished && trace_writer_compress(writer, &error))
		exit(1);
	while (events) {
		uint32_t n =
			1 + random_below(events < 5000 ? events : 5000); /* fits into a batch */

		for (uint32_t i = 0; i < n; i++)
			add_event(h, builder);
		write_batch(h, writer, builder);
		events -= n;
	}
	if (trace_writer_finish(writer, &error) || (gzip && gzip_writer_finish(gzip, &error)))
		exit(1);
	trace_writer_free(writer);
	gzip_writer_free(gzip);
	close(fd);
}

int main(int argc, char **argv)
{
	struct batch_builder *builders[] = {batch_builder_new(), batch_builder_new()};
	static struct host h;
	bool packed = argc == 7 && !strcmp(argv[6], "gzip");

	if (argc != 6 + packed || !builders[0] || !builders[1] || batch_builder_skip(builders[1]))
		return 2;
	batch_builder_pack(builders[1]);
	for (long host = 0; host < strtol(argv[3], NULL, 10); host++) {
		random_state = strtoull(argv[1], NULL, 10) * 1000003 + (uint64_t)host;
		memset(&h, 0, sizeof h);
		snprintf(h.name, sizeof h.name, "host%03ld", host);
		for (size_t i = 0; i < 16; i++)
			h.session[i] = (uint8_t)random_next();
		h.anchor = (struct clock_anchor){
			BOOT_NS, WALL_NS + (int64_t)(random_next() % UINT64_C(60000000000))};
		h.now_ns = BOOT_NS;
		for (size_t i = 0; i < 12; i++)
			h.processes[i] = random_process(
				i && chance(60) ? &h.processes[random_below((uint32_t)i)] : NULL);
		for (long file = 1; file <= strtol(argv[4], NULL, 10); file++) {
			bool finished = (host + file) % 2;

			write_file(&h, builders[finished], argv[2], (uint32_t)file,
				(uint32_t)strtoul(argv[5], NULL, 10), finished, packed);
		}
	}
	batch_builder_free(builders[0]);
	batch_builder_free(builders[1]);
	return 0;
}
