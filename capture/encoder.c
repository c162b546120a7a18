/* SPDX-License-Identifier: BSD-2-Clause */
#include "encoder.h"
#include "../formats/packet.h"

#include <stdlib.h>
#include <string.h>

/* With a batch of this size begun now, the exact size of its packets need not be known. */
#define BATCH_BYTES_MOST (RECORD_PAYLOAD_MAX + BATCH_EVENTS_MAX * (uint64_t)PACKET_MOST)
#define PACKET_MOST (PACKET_BLOCK_MAX + PROCESS_MORE + RESULT_MORE)
#define PROCESS_MORE 96 /* the block of its process, if it is a new one */
#define RESULT_MORE 72  /* in its comment, once it is known */

struct encoder {
	output_counters *count;
	void *context;
	struct writer *writer;
	bool compress, packets;
	uint64_t size_most;
	struct clock_watch clock;
	struct trace_writer *trace;
	struct batch_builder *batch;
	struct batch_header header;
	uint64_t
		since_ns; /* the first event of the batch came then; UINT64_MAX: at the next look */
	bool before;      /* its events are from before the wall clock was set */
	bool measured;    /* the size of the file is near its limit: packet_bytes is kept */
	uint64_t packet_bytes;     /* that the packets of its events take, at most */
	uint64_t measured_process; /* of the last of them */
	uint64_t dropped; /* events that found the queue full; header.dropped has the others too */
	uint64_t partial; /* results that did */
	struct gap gap;   /* since the last batch that was taken */
	struct error failure;
	bool failed;
	struct chunk *chunk; /* on its way to the queue; NULL: nothing is */
	uint8_t scratch[RECORD_PAYLOAD_MAX];
};

struct encoder *encoder_new(output_counters *count, void *context)
{
	struct encoder *e = calloc(1, sizeof *e);

	if (!e)
		return NULL;
	e->count = count;
	e->context = context;
	e->since_ns = UINT64_MAX;
	clock_watch_open(&e->clock);
	e->batch = batch_builder_new();
	if (!e->batch) {
		encoder_free(e);
		return NULL;
	}
	return e;
}

void encoder_free(struct encoder *e)
{
	if (!e)
		return;
	trace_writer_free(e->trace);
	batch_builder_free(e->batch);
	clock_watch_close(&e->clock);
	free(e->chunk);
	free(e);
}

void encoder_start(struct encoder *e, const struct trace_info *info, struct writer *writer,
	bool compress, uint64_t size_most)
{
	e->writer = writer;
	e->compress = compress;
	e->size_most = size_most;
	e->packets = info->packets;
	memcpy(e->header.session, info->session, sizeof e->header.session);
	e->header.host = info->host;
	e->header.backend = info->backend;
}

void encoder_fail(struct encoder *e, const struct error *why)
{
	if (!e->failed)
		e->failure = *why;
	e->failed = true;
}

/* trace_sink */
static int gather(void *context, const uint8_t *block, size_t length, struct error *error)
{
	struct encoder *e = context;

	if (!e->chunk)
		e->chunk = writer_spare(e->writer);
	return chunk_append(&e->chunk, block, length) ? error_set(error, "out of memory") : 0;
}

static void hand_over(struct encoder *e, uint32_t events)
{
	if (e->chunk)
		writer_put(e->writer, e->chunk, events);
	e->chunk = NULL;
}

void encoder_begin_file(struct encoder *e, const struct trace_info *info)
{
	struct error why;

	e->trace = trace_writer_new_sink(gather, e, "trace", info, &why);
	if (!e->trace || (e->compress && trace_writer_compress(e->trace, &why)))
		encoder_fail(e, &why);
	hand_over(e, 0);
}

bool encoder_holds_something(const struct encoder *e)
{
	return batch_builder_count(e->batch) || batch_builder_late_count(e->batch);
}

void encoder_count(const struct encoder *e, struct counters *c)
{
	uint64_t dropped = e->dropped + writer_dropped(e->writer);

	c->recorded = e->header.sequence + batch_builder_count(e->batch) - dropped;
	c->lost += dropped;
	c->partial += e->partial;
}

/* What the builder holds goes nowhere. */
static void drop_batch(struct encoder *e)
{
	uint32_t events = batch_builder_count(e->batch);
	enum gap_reason reason = writer_reason(e->writer);

	e->partial += batch_builder_late_count(e->batch);
	batch_builder_encode(e->batch, &e->header, e->scratch);
	if (!events)
		return;
	e->dropped += events;
	if (!e->gap.from_ns || e->header.first_ns < e->gap.from_ns)
		e->gap.from_ns = e->header.first_ns;
	if (e->header.last_ns > e->gap.to_ns)
		e->gap.to_ns = e->header.last_ns;
	e->gap.reason = (uint8_t)reason;
}

/* What the builder holds when the wall clock was set is older than that. */
static void look_at_clock(struct encoder *e)
{
	if (clock_watch_look(&e->clock) && batch_builder_count(e->batch))
		e->before = true;
}

/* What the builder holds, and what was dropped since the last batch that was taken. */
static void put_batch(struct encoder *e)
{
	uint32_t events = batch_builder_count(e->batch);
	uint64_t dropped;

	e->header.counters = e->count(e->context);
	encoder_count(e, &e->header.counters);
	dropped = e->dropped + writer_dropped(e->writer);
	/* Dropped on the other side of the queue: nothing is known but the number. */
	if (dropped != e->header.dropped && !e->gap.reason)
		e->gap.reason = GAP_NO_SPACE;
	e->header.dropped = dropped;
	e->header.gap = e->gap;
	e->gap = (struct gap){0};
	if (trace_writer_batch(e->trace, e->batch, &e->header, &e->failure))
		e->failed = true;
	hand_over(e, events);
}

/* False: it was dropped. */
static bool write_batch(struct encoder *e)
{
	uint32_t events = batch_builder_count(e->batch);
	bool taken = !e->failed && writer_has_room(e->writer);

	look_at_clock(e);
	e->header.anchor = e->before ? e->clock.before : e->clock.now;
	if (taken)
		put_batch(e);
	else
		drop_batch(e);
	e->header.sequence += events;
	e->since_ns = UINT64_MAX;
	e->before = false;
	e->packet_bytes = 0;
	return taken;
}

void encoder_write(struct encoder *e)
{
	write_batch(e);
}

void encoder_end_file(struct encoder *e)
{
	struct error why;

	/* That is told even if the queue is full: it is small, and nothing comes later. */
	if (!write_batch(e) && !e->failed)
		put_batch(e);
	if (e->trace && trace_writer_finish(e->trace, &why))
		encoder_fail(e, &why);
	hand_over(e, 0);
	trace_writer_free(e->trace);
	e->trace = NULL;
}

static uint64_t written(const struct encoder *e)
{
	return e->trace ? trace_writer_size(e->trace) : 0;
}

/* To be known before the batch is encoded, so that a file does not grow beyond its size. */
static void measure_packet(struct encoder *e, const struct event *event)
{
	const struct packet_origin origin = {.session = e->header.session};
	uint8_t space[PACKET_BLOCK_MAX];
	struct block_writer block = {.data = space, .capacity = sizeof space};

	packet_block(&block, event, &origin);
	e->packet_bytes += block.length;
	if (event->result.outcome == OUTCOME_PENDING)
		e->packet_bytes += RESULT_MORE;
	if (!event->process->identity || event->process->identity != e->measured_process)
		e->packet_bytes += PROCESS_MORE;
	e->measured_process = event->process->identity;
}

static void begin_batch(struct encoder *e, bool before)
{
	e->before = before;
	e->packet_bytes = e->measured_process = 0;
	e->measured = e->packets && e->size_most && written(e) + BATCH_BYTES_MOST > e->size_most;
}

uint64_t encoder_event(struct encoder *e, const struct event *event)
{
	bool before = clock_watch_is_before(&e->clock, event->time_ns);
	uint32_t count = batch_builder_count(e->batch);

	if (count && before != e->before) {
		encoder_write(e);
		count = 0;
	}
	if (!count)
		begin_batch(e, before);
	if (batch_builder_add(e->batch, event)) {
		encoder_write(e);
		begin_batch(e, before);
		batch_builder_add(e->batch, event);
		count = 0;
	}
	if (e->measured)
		measure_packet(e, event);
	return e->header.sequence + count;
}

void encoder_result(struct encoder *e, uint64_t number, const struct result *result)
{
	struct late_result late = {number, *result};

	if (number >= e->header.sequence) {
		uint32_t row = (uint32_t)(number - e->header.sequence);

		if (!batch_builder_set_result(e->batch, row, result))
			return;
		encoder_write(e);
	}
	if (batch_builder_add_late(e->batch, &late)) {
		encoder_write(e);
		batch_builder_add_late(e->batch, &late);
	}
}

bool encoder_look(struct encoder *e)
{
	look_at_clock(e);
	if (!encoder_holds_something(e) && !e->gap.reason)
		return false;
	if (e->since_ns == UINT64_MAX)
		e->since_ns = e->clock.now.boot_ns;
	return true;
}

const struct clock_anchor *encoder_now(const struct encoder *e)
{
	return &e->clock.now;
}

int encoder_clock_fd(const struct encoder *e)
{
	return e->clock.timer;
}

uint64_t encoder_waits_since(const struct encoder *e)
{
	return e->since_ns;
}

uint64_t encoder_size(const struct encoder *e)
{
	uint64_t size = written(e) + e->packet_bytes;

	return encoder_holds_something(e) ? size + batch_builder_size(e->batch) : size;
}

int encoder_failed(const struct encoder *e, struct error *error)
{
	if (e->failed)
		*error = e->failure;
	return e->failed ? -1 : 0;
}
