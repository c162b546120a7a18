/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Who calls. What the kernel knows of the current process goes into the ring
 * when it is not the same as at its last attempt; the attempts name it. So the
 * common case is to look that up, and a process that ends at once is complete.
 *
 * The state is read with typed loads where the kernel gives a typed pointer to
 * the task (5.11 and newer), locked down too; else, and for the texts, with
 * helpers that a kernel in lockdown refuses.
 */
#ifndef PROCESS_H
#define PROCESS_H

#include "kernel.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include "tcpconnect.h"

#define NAME_SIZE 256
#define DESCRIBERS 4
#define RECENTS 64      /* threads for each of them; a power of two */
#define SENT_MAX 1024   /* so many later the recorder may begin to forget what was sent */
#define TEXT_ROOM 16384 /* a power of two */

/* Helpers that the kernel may not have: the verifier drops what is behind them. */
#define HAS_HELPER(name) bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_##name)

/* Who made the attempts that come, as the samples say it. */
struct caller {
	__u64 start_ns, process;
};

struct described {
	__u64 id;
	struct process_state state;
};

/* By process id. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, DESCRIBED_MAX);
	__type(key, __u32);
	__type(value, struct described);
} described SEC(".maps");

/* Descriptions sent, by all. */
__u64 all_sent;

struct process_scratch {
	/*
	 * Bytes of text. In memory, for what the verifier does not know of it is the
	 * same in each round of a loop: it looks at a few thousand instructions and
	 * not at millions.
	 */
	__u64 used;
	__u64 at, dentry; /* where a walk is: the mount, or the node of a cgroup */
	__u64 steps, sum; /* of the walk */
	struct described sent;
	__u64 sample[(sizeof(struct sample_process) + TEXT_ROOM + TEXT_MAX) / 8];
};

/* One for each program that describes: none of them interrupts itself on its CPU. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, DESCRIBERS);
	__type(key, __u32);
	__type(value, struct process_scratch);
} process_scratches SEC(".maps");

static __always_inline struct task_struct *this_task(const int typed)
{
	return (struct task_struct *)(typed ? (__u64)bpf_get_current_task_btf()
					    : bpf_get_current_task());
}

/*
 * Typed, or with helpers: as the constant "typed" of the function around it says. Each
 * place where the kernel has to choose costs it a lot, so the functions are chosen.
 */
#define TASK(task, typed_path, ...)                                                                \
	(typed ? (task)->typed_path : BPF_CORE_READ((struct task_struct *)(task), __VA_ARGS__))
#define OF(pointer, member) (typed ? (pointer)->member : BPF_CORE_READ(pointer, member))

#define TYPED HAS_HELPER(get_current_task_btf)

static __always_inline int can_describe(void)
{
	return settings.may_read || TYPED;
}

/* The functions that are not static are verified even if nothing calls them. */
static __always_inline int can_read_texts(void)
{
	return settings.describe && settings.may_read;
}

static __always_inline void load_state(
	struct process_state *s, struct task_struct *task, const int typed)
{
	__u64 exe;

	s->start_ns = TASK(task, group_leader->start_boottime, group_leader, start_boottime);
	s->exec_id = TASK(task, self_exec_id, self_exec_id);
	s->parent_start_ns = TASK(task, real_parent->group_leader->start_boottime, real_parent,
		group_leader, start_boottime);
	s->ppid = (__u32)TASK(task, real_parent->tgid, real_parent, tgid);
	s->mount_ns = TASK(task, nsproxy->mnt_ns->ns.inum, nsproxy, mnt_ns, ns.inum);
	s->euid = TASK(task, cred->euid.val, cred, euid.val);
	s->egid = TASK(task, cred->egid.val, cred, egid.val);
	if (bpf_core_field_exists(task->loginuid)) {
		s->loginuid = TASK(task, loginuid.val, loginuid.val);
		s->audit_session = TASK(task, sessionid, sessionid);
		s->flags = PROCESS_AUDIT;
	}
	if (bpf_core_field_exists(task->cgroups))
		s->cgroup = TASK(task, cgroups->dfl_cgrp->kn->id, cgroups, dfl_cgrp, kn, id);
	/* Each exec opens its file anew: the same open file is the same exec. */
	exe = (__u64)TASK(task, mm->exe_file, mm, exe_file);
	if (exe && exe == (__u64)TASK(task, real_parent->mm->exe_file, real_parent, mm, exe_file))
		s->flags |= PROCESS_SAME_IMAGE;
}

static __always_inline int same_state(const struct process_state *a, const struct process_state *b)
{
	const __u64 *x = (const __u64 *)a, *y = (const __u64 *)b;
	__u64 differ = 0;

#pragma unroll
	for (unsigned int i = 0; i < sizeof *a / sizeof *x; i++)
		differ |= x[i] ^ y[i];
	return !differ;
}

/* What stays for life, and the name of the parent. */
static __always_inline void load_rest(
	struct sample_process *s, struct task_struct *task, const int typed)
{
	struct task_struct *parent;
	struct upid *upid;
	__u32 level = TASK(task, group_leader->thread_pid->level, group_leader, thread_pid, level);

	s->pid_inside = s->pid_ns = 0;
	if (!level && typed) {
		s->pid_inside = s->pid;
		s->pid_ns = task->group_leader->thread_pid->numbers[0].ns->ns.inum;
	} else if (settings.may_read && level < 32) { /* MAX_PID_NS_LEVEL */
		upid = (void *)BPF_CORE_READ(task, group_leader, thread_pid) +
		       bpf_core_field_offset(struct pid, numbers) +
		       (__u64)level * bpf_core_type_size(struct upid);
		s->pid_inside = (__u32)BPF_CORE_READ(upid, nr);
		s->pid_ns = BPF_CORE_READ(upid, ns, ns.inum);
	}
	if (typed) {
		const __u64 *comm;

		parent = task->real_parent->group_leader;
		comm = (const __u64 *)parent->comm;
		((__u64 *)s->parent_comm)[0] = comm[0];
		((__u64 *)s->parent_comm)[1] = comm[1];
	} else {
		parent = BPF_CORE_READ(task, real_parent, group_leader);
		bpf_core_read(s->parent_comm, sizeof s->parent_comm, &parent->comm);
	}
}

/*
 * What is not static below is verified by itself, and once, not wherever it is
 * called with all that may be known there. number: of the scratch.
 */

static __always_inline struct sample_process *sample_in(struct process_scratch *scratch)
{
	return (struct sample_process *)scratch->sample;
}

static __always_inline __u32 text_used(const struct process_scratch *scratch)
{
	return *(volatile const __u64 *)&scratch->used & (TEXT_ROOM - 1);
}

static __always_inline void *text_end(struct process_scratch *scratch)
{
	return sample_in(scratch)->text + text_used(scratch);
}

static __always_inline void text_add(struct process_scratch *scratch, __u32 bytes)
{
	*(volatile __u64 *)&scratch->used = text_used(scratch) + bytes;
}

/* One name of a path that begins there, with its NUL. 0: too long, or it cannot be read. */
static __always_inline int add_name(struct process_scratch *scratch, __u32 from, const void *name)
{
	long n = bpf_probe_read_kernel_str(text_end(scratch), NAME_SIZE, name);

	if (n < 2)
		return 0;
	text_add(scratch, (__u32)n);
	return text_used(scratch) - from <= TEXT_MAX;
}

/* How a step of a walk, from a file up to the root of its mount namespace, went. */
enum step {
	STEP_ON,     /* there is more */
	STEP_ROOT,   /* it is at the root */
	STEP_MEMORY, /* the file never had a path */
	STEP_BROKEN, /* it cannot be told */
};

/*
 * names: takes them, see prepend_path() in fs/d_path.c; else sums up what changes when
 * anything on the way is renamed or moved, for names are read without a lock.
 */
__noinline int step_up(__u32 number, __u32 names)
{
	struct process_scratch *scratch = bpf_map_lookup_elem(&process_scratches, &number);
	struct dentry *dentry, *parent;
	struct mount *mount, *above;
	struct sample_process *s;
	__u64 before;

	if (!can_read_texts() || !scratch)
		return STEP_BROKEN;
	before = scratch->steps++;
	mount = (struct mount *)scratch->at;
	dentry = (struct dentry *)scratch->dentry;
	if (dentry == BPF_CORE_READ(mount, mnt.mnt_root)) { /* out of a mount */
		above = BPF_CORE_READ(mount, mnt_parent);
		if (above == mount)
			return STEP_ROOT;
		scratch->dentry = (__u64)BPF_CORE_READ(mount, mnt_mountpoint);
		scratch->at = (__u64)above;
		return STEP_ON;
	}
	parent = BPF_CORE_READ(dentry, d_parent);
	scratch->dentry = (__u64)parent;
	if (!names) {
		scratch->sum += (__u64)dentry + BPF_CORE_READ(dentry, d_seq.seqcount.sequence);
		return parent == dentry ? STEP_ROOT : STEP_ON;
	}
	s = sample_in(scratch);
	if (parent == dentry && before)
		return STEP_BROKEN; /* moved out of what is mounted */
	if (parent == dentry)
		s->text_flags |= TEXT_MEMORY;
	else if (!before && !BPF_CORE_READ(dentry, d_hash.pprev))
		s->text_flags |= TEXT_UNLINKED;
	if (!add_name(scratch, 0, BPF_CORE_READ(dentry, d_name.name)))
		return STEP_BROKEN;
	return parent == dentry ? STEP_MEMORY : STEP_ON;
}

/* By calls and not by a loop, whose rounds the verifier would tell apart. STEP_ON is 0. */
#define SEVEN(step) (step) ?: (step) ?: (step) ?: (step) ?: (step) ?: (step) ?: (step)

__noinline int steps_up(__u32 number, __u32 names)
{
	return SEVEN(step_up(number, names));
}

/* How it ended. names: take them, else sum up. */
__noinline int walk(__u64 file, __u32 number, __u32 names)
{
	struct process_scratch *scratch = bpf_map_lookup_elem(&process_scratches, &number);
	struct file *from = (struct file *)file;

	if (!can_read_texts() || !scratch)
		return STEP_BROKEN;
	scratch->at =
		(__u64)BPF_CORE_READ(from, f_path.mnt) - bpf_core_field_offset(struct mount, mnt);
	scratch->dentry = (__u64)BPF_CORE_READ(from, f_path.dentry);
	scratch->sum = scratch->steps = 0;
	return SEVEN(steps_up(number, names));
}

/* As /proc/PID/exe shows it. 0: it cannot be told. */
static __always_inline int add_exe(__u64 file, struct process_scratch *scratch, __u32 number)
{
	__u64 sum;
	int end;

	walk(file, number, 0);
	sum = scratch->sum;
	end = walk(file, number, 1);
	if (end == STEP_ROOT && walk(file, number, 0) == STEP_ROOT)
		return scratch->sum == sum;
	return end == STEP_MEMORY;
}

/* As /proc/PID/cmdline, see get_mm_cmdline() in fs/proc/base.c. */
__noinline int add_args(__u64 start, __u64 end, __u32 number)
{
	struct process_scratch *scratch = bpf_map_lookup_elem(&process_scratches, &number);
	__u64 length = end - start;
	struct sample_process *s;
	__u8 last = 0;
	void *to;
	long n;

	if (!can_read_texts() || !scratch || end <= start ||
		bpf_probe_read_user(&last, 1, (void *)(end - 1)))
		return 0;
	s = sample_in(scratch);
	to = text_end(scratch);
	if (last) { /* overwritten beyond their end: a title, up to its NUL */
		n = bpf_probe_read_user_str(to, TEXT_MAX, (void *)start);
		if (n <= 0)
			return 0;
		length = (__u64)n;
		if (n >= TEXT_MAX)
			s->text_flags |= TEXT_CUT;
	} else {
		if (length > TEXT_MAX) {
			length = TEXT_MAX;
			s->text_flags |= TEXT_CUT;
		}
		if (bpf_probe_read_user(to, (__u32)length, (void *)start))
			return 0;
	}
	s->lengths[TEXT_ARGS] = (__u16)length;
	text_add(scratch, (__u32)length);
	return 1;
}

static __always_inline struct kernfs_node *above(struct kernfs_node *node)
{
	struct kernfs_node___since_6_15 *newer = (void *)node;

	if (bpf_core_field_exists(newer->__parent))
		return BPF_CORE_READ(newer, __parent);
	return BPF_CORE_READ(node, parent);
}

/* The name of a cgroup, of a path that begins there, then to the one above. */
__noinline int step_cgroup(__u32 number, __u32 from)
{
	struct process_scratch *scratch = bpf_map_lookup_elem(&process_scratches, &number);
	struct kernfs_node *node, *parent;

	if (!can_read_texts() || !scratch)
		return STEP_BROKEN;
	node = (struct kernfs_node *)scratch->at;
	parent = above(node);
	if (!parent)
		return STEP_ROOT;
	if (!add_name(scratch, from, BPF_CORE_READ(node, name)))
		return STEP_BROKEN;
	scratch->at = (__u64)parent;
	return STEP_ON;
}

__noinline int steps_cgroup(__u32 number, __u32 from)
{
	return SEVEN(step_cgroup(number, from));
}

/* 0: it cannot be told. */
__noinline int add_cgroup(__u64 node, __u32 number)
{
	struct process_scratch *scratch = bpf_map_lookup_elem(&process_scratches, &number);
	__u32 from;

	if (!can_read_texts() || !scratch)
		return 0;
	from = text_used(scratch);
	scratch->at = node;
	return (SEVEN(steps_cgroup(number, from))) == STEP_ROOT;
}

static __always_inline void add_texts(
	struct process_scratch *scratch, struct task_struct *task, __u32 number)
{
	struct sample_process *s = sample_in(scratch);
	struct mm_struct *mm = BPF_CORE_READ(task, mm);
	__u64 file = (__u64)BPF_CORE_READ(mm, exe_file);
	__u32 from;

	if (file && add_exe(file, scratch, number))
		s->lengths[TEXT_EXE] = (__u16)text_used(scratch);
	else
		scratch->used = 0;
	if (settings.arguments)
		add_args(BPF_CORE_READ(mm, arg_start), BPF_CORE_READ(mm, arg_end), number);
	from = text_used(scratch);
	if (bpf_core_field_exists(task->cgroups) &&
		add_cgroup((__u64)BPF_CORE_READ(task, cgroups, dfl_cgrp, kn), number)) {
		s->lengths[TEXT_CGROUP] = (__u16)(text_used(scratch) - from);
		if (text_used(scratch) == from)
			s->text_flags |= TEXT_ROOT_CGROUP;
	} else {
		scratch->used = from;
	}
}

/* Into the ring, then into the map: another thread may find it there. Returns the id; 0: no room.
 */
static __always_inline __u64 send_process(
	__u32 pid, const struct process_state *state, struct task_struct *task, __u32 number)
{
	struct process_scratch *scratch = bpf_map_lookup_elem(&process_scratches, &number);
	struct sample_process *s;
	__u64 id;

	if (!scratch)
		return 0;
	scratch->used = 0;
	s = sample_in(scratch);
	/* Differs for each process and each moment. */
	id = bpf_ktime_get_boot_ns() << 22 | pid;
	s->kind = SAMPLE_PROCESS;
	s->pid = pid;
	s->id = id;
	s->state = *state;
	s->text_flags = 0;
	s->lengths[TEXT_EXE] = s->lengths[TEXT_ARGS] = s->lengths[TEXT_CGROUP] = 0;
	if (TYPED)
		load_rest(s, task, 1);
	else
		load_rest(s, task, 0);
	if (can_read_texts())
		add_texts(scratch, task, number);
	if (bpf_ringbuf_output(&ring, s, sizeof *s + text_used(scratch), BPF_RB_NO_WAKEUP))
		return 0;
	__sync_fetch_and_add(&all_sent, 1);
	scratch->sent.id = id;
	scratch->sent.state = *state;
	bpf_map_update_elem(&described, &pid, &scratch->sent, BPF_ANY);
	return id;
}

/* Of the current task, before the sample that names it. Returns the id of what was said of it, or
 * 0.
 */
__noinline __u64 describe(__u32 number)
{
	__u32 pid = bpf_get_current_pid_tgid() >> 32;
	struct process_state state = {};
	struct task_struct *task;
	struct described *known;

	if (!settings.describe || !can_describe())
		return 0;
	if (TYPED) {
		task = this_task(1);
		load_state(&state, task, 1);
	} else {
		task = this_task(0);
		load_state(&state, task, 0);
	}
	known = bpf_map_lookup_elem(&described, &pid);
	if (known && same_state(&known->state, &state))
		return known->id;
	return send_process(pid, &state, task, number);
}

/*
 * The threads that connected last, so that the next attempt need not find out again
 * what was said of their process. A thread is never another one with the same ids
 * and the same start; all else that its process's state is made from is compared.
 */
struct look {
	__u64 pid_tgid, start_ns;
	__u64 exec_id_same_image;
	__u64 parent_start_ns; /* of the thread */
	__u64 ppid_mount_ns;
	__u64 cgroup;
	__u64 effective;
	__u64 audit;
};

struct recent {
	struct look look;
	__u64 sent; /* of all_sent, when it was found out */
	struct caller caller;
};

/* By program and thread: none of them interrupts itself on its CPU. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, DESCRIBERS *RECENTS);
	__type(key, __u32);
	__type(value, struct recent);
} recents SEC(".maps");

static __always_inline __u64 pair(__u32 high, __u32 low)
{
	return (__u64)high << 32 | low;
}

/* A load of a typed pointer is eight instructions and more. */
static __always_inline void load_look(
	struct look *l, struct task_struct *task, __u64 pid_tgid, const int typed)
{
	struct task_struct *parent = OF(task, real_parent);
	const struct cred *cred = OF(task, cred);
	__u64 exe = (__u64)TASK(task, mm->exe_file, mm, exe_file);

	l->pid_tgid = pid_tgid;
	l->start_ns = OF(task, start_boottime);
	l->exec_id_same_image = OF(task, self_exec_id) << 1;
	if (exe && exe == (__u64)TASK(parent, mm->exe_file, mm, exe_file))
		l->exec_id_same_image |= 1;
	l->parent_start_ns = OF(parent, start_boottime);
	l->ppid_mount_ns = pair((__u32)OF(parent, tgid),
		TASK(task, nsproxy->mnt_ns->ns.inum, nsproxy, mnt_ns, ns.inum));
	l->cgroup = 0;
	if (bpf_core_field_exists(task->cgroups))
		l->cgroup = TASK(task, cgroups->dfl_cgrp->kn->id, cgroups, dfl_cgrp, kn, id);
	l->effective = pair(OF(cred, euid.val), OF(cred, egid.val));
	l->audit = 0;
	if (bpf_core_field_exists(task->loginuid))
		l->audit = pair(OF(task, loginuid.val), OF(task, sessionid));
}

static __always_inline int same_look(const struct look *a, const struct look *b)
{
	return !((a->pid_tgid ^ b->pid_tgid) | (a->start_ns ^ b->start_ns) |
		 (a->exec_id_same_image ^ b->exec_id_same_image) |
		 (a->parent_start_ns ^ b->parent_start_ns) | (a->ppid_mount_ns ^ b->ppid_mount_ns) |
		 (a->cgroup ^ b->cgroup) | (a->effective ^ b->effective) | (a->audit ^ b->audit));
}

static __always_inline void find_typed(
	struct caller *caller, __u32 number, int look, const int typed)
{
	__u64 pid_tgid = bpf_get_current_pid_tgid();
	__u32 place = number * RECENTS + ((__u32)pid_tgid & (RECENTS - 1));
	struct task_struct *task = this_task(typed);
	struct recent *recent = NULL;
	struct look now;

	if (look && settings.describe)
		recent = bpf_map_lookup_elem(&recents, &place);
	if (recent) {
		load_look(&now, task, pid_tgid, typed);
		if (same_look(&now, &recent->look) && all_sent - recent->sent < SENT_MAX) {
			*caller = recent->caller;
			return;
		}
		recent->look = now;
	}
	if (!(OF(task, flags) & PF_KTHREAD)) {
		caller->start_ns =
			TASK(task, group_leader->start_boottime, group_leader, start_boottime);
		caller->process = describe(number);
	}
	if (recent) {
		recent->caller = *caller;
		recent->sent = all_sent;
		if (!caller->process) /* to be tried again */
			recent->look.start_ns = 0;
	}
}

/*
 * Zero: it is not known. Workers of the kernel are not who asked for the connection.
 * number: another for each program. look: whether it is among the recent ones, else
 * there is less to be verified.
 */
static __always_inline void find_caller(struct caller *caller, __u32 number, int look)
{
	caller->start_ns = caller->process = 0;
	if (TYPED)
		find_typed(caller, number, look, 1);
	else if (settings.may_read)
		find_typed(caller, number, look, 0);
}

/* Zero from the first zero byte on: there may be what is left of a longer name. */
static __always_inline __u64 up_to_nul(__u64 text)
{
	__u64 nul = (text - 0x0101010101010101) & ~text & 0x8080808080808080;

	return text & (((nul & -nul) >> 7) - 1);
}

/* The thread and the users of the current task. may_type: where typed loads are allowed. */
static __always_inline void name_caller(struct sample_attempt *s, int may_type)
{
	__u64 *comm = (__u64 *)s->comm, pid_tgid;
	const struct cred *cred;
	struct task_struct *task;

	if (may_type && TYPED) { /* a third of what the helpers take */
		pid_tgid = bpf_get_current_pid_tgid();
		s->pid = pid_tgid >> 32;
		s->tid = (__u32)pid_tgid;
		task = this_task(1);
		cred = task->cred;
		s->uid = cred->uid.val;
		s->gid = cred->gid.val;
		comm[0] = up_to_nul(((const __u64 *)task->comm)[0]);
		comm[1] = comm[0] >> 56 ? up_to_nul(((const __u64 *)task->comm)[1]) : 0;
	} else {
		name_by_helpers(s);
	}
}

#endif
