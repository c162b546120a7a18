/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Three threads: the recorder's makes batches (encoder.h), the writer (writer.h)
 * puts them into the file, the finisher (finisher.h) takes over files that are
 * complete. Between the first two stands a bounded queue. What is left to do
 * here is to say when a batch is written and a file ends.
 */
#include "output.h"
#include "claim.h"
#include "clock.h"
#include "encoder.h"
#include "rotation.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#define NS_PER_MS 1000000ull
/* Files that wait for the finisher, and are open. While there are more, the one that is goes on. */
#define UNFINISHED_MAX 256
#define LATER_NS 1000000000ull /* what the disk did not allow is tried again */

struct output {
	const struct output_options *options;
	void *context;
	struct names names; /* dir -1: standard output */
	struct trace_info info;
	struct encoder *encoder;
	struct writer *writer;
	struct finisher *finisher;
	struct rotation rotation;
	bool wants_next;        /* file, as soon as there may be one, */
	uint64_t not_before_ns; /* but it is not tried before */
	int changed;            /* eventfd: the writer has something to tell */
	int wakes;              /* epoll: that, or the clock was set */
	bool finished;
};

bool output_is_numbered(const struct output_options *o)
{
	return o->rotate_bytes || o->rotate_seconds || retention_is_set(&o->retention);
}

bool output_is_foreign(const struct output *o)
{
	struct stat status;

	return o->names.dir >= 0 && !fstat(o->names.dir, &status) && status.st_uid != geteuid();
}

static bool is_stdout(const struct output *o)
{
	return o->names.dir < 0;
}

static int open_wakes(struct output *o)
{
	struct epoll_event in = {.events = EPOLLIN};
	int clock = encoder_clock_fd(o->encoder);

	o->changed = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	o->wakes = epoll_create1(EPOLL_CLOEXEC);
	if (o->changed < 0 || o->wakes < 0 || epoll_ctl(o->wakes, EPOLL_CTL_ADD, o->changed, &in))
		return -1;
	return clock < 0 ? 0 : epoll_ctl(o->wakes, EPOLL_CTL_ADD, clock, &in);
}

struct output *output_new(const struct output_options *options, output_counters *count,
	void *context, struct error *error)
{
	struct output *o = calloc(1, sizeof *o);

	if (!o) {
		error_set(error, "out of memory");
		return NULL;
	}
	o->options = options;
	o->context = context;
	o->names.dir = o->changed = o->wakes = -1;
	rotation_init(
		&o->rotation, options->rotate_bytes, options->rotate_seconds, &options->retention);
	o->encoder = encoder_new(count, context);
	if (!o->encoder || open_wakes(o))
		error_set(error, "out of memory or file descriptors");
	else if (!strcmp(options->name, "-") && isatty(STDOUT_FILENO))
		error_set(error, "-w -: standard output is a terminal");
	else if (!strcmp(options->name, "-") || !names_open(&o->names, options->name, error))
		return o;
	output_free(o);
	return NULL;
}

void output_free(struct output *o)
{
	if (!o)
		return;
	if (o->writer && !o->finished) {
		writer_finish(o->writer, NULL, NULL);
		if (o->finisher)
			finisher_finish(o->finisher, NULL, NULL);
	}
	/* A thread that hangs goes on using this. */
	if ((o->writer && !writer_is_over(o->writer)) ||
		(o->finisher && o->writer && !finisher_is_over(o->finisher)))
		return;
	if (o->finisher && !o->writer)
		finisher_finish(o->finisher, NULL, NULL);
	writer_free(o->writer);
	finisher_free(o->finisher);
	encoder_free(o->encoder);
	names_close(&o->names);
	if (o->wakes >= 0)
		close(o->wakes);
	if (o->changed >= 0)
		close(o->changed);
	free(o);
}

/* Hooks of the writer: called by its thread. */

static void hook_done(void *context, const struct live_file *file)
{
	struct output *o = context;
	struct live_file copy = *file;

	if (o->finisher)
		finisher_add(o->finisher, file);
	else
		live_file_close(&copy);
}

static int hook_make_room(void *context)
{
	struct output *o = context;

	return o->finisher ? finisher_expire(o->finisher) : 0;
}

static void hook_changed(void *context)
{
	struct output *o = context;

	eventfd_write(o->changed, 1);
}

static void hook_say(void *context, const struct error *text)
{
	struct output *o = context;

	o->options->say(o->context, text);
}

int output_start(struct output *o, const struct host *host, struct error *error)
{
	const struct writer_hooks hooks = {.done = hook_done,
		.make_room = hook_make_room,
		.changed = hook_changed,
		.say = hook_say,
		.context = o};
	const struct finisher_options finish = {.finish.compress = o->options->compress_finished,
		.finish.gzip = o->options->gzip_finished,
		.retention = o->options->retention,
		.print = o->options->print_finished,
		.command = o->options->command,
		.say = o->options->say,
		.context = o->context};
	const struct claim claim = {.names = &o->names,
		.numbered = output_is_numbered(o->options),
		.overwrite = o->options->overwrite,
		.say = o->options->say,
		.context = o->context};
	struct live_file first = {.fd = STDOUT_FILENO, .name = "-"};

	o->info = host->info;
	if (!is_stdout(o)) {
		o->finisher = finisher_new(&o->names, &finish, error);
		if (!o->finisher ||
			claim_name(&claim, o->info.anchor.wall_ns, o->finisher, &first, error))
			return -1;
	}
	o->writer = writer_new(&first, &o->names, o->options->queue_bytes, &hooks, error);
	if (!o->writer) {
		live_file_close(&first);
		return -1;
	}
	rotation_plan(&o->rotation, &o->info.anchor);
	encoder_start(o->encoder, &o->info, o->writer, o->options->compress_while_live,
		is_stdout(o) ? 0 : o->rotation.bytes);
	encoder_begin_file(o->encoder, &o->info);
	return output_failed(o, error);
}

void output_count(const struct output *o, struct counters *c)
{
	encoder_count(o->encoder, c);
	if (o->finished)
		c->partial += writer_unsure(o->writer);
}

static bool has_failed(const struct output *o)
{
	struct error ignored;

	return encoder_failed(o->encoder, &ignored) != 0;
}

static void rotate(struct output *o)
{
	struct error why;

	/* Not into a full queue: the file that is there goes on. */
	if (!writer_has_room(o->writer) || finisher_waiting(o->finisher) > UNFINISHED_MAX) {
		o->not_before_ns = clock_boot_ns() + LATER_NS;
		return;
	}
	o->wants_next = false;
	encoder_end_file(o->encoder);
	o->info.file++;
	o->info.anchor = clock_anchor_now();
	rotation_plan(&o->rotation, &o->info.anchor);
	if (writer_next(o->writer, o->info.anchor.wall_ns)) {
		error_set(&why, "out of memory");
		encoder_fail(o->encoder, &why);
	}
	encoder_begin_file(o->encoder, &o->info);
}

static void rotate_if_due(struct output *o)
{
	const struct clock_anchor *now = encoder_now(o->encoder);

	if (is_stdout(o) || has_failed(o))
		return;
	o->wants_next |= rotation_is_due(&o->rotation, now);
	o->wants_next |= writer_wants_next(o->writer);
	if (o->wants_next && now->boot_ns >= o->not_before_ns)
		rotate(o);
}

/* With what is not written yet: so it gets one event too many at most. */
static void rotate_if_full(struct output *o)
{
	if (!o->rotation.bytes || is_stdout(o) ||
		!rotation_is_full(&o->rotation, encoder_size(o->encoder)))
		return;
	o->wants_next = true;
	rotate_if_due(o);
}

void output_rotate(struct output *o)
{
	if (is_stdout(o)) {
		encoder_write(o->encoder);
		return;
	}
	o->wants_next = true;
	rotate_if_due(o);
}

void output_flush(struct output *o)
{
	if (has_failed(o))
		return;
	encoder_write(o->encoder);
	rotate_if_due(o);
}

uint64_t output_event(struct output *o, const struct event *event)
{
	uint64_t number = encoder_event(o->encoder, event);

	rotate_if_full(o);
	if (o->options->unbuffered && encoder_holds_something(o->encoder))
		output_flush(o);
	return number;
}

void output_result(struct output *o, uint64_t number, const struct result *result)
{
	encoder_result(o->encoder, number, result);
	rotate_if_full(o);
}

void output_tick(struct output *o, const struct clock_anchor *now)
{
	struct error why;
	eventfd_t ignored;

	eventfd_read(o->changed, &ignored);
	if (writer_failed(o->writer, &why))
		encoder_fail(o->encoder, &why);
	if (has_failed(o))
		return;
	if (encoder_look(o->encoder) &&
		now->boot_ns >= encoder_waits_since(o->encoder) + o->options->flush_ms * NS_PER_MS)
		encoder_write(o->encoder);
	rotate_if_due(o);
}

int output_fd(const struct output *o)
{
	return o->wakes;
}

uint64_t output_deadline(const struct output *o)
{
	uint64_t since = encoder_waits_since(o->encoder), deadline = UINT64_MAX, rotate_ns;

	if (has_failed(o))
		return UINT64_MAX;
	if (since != UINT64_MAX)
		deadline = since + o->options->flush_ms * NS_PER_MS;
	rotate_ns = o->wants_next ? o->not_before_ns : o->rotation.due_ns;
	return deadline < rotate_ns ? deadline : rotate_ns;
}

int output_failed(const struct output *o, struct error *error)
{
	return encoder_failed(o->encoder, error);
}

struct patience {
	bool (*impatient)(void *context);
	void *context;
	bool is_over;
};

/* Once it is over it stays so: the finisher may hang as the writer did. */
static bool is_impatient(void *context)
{
	struct patience *p = context;

	p->is_over = p->is_over || p->impatient(p->context);
	return p->is_over;
}

int output_finish(
	struct output *o, bool (*impatient)(void *context), void *context, struct error *error)
{
	struct patience patience = {impatient, context, false};
	struct error why;

	encoder_end_file(o->encoder);
	writer_finish(o->writer, is_impatient, &patience);
	if (o->finisher)
		finisher_finish(o->finisher, is_impatient, &patience);
	o->finished = true;
	if (writer_failed(o->writer, &why))
		encoder_fail(o->encoder, &why);
	return output_failed(o, error);
}
