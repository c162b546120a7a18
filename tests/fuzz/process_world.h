/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A world of a few processes that fork, execute, change ids and names, connect
 * and exit as bytes tell, with the truth of each connect, and a cache that looks
 * at it as the real one looks at /proc and the proc connector: late, in the
 * middle of things, or not at all. What the cache says must be right or unknown.
 */
#ifndef PROCESS_WORLD_H
#define PROCESS_WORLD_H

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "../../capture/process_cache.h"

#define WORLD_PIDS 6
#define WORLD_QUEUE 64
#define WORLD_SAMPLES 32
#define WORLD_TICK 10000000ull /* of start times */

/* A process as it is. */
struct world_process {
	bool alive, executing; /* executing: the new image shows, and nobody was told */
	uint32_t parent, image, uid, comm;
	uint64_t start_ns;
};

struct world_sample {
	uint64_t time_ns;
	uint32_t pid;
	struct world_process truth[WORLD_PIDS + 1];
	struct description described; /* by the kernel; id 0: not */
	bool with_texts;
};

struct world {
	const uint8_t *data, *end;
	uint64_t now_ns;
	uint32_t images;
	struct world_process processes[WORLD_PIDS + 1]; /* by pid; 1 is init */
	struct proc_change queue[WORLD_QUEUE];
	size_t queued;
	bool lost, deaf; /* deaf: nobody tells of changes */
	struct world_sample samples[WORLD_SAMPLES];
	size_t sampled;
	struct process_cache *cache;
	uint64_t descriptions;
	unsigned int depth;
	size_t found, known; /* answers, and those with a known image */
};

static inline uint8_t world_byte(struct world *w)
{
	return w->data < w->end ? *w->data++ : 0;
}

/* Four bytes that no other thing has, none of them 0. */
static inline uint32_t world_new(struct world *w)
{
	uint32_t n = ++w->images;

	return 0x80808080u | (n & 0x7f) | (n << 1 & 0x7f00) | (n << 2 & 0x7f0000);
}

static inline void world_tell(struct world *w, struct proc_change change)
{
	change.time_ns = w->now_ns;
	change.tid = change.tid ? change.tid : change.pid;
	if (w->queued == WORLD_QUEUE)
		w->lost = true;
	else
		w->queue[w->queued++] = change;
	w->now_ns++;
}

/* Children of the dead go to init. */
static inline void world_exit(struct world *w, uint32_t pid, bool by_itself)
{
	w->processes[pid].alive = false;
	world_tell(
		w, (struct proc_change){.kind = CHANGE_EXIT, .pid = pid, .by_itself = by_itself});
	for (uint32_t child = 1; child <= WORLD_PIDS; child++)
		if (w->processes[child].alive && w->processes[child].parent == pid)
			w->processes[child].parent = 1;
}

static inline void world_fork(struct world *w, uint32_t pid, uint32_t parent)
{
	struct world_process *p = &w->processes[pid];

	*p = w->processes[parent];
	p->parent = parent;
	p->executing = false;
	p->start_ns = w->now_ns - w->now_ns % WORLD_TICK;
	world_tell(w, (struct proc_change){.kind = CHANGE_FORK, .pid = pid, .parent = parent});
}

/* What the kernel says of it: the state, with the texts or without. */
static inline void world_describe(struct world *w, struct world_sample *s)
{
	const struct world_process *p = &s->truth[s->pid];
	uint32_t ppid = s->pid == 1 ? 0 : p->parent;

	s->described = (struct description){.id = ++w->descriptions,
		.process = {.pid = s->pid,
			.ppid = ppid,
			.start_ns = p->start_ns,
			.euid = p->uid,
			.egid = UNKNOWN_ID,
			.loginuid = UNKNOWN_ID,
			.audit_session = UNKNOWN_ID,
			.pid_inside = s->pid},
		.parent_start_ns = ppid ? s->truth[ppid].start_ns : 0,
		.same_image = ppid && s->truth[ppid].image == p->image};
}

static inline void world_connect(struct world *w, uint32_t pid)
{
	struct world_sample *s = &w->samples[w->sampled];
	uint8_t how = world_byte(w);

	if (w->sampled == WORLD_SAMPLES)
		return;
	s->time_ns = w->now_ns++;
	s->pid = pid;
	memcpy(s->truth, w->processes, sizeof s->truth);
	s->described.id = 0;
	s->with_texts = how & 2;
	if (how & 1)
		world_describe(w, s);
	w->sampled++;
}

static inline void world_check(struct world *w, struct world_sample *s);

/* One thing that happens to a process. */
static inline void world_event(struct world *w, uint8_t what, uint32_t pid)
{
	struct world_process *p = &w->processes[pid];

	if (!p->alive) {
		uint32_t parent = 1 + what % WORLD_PIDS;

		if (w->processes[parent].alive && !w->processes[parent].executing)
			world_fork(w, pid, parent);
		return;
	}
	if (p->executing) {
		if (what % 8 == 7 && pid != 1) {
			world_exit(w, pid, false); /* killed */
			return;
		}
		p->executing = false;
		world_tell(w, (struct proc_change){.kind = CHANGE_EXEC, .pid = pid});
		return;
	}
	switch (what % 8) {
	case 0:
	case 1:
		p->executing = true;
		p->image = p->comm = world_new(w);
		break;
	case 2:
		p->uid = world_new(w);
		world_tell(
			w, (struct proc_change){
				   .kind = CHANGE_UID, .pid = pid, .real = 0, .effective = p->uid});
		break;
	case 3: {
		struct proc_change change = {.kind = CHANGE_COMM, .pid = pid};

		p->comm = world_new(w);
		memcpy(change.comm, &p->comm, sizeof p->comm);
		world_tell(w, change);
		break;
	}
	case 7:
		if (pid != 1)
			world_exit(w, pid, what & 8);
		break;
	default:
		world_connect(w, pid);
	}
}

static inline void world_step(struct world *w)
{
	uint8_t what = world_byte(w);

	w->now_ns += what & 0x80 ? WORLD_TICK : what & 0x40 ? 700000000u : 1000;
	world_event(w, what >> 3, 1 + (what & 7u) % WORLD_PIDS);
}

/* The cache looks. Things may happen while it reads. */
static inline int world_read(void *context, uint32_t pid, bool with_args, struct proc_reading *r)
{
	struct world *w = context;
	const struct world_process *p = &w->processes[pid];
	uint8_t meanwhile = w->depth++ < 3 ? world_byte(w) : 0;
	uint32_t start;

	(void)with_args;
	memset(&r->process, 0, sizeof r->process);
	r->process.loginuid = r->process.audit_session = UNKNOWN_ID;
	r->process.egid = UNKNOWN_ID;
	r->begin_ns = w->now_ns++;
	if (pid > WORLD_PIDS || !p->alive)
		return -1;
	start = (uint32_t)p->start_ns;
	memcpy(r->exe, &p->image, 4);
	r->process.exe = (struct bytes){(uint8_t *)r->exe, 4};
	if (meanwhile & 1)
		world_step(w);
	/* A descriptor of /proc/PID is of one process. */
	if (!p->alive || (uint32_t)p->start_ns != start)
		return -1;
	if (!p->executing || meanwhile & 2) {
		memcpy(r->args, &p->image, 4);
		r->process.args = (struct bytes){(uint8_t *)r->args, 4};
	}
	r->process.euid = p->uid;
	memcpy(r->comm, &p->comm, 4);
	r->process.comm = (struct bytes){(uint8_t *)r->comm, 4};
	if (meanwhile & 4)
		world_step(w);
	if (!p->alive || (uint32_t)p->start_ns != start)
		return -1;
	r->process.ppid = pid == 1 ? 0 : p->parent;
	r->process.start_ns = p->start_ns;
	r->process.pid_inside = pid;
	r->settled = meanwhile & 8 && !p->executing && r->process.args.length;
	r->end_ns = w->now_ns++;
	return 0;
}

static inline int world_drain(void *context, proc_events_change *change, void *change_context)
{
	struct world *w = context;
	bool lost = w->lost;

	for (size_t i = 0; i < w->queued; i++)
		change(change_context, &w->queue[i]);
	w->queued = 0;
	w->lost = false;
	return lost;
}

static inline uint64_t world_now(void *context)
{
	return ((struct world *)context)->now_ns++;
}

static inline void world_same(struct bytes given, uint32_t truth)
{
	assert(!given.length || (given.length == 4 && !memcmp(given.data, &truth, 4)));
}

/* What the kernel said is all there. */
static inline void world_check_described(const struct world_sample *s, const struct process *found)
{
	const struct process *d = &s->described.process;

	assert(found->ppid == d->ppid && found->euid == d->euid && found->start_ns == d->start_ns);
	assert(bytes_equal(found->exe, d->exe) || !d->exe.length);
	assert(bytes_equal(found->args, d->args) || !d->args.length);
	assert(!d->ppid || (found->parent && found->parent->comm.length));
}

/* As it stands in the table of descriptions. */
static inline void world_set_texts(struct world_sample *s)
{
	struct process *p = &s->described.process;
	const struct world_process *truth = &s->truth[s->pid];

	if (p->ppid)
		s->described.parent_comm =
			(struct bytes){(const uint8_t *)&s->truth[p->ppid].comm, 4};
	if (s->with_texts)
		p->exe = p->args = p->cgroup = (struct bytes){(const uint8_t *)&truth->image, 4};
}

static inline void world_check(struct world *w, struct world_sample *s)
{
	uint32_t pid = s->pid;
	const struct process_facts facts = {.time_ns = s->time_ns,
		.tid = pid,
		.process = {.pid = pid,
			.start_ns = s->described.id ? s->described.process.start_ns : 0,
			.euid = UNKNOWN_ID,
			.egid = UNKNOWN_ID,
			.loginuid = UNKNOWN_ID,
			.audit_session = UNKNOWN_ID,
			.comm = {(const uint8_t *)"caller", 6}},
		.described = s->described.id ? &s->described : NULL};
	const struct event event = {.time_ns = s->time_ns, .tid = pid, .process = &facts.process};
	const struct process *found, *p;

	w->depth = 0;
	world_set_texts(s);
	found = process_cache_recall(w->cache, &event, facts.described);
	if (!found)
		found = process_cache_find(w->cache, &facts);
	if (s->described.id)
		world_check_described(s, found);
	assert(bytes_equal(found->comm, bytes_of("caller")));
	w->found++;
	w->known += found->exe.length != 0;
	for (p = found; p; p = p->parent) {
		const struct world_process *truth = &s->truth[pid];

		assert(p->pid == pid && truth->alive);
		assert(!p->start_ns || p->start_ns == truth->start_ns);
		assert(!p->pid_inside || p->pid_inside == pid);
		/* In the middle of an exec it is both. */
		if (!truth->executing) {
			world_same(p->exe, truth->image);
			world_same(p->args, truth->image);
			if (p != found)
				world_same(p->comm, truth->comm);
		}
		assert(p->euid == UNKNOWN_ID || p->euid == truth->uid);
		assert(!p->ppid || p->ppid == truth->parent);
		assert(!p->parent || p->parent->pid == p->ppid);
		pid = p->ppid;
	}
}

/* limit: of processes in the cache. */
static inline void world_run(struct world *w, const uint8_t *data, size_t size, size_t limit)
{
	struct process_source source = {world_read, world_drain, world_now, w};
	size_t next = 0;

	memset(w, 0, sizeof *w);
	w->data = data;
	w->end = data + size;
	w->now_ns = 5000000000u;
	w->deaf = world_byte(w) == 0xff;
	w->processes[1] = (struct world_process){.alive = true, .image = world_new(w)};
	w->processes[1].comm = w->processes[1].image;
	if (w->deaf)
		source.drain = NULL;
	w->cache = process_cache_new(&source, limit, true);
	assert(w->cache);
	while (w->data < w->end) {
		uint8_t what = world_byte(w);

		w->depth = 0;
		if (what % 4 == 0) {
			process_cache_follow(w->cache, what & 4);
		} else if (what % 4 == 1 && next < w->sampled) {
			process_cache_see(w->cache, w->samples[next].pid, w->samples[next].time_ns);
		} else if (what % 8 == 2 && next < w->sampled) {
			world_check(w, &w->samples[next++]);
			if (next == w->sampled)
				next = w->sampled = 0;
		} else {
			world_step(w);
		}
		assert(process_cache_count(w->cache) <= limit);
	}
	while (next < w->sampled)
		world_check(w, &w->samples[next++]);
	process_cache_free(w->cache);
}

#endif
