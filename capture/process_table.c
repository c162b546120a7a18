/* SPDX-License-Identifier: BSD-2-Clause */
#include "process_table.h"

#define SAME_PID_MAX 1024

static struct life **slot_of(struct process_table *t, uint32_t pid)
{
	return &t->slots[(pid * 0x9e3779b1u >> 16) % PROCESS_SLOTS];
}

static struct lives *list_of(struct process_table *t, const struct life *life)
{
	return life->exit_ns == UINT64_MAX ? &t->living : &t->exited;
}

static void unlink_age(struct lives *list, struct life *life)
{
	*(life->before ? &life->before->after : &list->oldest) = life->after;
	*(life->after ? &life->after->before : &list->youngest) = life->before;
}

static void link_youngest(struct lives *list, struct life *life)
{
	life->before = list->youngest;
	life->after = NULL;
	*(list->youngest ? &list->youngest->after : &list->oldest) = life;
	list->youngest = life;
}

void process_table_touch(struct process_table *t, struct life *life)
{
	if (life->exit_ns != UINT64_MAX || !life->after)
		return;
	unlink_age(&t->living, life);
	link_youngest(&t->living, life);
}

void process_table_count(struct process_table *t, struct life *life)
{
	life->stamp = t->stamp + 1;
	__atomic_store_n(&t->stamp, life->stamp, __ATOMIC_RELEASE);
	t->bytes -= life->counted;
	life->counted = life_bytes(life);
	t->bytes += life->counted;
}

/* What is concluded of its pid later must not reach back to what is forgotten here. */
static void forget_one(struct process_table *t, struct life **slot)
{
	struct life *life = *slot;
	uint64_t last_ns = life->exit_ns == UINT64_MAX ? life->newest->from_ns : life->exit_ns;

	if (last_ns > t->horizon_ns)
		t->horizon_ns = last_ns;
	*slot = life->same_slot;
	unlink_age(list_of(t, life), life);
	t->count--;
	t->bytes -= life->counted;
	__atomic_store_n(
		&t->stamp, t->stamp + 1, __ATOMIC_RELEASE); /* what held may not hold now */
	life_free(life);
}

/* The older ones too: they must not be taken for this one. */
void process_table_forget(struct process_table *t, struct life *life)
{
	struct life **slot = slot_of(t, life->pid);
	uint32_t pid = life->pid;

	while (*slot != life)
		slot = &(*slot)->same_slot;
	while (*slot)
		if ((*slot)->pid == pid)
			forget_one(t, slot);
		else
			slot = &(*slot)->same_slot;
}

void process_table_clear(struct process_table *t)
{
	while (t->living.oldest)
		process_table_forget(t, t->living.oldest);
	while (t->exited.oldest)
		process_table_forget(t, t->exited.oldest);
}

static void make_room(struct process_table *t, const struct life *wanted)
{
	while ((t->count >= t->limit || t->bytes > PROCESS_BYTES_MAX) && t->count > 1) {
		struct life *victim = t->exited.oldest ? t->exited.oldest : t->living.oldest;

		while (victim && wanted && victim->pid == wanted->pid)
			victim = victim->after;
		if (!victim)
			break;
		process_table_forget(t, victim);
	}
}

/* Keeps lists short where a pid is used again and again. */
static void forget_beyond(struct process_table *t, uint32_t pid)
{
	struct life *life = *slot_of(t, pid);
	unsigned int count = 0;

	for (; life; life = life->same_slot)
		if (life->pid == pid && ++count == SAME_PID_MAX) {
			process_table_forget(t, life);
			return;
		}
}

struct life *process_table_add(struct process_table *t, uint32_t pid, uint64_t from_ns)
{
	struct life *life;

	make_room(t, NULL);
	life = life_new(pid, from_ns);
	if (!life)
		return NULL;
	forget_beyond(t, pid);
	life->same_slot = *slot_of(t, pid);
	*slot_of(t, pid) = life;
	link_youngest(&t->living, life);
	t->count++;
	process_table_count(t, life);
	return life;
}

/* The newest with that pid: those of one slot stand newest first. */
struct life *process_table_newest(struct process_table *t, uint32_t pid)
{
	struct life *life = *slot_of(t, pid);

	while (life && life->pid != pid)
		life = life->same_slot;
	return life;
}

struct life *process_table_find(struct process_table *t, uint32_t pid, uint64_t time_ns)
{
	struct life *life = process_table_newest(t, pid);

	while (life && (life->pid != pid || life->birth_ns > time_ns))
		life = life->same_slot;
	return life;
}

void process_table_change(
	struct process_table *t, struct life *life, const struct proc_change *change)
{
	unlink_age(list_of(t, life), life);
	life_change(life, change);
	link_youngest(list_of(t, life), life);
	process_table_count(t, life);
}

int process_table_read(
	struct process_table *t, struct life *life, const struct proc_reading *reading)
{
	if (life_read(life, reading))
		return -1;
	process_table_count(t, life);
	make_room(t, life);
	return 0;
}

void process_table_expire(struct process_table *t, uint64_t time_ns)
{
	while (t->exited.oldest && t->exited.oldest->exit_ns < time_ns)
		process_table_forget(t, t->exited.oldest);
}
