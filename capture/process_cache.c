/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Times decide. The kernel queues a change before its process goes on, so once
 * the changes have been taken at a moment, all those before it are known; from
 * then on a process at a time is one version of one life. Nothing is concluded
 * from a reading or for a sample before the changes up to it were taken.
 *
 * When changes were lost, or a process was forgotten for want of room, what is
 * known begins anew, at the horizon.
 */
#include "process_cache.h"
#include "process_memo.h"
#include "users.h"
#include "container.h"
#include "../formats/process_field.h"

#include <stdlib.h>

#define KEEP_EXITED_NS (5 * 1000000000ull) /* samples come up to 0.6 s late */
#define REFRESH_NS 1000000000ull           /* what changes without notice is at most that old */
#define REFRESH_ANCESTOR_NS 10000000000ull /* the same of an ancestor */
#define TICK_NS 10000000ull                /* start times are rounded down to it */
#define MEMOS 64
#define EXECUTED_MAX 1024 /* remembered to be read */

/* Whom a question is about. */
struct moment {
	uint64_t time_ns;
	uint64_t start_ns; /* of the process, if the sample says it; else 0 */
	bool described;    /* it need not be read, all is known of it */
	bool ancestor;     /* of the process whose sample it is */
};

struct process_cache {
	struct process_source source;
	struct users *users;
	bool with_args, blind; /* blind: nobody tells of changes */
	uint64_t taken_ns;     /* the changes were taken then */
	uint64_t exit_ns;      /* the latest exit of a process */
	uint64_t identity;
	struct process_table table;
	uint32_t executed[EXECUTED_MAX];
	size_t executed_count;
	struct process_memo memos[MEMOS]; /* by pid */
	struct proc_reading reading;
};

static uint64_t rounded(uint64_t start_ns)
{
	return start_ns - start_ns % TICK_NS;
}

static bool is_described(const struct process_cache *c, const struct process_facts *facts)
{
	const struct description *d = facts->described;

	return d && d->process.exe.length && d->process.cgroup.length &&
	       (d->process.args.length || !c->with_args);
}

static struct moment moment_of(const struct process_cache *c, const struct process_facts *facts)
{
	return (struct moment){.time_ns = facts->time_ns,
		.start_ns = rounded(facts->process.start_ns),
		.described = is_described(c, facts)};
}

/* Of the parent, as far as the kernel said it. */
static struct moment parent_moment(const struct process_facts *facts)
{
	const struct description *d = facts->described;

	return (struct moment){.time_ns = facts->time_ns,
		.start_ns = d ? rounded(d->parent_start_ns) : 0,
		.ancestor = true};
}

static uint64_t fresh_for(struct moment at)
{
	return at.ancestor ? REFRESH_ANCESTOR_NS : REFRESH_NS;
}

struct process_cache *process_cache_new(
	const struct process_source *source, size_t limit, bool with_args)
{
	struct process_cache *c = calloc(1, sizeof *c);

	if (!c)
		return NULL;
	c->source = *source;
	c->table.limit = limit;
	c->with_args = with_args;
	c->blind = !source->drain;
	c->table.horizon_ns = c->taken_ns = c->blind ? 0 : source->now(source->context);
	c->users = users_new();
	if (!c->users) {
		free(c);
		return NULL;
	}
	return c;
}

void process_cache_free(struct process_cache *c)
{
	if (!c)
		return;
	for (size_t i = 0; i < MEMOS; i++) {
		process_memo_clear(&c->memos[i]);
		last_given_release(&c->memos[i].facts);
	}
	process_table_clear(&c->table);
	users_free(c->users);
	free(c);
}

size_t process_cache_count(const struct process_cache *c)
{
	return c->table.count;
}

size_t process_cache_bytes(const struct process_cache *c)
{
	return c->table.bytes;
}

/* Changes. */

static void begin_life(struct process_cache *c, const struct proc_change *change)
{
	const struct proc_change exit = {.kind = CHANGE_EXIT, .time_ns = change->time_ns};
	struct life *old = process_table_newest(&c->table, change->pid), *life;

	if (old) {
		life_unread(old, change->time_ns);
		process_table_count(&c->table, old);
		if (old->exit_ns == UINT64_MAX)
			process_table_change(&c->table, old, &exit);
	}
	life = process_table_add(&c->table, change->pid, change->time_ns);
	if (!life)
		return;
	life->birth_ns = life->parent_ns = life->alone_ns = change->time_ns;
	life->ppid = life->born_of = change->parent;
}

/* proc_events_change */
static void take_change(void *context, const struct proc_change *change)
{
	struct process_cache *c = context;
	struct life *life;

	if (change->kind == CHANGE_FORK) {
		begin_life(c, change);
		return;
	}
	if (change->kind == CHANGE_EXIT && change->time_ns > c->exit_ns)
		c->exit_ns = change->time_ns;
	life = process_table_newest(&c->table, change->pid);
	/* So that nobody takes it for unchanged since the horizon. */
	if (!life && change->kind != CHANGE_EXIT)
		life = process_table_add(&c->table, change->pid, change->time_ns);
	if (change->kind == CHANGE_EXEC && c->executed_count < EXECUTED_MAX)
		c->executed[c->executed_count++] = change->pid;
	/* An exec by another thread than the leader ends that one, not the process. */
	if (life && (life->exit_ns == UINT64_MAX || change->kind == CHANGE_EXEC))
		process_table_change(&c->table, life, change);
}

static void take_changes(struct process_cache *c)
{
	uint64_t now = c->source.now(c->source.context);

	if (c->blind)
		return;
	if (c->source.drain(c->source.context, take_change, c)) {
		process_table_clear(&c->table);
		c->executed_count = 0;
		c->table.horizon_ns = c->exit_ns = c->source.now(c->source.context);
	}
	__atomic_store_n(&c->taken_ns, now, __ATOMIC_RELEASE);
	if (now > KEEP_EXITED_NS)
		process_table_expire(&c->table, now - KEEP_EXITED_NS);
}

/* Readings. */

/* Whatever comes of it, the version is marked as read: a second look would tell no more. */
static void read_life(struct process_cache *c, struct life *life)
{
	struct version *v = life->newest;

	if (c->source.read) {
		if (!c->source.read(c->source.context, life->pid, c->with_args, &c->reading) &&
			!process_table_read(&c->table, life, &c->reading))
			return;
		/* It is gone, and its pid perhaps another's. That will be told, or: */
		if (c->blind) {
			process_table_forget(&c->table, life);
			return;
		}
	}
	if (!v->read_end_ns)
		v->read_begin_ns = v->read_end_ns = c->source.now(c->source.context);
}

static bool wants_reading(const struct process_cache *c, const struct life *life, struct moment at)
{
	const struct version *v = life->newest;

	if (at.described || life->exit_ns != UINT64_MAX || v->from_ns > at.time_ns)
		return false;
	if (!v->read_end_ns)
		return true;
	if (c->blind && (!at.start_ns || at.start_ns != life->start_ns))
		return v->read_end_ns < at.time_ns;
	return v->read_end_ns + fresh_for(at) < at.time_ns;
}

/* Seen without a change after the reading: it was not of an exec under way. */
static void settle(const struct process_cache *c, struct version *v, uint64_t time_ns)
{
	if (!c->blind && v->read_end_ns && time_ns >= v->read_end_ns)
		v->settled = true;
}

/*
 * The life of that pid at that time, read if that tells anything, all changes up
 * to both taken. NULL: not known.
 */
static struct life *look(struct process_cache *c, uint32_t pid, struct moment at)
{
	struct life *life;
	struct version *v;

	if (c->taken_ns <= at.time_ns)
		take_changes(c);
	life = process_table_find(&c->table, pid, at.time_ns);
	if (!life && !process_table_newest(&c->table, pid) && at.time_ns >= c->table.horizon_ns)
		life = process_table_add(&c->table, pid, c->table.horizon_ns);
	/* Twice: an exec in between makes the first reading worthless. */
	for (int i = 0; i < 2 && life && wants_reading(c, life, at); i++) {
		read_life(c, life);
		take_changes(c);
		life = process_table_find(&c->table, pid, at.time_ns);
	}
	if (life && !c->blind && c->taken_ns <= life->newest->read_end_ns) {
		take_changes(c);
		life = process_table_find(&c->table, pid, at.time_ns);
	}
	v = life ? life_at(life, at.time_ns) : NULL;
	if (!v)
		return NULL;
	settle(c, v, at.time_ns);
	process_table_touch(&c->table, life);
	return life;
}

/* What was read late, of a process that ran on, may be settled by now. */
static struct life *look_again(struct process_cache *c, struct life *life, struct moment at)
{
	const struct version *v = life_at(life, at.time_ns);
	uint32_t pid = life->pid;

	if (c->blind || !v->read_end_ns || v->settled || v != life->newest ||
		life->exit_ns != UINT64_MAX)
		return life;
	read_life(c, life);
	return look(c, pid, at);
}

void process_cache_see(struct process_cache *c, uint32_t pid, uint64_t time_ns)
{
	look(c, pid, (struct moment){.time_ns = time_ns});
}

void process_cache_follow(struct process_cache *c, bool eager)
{
	struct life *life;

	take_changes(c);
	for (size_t i = 0; eager && i < c->executed_count; i++) {
		life = process_table_newest(&c->table, c->executed[i]);
		/* Since its last birth, that is. */
		if (life && life->exit_ns == UINT64_MAX && !life->newest->read_end_ns &&
			life->newest->from_ns != life->birth_ns)
			read_life(c, life);
	}
	c->executed_count = 0;
}

/* Answers. */

static bool reading_is_near(const struct version *v, struct moment at)
{
	return v->read_end_ns && at.time_ns + REFRESH_NS >= v->read_begin_ns &&
	       at.time_ns <= v->read_end_ns + fresh_for(at);
}

/*
 * Without news of changes only what stays for life is known, and only if the
 * process was there already at the time and still is, or has the start time that
 * the sample says.
 */
static bool is_same(const struct process_cache *c, const struct life *life, struct moment at)
{
	if (at.start_ns && life->start_ns)
		return at.start_ns == life->start_ns;
	return !c->blind || (life->start_ns && life->start_ns + TICK_NS <= at.time_ns &&
				    life->newest->read_end_ns >= at.time_ns);
}

/* Whether the parent of the latest reading, or of birth, was it at that time too. */
static bool parent_holds(const struct process_cache *c, const struct life *life, uint64_t time_ns)
{
	return !c->blind && life && life->ppid &&
	       (life->parent_ns <= time_ns || c->exit_ns <= time_ns);
}

static void describe(
	const struct process_cache *c, const struct life *life, struct moment at, struct process *p)
{
	const struct version *v = life_at(life, at.time_ns);

	if (!v || !is_same(c, life, at))
		return;
	p->start_ns = life->start_ns;
	p->pid_inside = life->pid_inside;
	p->pid_ns = life->pid_ns;
	if (reading_is_near(v, at)) {
		p->mount_ns = v->mount_ns;
		p->loginuid = v->loginuid;
		p->audit_session = v->audit_session;
		p->cgroup = shared_text_bytes(v->cgroup);
		p->container = shared_text_bytes(v->container);
		p->unit = shared_text_bytes(v->unit);
	}
	if (c->blind)
		return;
	if (version_knows(v, GROUP_IMAGE)) {
		p->exe = shared_text_bytes(v->exe);
		p->args = shared_text_bytes(v->args);
		p->flags = v->flags;
	}
	if (version_knows(v, GROUP_COMM))
		p->comm = (struct bytes){v->comm, v->comm_length};
	if (version_knows(v, GROUP_UIDS)) {
		p->uid = v->uid;
		p->euid = v->euid;
	}
	if (version_knows(v, GROUP_GIDS)) {
		p->gid = v->gid;
		p->egid = v->egid;
	}
}

static void clear_process(struct process *p, uint32_t pid)
{
	*p = (struct process){
		.pid = pid,
		.euid = UNKNOWN_ID,
		.egid = UNKNOWN_ID,
		.loginuid = UNKNOWN_ID,
		.audit_session = UNKNOWN_ID,
	};
}

/* What the kernel says of the caller goes before what was found. */
static void apply_facts(const struct process_cache *c, struct process_memo *m,
	const struct process_facts *facts, const struct life *life, struct process *p)
{
	const struct process *f = &facts->process;
	/* Of another thread than the leader the ids are known only if all have the same. */
	bool own_ids = facts->tid != f->pid && (!life || !life->alone_ns || life->threads_have_ids);

	if (own_ids || p->uid != f->uid)
		p->euid = UNKNOWN_ID;
	if (own_ids || p->gid != f->gid)
		p->egid = UNKNOWN_ID;
	p->uid = f->uid;
	p->gid = f->gid;
	p->comm = f->comm;
	for (size_t i = 0; i < PROCESS_FIELDS; i++) {
		const struct process_field *field = &process_fields[i];
		const void *from = (const char *)f + field->at;
		void *to = (char *)p + field->at;

		if (field->kind == FIELD_U32 && *(const uint32_t *)from)
			memcpy(to, from, sizeof(uint32_t));
		else if (field->kind == FIELD_U64 && *(const uint64_t *)from)
			memcpy(to, from, sizeof(uint64_t));
		else if (field->kind == FIELD_ID && *(const int64_t *)from != UNKNOWN_ID)
			memcpy(to, from, sizeof(int64_t));
	}
	p->start_ns = rounded(p->start_ns);
	if (f->exe.length && !bytes_equal(p->exe, f->exe)) {
		p->exe = f->exe;
		p->args = (struct bytes){NULL, 0};
		p->flags = 0;
	}
	if (f->args.length) {
		p->args = f->args;
		p->flags = f->flags;
	}
	if (f->cgroup.length && !bytes_equal(p->cgroup, f->cgroup)) {
		p->cgroup = f->cgroup;
		p->container = container_of(f->cgroup, m->pod);
		p->unit = unit_of(f->cgroup);
	}
	if (!c->with_args) {
		p->args = (struct bytes){NULL, 0};
		p->flags &= ~PROCESS_ARGS_CUT;
	}
}

/*
 * A parent is not younger than its child, and lives. Times of birth are exact,
 * start times are rounded down.
 */
static bool can_be_parent(const struct life *parent, const struct life *child, struct moment at)
{
	uint64_t start_ns = child && child->start_ns ? child->start_ns : at.start_ns;
	uint64_t birth_ns = child && child->birth_ns ? child->birth_ns : start_ns;

	if (parent->exit_ns <= at.time_ns)
		return false;
	if (parent->birth_ns)
		return parent->birth_ns <= birth_ns;
	return parent->start_ns && parent->start_ns <= (start_ns ? start_ns : birth_ns);
}

/*
 * The parent at that time, looked at; 0: not known. An orphan is asked for its new
 * one. known: what the sample says it is, with its own moment.
 */
static uint32_t parent_of(struct process_cache *c, uint32_t pid, struct moment at, uint32_t known,
	struct moment parent_at)
{
	for (int i = 0; i < 2; i++) {
		struct life *child = process_table_find(&c->table, pid, at.time_ns), *parent;
		uint32_t ppid = known                                ? known
				: parent_holds(c, child, at.time_ns) ? child->ppid
								     : 0;

		if (!ppid)
			return 0;
		look(c, ppid, parent_at);
		child = process_table_find(&c->table, pid, at.time_ns);
		parent = process_table_find(&c->table, ppid, at.time_ns);
		if (parent && can_be_parent(parent, child, at) &&
			(!parent_at.start_ns || parent_at.start_ns == parent->start_ns))
			return ppid;
		if (known || !child || child->exit_ns != UINT64_MAX ||
			child->newest->from_ns > at.time_ns || !parent ||
			parent->exit_ns == UINT64_MAX ||
			child->newest->read_begin_ns > parent->exit_ns)
			return 0;
		read_life(c, child);
		take_changes(c);
	}
	return 0;
}

/* What a fork has from its parent, if that is all that it ever executed. */
static void inherit(const struct process_cache *c, struct process *p, const struct process *parent)
{
	if (p->exe.length || !parent->exe.length)
		return;
	p->exe = parent->exe;
	if (c->with_args) {
		p->args = parent->args;
		p->flags = parent->flags;
	}
}

/* Number i of the chain, its parent being given already. */
static void give(struct process_cache *c, struct process_memo *m, size_t i, const uint32_t *pid,
	const struct process_facts *facts)
{
	struct life *life =
		i && i == m->unknown ? NULL : process_table_find(&c->table, *pid, facts->time_ns);
	const struct description *d = facts->described;
	struct process *p = &m->chain[i];
	struct last_given *last = life ? &life->last[i ? 1 : 0] : NULL;
	struct shared_text *user = NULL;

	clear_process(p, *pid);
	if (life)
		describe(c, life,
			i == 0   ? moment_of(c, facts)
			: i == 1 ? parent_moment(facts)
				 : (struct moment){.time_ns = facts->time_ns, .ancestor = true},
			p);
	if (!i)
		apply_facts(c, m, facts, life, p);
	if (i == 1 && d) {
		p->start_ns = rounded(d->parent_start_ns);
		if (!p->comm.length)
			p->comm = d->parent_comm;
	}
	if (i + 1 < m->count) {
		p->ppid = pid[1];
		p->parent = p + 1;
	}
	if (!i && m->count > 1 && d && d->same_image)
		inherit(c, p, p + 1);
	if (!i || p->euid != UNKNOWN_ID)
		user = users_name(c->users, p->uid, facts->time_ns);
	p->user = shared_text_bytes(user);
	if (!last) {
		p->identity = ++c->identity;
		m->held[i][0] = shared_text_share(user);
		return;
	}
	if (last_given_identify(last, p, !i, c->identity + 1)) {
		c->identity++;
		process_table_count(&c->table, life);
	}
	for (size_t t = 0; t < GIVEN_TEXTS; t++)
		m->held[i][t] = shared_text_share(last->texts[t]);
}

/* With what is described. */
static struct process_facts all_facts(const struct process_facts *sampled)
{
	struct process_facts facts = *sampled;
	const struct description *d = sampled->described;

	if (d && d->process.pid == sampled->process.pid) {
		facts.process = d->process;
		facts.process.uid = sampled->process.uid;
		facts.process.gid = sampled->process.gid;
		facts.process.comm = sampled->process.comm;
	} else {
		facts.described = NULL;
	}
	return facts;
}

/* Without the lock: memos are of the calling thread alone; what others change is read as one. */
const struct process *process_cache_recall(
	struct process_cache *c, const struct event *event, const struct description *described)
{
	struct process_memo *m = &c->memos[event->process->pid % MEMOS];

	if (c->blind ? !event->process->start_ns
		     : __atomic_load_n(&c->taken_ns, __ATOMIC_ACQUIRE) <= event->time_ns)
		return NULL;
	return process_memo_recall(m, &c->table, event, described) ? m->chain : NULL;
}

const struct process *process_cache_find(
	struct process_cache *c, const struct process_facts *sampled)
{
	struct process_memo *m = &c->memos[sampled->process.pid % MEMOS];
	uint32_t pids[1 + ANCESTORS_MAX] = {sampled->process.pid};
	struct process_facts facts;
	struct moment at;
	struct life *life;
	size_t count = 1;

	if (c->taken_ns <= sampled->time_ns)
		take_changes(c);
	/* When nobody tells of changes, a sample must say itself that it is the same process. */
	if ((!c->blind || sampled->process.start_ns) && process_memo_holds(m, &c->table, sampled))
		return m->chain;
	process_memo_clear(m);
	facts = all_facts(sampled);
	at = moment_of(c, &facts);
	life = look(c, pids[0], at);
	if (life && !at.described)
		look_again(c, life, at);
	/* All readings are made first: they may move what was found before. */
	pids[1] = parent_of(c, pids[0], at, facts.process.ppid, parent_moment(&facts));
	at = (struct moment){.time_ns = at.time_ns, .ancestor = true};
	while (pids[count] && ++count <= ANCESTORS_MAX)
		pids[count] = parent_of(c, pids[count - 1], at, 0, at);
	m->unknown = 0;
	if (count == 1 && facts.described && facts.process.ppid) { /* the kernel's word is all */
		pids[1] = facts.process.ppid;
		m->unknown = 1;
		count = 2;
	}
	m->count = count;
	for (size_t i = count; i-- > 0;)
		give(c, m, i, &pids[i], &facts);
	process_memo_keep(
		m, &c->table, &facts, is_described(c, &facts), REFRESH_NS, REFRESH_ANCESTOR_NS);
	return m->chain;
}
