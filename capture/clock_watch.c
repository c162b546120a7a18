/* SPDX-License-Identifier: BSD-2-Clause */
#include "clock_watch.h"
#include "clock.h"

#include <errno.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define TOLERANCE_NS 1000000 /* a smaller step is as good as slewing */

/* A time that never comes, on a timer that ends when the clock jumps. */
static void arm(const struct clock_watch *w)
{
	const struct itimerspec never = {.it_value.tv_sec = INT64_MAX};

	timerfd_settime(w->timer, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &never, NULL);
}

void clock_watch_open(struct clock_watch *w)
{
	*w = (struct clock_watch){
		.timer = timerfd_create(CLOCK_REALTIME, TFD_CLOEXEC | TFD_NONBLOCK)};
	w->now = clock_anchor_now();
	if (w->timer >= 0)
		arm(w);
}

void clock_watch_close(struct clock_watch *w)
{
	if (w->timer >= 0)
		close(w->timer);
	w->timer = -1;
}

static int64_t offset_of(const struct clock_anchor *anchor)
{
	return (int64_t)((uint64_t)anchor->wall_ns - anchor->boot_ns);
}

bool clock_watch_look(struct clock_watch *w)
{
	struct clock_anchor last = w->now;
	int64_t step;
	uint64_t ignored;

	w->now = clock_anchor_now();
	if (w->timer < 0 || read(w->timer, &ignored, sizeof ignored) >= 0 || errno != ECANCELED)
		return false;
	arm(w);
	/* It may have been set between our two looks at it. */
	w->now = clock_anchor_now();
	step = offset_of(&w->now) - offset_of(&last);
	if (step < TOLERANCE_NS && step > -TOLERANCE_NS)
		return false; /* the machine was suspended */
	w->before = last;
	w->set_ns = w->now.boot_ns;
	return true;
}

bool clock_watch_is_before(const struct clock_watch *w, uint64_t time_ns)
{
	return time_ns < w->set_ns;
}
