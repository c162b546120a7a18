/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Attempts under way, for the backends that hook the return of the kernel's
 * connect functions. An attempt is in the map from its SYN_SENT to its end:
 *
 *	state_changed to SYN_SENT    the attempt begins: its time is kept
 *	return of tcp_v4_connect     the sample is sent; if undecided the id is kept
 *	state_changed from SYN_SENT  the outcome is sent, the attempt leaves the map
 *
 * The caller holds the socket's lock until the function has returned, so only
 * what happens inside the call can come before the return. A socket leaves
 * SYN_SENT always by way of inet_sock_set_state, so nothing stays in the map but
 * what the kernel does not show to these programs: see capture/sweep.h.
 */
#ifndef OPEN_H
#define OPEN_H

#include "common.h"

/* By key_of() their socket. With slots: those that found theirs taken. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, OPEN_MAX);
	__type(key, __u64);
	__type(value, struct open_attempt);
} open_attempts SEC(".maps");

/* Samples of attempts that are sent only if they fail; the recorder makes room for them. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, __u64);
	__type(value, struct sample_attempt);
} held SEC(".maps");

/* How it ended was not seen: its socket, or its place, is another attempt's. See capture/sweep.c.
 */
static __always_inline void end_unseen(__u64 key, const struct open_attempt *attempt)
{
	struct capture_counters *count = this_cpu_counters();

	if (!count || !attempt->id) /* its call was not seen to return either: counted as lost */
		return;
	if (!settings.failed_only)
		add_one(&count->partial);
	else if (!bpf_map_delete_elem(&held, &key))
		add_one(&count->lost);
}

#ifdef WITH_SLOTS
/*
 * To put an attempt into the map above and to take it out again costs half of all
 * that is done for it. So most have a place here, by a hash of the key. When two
 * CPUs take a slot in the same few nanoseconds, one of them finds out at the return
 * of the call, microseconds later, and counts its outcome as unknown.
 */
struct open_slot {
	__u64 key; /* 0: free */
	struct open_attempt attempt;
	__u64 crowded; /* another one of this slot is in the map, or was */
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, OPEN_SLOTS);
	__type(key, __u32);
	__type(value, struct open_slot);
} open_slots SEC(".maps");

/* The verifier takes an address for a number only as the distance from another one. */
static __always_inline __u64 key_of(struct sock *sk)
{
	return (__u64)sk - (__u64)&settings;
}

static __always_inline struct open_slot *slot_of(__u64 key)
{
	__u32 number = (key * 0x9e3779b97f4a7c15) >> 32 & (OPEN_SLOTS - 1);

	return bpf_map_lookup_elem(&open_slots, &number);
}

static __always_inline struct open_attempt *find_open(__u64 key)
{
	struct open_slot *slot = slot_of(key);

	if (!slot)
		return NULL;
	if (slot->key == key)
		return &slot->attempt;
	return slot->crowded ? bpf_map_lookup_elem(&open_attempts, &key) : NULL;
}

static __always_inline void end_open(__u64 key)
{
	struct open_slot *slot = slot_of(key);

	if (!slot)
		return;
	if (slot->key == key)
		slot->key = 0;
	else if (slot->crowded)
		bpf_map_delete_elem(&open_attempts, &key);
}

static __always_inline void begin_open(__u64 key)
{
	struct open_attempt begun = {.start_ns = bpf_ktime_get_boot_ns()};
	struct open_slot *slot = slot_of(key);

	if (!slot)
		return;
	if (slot->key && begun.start_ns - slot->attempt.start_ns >
				 (slot->attempt.id ? OLD_NS : CALL_MAX_NS)) {
		end_unseen(slot->key, &slot->attempt);
		slot->key = 0;
	}
	if (!slot->key) {
		slot->attempt = begun;
		slot->key = key;
	} else {
		slot->crowded = 1;
		bpf_map_update_elem(&open_attempts, &key, &begun, BPF_ANY);
	}
}
#else
static __always_inline __u64 key_of(struct sock *sk)
{
	return (__u64)sk;
}

static __always_inline struct open_attempt *find_open(__u64 key)
{
	return bpf_map_lookup_elem(&open_attempts, &key);
}

static __always_inline void end_open(__u64 key)
{
	bpf_map_delete_elem(&open_attempts, &key);
}

static __always_inline void begin_open(__u64 key)
{
	struct open_attempt begun = {.start_ns = bpf_ktime_get_boot_ns()};

	bpf_map_update_elem(&open_attempts, &key, &begun, BPF_ANY);
}
#endif

/* What the hook found out about a call that returned. */
struct call_facts {
	__u32 daddr[4], saddr[4]; /* in network byte order; zero: unknown */
	__u16 dport, lport;       /* in host byte order */
	__u8 family, state;       /* of the addresses; of the socket */
	__u8 program;             /* which, below DESCRIBERS */
	__u32 flags;              /* SAMPLE_.. */
	__u32 net_ns;
	int is_mptcp; /* a subflow */
};

/* The connection that a subflow belongs to; 0: this kernel forbids to find out. */
static __always_inline __u64 mptcp_of(struct sock *sk)
{
	struct mptcp_subflow_context *subflow;

	if (!settings.may_read || !bpf_core_type_exists(struct mptcp_subflow_context))
		return 0;
	subflow = BPF_CORE_READ((struct inet_connection_sock *)sk, icsk_ulp_data);
	return (__u64)BPF_CORE_READ(subflow, conn);
}

/*
 * Further subflows of an MPTCP connection are opened by a worker of the kernel:
 * they are credited to who opened the first one, or to nobody, never to the
 * worker. 5.11 and newer.
 */
static __always_inline void credit_owner(struct sample_attempt *s, struct sock *sk)
{
	struct task_struct *task;
	__u64 key;

	task = (struct task_struct *)bpf_get_current_task_btf();
	key = mptcp_of(sk);
	if (task->flags & PF_KTHREAD)
		credit(s, key);
	else if (key)
		remember_owner(s, key);
}

static __always_inline void fill_sample(struct sample_attempt *s, __u64 id, __u64 start_ns,
	const struct call_facts *facts, const struct caller *caller, struct sock *sk, int ret)
{
	sample_begin(s, id, start_ns, facts->family, facts->dport);
	s->flags = SAMPLE_COMPLETE | facts->flags;
	s->net_ns = facts->net_ns;
	s->returned = (__u16)(1 - ret);
	s->lport = facts->lport;
	copy_address(s->daddr, facts->daddr);
	copy_address(s->saddr, facts->saddr);
	s->start_ns = caller->start_ns;
	s->process = caller->process;
	if (facts->is_mptcp && HAS_HELPER(get_current_task_btf))
		credit_owner(s, sk);
}

/* Sends the sample, or keeps it until the attempt fails. Not inlined: see find_caller() below. */
static __noinline int send_attempt(struct sock *sk, int ret, const struct call_facts *facts,
	const struct caller *caller, int wanted)
{
	struct capture_counters *count = this_cpu_counters();
	__u64 key = key_of(sk), start_ns;
	struct open_attempt *open = find_open(key);
	struct sample_end end = {};
	struct sample_attempt *s;
	int undecided;
	__u64 id;

	if (!count)
		return 0;
	if (open && open->id) { /* of an attempt before */
		end_unseen(key, open);
		end_open(key);
		open = NULL;
	}
	start_ns = open ? open->start_ns : bpf_ktime_get_boot_ns();
	undecided = !ret && facts->state != TCP_ESTABLISHED;
	if (ret) {
		end.result = RESULT_FAILED;
		end.error = (__u16)-ret;
	} else if (!undecided) { /* TCP_REPAIR */
		end.result = RESULT_ESTABLISHED;
	}
	if (!undecided)
		end.latency_ns = bpf_ktime_get_boot_ns() - start_ns;
	if (wanted && settings.failed_only && !ret) {
		struct sample_attempt hold;

		if (!undecided) {
			add_one(&count->filtered);
			wanted = 0;
		} else {
			id = new_id(start_ns);
			fill_sample(&hold, id, start_ns, facts, caller, sk, ret);
			if (!open || bpf_map_update_elem(&held, &key, &hold, BPF_ANY)) {
				add_one(&count->lost);
				wanted = 0;
			} else {
				open->id = id;
				return 0;
			}
		}
	}
	if (!wanted) {
		if (open)
			end_open(key);
		return 0;
	}
	s = bpf_ringbuf_reserve(&ring, sizeof *s, 0);
	if (!s) {
		add_one(&count->lost);
		if (open)
			end_open(key);
		return 0;
	}
	id = new_id(start_ns);
	fill_sample(s, id, start_ns, facts, caller, sk, ret);
	s->end = end;
	if (undecided && open) {
		open->id = id;
		s->flags |= SAMPLE_UNDECIDED;
	} else if (undecided && settings.outcome_hook) {
		add_one(&count->partial); /* the map is full: its outcome will not be known */
	}
	add_one(&count->submitted);
	sample_submit(s);
	if (!undecided && open)
		end_open(key);
	return 0;
}

/* A connect function returned. The stack holds one of the two that are called here, not both. */
static __always_inline int attempt_returned(
	struct sock *sk, int ret, const struct call_facts *facts)
{
	struct capture_counters *count = this_cpu_counters();
	struct caller caller = {};
	int wanted;

	if (!count)
		return 0;
	wanted = attempt_wanted(count, facts->family, facts->dport);
	if (wanted)
		find_caller(&caller, facts->program);
	return send_attempt(sk, ret, facts, &caller, wanted);
}

static __always_inline void attempt_ended(struct sock *sk, int state)
{
	__u64 key = key_of(sk);
	struct open_attempt *open = find_open(key);
	struct sample_end end = {.result = RESULT_ABANDONED};
	struct capture_counters *count;
	struct tcp_sock *tcp;

	if (!open || !open->id) /* inside the call: its return tells */
		return;
	count = this_cpu_counters();
	if (!count)
		return;
	end.latency_ns = bpf_ktime_get_boot_ns() - open->start_ns;
	tcp = bpf_skc_to_tcp_sock(sk);
	if (tcp)
		end.retransmits = tcp->total_retrans + 1;
	if (state == TCP_ESTABLISHED) {
		end.result = RESULT_ESTABLISHED;
	} else if (sk->sk_err) {
		end.result = RESULT_FAILED;
		end.error = (__u16)sk->sk_err;
	}
	if (settings.failed_only) {
		struct sample_attempt *hold = bpf_map_lookup_elem(&held, &key), *s;

		if (hold && end.result == RESULT_ESTABLISHED) {
			add_one(&count->filtered);
		} else if (hold) {
			s = bpf_ringbuf_reserve(&ring, sizeof *s, 0);
			if (s) {
				*s = *hold;
				s->end = end;
				add_one(&count->submitted);
				sample_submit(s);
			} else {
				add_one(&count->lost);
			}
		}
		bpf_map_delete_elem(&held, &key);
	} else {
		outcome_submit(count, open->id, &end);
	}
	end_open(key);
}

static __always_inline int state_change(struct sock *sk, int oldstate, int newstate, __u32 again)
{
	__u64 key = key_of(sk);
	struct open_attempt *open;

	if (newstate == TCP_SYN_SENT) {
		/* Not the socket above the subflows of MPTCP. */
		if (sk->sk_protocol != IPPROTO_TCP)
			return 0;
		open = find_open(key);
		if (again && open && !open->id) /* the other of us was here */
			return 0;
		if (open) { /* of an attempt before */
			end_unseen(key, open);
			end_open(key);
		}
		begin_open(key);
	} else if ((oldstate == TCP_SYN_SENT || oldstate == TCP_SYN_RECV) &&
		   newstate != TCP_SYN_RECV) {
		attempt_ended(sk, newstate);
	}
	return 0;
}

ON_STATE_CHANGE(state_change)

#endif
