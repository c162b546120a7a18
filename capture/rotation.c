/* SPDX-License-Identifier: BSD-2-Clause */
#include "rotation.h"

#include <sys/resource.h>

#define NS_PER_S 1000000000ull
#define DAY_S 86400
#define BYTES_MIN 4096
#define FILES_KEPT 10 /* at least, if only their size together is given */
/* Statistics and summary, which has 8 bytes for each batch of a KiB or more. */
#define END_BYTES(size) (512 + (size) / 128)

void rotation_init(
	struct rotation *r, uint64_t bytes, uint64_t seconds, const struct retention *retention)
{
	struct rlimit limit;

	*r = (struct rotation){.bytes = bytes, .seconds = seconds, .due_ns = UINT64_MAX};
	if (!bytes && !seconds && retention_is_set(retention)) {
		r->seconds = DAY_S;
		r->bytes = retention->bytes / FILES_KEPT;
		if (r->bytes && r->bytes < BYTES_MIN)
			r->bytes = BYTES_MIN;
	}
	if (getrlimit(RLIMIT_FSIZE, &limit) || limit.rlim_cur == RLIM_INFINITY)
		return;
	limit.rlim_cur /= 2;
	if (!r->bytes || r->bytes > limit.rlim_cur)
		r->bytes = limit.rlim_cur;
}

void rotation_plan(struct rotation *r, const struct clock_anchor *now)
{
	int64_t step = (int64_t)(r->seconds * NS_PER_S);

	if (!step)
		return;
	r->boundary_ns = (now->wall_ns / step + 1) * step;
	r->due_ns = now->boot_ns + (uint64_t)(r->boundary_ns - now->wall_ns);
}

bool rotation_is_due(struct rotation *r, const struct clock_anchor *now)
{
	int64_t step = (int64_t)(r->seconds * NS_PER_S);

	if (!step)
		return false;
	/* The wall clock may have been set, to either side. */
	if (now->wall_ns >= r->boundary_ns ||
		now->wall_ns < r->boundary_ns - step - (int64_t)NS_PER_S)
		return true;
	r->due_ns = now->boot_ns + (uint64_t)(r->boundary_ns - now->wall_ns);
	return false;
}

bool rotation_is_full(const struct rotation *r, uint64_t size)
{
	return r->bytes && size + END_BYTES(size) > r->bytes;
}
