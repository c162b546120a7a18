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

void process_memo_keep(struct process_memo *m, struct process_table *table,
	const struct process_facts *facts, bool complete, uint64_t fresh_ns,
	uint64_t ancestor_fresh_ns)
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
		from_ns = life->newest->read_end_ns;
		from_ns = from_ns > life->newest->from_ns ? from_ns : life->newest->from_ns;
		until_ns = life->newest->read_end_ns + (i ? ancestor_fresh_ns : fresh_ns);
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
