/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Packets are made from the batch as it was encoded, not while events arrive:
 * one place serves the recorder and everything that rewrites traces.
 */
#include "packets.h"
#include "batch.h"
#include "intern.h"
#include "packet.h"

#include <stdlib.h>

#define PROCESSES_MAX 4096 /* remembered, to bound the memory; then they are written again */
#define PROCESS_KEY_MAX (4 + 255)
#define BUFFER_SIZE (64u << 10) /* written at a time */
/* What a packet shows of an event. */
#define COLUMNS                                                                                    \
	(EVENT_BITS &                                                                              \
		~(EVENT_BIT(EVENT_FLAGS) | EVENT_BIT(EVENT_RETURNED) | EVENT_BIT(EVENT_NET_NS)))
#define TEXTS 64 /* processes of a batch whose texts are kept: a power of two */

struct packets {
	struct batch batch;
	struct intern *processes; /* those of the last blocks, by pid and name */
	uint32_t forgotten;       /* process blocks in the file before them */
	struct packet_texts texts[TEXTS];
	int64_t numbers[TEXTS]; /* of the same processes: process_number() */
	size_t used;
	uint8_t buffer[BUFFER_SIZE];
};

struct packets *packets_new(void)
{
	struct packets *p = calloc(1, sizeof *p);

	if (!p)
		return NULL;
	p->processes = intern_new(PROCESSES_MAX, (size_t)PROCESSES_MAX * PROCESS_KEY_MAX);
	if (!p->processes) {
		free(p);
		return NULL;
	}
	return p;
}

void packets_free(struct packets *p)
{
	if (!p)
		return;
	batch_release(&p->batch);
	intern_free(p->processes);
	free(p);
}

static struct block_writer next_block(struct packets *p)
{
	return (struct block_writer){
		.data = p->buffer + p->used, .capacity = sizeof p->buffer - p->used};
}

/* The number of the process block of that process in the file, written now if it is new. */
static int64_t process_number(struct packets *p, const struct process *process)
{
	uint8_t key[PROCESS_KEY_MAX];
	size_t name = process->comm.length < sizeof key - 4 ? process->comm.length : sizeof key - 4;
	uint32_t before = intern_count(p->processes), number;
	struct bytes bytes = {key, 4 + name};

	if (!process->pid)
		return -1;
	put_le(key, process->pid, 4);
	if (name)
		memcpy(key + 4, process->comm.data, name);
	number = intern_add(p->processes, bytes);
	if (number == UINT32_MAX) {
		p->forgotten += before;
		before = 0;
		intern_clear(p->processes);
		number = intern_add(p->processes, bytes);
	}
	if (number == before) {
		struct block_writer block = next_block(p);

		packet_process_block(&block, process);
		p->used += block.length;
	}
	return (int64_t)p->forgotten + number;
}

/* What is kept of a process of this batch: they are told apart by where they stand. */
static void set_process(
	struct packets *p, const struct process *process, struct packet_origin *origin)
{
	size_t slot = (uintptr_t)process / sizeof *process % TEXTS;

	origin->texts = &p->texts[slot];
	if (origin->texts->process != process)
		p->numbers[slot] = process_number(p, process);
	origin->process = p->numbers[slot];
}

int packets_of_batch(struct packets *p, struct bytes record, bool at_once, packets_write *write,
	void *context, struct error *error)
{
	size_t most = at_once ? 0 : sizeof p->buffer - 2 * PACKET_BLOCK_MAX;
	struct event event;

	if (batch_parse(&p->batch, record, error))
		return -1;
	p->used = 0;
	for (size_t i = 0; i < TEXTS; i++)
		p->texts[i].process = NULL;
	for (uint32_t row = 0; row < p->batch.events; row++) {
		struct packet_origin origin = {.session = p->batch.header.session};
		struct block_writer block;

		batch_event_part(&p->batch, row, COLUMNS, &event);
		origin.wall_ns = batch_wall_ns(&p->batch, event.time_ns);
		set_process(p, event.process, &origin);
		block = next_block(p);
		packet_block(&block, &event, &origin);
		p->used += block.length;
		if (p->used > most) {
			if (write(context, p->buffer, p->used, error))
				return -1;
			p->used = 0;
		}
	}
	return p->used ? write(context, p->buffer, p->used, error) : 0;
}
