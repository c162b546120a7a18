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
#include "texts.h"

#define RECENTS 64    /* threads for each of them; a power of two */
#define SENT_MAX 1024 /* so many later the recorder may begin to forget what was sent */

/* Helpers that the kernel may not have: the verifier drops what is behind them. */
#define HAS_HELPER(name) bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_##name)

/* Who made the attempts that come, as the samples say it. */
struct caller {
	__u64 start_ns, process;
};

/* By process id. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, DESCRIBED_MAX);
	__type(key, __u32);
	__type(value, struct described);
} described SEC(".maps");

/* Descriptions sent, by all. */
__u64 all_sent SEC(".data");

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

#ifndef OLDER
#define TYPED 1
#else
#define TYPED HAS_HELPER(get_current_task_btf)
#endif

static __always_inline int can_describe(void)
{
	return settings.may_read || TYPED;
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
	/* It is of no use before the attempt that comes behind it. */
	if (bpf_ringbuf_output(&ring, s, sizeof *s + text_used(scratch),
		    ring_filled(sizeof *s + text_used(scratch)) ? BPF_RB_FORCE_WAKEUP
								: BPF_RB_NO_WAKEUP))
		return 0;
	__sync_fetch_and_add(&all_sent, 1);
	scratch->sent.id = id;
	scratch->sent.state = *state;
	bpf_map_update_elem(&described, &pid, &scratch->sent, BPF_ANY);
	return id;
}

/* Of the current task, before the sample that names it. Returns the id of what was said, or 0. */
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
 * and the same start; all else that its process's state changes with is compared:
 *
 *	the parent         is the same process as long as its id is: another one that a child
 *	                   gets was there before, and so has another id
 *	what both execute  counted by their execs, see PROCESS_SAME_IMAGE
 *	the cgroup         by its id
 *	who logged in      gets a new session each time
 */
struct look {
	__u64 pid_tgid, start_ns;
	__u64 exec_id, parent_exec_id;
	__u64 ppid_mount_ns;
	__u64 cgroup;
	__u64 effective;
	__u64 session;
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

/* A load of a typed pointer takes eight instructions: no more of them than needed. */
static __always_inline void load_look(
	struct look *l, struct task_struct *task, __u64 pid_tgid, const int typed)
{
	struct task_struct *parent = OF(task, real_parent);
	const struct cred *cred = OF(task, cred);

	l->pid_tgid = pid_tgid;
	l->start_ns = OF(task, start_boottime);
	l->exec_id = OF(task, self_exec_id);
	l->parent_exec_id = OF(parent, self_exec_id);
	l->ppid_mount_ns = pair((__u32)OF(parent, tgid),
		TASK(task, nsproxy->mnt_ns->ns.inum, nsproxy, mnt_ns, ns.inum));
	l->cgroup = 0;
	if (bpf_core_field_exists(task->cgroups))
		l->cgroup = bpf_get_current_cgroup_id();
	l->effective = pair(OF(cred, euid.val), OF(cred, egid.val));
	l->session = 0;
	if (bpf_core_field_exists(task->loginuid))
		l->session = OF(task, sessionid);
}

static __always_inline int same_look(const struct look *a, const struct look *b)
{
	return !((a->pid_tgid ^ b->pid_tgid) | (a->start_ns ^ b->start_ns) |
		 (a->exec_id ^ b->exec_id) | (a->parent_exec_id ^ b->parent_exec_id) |
		 (a->ppid_mount_ns ^ b->ppid_mount_ns) | (a->cgroup ^ b->cgroup) |
		 (a->effective ^ b->effective) | (a->session ^ b->session));
}

static __always_inline void find_typed(
	struct caller *caller, __u64 pid_tgid, __u32 number, int look, const int typed)
{
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
static __always_inline void find_caller(
	struct caller *caller, __u64 pid_tgid, __u32 number, int look)
{
	caller->start_ns = caller->process = 0;
	if (TYPED)
		find_typed(caller, pid_tgid, number, look, 1);
	else if (settings.may_read)
		find_typed(caller, pid_tgid, number, look, 0);
}

/* The thread and the users of the current task. may_type: where typed loads are allowed. */
static __always_inline void name_caller(struct sample_attempt *s, __u64 pid_tgid, int may_type)
{
	__u64 *comm = (__u64 *)s->comm;
	const struct cred *cred;
	struct task_struct *task;

	if (may_type && TYPED) { /* a third of what the helpers take */
		s->pid = pid_tgid >> 32;
		s->tid = (__u32)pid_tgid;
		task = this_task(1);
		cred = task->cred;
		s->uid = cred->uid.val;
		s->gid = cred->gid.val;
		comm[0] = ((const __u64 *)task->comm)[0];
		comm[1] = ((const __u64 *)task->comm)[1];
	} else {
		name_by_helpers(s, pid_tgid);
	}
}

#endif
