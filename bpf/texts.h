/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The texts of the current process: its program, its arguments, its cgroup. Put
 * together in memory behind the sample that they belong to, with helpers that a
 * kernel in lockdown refuses.
 */
#ifndef TEXTS_H
#define TEXTS_H

#include "kernel.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include "tcpconnect.h"

#define NAME_SIZE 256
#define DESCRIBERS 3    /* programs that describe, and make samples */
#define TEXT_ROOM 16384 /* a power of two */

struct described {
	__u64 id;
	struct process_state state;
};

struct process_scratch {
	/*
	 * Bytes of text. In memory, for what the verifier does not know of it is the
	 * same at each step.
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

/* The functions that are not static are verified even if nothing calls them. */
static __always_inline int can_read_texts(void)
{
	return settings.describe && settings.may_read;
}

/*
 * What is not static below is verified by itself, and once for each program, not
 * wherever it is called with all that may be known there. number: of the scratch.
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

#endif
