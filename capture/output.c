/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Three threads: the recorder's encodes batches, the writer (writer.h) puts
 * them into the file, the finisher (finisher.h) takes over files that are
 * complete. Between the first two stands a bounded queue; a batch that finds it
 * full is dropped here, and the next one that does not says so.
 */
#include "output.h"
#include "../formats/packet.h"
#include "claim.h"
#include "clock.h"
#include "clock_watch.h"
#include "rotation.h"
#include "writer.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#define NS_PER_MS 1000000ull
/* Files that wait for the finisher, and are open. While there are more, the one that is goes on. */
#define UNFINISHED_MAX 64
/* With a batch of this size begun now, the exact size of its packets need not be known. */
#define BATCH_BYTES_MOST (RECORD_PAYLOAD_MAX + BATCH_EVENTS_MAX * (uint64_t)PACKET_MOST)
#define PACKET_MOST (PACKET_BLOCK_MAX + PACKET_MORE)
#define PACKET_MORE (PROCESS_MORE + RESULT_MORE)
#define PROCESS_MORE 96        /* the block of its process, if it is a new one */
#define RESULT_MORE 72         /* in its comment, once it is known */
#define LATER_NS 1000000000ull /* what the disk did not allow is tried again */

struct output {
	const struct output_options *options;
	output_counters *count;
	void *context;
	struct names names; /* dir -1: standard output */
	struct trace_info info;
	struct finisher *finisher;
	struct writer *writer;
	int changed; /* eventfd */
	int wakes;   /* epoll: that, or the clock was set */
	struct clock_watch clock;
	struct trace_writer *trace;
	struct batch_builder *batch;
	struct batch_header header;
	uint64_t
		began_ns; /* the first event of the batch came then; UINT64_MAX: at the next tick */
	bool before;      /* its events are from before the wall clock was set */
	bool measured;    /* the size of the file is near its limit: packet_bytes is kept */
	uint64_t packet_bytes;     /* that the packets of its events take, at most */
	uint64_t measured_process; /* of the last of them */
	struct rotation rotation;
	bool wants_next;        /* file, as soon as there may be one, */
	uint64_t not_before_ns; /* but it is not tried before */
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

static int open_wakes(struct output *o)
{
	struct epoll_event in = {.events = EPOLLIN};

	o->changed = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	o->wakes = epoll_create1(EPOLL_CLOEXEC);
	if (o->changed < 0 || o->wakes < 0 || epoll_ctl(o->wakes, EPOLL_CTL_ADD, o->changed, &in))
		return -1;
	return o->clock.timer < 0 ? 0 : epoll_ctl(o->wakes, EPOLL_CTL_ADD, o->clock.timer, &in);
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
	o->began_ns = UINT64_MAX;
	rotation_init(
		&o->rotation, options->rotate_bytes, options->rotate_seconds, &options->retention);
	clock_watch_open(&o->clock);
	o->batch = batch_builder_new();
	if (open_wakes(o) || !o->batch)
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
	clock_watch_close(&o->clock);
	if (o->wakes >= 0)
		close(o->wakes);
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
	const struct claim claim = {.names = &o->names,
		.numbered = output_is_numbered(o->options),
		.overwrite = o->options->overwrite,
		.say = o->options->say,
		.context = o->context};
	struct live_file first = {.fd = STDOUT_FILENO, .name = "-"};

	o->info = host->info;
	memcpy(o->header.session, o->info.session, sizeof o->header.session);
	o->header.host = o->info.host;
	o->header.backend = o->info.backend;
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

/* What the builder holds when the wall clock was set is older than that. */
static void look_at_clock(struct output *o)
{
	if (clock_watch_look(&o->clock) && batch_builder_count(o->batch))
		o->before = true;
}

/* Also without events: then only the counters are news. */
static void write_batch(struct output *o)
{
	uint32_t events = batch_builder_count(o->batch);
	uint64_t dropped;

	look_at_clock(o);
	o->header.anchor = o->before ? o->clock.before : o->clock.now;
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
	o->before = false;
	o->packet_bytes = 0;
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

	/* Not into a full queue: the file that is there goes on. */
	if (!writer_has_room(o->writer) || finisher_waiting(o->finisher) > UNFINISHED_MAX) {
		o->not_before_ns = clock_boot_ns() + LATER_NS;
		return;
	}
	o->wants_next = false;
	end_trace(o);
	o->info.file++;
	o->info.anchor = clock_anchor_now();
	rotation_plan(&o->rotation, &o->info.anchor);
	if (writer_next(o->writer, o->info.anchor.wall_ns) || begin_trace(o, &why)) {
		error_set(&why, "out of memory");
		fail(o, &why);
	}
}

static void rotate_if_due(struct output *o)
{
	const struct clock_anchor *now = &o->clock.now;

	if (o->failed || is_stdout(o))
		return;
	o->wants_next |= rotation_is_due(&o->rotation, now);
	o->wants_next |= writer_wants_next(o->writer);
	if (o->wants_next && now->boot_ns >= o->not_before_ns)
		rotate(o);
}

/* Ends the file if it is full with what the builder holds: it gets one event too many at most. */
static void rotate_if_full(struct output *o)
{
	if (!o->rotation.bytes || o->failed || is_stdout(o) ||
		rotation_has_room(&o->rotation, trace_writer_size(o->trace),
			(holds_something(o) ? batch_builder_size(o->batch) : 0) + o->packet_bytes))
		return;
	o->wants_next = true;
	rotate_if_due(o);
}

void output_rotate(struct output *o)
{
	if (is_stdout(o)) {
		write_batch(o);
		return;
	}
	o->wants_next = true;
	rotate_if_due(o);
}

void output_flush(struct output *o)
{
	if (o->failed)
		return;
	write_batch(o);
	rotate_if_due(o);
}

/* To be known before the batch is encoded, so that a file does not grow beyond its size. */
static void measure_packet(struct output *o, const struct event *event)
{
	const struct packet_origin origin = {.session = o->header.session};
	uint8_t space[PACKET_BLOCK_MAX];
	struct block_writer block = {.data = space, .capacity = sizeof space};

	packet_block(&block, event, &origin);
	o->packet_bytes += block.length;
	if (event->result.outcome == OUTCOME_PENDING)
		o->packet_bytes += RESULT_MORE;
	if (!event->process->identity || event->process->identity != o->measured_process)
		o->packet_bytes += PROCESS_MORE;
	o->measured_process = event->process->identity;
}

static void begin_batch(struct output *o, bool before)
{
	o->before = before;
	o->packet_bytes = o->measured_process = 0;
	o->measured =
		o->info.packets && !is_stdout(o) &&
		!rotation_has_room(&o->rotation, trace_writer_size(o->trace), BATCH_BYTES_MOST);
}

uint64_t output_event(struct output *o, const struct event *event)
{
	bool before = clock_watch_is_before(&o->clock, event->time_ns);
	uint64_t number;

	if (batch_builder_count(o->batch) && before != o->before)
		write_batch(o);
	if (!batch_builder_count(o->batch))
		begin_batch(o, before);
	if (batch_builder_add(o->batch, event)) {
		write_batch(o);
		rotate_if_due(o);
		begin_batch(o, before);
		batch_builder_add(o->batch, event);
	}
	number = o->header.sequence + batch_builder_count(o->batch) - 1;
	if (o->measured)
		measure_packet(o, event);
	rotate_if_full(o);
	if (o->options->unbuffered && holds_something(o))
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
	rotate_if_full(o);
}

void output_tick(struct output *o, const struct clock_anchor *now)
{
	eventfd_t ignored;

	eventfd_read(o->changed, &ignored);
	if (writer_failed(o->writer, &o->failure))
		o->failed = true;
	if (o->failed)
		return;
	look_at_clock(o);
	if ((holds_something(o) || o->gap.reason) && o->began_ns == UINT64_MAX)
		o->began_ns = now->boot_ns;
	if (o->began_ns != UINT64_MAX &&
		now->boot_ns - o->began_ns >= o->options->flush_ms * NS_PER_MS)
		write_batch(o);
	rotate_if_due(o);
}

int output_fd(const struct output *o)
{
	return o->wakes;
}

uint64_t output_deadline(const struct output *o)
{
	uint64_t deadline = UINT64_MAX, rotate_ns;

	if (o->failed)
		return UINT64_MAX;
	if (o->began_ns != UINT64_MAX)
		deadline = o->began_ns + o->options->flush_ms * NS_PER_MS;
	rotate_ns = o->wants_next ? o->not_before_ns : o->rotation.due_ns;
	return deadline < rotate_ns ? deadline : rotate_ns;
}

int output_failed(const struct output *o, struct error *error)
{
	if (o->failed)
		*error = o->failure;
	return o->failed ? -1 : 0;
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

	end_trace(o);
	writer_finish(o->writer, is_impatient, &patience);
	if (o->finisher)
		finisher_finish(o->finisher, is_impatient, &patience);
	o->finished = true;
	if (!o->failed && writer_failed(o->writer, &o->failure))
		o->failed = true;
	return output_failed(o, error);
}
