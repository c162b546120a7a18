/* SPDX-License-Identifier: BSD-2-Clause */
#include "described.h"
#include "proc_read.h"

#include <linux/types.h>
#include <stdlib.h>

#include "../bpf/tcpconnect.h"

#define SLOTS 8192 /* a power of two */

static const char deleted[] = " (deleted)";

struct entry {
	struct description description;
	size_t bytes;
	struct entry *same_slot;      /* list of a hash */
	struct entry *before, *after; /* list by age */
	uint8_t text[];
};

struct described {
	bool root_cgroup;
	size_t count, bytes;
	struct entry *oldest, *youngest;
	struct entry *slots[SLOTS];
};

struct described *described_new(bool root_cgroup)
{
	struct described *d = calloc(1, sizeof *d);

	if (d)
		d->root_cgroup = root_cgroup;
	return d;
}

size_t described_bytes(const struct described *d)
{
	return d->bytes;
}

static struct entry **slot_of(struct described *d, uint64_t id)
{
	return &d->slots[(id * 0x9e3779b97f4a7c15u >> 32) % SLOTS];
}

static void unlink_age(struct described *d, struct entry *e)
{
	*(e->before ? &e->before->after : &d->oldest) = e->after;
	*(e->after ? &e->after->before : &d->youngest) = e->before;
}

static void link_youngest(struct described *d, struct entry *e)
{
	e->before = d->youngest;
	e->after = NULL;
	*(d->youngest ? &d->youngest->after : &d->oldest) = e;
	d->youngest = e;
}

static void forget(struct described *d, struct entry *e)
{
	struct entry **slot = slot_of(d, e->description.id);

	while (*slot != e)
		slot = &(*slot)->same_slot;
	*slot = e->same_slot;
	unlink_age(d, e);
	d->count--;
	d->bytes -= e->bytes;
	free(e);
}

void described_free(struct described *d)
{
	if (!d)
		return;
	while (d->oldest)
		forget(d, d->oldest);
	free(d);
}

static struct entry *find(struct described *d, uint64_t id)
{
	struct entry *e = *slot_of(d, id);

	while (e && e->description.id != id)
		e = e->same_slot;
	return e;
}

const struct description *described_find(struct described *d, uint64_t id)
{
	struct entry *e = id ? find(d, id) : NULL;

	if (!e)
		return NULL;
	if (e->after) {
		unlink_age(d, e);
		link_youngest(d, e);
	}
	return &e->description;
}

/*
 * Names from the last to the first, each with its NUL: the path takes as many
 * bytes, for each name gets a slash instead. false: they are not that.
 */
static bool join_names(uint8_t *path, struct bytes names)
{
	uint8_t *to = path + names.length;

	while (names.length) {
		const uint8_t *end = memchr(names.data, '\0', names.length);
		size_t length = end ? (size_t)(end - names.data) : 0;

		if (!length || memchr(names.data, '/', length))
			return false;
		to -= length + 1;
		to[0] = '/';
		memcpy(to + 1, names.data, length);
		names = (struct bytes){end + 1, names.length - length - 1};
	}
	return true;
}

/* As /proc/PID/exe shows it. Returns the bytes of text used. */
static size_t take_exe(struct entry *e, uint8_t *text, struct bytes names, uint32_t flags)
{
	static const char memory[] = "/memfd:";
	size_t length = names.length;

	if (!length || !join_names(text, names))
		return 0;
	if (flags & TEXT_MEMORY &&
		(length < sizeof memory - 1 || memcmp(text, memory, sizeof memory - 1)))
		return 0;
	if (flags & (TEXT_MEMORY | TEXT_UNLINKED)) {
		memcpy(text + length, deleted, sizeof deleted - 1);
		length += sizeof deleted - 1;
	}
	if (length > PROC_TEXT_MAX)
		return 0;
	e->description.process.exe = (struct bytes){text, length};
	return length;
}

/* As read from /proc/PID/cmdline, see there. */
static size_t take_args(struct entry *e, uint8_t *text, struct bytes args, uint32_t flags)
{
	struct process *p = &e->description.process;
	size_t length = args.length;

	if (!length)
		return 0;
	memcpy(text, args.data, length);
	if (flags & TEXT_CUT || (length == TEXT_MAX && text[length - 1])) {
		p->flags |= PROCESS_ARGS_CUT;
		length -= length == TEXT_MAX;
	}
	if (text[length - 1])
		text[length++] = '\0';
	p->args = (struct bytes){text, length};
	return length;
}

static size_t take_cgroup(const struct described *d, struct entry *e, uint8_t *text,
	struct bytes names, uint32_t flags)
{
	struct process *p = &e->description.process;

	if (flags & TEXT_ROOT_CGROUP && d->root_cgroup)
		p->cgroup = bytes_of("/");
	if (!names.length || !join_names(text, names))
		return 0;
	p->cgroup = (struct bytes){text, names.length};
	return names.length;
}

static void take_state(struct description *n, const struct sample_process *s)
{
	const struct process_state *state = &s->state;
	bool audit = state->flags & PROCESS_AUDIT;

	n->id = s->id;
	n->process = (struct process){
		.pid = s->pid,
		.ppid = state->ppid,
		.euid = state->euid,
		.egid = state->egid,
		.loginuid = audit ? (int64_t)state->loginuid : UNKNOWN_ID,
		.audit_session = audit ? (int64_t)state->audit_session : UNKNOWN_ID,
		.start_ns = state->start_ns,
		.pid_inside = s->pid_inside,
		.mount_ns = state->mount_ns,
		.pid_ns = s->pid_ns,
	};
	n->parent_start_ns = state->parent_start_ns;
	n->same_image = state->flags & PROCESS_SAME_IMAGE;
}

static void add(struct described *d, struct entry *e)
{
	struct entry *old = find(d, e->description.id);

	if (old)
		forget(d, old);
	e->same_slot = *slot_of(d, e->description.id);
	*slot_of(d, e->description.id) = e;
	link_youngest(d, e);
	d->count++;
	d->bytes += e->bytes;
	while ((d->count > DESCRIPTIONS_MAX || d->bytes > DESCRIPTION_BYTES_MAX) && d->count > 1)
		forget(d, d->oldest);
}

int described_take(struct described *d, const void *sample, size_t length)
{
	struct bytes rest = {sample, length}, texts[TEXTS];
	struct sample_process s;
	struct entry *e;
	uint8_t *to;

	if (length < sizeof s)
		return -1;
	memcpy(&s, sample, sizeof s);
	rest = (struct bytes){rest.data + sizeof s, rest.length - sizeof s};
	for (size_t i = 0; i < TEXTS; i++) {
		if (s.lengths[i] > TEXT_MAX || s.lengths[i] > rest.length)
			return -1;
		texts[i] = (struct bytes){rest.data, s.lengths[i]};
		rest = (struct bytes){rest.data + s.lengths[i], rest.length - s.lengths[i]};
	}
	if (s.kind != SAMPLE_PROCESS || !s.id || !s.pid || rest.length)
		return -1;
	/* What is added to the texts: the end of an exe, the end of arguments. */
	length = sizeof *e + sizeof s.parent_comm + length - sizeof s + sizeof deleted + 1;
	e = calloc(1, length);
	if (!e)
		return -1;
	e->bytes = length;
	take_state(&e->description, &s);
	memcpy(e->text, s.parent_comm, sizeof s.parent_comm);
	e->description.parent_comm =
		(struct bytes){e->text, strnlen((const char *)s.parent_comm, sizeof s.parent_comm)};
	to = e->text + sizeof s.parent_comm;
	to += take_exe(e, to, texts[TEXT_EXE], s.text_flags);
	to += take_args(e, to, texts[TEXT_ARGS], s.text_flags);
	take_cgroup(d, e, to, texts[TEXT_CGROUP], s.text_flags);
	add(d, e);
	return 0;
}
