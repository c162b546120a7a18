/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Samples out of the kernel, by the two ways that they come: those of fixed size in
 * places, see union sample_place, those that describe a process in the ring buffer.
 * Programs for older kernels put all of them there.
 */
#ifndef SAMPLES_H
#define SAMPLES_H

#include <stddef.h>
#include <stdint.h>

#include "../formats/error.h"

struct samples;
struct capture_control;

/* Gets each sample, of unchecked length and content. */
typedef void capture_sample(void *context, const void *sample, size_t length);

struct samples_source {
	int ring;       /* descriptors of the maps; places: negative without them */
	int places;     /* .. */
	uint32_t count; /* of places, a power of two */
	struct capture_control *control; /* shared with the programs; borrowed */
	capture_sample *sample;
	void *context;
};

/* NULL: not possible. */
struct samples *samples_new(const struct samples_source *source, struct error *error);
void samples_free(struct samples *samples);

/*
 * Hands out all that there is, a description before the attempts that name it. Returns
 * how many, or -1. It may leave some for the next call if a program is in the middle
 * of writing one.
 */
int samples_consume(struct samples *samples, struct error *error);

#endif
