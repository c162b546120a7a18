/* SPDX-License-Identifier: BSD-2-Clause */
#include "progress.h"
#include "../formats/text.h"

#include <inttypes.h>

#define QUIET_S 2 /* of silence at the start */

void progress_start(struct progress *p)
{
	p->wanted = true;
	clock_gettime(CLOCK_MONOTONIC_COARSE, &p->due);
	p->due.tv_sec += QUIET_S;
}

void progress_batch(struct progress *p, uint32_t events, int64_t wall_ns)
{
	struct text time = {0};
	struct timespec now;

	if (!p->wanted)
		return;
	p->events += events;
	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	if (now.tv_sec < p->due.tv_sec)
		return;
	p->due.tv_sec = now.tv_sec + 1;
	text_time(&time, wall_ns, false, 0);
	fprintf(stderr, "\r%" PRIu64 " events read, at %.*s ", p->events, (int)time.length,
		time.data);
	fflush(stderr);
	text_release(&time);
	p->shown = true;
}

void progress_clear(struct progress *p)
{
	if (p->shown)
		fputs("\r\x1b[K", stderr);
	p->shown = false;
}
