/* SPDX-License-Identifier: BSD-2-Clause */
#include "process_life.h"
#include "container.h"

#include <stdlib.h>

static void version_free(struct version *v)
{
	shared_text_release(v->exe);
	shared_text_release(v->args);
	shared_text_release(v->cgroup);
	shared_text_release(v->container);
	shared_text_release(v->unit);
	free(v);
}

static void clear(struct version *v, enum version_group group)
{
	v->origin[group] = ORIGIN_NONE;
	if (group == GROUP_IMAGE) {
		shared_text_set(&v->exe, NULL);
		shared_text_set(&v->args, NULL);
		v->flags = 0;
	}
}

static void forget_reading(struct version *v)
{
	for (enum version_group g = 0; g < GROUPS; g++)
		if (v->origin[g] == ORIGIN_READ)
			clear(v, g);
	v->read_begin_ns = v->read_end_ns = 0;
	v->settled = false;
}

static void trust_reading(struct version *v)
{
	for (enum version_group g = 0; g < GROUPS; g++)
		if (v->origin[g] == ORIGIN_READ)
			v->origin[g] = ORIGIN_SURE;
}

struct life *life_new(uint32_t pid, uint64_t from_ns)
{
	struct life *life = calloc(1, sizeof *life);

	if (!life)
		return NULL;
	life->newest = calloc(1, sizeof *life->newest);
	if (!life->newest) {
		free(life);
		return NULL;
	}
	life->pid = pid;
	life->exit_ns = UINT64_MAX;
	life->newest->from_ns = from_ns;
	life->newest->loginuid = life->newest->audit_session = UNKNOWN_ID;
	return life;
}

void life_free(struct life *life)
{
	struct version *older;

	for (struct version *v = life->newest; v; v = older) {
		older = v->older;
		version_free(v);
	}
	last_given_release(&life->last[0]);
	last_given_release(&life->last[1]);
	free(life);
}

size_t life_bytes(const struct life *life)
{
	size_t bytes =
		sizeof *life + last_given_bytes(&life->last[0]) + last_given_bytes(&life->last[1]);

	for (const struct version *v = life->newest; v; v = v->older)
		bytes += sizeof *v + shared_text_bytes(v->exe).length +
			 shared_text_bytes(v->args).length +
			 2 * shared_text_bytes(v->cgroup).length;
	return bytes;
}

struct version *life_at(const struct life *life, uint64_t time_ns)
{
	struct version *v = life->newest;

	while (v && v->from_ns > time_ns)
		v = v->older;
	return v;
}

bool version_knows(const struct version *v, enum version_group group)
{
	return v->origin[group] == ORIGIN_SURE || (v->origin[group] == ORIGIN_READ && v->settled);
}

static void set_place(struct version *v, const struct process *p)
{
	char uid[36];

	v->loginuid = p->loginuid;
	v->audit_session = p->audit_session;
	v->mount_ns = p->mount_ns;
	if (bytes_equal(shared_text_bytes(v->cgroup), p->cgroup))
		return;
	shared_text_replace(&v->cgroup, p->cgroup);
	shared_text_replace(&v->container, container_of(p->cgroup, uid));
	shared_text_replace(&v->unit, unit_of(p->cgroup));
}

static void set_comm(struct version *v, struct bytes comm)
{
	v->comm_length = (uint8_t)(comm.length < sizeof v->comm ? comm.length : sizeof v->comm);
	if (v->comm_length)
		memcpy(v->comm, comm.data, v->comm_length);
}

int life_read(struct life *life, const struct proc_reading *r)
{
	const struct process *p = &r->process;
	struct version *v = life->newest;

	if (life->start_ns && life->start_ns != p->start_ns)
		return -1;
	life->read_ns = r->end_ns;
	life->start_ns = p->start_ns;
	life->pid_inside = p->pid_inside;
	life->pid_ns = p->pid_ns;
	life->ppid = p->ppid;
	life->parent_ns = r->begin_ns;
	if (v->settled)
		trust_reading(v);
	else
		forget_reading(v);
	if (v->origin[GROUP_IMAGE] == ORIGIN_NONE) {
		v->origin[GROUP_IMAGE] = ORIGIN_READ;
		shared_text_replace(&v->exe, p->exe);
		shared_text_replace(&v->args, p->args);
		v->flags = p->flags;
	}
	if (v->origin[GROUP_COMM] == ORIGIN_NONE) {
		v->origin[GROUP_COMM] = ORIGIN_READ;
		set_comm(v, p->comm);
	}
	if (v->origin[GROUP_UIDS] == ORIGIN_NONE && p->euid != UNKNOWN_ID) {
		v->origin[GROUP_UIDS] = ORIGIN_READ;
		v->uid = p->uid;
		v->euid = (uint32_t)p->euid;
	}
	if (v->origin[GROUP_GIDS] == ORIGIN_NONE && p->egid != UNKNOWN_ID) {
		v->origin[GROUP_GIDS] = ORIGIN_READ;
		v->gid = p->gid;
		v->egid = (uint32_t)p->egid;
	}
	set_place(v, p);
	v->read_begin_ns = r->begin_ns;
	v->read_end_ns = r->end_ns;
	v->settled = r->settled;
	return 0;
}

void life_unread(struct life *life, uint64_t time_ns)
{
	if (life->read_ns < time_ns)
		return;
	for (struct version *v = life->newest; v; v = v->older)
		if (v->read_end_ns >= time_ns)
			forget_reading(v);
	life->start_ns = 0;
	life->pid_inside = life->pid_ns = 0;
	life->ppid = life->born_of;
	life->parent_ns = life->birth_ns;
}

static void drop_oldest(struct life *life)
{
	struct version *v = life->newest;

	for (unsigned int i = 1; i < VERSIONS_MAX && v; i++)
		v = v->older;
	if (v && v->older) {
		version_free(v->older);
		v->older = NULL;
	}
}

/* A version from that time on, like the one before but for what a change changes. */
static struct version *begin_version(struct life *life, uint64_t time_ns)
{
	struct version *v = life->newest, *n = malloc(sizeof *n);
	bool read = v->read_end_ns;

	if (!n) {
		/* The old one must not be taken for what it is now. */
		forget_reading(v);
		for (enum version_group g = 0; g < GROUPS; g++)
			clear(v, g);
		v->from_ns = time_ns;
		return v;
	}
	if (read && time_ns > v->read_begin_ns && time_ns <= v->read_end_ns)
		forget_reading(v); /* half of it is of the one, half of the other */
	if (read && time_ns > v->read_end_ns && v->settled)
		trust_reading(v);
	*n = *v;
	shared_text_share(n->exe);
	shared_text_share(n->args);
	shared_text_share(n->cgroup);
	shared_text_share(n->container);
	shared_text_share(n->unit);
	n->older = v;
	n->from_ns = time_ns;
	life->newest = n;
	if (read && time_ns <= v->read_begin_ns) /* it was of the new one */
		forget_reading(v);
	drop_oldest(life);
	return n;
}

static void change_ids(struct version *v, const struct proc_change *change)
{
	enum version_group group = change->kind == CHANGE_UID ? GROUP_UIDS : GROUP_GIDS;

	v->origin[group] = ORIGIN_SURE;
	if (change->kind == CHANGE_UID) {
		v->uid = change->real;
		v->euid = change->effective;
	} else {
		v->gid = change->real;
		v->egid = change->effective;
	}
}

/*
 * Ids change by an exec only with a message of their own. What was read before
 * the exec does not hold any more; what was read after it, but not taken because
 * the old was known better, is read again.
 */
static void change_image(struct life *life, struct version *v, uint64_t time_ns)
{
	bool read_after = v->read_begin_ns >= time_ns;

	life->alone_ns = time_ns;
	life->exit_ns = UINT64_MAX;
	for (enum version_group g = GROUP_IMAGE; g <= GROUP_COMM; g++) {
		if (read_after && v->origin[g] == ORIGIN_READ)
			continue;
		clear(v, g);
		v->read_begin_ns = v->read_end_ns = 0;
	}
	if (!v->read_end_ns)
		forget_reading(v);
	if (life->threads_have_ids) { /* which of them is it now? */
		clear(v, GROUP_UIDS);
		clear(v, GROUP_GIDS);
	}
}

void life_change(struct life *life, const struct proc_change *change)
{
	struct version *v = life->newest;

	if (change->kind == CHANGE_EXIT) {
		/* Not in the middle of an exec then: that ends by a signal only. */
		if (change->by_itself && v->read_end_ns && change->time_ns > v->read_end_ns)
			v->settled = true;
		life->exit_ns = change->time_ns;
		return;
	}
	if (change->kind != CHANGE_EXEC && change->tid != change->pid) {
		/* Samples bring the name and the real ids of their thread. */
		life->threads_have_ids |= change->kind != CHANGE_COMM;
		return;
	}
	if (change->time_ns < v->from_ns)
		return; /* before all that is known of it */
	v = begin_version(life, change->time_ns);
	switch (change->kind) {
	case CHANGE_EXEC:
		change_image(life, v, change->time_ns);
		break;
	case CHANGE_UID:
	case CHANGE_GID:
		change_ids(v, change);
		break;
	case CHANGE_COMM:
		v->origin[GROUP_COMM] = ORIGIN_SURE;
		set_comm(v, (struct bytes){change->comm,
				    strnlen((const char *)change->comm, sizeof change->comm)});
		break;
	default:
		break;
	}
}
