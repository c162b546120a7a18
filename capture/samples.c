/* SPDX-License-Identifier: BSD-2-Clause */
#include "samples.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/types.h>
#include <sched.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../bpf/tcpconnect.h"

#define FREE_EACH 64       /* places: so often the programs hear of it */
#define WRITING_TRIES 1000 /* of a program that is in the middle of it */

struct samples {
	struct samples_source source;
	struct ring_buffer *ring;
	union sample_place *places;         /* NULL: all come through the ring */
	unsigned long *consumed, *produced; /* positions in the ring: two pages of its map */
};

static int ring_sample(void *context, void *data, size_t length)
{
	struct samples *s = context;

	s->source.sample(s->source.context, data, length);
	return 0;
}

/* NULL: it cannot be done. */
static void *map(int fd, size_t length, int protection, size_t offset)
{
	void *mapped = mmap(NULL, length, protection, MAP_SHARED, fd, (off_t)offset);

	return mapped == MAP_FAILED ? NULL : mapped;
}

static size_t page_size(void)
{
	return (size_t)sysconf(_SC_PAGESIZE);
}

static size_t places_size(const struct samples *s)
{
	return s->source.count * sizeof *s->places;
}

struct samples *samples_new(const struct samples_source *source, struct error *error)
{
	struct samples *s = calloc(1, sizeof *s);

	if (!s) {
		error_set(error, "out of memory");
		return NULL;
	}
	s->source = *source;
	s->ring = ring_buffer__new(source->ring, ring_sample, s, NULL);
	if (s->ring && source->places >= 0) {
		s->consumed = map(source->ring, page_size(), PROT_READ, 0);
		s->produced = map(source->ring, page_size(), PROT_READ, page_size());
		s->places = map(source->places, places_size(s), PROT_READ | PROT_WRITE, 0);
	}
	if (s->ring && (source->places < 0 || (s->consumed && s->produced && s->places)))
		return s;
	error_set(error, "cannot map the ring buffer: %s", strerror(errno));
	samples_free(s);
	return NULL;
}

void samples_free(struct samples *s)
{
	if (!s)
		return;
	if (s->places)
		munmap(s->places, places_size(s));
	if (s->consumed)
		munmap(s->consumed, page_size());
	if (s->produced)
		munmap(s->produced, page_size());
	ring_buffer__free(s->ring);
	free(s);
}

/* Returns how many, or -1. *all: nothing that stood there at the begin is left. */
static int consume_ring(struct samples *s, bool *all, struct error *error)
{
	unsigned long end = s->produced ? __atomic_load_n(s->produced, __ATOMIC_ACQUIRE) : 0;
	int n = 0;

	if (!s->produced || *s->consumed != end)
		n = ring_buffer__consume(s->ring);
	if (n < 0)
		return error_set(error, "cannot read the ring buffer: %s", strerror(-n));
	*all = !s->produced || (long)(*s->consumed - end) >= 0;
	return n;
}

static size_t size_of(uint32_t kind)
{
	return kind == SAMPLE_SOURCE    ? sizeof(struct sample_source)
	       : kind == SAMPLE_OUTCOME ? sizeof(struct sample_outcome)
					: sizeof(struct sample_attempt);
}

/* Those before end. */
static int consume_places(struct samples *s, uint64_t end)
{
	struct capture_control *control = s->source.control;
	uint64_t begin = control->taken, at;

	for (at = begin; at != end; at++) {
		union sample_place *place = &s->places[at & (s->source.count - 1)];
		uint32_t kind = __atomic_load_n(&place->kind, __ATOMIC_ACQUIRE);

		if (!kind)
			break;
		s->source.sample(s->source.context, place, size_of(kind));
		place->kind = 0;
		if ((at + 1) % FREE_EACH == 0)
			__atomic_store_n(&control->taken, at + 1, __ATOMIC_RELEASE);
	}
	__atomic_store_n(&control->taken, at, __ATOMIC_RELEASE);
	return (int)(at - begin);
}

int samples_consume(struct samples *s, struct error *error)
{
	bool all = false;
	int sum = 0;

	for (int try = 0; try < WRITING_TRIES; try++) {
		uint64_t end = __atomic_load_n(&s->source.control->claimed, __ATOMIC_ACQUIRE);
		int n = consume_ring(s, &all, error);

		if (n < 0)
			return -1;
		sum += n;
		if (all)
			return sum + (s->places ? consume_places(s, end) : 0);
		sched_yield();
	}
	return sum;
}
