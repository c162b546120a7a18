/* SPDX-License-Identifier: BSD-2-Clause */
#include "output.h"
#include "../formats/trace_writer.h"
#include "clock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#define NS_PER_MS 1000000ull

struct output {
	const struct output_options *options;
	output_counters *count;
	void *context;
	int fd;
	struct trace_writer *writer;
	struct batch_builder *batch;
	struct batch_header header;
	uint64_t
		began_ns; /* the first event of the batch came then; UINT64_MAX: at the next tick */
	struct error failure;
	bool failed;
};

struct output *output_new(const struct output_options *options, output_counters *count,
	void *context, struct error *error)
{
	struct output *o = calloc(1, sizeof *o);

	if (!o) {
		error_set(error, "out of memory");
		return NULL;
	}
	o->options = options;
	o->count = count;
	o->context = context;
	o->fd = -1;
	if (!strcmp(options->name, "-") && isatty(STDOUT_FILENO)) {
		error_set(error, "-w -: standard output is a terminal");
		output_free(o);
		return NULL;
	}
	o->batch = batch_builder_new();
	if (!o->batch) {
		error_set(error, "out of memory");
		output_free(o);
		return NULL;
	}
	return o;
}

void output_free(struct output *o)
{
	if (!o)
		return;
	trace_writer_free(o->writer);
	batch_builder_free(o->batch);
	if (o->fd > STDERR_FILENO)
		close(o->fd);
	free(o);
}

static int open_file(struct output *o, struct error *error)
{
	const char *name = o->options->name;
	int flags = O_WRONLY | O_CREAT | O_CLOEXEC | (o->options->overwrite ? O_TRUNC : O_EXCL);

	if (!strcmp(name, "-")) {
		o->fd = STDOUT_FILENO;
		return 0;
	}
	o->fd = open(name, flags, 0600);
	if (o->fd < 0 && errno == EEXIST)
		return error_set(error, "%s: exists already; --overwrite replaces it", name);
	if (o->fd < 0)
		return error_set(error, "%s: cannot create: %s", name, strerror(errno));
	return 0;
}

int output_start(struct output *o, const struct host *host, struct error *error)
{
	if (open_file(o, error))
		return -1;
	memcpy(o->header.session, host->info.session, sizeof o->header.session);
	o->header.host = host->info.host;
	o->header.backend = host->info.backend;
	o->writer = trace_writer_new(o->fd, o->options->name, &host->info, error);
	return o->writer ? 0 : -1;
}

static bool holds_something(const struct output *o)
{
	return batch_builder_count(o->batch) || batch_builder_late_count(o->batch);
}

void output_count(const struct output *o, struct counters *c)
{
	c->recorded = o->header.sequence + batch_builder_count(o->batch);
}

void output_flush(struct output *o)
{
	uint32_t events = batch_builder_count(o->batch);

	if (o->failed)
		return;
	o->header.anchor = clock_anchor_now();
	o->header.counters = o->count(o->context);
	output_count(o, &o->header.counters);
	if (trace_writer_batch(o->writer, o->batch, &o->header, &o->failure))
		o->failed = true;
	o->header.sequence += events;
}

uint64_t output_event(struct output *o, const struct event *event)
{
	uint64_t number;

	if (o->failed)
		return o->header.sequence;
	if (!holds_something(o))
		o->began_ns = UINT64_MAX;
	if (batch_builder_add(o->batch, event)) {
		output_flush(o);
		o->began_ns = UINT64_MAX;
		batch_builder_add(o->batch, event);
	}
	number = o->header.sequence + batch_builder_count(o->batch) - 1;
	if (o->options->unbuffered)
		output_flush(o);
	return number;
}

void output_result(struct output *o, uint64_t number, const struct result *result)
{
	struct late_result late = {number, *result};

	if (o->failed)
		return;
	if (number >= o->header.sequence) {
		uint32_t row = (uint32_t)(number - o->header.sequence);

		if (!batch_builder_set_result(o->batch, row, result))
			return;
		output_flush(o);
	}
	if (!holds_something(o))
		o->began_ns = UINT64_MAX;
	if (batch_builder_add_late(o->batch, &late)) {
		output_flush(o);
		o->began_ns = UINT64_MAX;
		batch_builder_add_late(o->batch, &late);
	}
}

void output_tick(struct output *o, const struct clock_anchor *now)
{
	if (!holds_something(o))
		return;
	if (o->began_ns == UINT64_MAX)
		o->began_ns = now->boot_ns;
	if (now->boot_ns - o->began_ns >= o->options->flush_ms * NS_PER_MS)
		output_flush(o);
}

uint64_t output_deadline(const struct output *o)
{
	return holds_something(o) && !o->failed ? o->began_ns + o->options->flush_ms * NS_PER_MS
						: UINT64_MAX;
}

int output_failed(const struct output *o, struct error *error)
{
	if (o->failed)
		*error = o->failure;
	return o->failed ? -1 : 0;
}

int output_finish(struct output *o, struct error *error)
{
	output_flush(o);
	if (!o->failed && trace_writer_finish(o->writer, &o->failure))
		o->failed = true;
	return output_failed(o, error);
}
