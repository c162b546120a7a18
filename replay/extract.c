/* SPDX-License-Identifier: BSD-2-Clause */
#include "extract.h"
#include "../formats/trace_writer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>

#define BUILDERS_MAX 8 /* sessions whose batches are filled at the same time; 4 MiB each */

/* What can be left out, one bit each. */
static const struct {
	const char *name;
	size_t at; /* of its bytes in struct process */
} texts[] = {
	{"comm", offsetof(struct process, comm)},
	{"exe", offsetof(struct process, exe)},
	{"args", offsetof(struct process, args)},
	{"cgroup", offsetof(struct process, cgroup)},
	{"user", offsetof(struct process, user)},
	{"container", offsetof(struct process, container)},
	{"unit", offsetof(struct process, unit)},
};
enum {
	TEXTS = sizeof texts / sizeof *texts,
	REDACT_ANCESTORS = 1 << TEXTS,
	REDACT_HOST = 2 << TEXTS,
	REDACT_QUERY = 4 << TEXTS,
};

/* A session of the input and what it becomes. */
struct part {
	const struct session *from;
	struct batch_header header;
	uint8_t host[255], backend[255];
	struct batch_builder *builder; /* NULL: nothing is in the making */
	uint64_t used;
};

struct extract {
	const char *name;
	int fd;
	unsigned int redact;
	bool packets;
	struct trace_writer *writer; /* NULL until the first event tells the host */
	struct part **parts;
	size_t count;
	size_t builder_count;
	uint64_t tick;
};

static int parse(const char *redact, unsigned int *bits, struct error *error)
{
	*bits = 0;
	for (const char *name = redact; name;) {
		size_t length = strcspn(name, ",");
		unsigned int bit = 0;

		for (unsigned int i = 0; i < TEXTS; i++)
			if (strlen(texts[i].name) == length && !memcmp(texts[i].name, name, length))
				bit = 1u << i;
		if (length == 9 && !memcmp(name, "ancestors", 9))
			bit = REDACT_ANCESTORS;
		if (length == 4 && !memcmp(name, "host", 4))
			bit = REDACT_HOST;
		if (length == 5 && !memcmp(name, "query", 5))
			bit = REDACT_QUERY;
		if (!bit)
			return error_set(error,
				"--redact: '%.*s' cannot be left out: comm exe args cgroup user "
				"container unit ancestors host query",
				(int)(length < 64 ? length : 64), name);
		*bits |= bit;
		name = name[length] ? name + length + 1 : NULL;
	}
	return 0;
}

int extract_check(const char *redact, struct error *error)
{
	unsigned int bits;

	return parse(redact, &bits, error);
}

struct extract *extract_new(const char *name, const char *redact, bool packets, struct error *error)
{
	struct extract *x = calloc(1, sizeof *x);

	if (!x) {
		error_set(error, "out of memory");
		return NULL;
	}
	x->name = name;
	x->packets = packets;
	if (parse(redact, &x->redact, error)) {
		free(x);
		return NULL;
	}
	if (strcmp(name, "-"))
		x->fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	else if (isatty(STDOUT_FILENO))
		x->fd = -1, errno = EINVAL;
	else
		x->fd = STDOUT_FILENO;
	if (x->fd >= 0)
		return x;
	error_set(error, "%s: %s", name,
		errno == EEXIST   ? "exists already"
		: errno == EINVAL ? "standard output is a terminal"
				  : strerror(errno));
	free(x);
	return NULL;
}

void extract_free(struct extract *x)
{
	if (!x)
		return;
	for (size_t i = 0; i < x->count; i++) {
		batch_builder_free(x->parts[i]->builder);
		free(x->parts[i]);
	}
	trace_writer_free(x->writer);
	if (x->fd > STDOUT_FILENO)
		close(x->fd);
	free(x->parts);
	free(x);
}

/* The head of the file, as of the first session. */
static int start(struct extract *x, const struct part *part, struct error *error)
{
	struct trace_info info = {.file = 1,
		.anchor = part->header.anchor,
		.host = part->header.host,
		.backend = part->header.backend,
		.recorder = bytes_of("tcpconnect-read " VERSION),
		.filters = bytes_of("written by tcpconnect-read -w"),
		.packets = x->packets};

	memcpy(info.session, part->header.session, sizeof info.session);
	x->writer = trace_writer_new(x->fd, x->name, &info, error);
	return x->writer ? trace_writer_compress(x->writer, error) : -1;
}

static int write_batch(struct extract *x, struct part *part, struct error *error)
{
	uint32_t events = batch_builder_count(part->builder);
	struct counters *c = &part->header.counters;

	c->recorded += events;
	c->seen = c->recorded + c->filtered + c->lost;
	if (trace_writer_batch(x->writer, part->builder, &part->header, error))
		return -1;
	part->header.sequence += events;
	return 0;
}

static struct part *find_part(
	struct extract *x, const struct session *session, const struct columns_row *row)
{
	struct part **grown, *part;
	size_t n;

	for (size_t i = 0; i < x->count; i++)
		if (x->parts[i]->from == session)
			return x->parts[i];
	grown = realloc(x->parts, (x->count + 1) * sizeof *grown);
	if (!grown)
		return NULL;
	x->parts = grown;
	part = calloc(1, sizeof *part);
	if (!part)
		return NULL;
	part->from = session;
	part->header.file = 1;
	if (getrandom(part->header.session, sizeof part->header.session, 0) !=
		sizeof part->header.session) {
		free(part);
		return NULL;
	}
	n = row->host.length < sizeof part->host ? row->host.length : sizeof part->host;
	if (n && !(x->redact & REDACT_HOST))
		memcpy(part->host, row->host.data, n);
	part->header.host = (struct bytes){part->host, x->redact & REDACT_HOST ? 0 : n};
	n = row->backend.length < sizeof part->backend ? row->backend.length : sizeof part->backend;
	if (n)
		memcpy(part->backend, row->backend.data, n);
	part->header.backend = (struct bytes){part->backend, n};
	x->parts[x->count++] = part;
	return part;
}

/* Gives the part a builder: a new one, or that of the part that waits longest. */
static int need_builder(struct extract *x, struct part *part, struct error *error)
{
	struct part *oldest = NULL;

	part->used = ++x->tick;
	if (part->builder)
		return 0;
	if (x->builder_count < BUILDERS_MAX) {
		part->builder = batch_builder_new();
		if (!part->builder || batch_builder_skip(part->builder))
			return error_set(error, "out of memory");
		batch_builder_pack(part->builder);
		x->builder_count++;
		return 0;
	}
	for (size_t i = 0; i < x->count; i++)
		if (x->parts[i]->builder && (!oldest || x->parts[i]->used < oldest->used))
			oldest = x->parts[i];
	if (batch_builder_count(oldest->builder) && write_batch(x, oldest, error))
		return -1;
	part->builder = oldest->builder;
	oldest->builder = NULL;
	return 0;
}

static void redact_process(const struct extract *x, struct process *process)
{
	static const struct bytes nothing;

	for (unsigned int i = 0; i < TEXTS; i++)
		if (x->redact & 1u << i)
			memcpy((char *)process + texts[i].at, &nothing, sizeof nothing);
}

/* Copies the process and its parents without what is to be left out. */
static const struct process *redact(const struct extract *x, const struct process *process,
	struct process copies[1 + ANCESTORS_MAX])
{
	size_t n = 0;

	if (!x->redact)
		return process;
	for (const struct process *p = process; p && n < 1 + ANCESTORS_MAX; p = p->parent, n++) {
		copies[n] = *p;
		copies[n].parent = NULL;
		redact_process(x, &copies[n]);
		if (n)
			copies[n - 1].parent = &copies[n];
		if (x->redact & REDACT_ANCESTORS)
			break;
	}
	return copies;
}

int extract_add(struct extract *x, const struct columns_row *row, const struct session *session,
	struct error *error)
{
	struct part *part = find_part(x, session, row);
	struct process copies[1 + ANCESTORS_MAX];
	struct event event = *row->event;
	struct clock_anchor *anchor;

	if (!part)
		return error_set(error, "out of memory");
	if (need_builder(x, part, error))
		return -1;
	event.process = redact(x, row->event->process, copies);
	if (x->redact & REDACT_QUERY) {
		event.query.length = 0;
		event.answered = ANSWERED_UNKNOWN;
	}
	anchor = &part->header.anchor;
	/* The batch begins anew: its clocks are those of its first event. */
	if (!batch_builder_count(part->builder))
		*anchor = (struct clock_anchor){event.time_ns, row->wall_ns};
	/* Later ones have the same wall time, whatever became of the boot clock's drift. */
	event.time_ns = anchor->boot_ns + (uint64_t)row->wall_ns - (uint64_t)anchor->wall_ns;
	if (!x->writer && start(x, part, error))
		return -1;
	if (!batch_builder_add(part->builder, &event))
		return 0;
	if (write_batch(x, part, error))
		return -1;
	*anchor = (struct clock_anchor){row->event->time_ns, row->wall_ns};
	event.time_ns = anchor->boot_ns;
	if (batch_builder_add(part->builder, &event))
		return error_set(error, "%s: an event that does not fit into a batch", x->name);
	return 0;
}

/* What was recorded and does not match counts as filtered; what was lost is lost here too. */
static void count(struct part *part, uint32_t events)
{
	const struct counters *from = &part->from->counters;
	struct counters *c = &part->header.counters;
	uint64_t missing = session_missing(part->from);

	c->lost = from->lost + missing;
	c->partial = from->partial;
	c->filtered = from->recorded + from->filtered;
	if (c->filtered >= c->recorded + events + missing)
		c->filtered -= c->recorded + events + missing;
	else
		c->filtered = 0;
}

int extract_finish(struct extract *x, struct error *error)
{
	static const struct session nothing;
	static const struct columns_row no_row;

	/* A trace without events is one too. */
	if (!x->count && !find_part(x, &nothing, &no_row))
		return error_set(error, "out of memory");
	if (!x->writer && start(x, x->parts[0], error))
		return -1;
	for (size_t i = 0; i < x->count; i++) {
		struct part *part = x->parts[i];

		if (need_builder(x, part, error))
			return -1;
		count(part, batch_builder_count(part->builder));
		if (write_batch(x, part, error))
			return -1;
	}
	return trace_writer_finish(x->writer, error);
}
