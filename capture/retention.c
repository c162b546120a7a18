/* SPDX-License-Identifier: BSD-2-Clause */
#include "retention.h"

#include <stdlib.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

bool retention_is_set(const struct retention *r)
{
	return r->files || r->bytes || r->days || r->min_free;
}

static uint64_t free_bytes(const struct names *names)
{
	struct statvfs fs;

	return fstatvfs(names->dir, &fs) ? UINT64_MAX : (uint64_t)fs.f_bavail * fs.f_frsize;
}

struct state {
	uint64_t files, bytes, free; /* as they are, or will be */
};

static bool must_go(
	const struct retention *r, const struct state *s, const struct named_file *file, time_t now)
{
	return (r->files && file->kind == NAME_FINAL && s->files > r->files) ||
	       (r->bytes && s->bytes > r->bytes) ||
	       (r->days && now - file->modified.tv_sec > (time_t)(r->days * 86400)) ||
	       (r->min_free && s->free < r->min_free);
}

int retention_apply(const struct retention *r, const struct names *names, uint64_t protect_from,
	int (*expire)(void *context, const struct named_file *file), void *context,
	struct error *error)
{
	struct named_file *files;
	struct state s = {.free = free_bytes(names)};
	int count = names_list(names, &files, error), gone = 0;
	time_t now = time(NULL);

	for (int i = 0; i < count; i++) {
		s.files += files[i].kind == NAME_FINAL;
		s.bytes += files[i].bytes;
	}
	for (int i = 0; i < count; i++) {
		if ((files[i].kind != NAME_FINAL && files[i].number >= protect_from) ||
			!must_go(r, &s, &files[i], now) || expire(context, &files[i]))
			continue;
		s.files -= files[i].kind == NAME_FINAL;
		s.bytes -= files[i].bytes;
		s.free += s.free == UINT64_MAX ? 0 : files[i].bytes;
		gone++;
	}
	free(files);
	return count < 0 ? -1 : gone;
}

int retention_delete(void *context, const struct named_file *file)
{
	const struct names *names = context;

	return unlinkat(names->dir, file->name, 0);
}
