/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the three backends have in common: their maps, the filter, the counters
 * and the way a sample enters the ring. Everything here is inlined into each
 * program; no helper that reads foreign memory is used, so that it also loads
 * on a kernel in lockdown.
 */
#ifndef COMMON_H
#define COMMON_H

#include "kernel.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_tracing.h>
#include <bpf/bpf_core_read.h>
#include "tcpconnect.h"

#define OLD_NS 3600000000000    /* no attempt takes an hour: 30 SYNs are 49 minutes */
#define CALL_MAX_NS 60000000000 /* the connect functions do not wait for the network */

const volatile struct capture_settings settings = {};

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 8 << 20); /* the recorder sets the size */
} ring SEC(".maps");

#ifndef OLDER /* than 5.12: they do not tell what an atomic addition has found */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1); /* the recorder sets it */
	__type(key, __u32);
	__type(value, union sample_place);
} places SEC(".maps");
#endif

/* Variables, not maps: a program has their address, where it would look up an entry. */
struct capture_control control SEC(".data.control");

/* The recorder sets the number of entries to what the user listed. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u8);
} filter_pids SEC(".maps"), filter_uids SEC(".maps");

/* In place of these come the maps that the user names. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, __u64);
	__type(value, __u64);
} filter_cgroups SEC(".maps"), filter_mounts SEC(".maps");

/* Bit p % 64 of word p / 64 is set for each listed port p. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, PORT_BITMAP_WORDS);
	__type(key, __u32);
	__type(value, __u64);
} filter_ports SEC(".maps");

/* Who opened an MPTCP connection, by the address of its struct mptcp_sock. */
struct owner {
	__u64 start_ns, process;
	__u32 pid, tid, uid, gid;
	__u8 comm[SAMPLE_COMM_SIZE];
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, __u64);
	__type(value, struct owner);
} mptcp_owners SEC(".maps");

static __always_inline void add_one(__u64 *counter)
{
	__sync_fetch_and_add(counter, 1);
}

#ifndef OLDER
/*
 * Attempts under way have a slot by a hash of their socket's key. Each other one
 * that is hashed to it while it is taken has its state in a map, which costs more.
 */
#define SLOT_FREE 0
#define SLOT_BUSY (~0ull) /* taken, what belongs to its key is not there yet */

/* What another CPU has begun may be newer than now. */
static __always_inline int is_older(__u64 begin_ns, __u64 age_ns, __u64 now_ns)
{
	return begin_ns < now_ns && now_ns - begin_ns > age_ns;
}

/* 1 if the slot is the caller's, who fills it and calls slot_filled(). seen: the key it had. */
static __always_inline int slot_take(__u64 *key, __u64 seen)
{
	return __sync_val_compare_and_swap(key, seen, SLOT_BUSY) == seen;
}

static __always_inline void slot_filled(__u64 *key, __u64 owner)
{
	__sync_lock_test_and_set(key, owner); /* with a barrier */
}
#endif

static __always_inline int port_listed(__u16 port)
{
	__u32 word = port / 64;
	__u64 *bits = bpf_map_lookup_elem(&filter_ports, &word);

	return bits && *bits >> (port % 64) & 1;
}

static __always_inline int pid_listed(void)
{
	__u32 pid = bpf_get_current_pid_tgid() >> 32;

	return bpf_map_lookup_elem(&filter_pids, &pid) != NULL;
}

static __always_inline int uid_listed(void)
{
	__u32 uid = (__u32)bpf_get_current_uid_gid();

	return bpf_map_lookup_elem(&filter_uids, &uid) != NULL;
}

/* 1 if the user wants this attempt of the current task. dport in host byte order. */
static __always_inline int filter_wants(__u8 family, __u16 dport)
{
	if (settings.filters & FILTER_FAMILY && family != settings.family)
		return 0;
	if (settings.filters & FILTER_PID && !pid_listed() == !(settings.filters & FILTER_PID_NOT))
		return 0;
	if (settings.filters & FILTER_UID && !uid_listed() == !(settings.filters & FILTER_UID_NOT))
		return 0;
	if (settings.filters & FILTER_PORT &&
		!port_listed(dport) == !(settings.filters & FILTER_PORT_NOT))
		return 0;
	return 1;
}

/*
 * Waking the reader costs twenty times what the sample does, so it is done
 * only when the reader asked for it, and once. See capture/recorder.c for the
 * other half.
 */
static __always_inline int wakeup_due(int filled)
{
	volatile __u32 *wakeup = &control.wakeup;

	if (*wakeup == WAKEUP_NONE || (*wakeup == WAKEUP_AT_LEVEL && !filled))
		return 0;
	*wakeup = WAKEUP_NONE;
	return 1;
}

/* With so many bytes more. Also to be read when the reader waits for a sample: with -x none may
 * come. */
static __always_inline int ring_filled(__u64 more)
{
	return control.wakeup != WAKEUP_NONE &&
	       bpf_ringbuf_query(&ring, BPF_RB_AVAIL_DATA) + more >= settings.wakeup_bytes;
}

#ifndef OLDER
/* Of at most a sample_attempt; to be given to sample_submit(). NULL: no room. */
static __always_inline void *sample_claim(__u64 size)
{
	__u32 place;

	if (control.claimed - control.taken >= settings.places_full)
		return NULL;
	place = (__u32)__sync_fetch_and_add(&control.claimed, 1) & settings.places_mask;
	return bpf_map_lookup_elem(&places, &place);
}

static __always_inline void sample_submit(void *sample, __u32 kind)
{
	void *nothing;

	__sync_lock_test_and_set((__u32 *)sample, kind);
	if (!wakeup_due(control.claimed - control.taken >= settings.wakeup_places))
		return;
	nothing = bpf_ringbuf_reserve(&ring, 8, 0);
	if (nothing)
		bpf_ringbuf_discard(nothing, BPF_RB_FORCE_WAKEUP);
}
#else
static __always_inline void *sample_claim(__u64 size)
{
	return bpf_ringbuf_reserve(&ring, size, 0);
}

static __always_inline void sample_submit(void *sample, __u32 kind)
{
	*(__u32 *)sample = kind;
	bpf_ringbuf_submit(
		sample, wakeup_due(ring_filled(0)) ? BPF_RB_FORCE_WAKEUP : BPF_RB_NO_WAKEUP);
}
#endif

/* The thread and the users of the current task. */
static __always_inline void name_by_helpers(struct sample_attempt *s, __u64 pid_tgid)
{
	__u64 uid_gid = bpf_get_current_uid_gid();

	s->pid = pid_tgid >> 32;
	s->tid = (__u32)pid_tgid;
	s->uid = (__u32)uid_gid;
	s->gid = uid_gid >> 32;
	bpf_get_current_comm(s->comm, sizeof s->comm);
}

#ifndef PLAIN
#include "process.h"
#endif

static __always_inline int maps_want(void)
{
	__u64 key;

	if (settings.filters & FILTER_CGROUP) {
		key = bpf_get_current_cgroup_id();
		if (!bpf_map_lookup_elem(&filter_cgroups, &key))
			return 0;
	}
#ifndef PLAIN
	if (settings.filters & FILTER_MOUNT) {
		struct task_struct *task = (struct task_struct *)bpf_get_current_task_btf();

		key = task->nsproxy->mnt_ns->ns.inum;
		if (!bpf_map_lookup_elem(&filter_mounts, &key))
			return 0;
	}
#endif
	return 1;
}

/* Counts an attempt of the current task. 1 if the user wants it; else it is counted as filtered. */
static __always_inline int attempt_wanted(__u8 family, __u16 dport)
{
	add_one(&control.counters.seen);
	if (!settings.filters || (filter_wants(family, dport) && maps_want()))
		return 1;
	add_one(&control.counters.filtered);
	return 0;
}

/*
 * Different for each attempt of the last hour: a thread makes one at a time. A
 * counter of the CPU would not do: a program can be preempted by another one.
 */
static __always_inline __u64 new_id(__u64 start_ns, __u32 tid)
{
	return start_ns << 22 | (tid & 0x3fffff); /* PID_MAX_LIMIT */
}

static __always_inline void remember_owner(const struct sample_attempt *s, __u64 mptcp)
{
	struct owner owner = {
		.start_ns = s->start_ns,
		.process = s->process,
		.pid = s->pid,
		.tid = s->tid,
		.uid = s->uid,
		.gid = s->gid,
	};

	__builtin_memcpy(owner.comm, s->comm, sizeof owner.comm);
	bpf_map_update_elem(&mptcp_owners, &mptcp, &owner, BPF_ANY);
}

/* A further subflow, opened by a worker of the kernel: of the owner or of nobody. */
static __always_inline void credit(struct sample_attempt *s, __u64 mptcp)
{
	struct owner owner = {}, *found = bpf_map_lookup_elem(&mptcp_owners, &mptcp);

	if (found)
		owner = *found;
	s->flags |= SAMPLE_SUBFLOW;
	s->start_ns = owner.start_ns;
	s->process = owner.process;
	s->pid = owner.pid;
	s->tid = owner.tid;
	s->uid = owner.uid;
	s->gid = owner.gid;
	__builtin_memcpy(s->comm, owner.comm, sizeof s->comm);
}

/*
 * The kernel does not run a tracing program while it runs already on that CPU:
 * an outcome that comes by an interrupt in the middle of one would be missed.
 * Therefore there is a second one, state_again, behind the first, for what that missed;
 * the function is told which of them it is. Where the kernel takes them, the backends
 * fentry and cgroup have something cheaper instead, see enum again. They run at each change
 * of each socket of the machine: what most of them are for nothing has to be short.
 */
struct state_change { /* the arguments of the tracepoint */
	struct sock *sk;
	__u64 from, to;
};

/*
 * From SYN_SENT or SYN_RECV, but not to the latter: an attempt ends. In SYN_RECV are also
 * the connections that come in, as long as no program has them.
 */
static __always_inline int is_end(const struct state_change *change)
{
	return change->from == TCP_SYN_SENT ? change->to != TCP_SYN_RECV
					    : change->from == TCP_SYN_RECV && change->sk->sk_socket;
}

/*
 * An attempt begins in the call of a program, never by an interrupt: the first one is run, if
 * no other task gets the CPU in the middle of one.
 */
static __always_inline int is_begin(const struct state_change *change, int again)
{
	return change->to == TCP_SYN_SENT && (!again || settings.can_preempt);
}

#define ON_STATE_CHANGE(function)                                                                  \
	SEC("tp_btf/inet_sock_set_state")                                                          \
	int state_changed(struct state_change *change)                                             \
	{                                                                                          \
		return function(change, 0);                                                        \
	}                                                                                          \
                                                                                                   \
	SEC("tp_btf/inet_sock_set_state")                                                          \
	int state_again(struct state_change *change)                                               \
	{                                                                                          \
		return function(change, 1);                                                        \
	}

/* For how it ended. NULL: no room. */
static __always_inline struct sample_outcome *outcome_claim(__u64 id)
{
	struct sample_outcome *s = sample_claim(sizeof *s);

	if (!s) {
		add_one(&control.counters.partial);
		return NULL;
	}
	s->reserved = 0;
	s->id = id;
	return s;
}

static __always_inline void outcome_submit(__u64 id, const struct sample_end *end)
{
	struct sample_outcome *s = outcome_claim(id);

	if (!s)
		return;
	s->end = *end;
	sample_submit(s, SAMPLE_OUTCOME);
}

static __always_inline void copy_address(void *to, const __u32 from[4])
{
	__u32 *words = to;

	words[0] = from[0];
	words[1] = from[1];
	words[2] = from[2];
	words[3] = from[3];
}

/* ::ffff:a.b.c.d */
static __always_inline int is_mapped(const __u32 a[4])
{
	return a[0] == 0 && a[1] == 0 && a[2] == bpf_htonl(0xffff);
}

#endif
