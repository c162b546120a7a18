/* SPDX-License-Identifier: BSD-2-Clause */
/* When the next file begins: by its size, and by the wall clock. */
#ifndef ROTATION_H
#define ROTATION_H

#include "../formats/event.h"
#include "retention.h"

struct rotation {
	uint64_t bytes;      /* that a file may have at its end; 0: no limit */
	uint64_t seconds;    /* at full multiples of the wall clock; 0: not by time */
	int64_t boundary_ns; /* the next of them */
	uint64_t due_ns;     /* the same by the boot clock; UINT64_MAX: never */
};

/*
 * What the user asked for, 0: not. What is to be kept within limits needs files
 * that come to an end. Beyond what the limit to the size of files allows a file
 * cannot grow (RLIMIT_FSIZE).
 */
void rotation_init(struct rotation *rotation, uint64_t bytes, uint64_t seconds,
	const struct retention *retention);

/* A file has begun. */
void rotation_plan(struct rotation *rotation, const struct clock_anchor *now);

/* The time has come; otherwise plans anew, as the wall clock may have been slewed. */
bool rotation_is_due(struct rotation *rotation, const struct clock_anchor *now);

/* A file of that size, without its end, is not to grow any more. */
bool rotation_is_full(const struct rotation *rotation, uint64_t size);

#endif
