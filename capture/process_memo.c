/* SPDX-License-Identifier: BSD-2-Clause */
#include "process_memo.h"

/* Whether they say the same of the caller as those that the answer was given for. */
static bool same_facts(const struct process_memo *m, const struct process_facts *facts)
{
	const struct process *f = &facts->process, *known = &m->facts.process;

	if (!facts->described)
		return !m->described && last_given_is(&m->facts, f, true);
	return m->described == facts->described->id && known->uid == f->uid && known->gid == f->gid;
}

bool process_memo_holds(
	struct process_memo *m, struct process_table *table, const struct process_facts *facts)
{
	const struct process *f = &facts->process;

	if (!m->count || m->chain[0].pid != f->pid || facts->time_ns < m->from_ns ||
		facts->time_ns > m->until_ns || m->leader != (facts->tid == f->pid) ||
		!same_facts(m, facts))
		return false;
	for (size_t i = m->complete; i < m->count; i++) {
		const struct life *life = process_table_newest(table, m->chain[i].pid);

		if (!life || life->stamp != m->stamps[i])
			return false;
	}
	m->table_stamp = table->stamp;
	m->chain[0].comm = f->comm;
	return true;
}

/* Beyond what is compared, samples are alike: nothing else is known by them. */
bool process_memo_recall(struct process_memo *m, const struct process_table *table,
	const struct event *event, const struct description *described)
{
	const struct process *f = event->process, *known = &m->facts.process;

	if (!m->count || known->pid != f->pid || event->time_ns < m->from_ns ||
		event->time_ns > m->until_ns || m->leader != (event->tid == f->pid) ||
		m->described != (described ? described->id : 0) || known->uid != f->uid ||
		known->gid != f->gid || (!described && known->start_ns != f->start_ns) ||
		m->table_stamp != __atomic_load_n(&table->stamp, __ATOMIC_ACQUIRE))
		return false;
	m->chain[0].comm = f->comm;
	return true;
}

/* Whether an event later than the reading tells no more of it: see version_knows(). */
static bool is_final(const struct version *v, bool caller)
{
	if (v->settled)
		return true;
	for (enum version_group g = 0; g < GROUPS; g++)
		if (v->origin[g] == ORIGIN_READ)
			return false;
	return !caller; /* which is read again then */
}

/*
 * Since when all is known of a life that is known now. Mostly that is before its
 * reading: who connects is looked at a moment later, and those first events are many.
 */
static uint64_t valid_from(const struct life *life, const struct memo_limits *limits, bool caller)
{
	const struct version *v = life->newest;
	uint64_t fresh_ns = limits->fresh_ns, from_ns = v->from_ns;

	if (limits->blind || !is_final(v, caller))
		return v->read_end_ns > from_ns ? v->read_end_ns : from_ns;
	if (v->read_begin_ns > fresh_ns + from_ns)
		from_ns = v->read_begin_ns - fresh_ns;
	/* Before that it may have had another parent. */
	if (life->ppid && from_ns < life->parent_ns && from_ns < limits->exit_ns)
		from_ns = life->parent_ns < limits->exit_ns ? life->parent_ns : limits->exit_ns;
	return from_ns;
}

void process_memo_keep(struct process_memo *m, struct process_table *table,
	const struct process_facts *facts, bool complete, const struct memo_limits *limits)
{
	struct process copy = facts->process;

	copy.parent = NULL;
	m->from_ns = 0;
	m->until_ns = UINT64_MAX;
	m->table_stamp = table->stamp;
	m->leader = facts->tid == facts->process.pid;
	m->complete = complete;
	m->described = facts->described ? facts->described->id : 0;
	last_given_identify(&m->facts, &copy, true, 1);
	for (size_t i = 0; i < m->count; i++) {
		const struct life *life = process_table_newest(table, m->chain[i].pid);
		uint64_t from_ns, until_ns;

		if (!i && complete && life) /* which holds the texts */
			continue;
		if (!life || life->exit_ns != UINT64_MAX || !life->newest->read_end_ns) {
			m->until_ns = 0;
			return;
		}
		m->stamps[i] = life->stamp;
		from_ns = valid_from(life, limits, !i);
		until_ns = life->newest->read_end_ns +
			   (i ? limits->ancestor_fresh_ns : limits->fresh_ns);
		m->from_ns = m->from_ns > from_ns ? m->from_ns : from_ns;
		m->until_ns = m->until_ns < until_ns ? m->until_ns : until_ns;
	}
	/* It was worked out for that time: before from_ns it might have been less. */
	if (facts->time_ns < m->from_ns)
		m->until_ns = 0;
}

void process_memo_clear(struct process_memo *m)
{
	for (size_t i = 0; i < m->count; i++)
		for (size_t t = 0; t < GIVEN_TEXTS; t++)
			shared_text_set(&m->held[i][t], NULL);
	m->count = 0;
}
