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

/* By key_of() their socket. With slots: those that found theirs taken, which are few. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
#ifdef WITH_SLOTS
	__uint(map_flags, BPF_F_NO_PREALLOC);
#endif
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
	if (!attempt->id) /* its call was not seen to return either: counted as lost */
		return;
	if (!settings.failed_only)
		add_one(&control.counters.partial);
	else if (!bpf_map_delete_elem(&held, &key))
		add_one(&control.counters.lost);
}

#ifdef WITH_SLOTS
/*
 * To put an attempt into the map above and to take it out again costs half of all
 * that is done for it. So most have a place here.
 */
struct open_slot {
	__u64 key;
	struct open_attempt attempt;
	__u64 crowded; /* another one of this slot is in the map, or was */
};

/* All that is in .bss: capture/sweep.c looks at it. */
struct open_slot open_slots[OPEN_SLOTS];

/* The verifier takes an address for a number only as the distance from another one. */
static __always_inline __u64 key_of(struct sock *sk)
{
	return (__u64)sk - (__u64)&settings;
}

static __always_inline struct open_slot *slot_of(__u64 key)
{
	return &open_slots[(key * 0x9e3779b97f4a7c15) >> 32 & (OPEN_SLOTS - 1)];
}

static __always_inline struct open_attempt *find_open(struct open_slot *slot, __u64 key)
{
	if (slot->key == key)
		return &slot->attempt;
	return slot->crowded ? bpf_map_lookup_elem(&open_attempts, &key) : NULL;
}

/* 0: it is not; else it may be. */
static __always_inline int may_be_open(const struct open_slot *slot, __u64 key)
{
	return slot->key == key || slot->crowded;
}

static __always_inline void end_open(struct open_slot *slot, __u64 key)
{
	if (slot->key == key)
		slot->key = SLOT_FREE;
	else if (slot->crowded)
		bpf_map_delete_elem(&open_attempts, &key);
}

static __always_inline int is_dead(const struct open_attempt *attempt, __u64 now)
{
	return is_older(attempt->start_ns, attempt->id ? OLD_NS : CALL_MAX_NS, now);
}

static __always_inline void begin_open(struct open_slot *slot, __u64 key)
{
	struct open_attempt begun = {.start_ns = bpf_ktime_get_boot_ns()};
	__u64 seen = slot->key;

	if ((!seen || (seen != SLOT_BUSY && is_dead(&slot->attempt, begun.start_ns))) &&
		slot_take(&slot->key, seen)) {
		if (seen)
			end_unseen(seen, &slot->attempt);
		slot->attempt = begun;
		slot_filled(&slot->key, key);
	} else {
		slot->crowded = 1;
		bpf_map_update_elem(&open_attempts, &key, &begun, BPF_ANY);
	}
}
#else
struct open_slot;

static __always_inline __u64 key_of(struct sock *sk)
{
	return (__u64)sk;
}

static __always_inline struct open_slot *slot_of(__u64 key)
{
	return NULL;
}

static __always_inline struct open_attempt *find_open(struct open_slot *slot, __u64 key)
{
	return bpf_map_lookup_elem(&open_attempts, &key);
}

static __always_inline int may_be_open(const struct open_slot *slot, __u64 key)
{
	return 1;
}

static __always_inline void end_open(struct open_slot *slot, __u64 key)
{
	bpf_map_delete_elem(&open_attempts, &key);
}

static __always_inline void begin_open(struct open_slot *slot, __u64 key)
{
	struct open_attempt begun = {.start_ns = bpf_ktime_get_boot_ns()};

	bpf_map_update_elem(&open_attempts, &key, &begun, BPF_ANY);
}
#endif

/*
 * Where samples of failed_only are made, and what is known of a refused call. By program: none of
 * them interrupts itself on its CPU.
 */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, DESCRIBERS);
	__type(key, __u32);
	__type(value, struct sample_attempt);
} drafts SEC(".maps");

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

/* A connect function that returned. */
struct call {
	__u64 key;
	__u32 program; /* which, below DESCRIBERS */
	int refused;   /* before the function was called: seldom */
	int ret, undecided;
};

/* Of a call that is not sent. */
static __always_inline void forget_open(__u64 key)
{
	struct open_slot *slot = slot_of(key);
	struct open_attempt *open = find_open(slot, key);

	if (!open)
		return;
	end_unseen(key, open); /* of an attempt before */
	end_open(slot, key);
}

/* Takes the attempt from those under way, or leaves it there with its id. */
static __always_inline void set_open(struct sample_attempt *s, const struct call *call)
{
	struct open_slot *slot = slot_of(call->key);
	struct open_attempt *open = find_open(slot, call->key);

	if (open && open->id) { /* of an attempt before */
		end_unseen(call->key, open);
		end_open(slot, call->key);
		open = NULL;
	}
	s->time_ns = open ? open->start_ns : bpf_ktime_get_boot_ns();
	s->id = new_id(s->time_ns, s->tid);
	if (open && call->undecided) {
		/* With failed_only what its end looks for is not kept yet: see keep_until_end(). */
		if (!settings.failed_only)
			open->id = s->id;
		s->flags |= SAMPLE_UNDECIDED;
	} else if (open) {
		end_open(slot, call->key);
	}
}

/*
 * The sample of a call that the user wants, with all but what the socket knows; and
 * then end_sample(). NULL: there is nothing to be sent. state: of the socket.
 */
static __always_inline struct sample_attempt *begin_sample(
	struct call *call, struct sock *sk, __u32 state, __u8 family, __u16 dport)
{
	__u32 program = call->program;
	struct sample_attempt *s;
	struct caller caller;
	__u64 pid_tgid;

	call->key = key_of(sk);
	call->undecided = !call->ret && state != TCP_ESTABLISHED; /* else TCP_REPAIR */
	if (!attempt_wanted(family, dport)) {
		forget_open(call->key);
		return NULL;
	}
	if (settings.failed_only && !call->ret && !call->undecided) {
		add_one(&control.counters.filtered);
		forget_open(call->key);
		return NULL;
	}
	pid_tgid = bpf_get_current_pid_tgid();
	find_caller(&caller, pid_tgid, program, !call->refused);
	if (settings.failed_only)
		s = bpf_map_lookup_elem(&drafts, &program);
	else
		s = sample_claim(sizeof *s);
	if (!s) {
		add_one(&control.counters.lost);
		forget_open(call->key);
		return NULL;
	}
	__builtin_memset(s, 0, sizeof *s);
	s->flags = SAMPLE_COMPLETE;
	s->start_ns = caller.start_ns;
	s->process = caller.process;
	s->family = family;
	s->dport = dport;
	s->returned = (__u16)(1 - call->ret);
	name_caller(s, pid_tgid, 1);
	set_open(s, call);
	if (!call->undecided) {
		s->end.latency_ns = bpf_ktime_get_boot_ns() - s->time_ns;
		s->end.error = (__u16)-call->ret;
		s->end.result = call->ret ? RESULT_FAILED : RESULT_ESTABLISHED;
	}
	return s;
}

/* Keeps the sample, and only then lets the attempt end. Not 0: there is no room, or it is gone. */
static __always_inline long keep_until_end(struct sample_attempt *s, __u64 key)
{
	struct open_attempt *open;
	long error = bpf_map_update_elem(&held, &key, s, BPF_ANY);

	if (error)
		return error;
	open = find_open(slot_of(key), key);
	if (open) {
		open->id = s->id;
		return 0;
	}
	bpf_map_delete_elem(&held, &key);
	return -1;
}

/* Of failed_only. */
static __always_inline void submit_copy(const struct sample_attempt *from)
{
	struct sample_attempt *s = sample_claim(sizeof *s);

	if (!s) {
		add_one(&control.counters.lost);
		return;
	}
	*s = *from;
	add_one(&control.counters.submitted);
	sample_submit(s, SAMPLE_ATTEMPT);
}

/* Sends the sample, or keeps it until the attempt fails. */
static __always_inline int end_sample(
	struct sample_attempt *s, const struct call *call, struct sock *sk, int is_mptcp)
{
	int followed = s->flags & SAMPLE_UNDECIDED;

	if (is_mptcp && TYPED)
		credit_owner(s, sk);
	if (!settings.failed_only) {
		/* The map is full: its outcome will not be known. */
		if (call->undecided && !followed && settings.outcome_hook)
			add_one(&control.counters.partial);
		add_one(&control.counters.submitted);
		sample_submit(s, SAMPLE_ATTEMPT);
	} else if (call->ret) {
		submit_copy(s);
	} else {
		s->flags &= ~SAMPLE_UNDECIDED;
		if (!followed || keep_until_end(s, call->key)) {
			add_one(&control.counters.lost);
			end_open(slot_of(call->key), call->key);
		}
	}
	return 0;
}

static __always_inline void end_held(__u64 key, const struct sample_end *end)
{
	struct sample_attempt *hold = bpf_map_lookup_elem(&held, &key);

	if (hold && end->result == RESULT_ESTABLISHED) {
		add_one(&control.counters.filtered);
	} else if (hold) {
		hold->end = *end;
		submit_copy(hold);
	}
	bpf_map_delete_elem(&held, &key);
}

/* How an attempt ended that had begun at start_ns. */
static __always_inline void load_end(
	struct sample_end *end, struct sock *sk, int state, __u64 start_ns)
{
	struct tcp_sock *tcp = bpf_skc_to_tcp_sock(sk);

	end->latency_ns = bpf_ktime_get_boot_ns() - start_ns;
	end->retransmits = tcp ? tcp->total_retrans + 1 : 0;
	end->error = state == TCP_ESTABLISHED ? 0 : (__u16)sk->sk_err;
	end->result = state == TCP_ESTABLISHED ? RESULT_ESTABLISHED
		      : end->error             ? RESULT_FAILED
					       : RESULT_ABANDONED;
	end->reserved = 0;
}

static __noinline int attempt_ended(struct sock *sk, int state)
{
	__u64 key = key_of(sk);
	struct open_slot *slot = slot_of(key);
	struct open_attempt *open = find_open(slot, key);
	struct sample_outcome *s;
	struct sample_end end;

	if (!open || !open->id) /* inside the call: its return tells */
		return 0;
	if (settings.failed_only) {
		load_end(&end, sk, state, open->start_ns);
		end_held(key, &end);
	} else {
		s = outcome_claim(open->id);
		if (s) {
			load_end(&s->end, sk, state, open->start_ns);
			sample_submit(s, SAMPLE_OUTCOME);
		}
	}
	end_open(slot, key);
	return 0;
}

static __noinline int attempt_begins(struct sock *sk, __u32 again)
{
	__u64 key = key_of(sk);
	struct open_attempt *open;
	struct open_slot *slot;

	/* Not the socket above the subflows of MPTCP. */
	if (sk->sk_protocol != IPPROTO_TCP)
		return 0;
	slot = slot_of(key);
	open = find_open(slot, key);
	if (again && open && !open->id) /* the other of us was here */
		return 0;
	if (open) { /* of an attempt before */
		end_unseen(key, open);
		end_open(slot, key);
	}
	begin_open(slot, key);
	return 0;
}

static __always_inline int state_change(struct state_change *change, __u32 again)
{
	if (is_begin(change, again))
		return attempt_begins(change->sk, again);
	if (is_end(change))
		return attempt_ended(change->sk, (int)change->to);
	return 0;
}

ON_STATE_CHANGE(state_change)

#endif
