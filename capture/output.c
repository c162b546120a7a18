/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Three threads: the recorder's encodes batches, the writer (writer.h) puts
 * them into the file, the finisher (finisher.h) takes over files that are
 * complete. Between the first two stands a bounded queue; a batch that finds it
 * full is dropped here, and the next one that does not says so.
 */
#include "output.h"
#include "clock.h"
#include "finisher.h"
#include "writer.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define NS_PER_MS 1000000ull
#define NS_PER_S 1000000000ull
#define LATER_NS NS_PER_S /* what the disk did not allow is tried again */
#define LOCK_TRIES 50     /* of 100 ms, for another recorder that is just starting */

struct output {
	const struct output_options *options;
	output_counters *count;
	void *context;
	struct names names; /* dir -1: standard output */
	struct trace_info info;
	struct finisher *finisher;
	struct writer *writer;
	int changed; /* eventfd */
	struct trace_writer *trace;
	struct batch_builder *batch;
	struct batch_header header;
	uint64_t
		began_ns; /* the first event of the batch came then; UINT64_MAX: at the next tick */
	uint64_t size_most;     /* of a file; 0: no limit */
	int64_t boundary_ns;    /* wall clock of the next rotation by time */
	uint64_t rotate_due_ns; /* the same by the boot clock; UINT64_MAX: never */
	uint64_t dropped; /* events that found the queue full; header.dropped has the others too */
	uint64_t partial; /* results that did */
	struct gap gap;   /* since the last batch that was taken */
	struct error failure;
	bool failed, finished;
	/* Blocks on their way from the encoder to the queue. */
	uint8_t *blocks;
	size_t length, capacity;
	uint8_t scratch[RECORD_PAYLOAD_MAX];
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
	o->names.dir = -1;
	o->rotate_due_ns = o->began_ns = UINT64_MAX;
	o->changed = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	o->batch = batch_builder_new();
	if (o->changed < 0 || !o->batch)
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
	trace_writer_free(o->trace);
	batch_builder_free(o->batch);
	names_close(&o->names);
	if (o->changed >= 0)
		close(o->changed);
	free(o->blocks);
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

/* trace_sink */
static int gather(void *context, const uint8_t *block, size_t length, struct error *error)
{
	struct output *o = context;

	if (length > o->capacity - o->length) {
		size_t capacity = o->length + length + RECORD_PAYLOAD_MAX;
		uint8_t *grown = realloc(o->blocks, capacity);

		if (!grown)
			return error_set(error, "out of memory");
		o->blocks = grown;
		o->capacity = capacity;
	}
	memcpy(o->blocks + o->length, block, length);
	o->length += length;
	return 0;
}

static void fail(struct output *o, const struct error *why)
{
	if (!o->failed)
		o->failure = *why;
	o->failed = true;
}

static void hand_over(struct output *o, uint32_t events)
{
	struct error why;

	if (o->length && writer_put(o->writer, o->blocks, o->length, events)) {
		error_set(&why, "out of memory");
		fail(o, &why);
	}
	o->length = 0;
}

static int begin_trace(struct output *o, struct error *error)
{
	o->trace = trace_writer_new_sink(gather, o, o->options->name, &o->info, error);
	if (!o->trace ||
		(o->options->compress_while_live && trace_writer_compress(o->trace, error)))
		return -1;
	hand_over(o, 0);
	return 0;
}

/* One second may belong to the recorder that starts beside us. */
static int lock_directory(const struct output *o, struct error *error)
{
	for (int i = 0; i < LOCK_TRIES; i++) {
		if (!flock(o->names.dir, LOCK_EX | LOCK_NB))
			return 0;
		if (errno != EWOULDBLOCK)
			return 0; /* a file system without locks */
		usleep(100000);
	}
	return error_set(error, "%s: its directory is locked", o->options->name);
}

/* The .part files of dead runs go to the finisher. Sets *last to the highest number in use. */
static int take_over(struct output *o, uint64_t *last, struct error *error)
{
	struct named_file *files;
	struct live_file part;
	int count = names_list(&o->names, &files, error), status = count < 0 ? -1 : 0;
	uint64_t lowest = UINT64_MAX;

	*last = 0;
	for (int i = 0; i < count && !status; i++) {
		*last = files[i].number;
		if (files[i].kind != NAME_PART || !output_is_numbered(o->options))
			continue;
		status = live_file_adopt(&part, &o->names, &files[i], error);
		if (status > 0)
			status = error_set(error,
				"%s: another tcpconnect-rec records to this name (%s)",
				o->options->name, files[i].name);
		if (status)
			break;
		if (lowest == UINT64_MAX)
			finisher_protect(o->finisher, lowest = files[i].number);
		finisher_add(o->finisher, &part);
	}
	for (int i = 0; i < count && !status; i++)
		if (files[i].kind == NAME_NEW && output_is_numbered(o->options))
			unlinkat(o->names.dir, files[i].name, 0);
	if (lowest == UINT64_MAX)
		finisher_protect(o->finisher, *last + 1);
	free(files);
	return status;
}

static int open_first(struct output *o, struct live_file *file, struct error *error)
{
	uint64_t last;
	int status;

	if (is_stdout(o)) {
		*file = (struct live_file){.fd = STDOUT_FILENO, .name = "-"};
		return 0;
	}
	if (lock_directory(o, error))
		return -1;
	status = take_over(o, &last, error);
	if (!status && output_is_numbered(o->options)) {
		status = live_file_create(file, &o->names, last + 1, o->info.anchor.wall_ns, error);
	} else if (!status) {
		status = live_file_create_plain(file, &o->names, o->options->overwrite, error);
		file->number = last;
	}
	flock(o->names.dir, LOCK_UN);
	return status;
}

static void plan_rotation(struct output *o, const struct clock_anchor *now)
{
	int64_t step = (int64_t)(o->options->rotate_seconds * NS_PER_S);

	if (!step)
		return;
	o->boundary_ns = (now->wall_ns / step + 1) * step;
	o->rotate_due_ns = now->boot_ns + (uint64_t)(o->boundary_ns - now->wall_ns);
}

/* The kernel would stop a file there, so the next one begins before. */
static uint64_t largest_file(const struct output_options *options)
{
	uint64_t most = options->rotate_bytes;
	struct rlimit limit;

	if (getrlimit(RLIMIT_FSIZE, &limit) || limit.rlim_cur == RLIM_INFINITY)
		return most;
	limit.rlim_cur /= 2;
	return most && most < limit.rlim_cur ? most : limit.rlim_cur;
}

int output_start(struct output *o, const struct host *host, struct error *error)
{
	const struct writer_hooks hooks = {.done = hook_done,
		.make_room = hook_make_room,
		.changed = hook_changed,
		.say = hook_say,
		.context = o};
	const struct finisher_options finish = {.finish.compress = o->options->compress_finished,
		.retention = o->options->retention,
		.print = o->options->print_finished,
		.command = o->options->command,
		.say = o->options->say,
		.context = o->context};
	struct live_file first;

	o->info = host->info;
	memcpy(o->header.session, o->info.session, sizeof o->header.session);
	o->header.host = o->info.host;
	o->header.backend = o->info.backend;
	if (!is_stdout(o)) {
		o->finisher = finisher_new(&o->names, &finish, error);
		o->size_most = largest_file(o->options);
		if (!o->finisher)
			return -1;
	}
	if (open_first(o, &first, error))
		return -1;
	o->writer = writer_new(&first, &o->names, o->options->queue_bytes, &hooks, error);
	if (!o->writer) {
		live_file_close(&first);
		return -1;
	}
	plan_rotation(o, &o->info.anchor);
	return begin_trace(o, error);
}

static bool holds_something(const struct output *o)
{
	return batch_builder_count(o->batch) || batch_builder_late_count(o->batch);
}

void output_count(const struct output *o, struct counters *c)
{
	uint64_t dropped = o->dropped + writer_dropped(o->writer);

	c->recorded = o->header.sequence + batch_builder_count(o->batch) - dropped;
	c->lost += dropped;
	c->partial += o->partial;
	if (o->finished)
		c->partial += writer_unsure(o->writer);
}

/* What the builder holds goes nowhere. */
static void drop_batch(struct output *o)
{
	uint32_t events = batch_builder_count(o->batch);
	enum gap_reason reason = writer_reason(o->writer);

	o->partial += batch_builder_late_count(o->batch);
	batch_builder_encode(o->batch, &o->header, o->scratch);
	if (!events)
		return;
	o->dropped += events;
	if (!o->gap.from_ns || o->header.first_ns < o->gap.from_ns)
		o->gap.from_ns = o->header.first_ns;
	if (o->header.last_ns > o->gap.to_ns)
		o->gap.to_ns = o->header.last_ns;
	o->gap.reason = (uint8_t)reason;
}

/* Also without events: then only the counters are news. */
static void write_batch(struct output *o)
{
	uint32_t events = batch_builder_count(o->batch);
	uint64_t dropped;

	o->header.anchor = clock_anchor_now();
	if (o->failed || !writer_has_room(o->writer)) {
		drop_batch(o);
	} else {
		o->header.counters = o->count(o->context);
		output_count(o, &o->header.counters);
		dropped = o->dropped + writer_dropped(o->writer);
		/* Dropped on the other side of the queue: nothing is known but the number. */
		if (dropped != o->header.dropped && !o->gap.reason)
			o->gap.reason = GAP_NO_SPACE;
		o->header.dropped = dropped;
		o->header.gap = o->gap;
		o->gap = (struct gap){0};
		if (trace_writer_batch(o->trace, o->batch, &o->header, &o->failure))
			o->failed = true;
		hand_over(o, events);
	}
	o->header.sequence += events;
	o->began_ns = UINT64_MAX;
}

static void end_trace(struct output *o)
{
	struct error why;

	write_batch(o);
	if (o->trace && trace_writer_finish(o->trace, &why))
		fail(o, &why);
	hand_over(o, 0);
	trace_writer_free(o->trace);
	o->trace = NULL;
}

static void rotate(struct output *o)
{
	struct error why;

	if (is_stdout(o) || o->failed)
		return;
	/* Not into a full queue: the file that is there goes on. */
	if (!writer_has_room(o->writer)) {
		o->rotate_due_ns = clock_boot_ns() + LATER_NS;
		return;
	}
	end_trace(o);
	o->info.file++;
	o->info.anchor = clock_anchor_now();
	plan_rotation(o, &o->info.anchor);
	if (writer_next(o->writer, o->info.anchor.wall_ns) || begin_trace(o, &why)) {
		error_set(&why, "out of memory");
		fail(o, &why);
	}
}

static void rotate_if_due(struct output *o, const struct clock_anchor *now)
{
	int64_t step = (int64_t)(o->options->rotate_seconds * NS_PER_S);
	/* The wall clock may have been set, to either side. */
	bool time = step && (now->wall_ns >= o->boundary_ns ||
				    now->wall_ns < o->boundary_ns - step - (int64_t)NS_PER_S);

	if (o->failed)
		return;
	if (time || (o->size_most && trace_writer_size(o->trace) >= o->size_most) ||
		writer_wants_next(o->writer))
		rotate(o);
	else if (step) /* it may have been slewed */
		o->rotate_due_ns = now->boot_ns + (uint64_t)(o->boundary_ns - now->wall_ns);
}

void output_rotate(struct output *o)
{
	if (is_stdout(o))
		write_batch(o);
	else
		rotate(o);
}

void output_flush(struct output *o)
{
	if (o->failed)
		return;
	write_batch(o);
	rotate_if_due(o, &o->header.anchor);
}

uint64_t output_event(struct output *o, const struct event *event)
{
	uint64_t number;

	if (batch_builder_add(o->batch, event)) {
		write_batch(o);
		rotate_if_due(o, &o->header.anchor);
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

	if (number >= o->header.sequence) {
		uint32_t row = (uint32_t)(number - o->header.sequence);

		if (!batch_builder_set_result(o->batch, row, result))
			return;
		write_batch(o);
	}
	if (batch_builder_add_late(o->batch, &late)) {
		write_batch(o);
		batch_builder_add_late(o->batch, &late);
	}
}

void output_tick(struct output *o, const struct clock_anchor *now)
{
	eventfd_t ignored;

	eventfd_read(o->changed, &ignored);
	if (writer_failed(o->writer, &o->failure))
		o->failed = true;
	if (o->failed)
		return;
	if ((holds_something(o) || o->gap.reason) && o->began_ns == UINT64_MAX)
		o->began_ns = now->boot_ns;
	if (o->began_ns != UINT64_MAX &&
		now->boot_ns - o->began_ns >= o->options->flush_ms * NS_PER_MS)
		write_batch(o);
	rotate_if_due(o, now);
}

int output_fd(const struct output *o)
{
	return o->changed;
}

uint64_t output_deadline(const struct output *o)
{
	uint64_t deadline = UINT64_MAX;

	if (o->failed)
		return UINT64_MAX;
	if (o->began_ns != UINT64_MAX)
		deadline = o->began_ns + o->options->flush_ms * NS_PER_MS;
	return deadline < o->rotate_due_ns ? deadline : o->rotate_due_ns;
}

int output_failed(const struct output *o, struct error *error)
{
	if (o->failed)
		*error = o->failure;
	return o->failed ? -1 : 0;
}

int output_finish(
	struct output *o, bool (*impatient)(void *context), void *context, struct error *error)
{
	end_trace(o);
	writer_finish(o->writer, impatient, context);
	if (o->finisher)
		finisher_finish(o->finisher, impatient, context);
	o->finished = true;
	if (!o->failed && writer_failed(o->writer, &o->failure))
		o->failed = true;
	return output_failed(o, error);
}
