/* SPDX-License-Identifier: BSD-2-Clause */
#include "looks.h"
#include "source.h"

#include <stdlib.h>

#define TOGETHER 4 /* files: one alone takes less than to tell another thread of it */

struct bundle {
	struct task task; /* the first member */
	struct looks *all;
	size_t first, count; /* of the names */
	bool keep;
	struct look looks[TOGETHER];
};

struct looks {
	struct pool *pool;
	const struct filter *filter;
	char *const *names;
	size_t count, given, next; /* names: given to the pool, and the one that is next */
	/* A ring: those that were given follow the one that next is in. */
	size_t bundle_count;
	struct bundle bundles[];
};

void hosts_note(struct hosts *hosts, struct bytes host)
{
	if (host.length > HOST_MAX)
		host.length = HOST_MAX;
	if (hosts->any) {
		hosts->several |= !bytes_equal((struct bytes){hosts->first, hosts->length}, host);
		return;
	}
	hosts->any = true;
	hosts->length = (uint8_t)host.length;
	if (host.length)
		memcpy(hosts->first, host.data, host.length);
}

struct noted {
	const struct filter *filter;
	struct hosts *hosts;
};

/* file_head; context: struct noted */
static bool note_head(void *context, const struct batch *head)
{
	const struct noted *noted = context;

	if (head->events)
		hosts_note(noted->hosts, head->header.host);
	return source_wants(noted->filter, head);
}

void look_at(struct look *look, const struct filter *filter, const char *name, bool keep)
{
	struct noted noted = {filter, &look->hosts};

	look->hosts.any = look->hosts.several = false;
	look->file = calloc(1, sizeof *look->file);
	if (!look->file) {
		error_set(&look->error, "%s: out of memory", name);
	} else if (trace_file_open(look->file, name, keep, note_head, &noted, &look->error)) {
		free(look->file);
		look->file = NULL;
	}
}

/* task: of a bundle */
static void run(struct task *task, unsigned int thread)
{
	struct bundle *bundle = (struct bundle *)task;
	const struct looks *all = bundle->all;

	(void)thread;
	for (size_t i = 0; i < bundle->count; i++)
		look_at(&bundle->looks[i], all->filter, all->names[bundle->first + i],
			bundle->keep);
}

struct looks *looks_new(
	struct pool *pool, const struct filter *filter, char *const *names, size_t count)
{
	size_t bundles = pool && count > TOGETHER ? 2 * (size_t)pool_threads(pool) : 1;
	struct looks *l = calloc(1, sizeof *l + bundles * sizeof *l->bundles);

	if (!l)
		return NULL;
	l->pool = bundles > 1 ? pool : NULL;
	l->filter = filter;
	l->names = names;
	l->count = count;
	l->bundle_count = bundles;
	for (size_t i = 0; i < bundles; i++) {
		l->bundles[i].task.run = run;
		l->bundles[i].all = l;
	}
	return l;
}

void looks_free(struct looks *l)
{
	for (size_t i = 0; l && l->pool && i < l->bundle_count; i++)
		pool_take_back(l->pool, &l->bundles[i].task);
	free(l);
}

static struct bundle *bundle_of(struct looks *l, size_t name)
{
	return &l->bundles[name / TOGETHER % l->bundle_count];
}

struct look *looks_next(struct looks *l, bool keep)
{
	size_t begun = l->next - l->next % TOGETHER;
	struct bundle *bundle;

	while (l->given < l->count && l->given < begun + l->bundle_count * TOGETHER) {
		bundle = bundle_of(l, l->given);
		bundle->first = l->given;
		bundle->count = l->count - l->given < TOGETHER ? l->count - l->given : TOGETHER;
		bundle->keep = keep;
		l->given += bundle->count;
		if (l->pool)
			pool_submit(l->pool, &bundle->task);
		else
			run(&bundle->task, 0);
	}
	if (l->next == l->count)
		return NULL;
	bundle = bundle_of(l, l->next);
	if (l->pool)
		pool_wait(l->pool, &bundle->task);
	return &bundle->looks[l->next++ % TOGETHER];
}
