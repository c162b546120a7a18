// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Backend "cgroup": for kernels that refuse tracing programs or have no BTF.
 * Its four cgroup programs use stable context fields only, no CO-RE, but for an errno:
 *
 *	connect4, connect6  in the caller's context: who and where to; the sample is sent
 *	source_known        sockops, when the SYN is about to be sent: the source is sent; and
 *	                    from then on at each change of state of that socket, which tells
 *	                    the outcome too
 *	released            the program closes the socket: an attempt that is open was abandoned,
 *	                    or has failed before its SYN
 *	state_changed       the tracepoint, with BTF: more of the caller, then the outcome
 *
 * Of the last three, who comes first tells the outcome. source_known is not asked if no
 * SYN was sent; the kernel may leave out state_changed, see common.h, but not it.
 *
 * Compiled a second time without the tracepoint (PLAIN), free of CO-RE, since a
 * kernel without BTF takes no object that has any: a failure has no reason then.
 * All of them run with the socket locked or in the one thread that connects, so the
 * samples of an attempt are in order.
 */
#include "common.h"

/*
 * Read or written where it stands. The verifier wants context fields read at fixed offsets: clang
 * does not share the pointer then. And other CPUs look at slots.
 */
#define FIELD(field) (*(volatile __typeof__(field) *)&(field))

/* The attempt under way on a socket. */
struct attempt_state {
	__u64 id; /* 0: none, or it has ended */
	__u64 start_ns;
	/* What the tracepoint finds out for the source. */
	__u64 process_start_ns, process;
	__u64 closed; /* the id of the attempt whose socket the program closes */
	__u32 net_ns;
	__u8 family;
	__u8 sent; /* its SYN was about to be sent */
	__u8 reserved[2];
};

/* With the socket, when its slot is taken. */
struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct attempt_state);
} attempts SEC(".maps");

#ifndef OLDER
/*
 * To make and free that costs as much as all the rest of what is done for an
 * attempt. So most have a place here, by the socket's cookie.
 */
struct attempt_slot {
	__u64 cookie;
	struct attempt_state state;
	__u64 crowded; /* another one of this slot has its state with the socket, or had */
};

/* All that is in .bss: capture/sweep.c looks at it. */
struct attempt_slot open_slots[OPEN_SLOTS];

static __always_inline struct attempt_slot *slot_of(__u64 cookie)
{
	return &open_slots[(cookie * 0x9e3779b97f4a7c15) >> 32 & (OPEN_SLOTS - 1)];
}

/* Macros: the verifier knows different types of sockets. */
#define FIND_STATE(slot, sk, number)                                                               \
	(FIELD((slot)->cookie) == (number) ? &(slot)->state                                        \
		: (slot)->crowded          ? bpf_sk_storage_get(&attempts, sk, 0, 0)               \
					   : NULL)

/* 1 if the state is in the slot now; else it is to be kept with the socket. */
static __always_inline int begin_in_slot(
	struct attempt_slot *slot, __u64 cookie, const struct attempt_state *begun)
{
	__u64 seen = FIELD(slot->cookie);

	if ((!seen || (seen != SLOT_BUSY &&
			      is_older(slot->state.start_ns, OLD_NS, begun->start_ns))) &&
		slot_take(&slot->cookie, seen)) {
		slot->state = *begun;
		slot_filled(&slot->cookie, cookie);
		return 1;
	}
	slot->crowded = 1;
	return 0;
}

/* From then on the slot may be another attempt's. 0: this one was not in it. */
static __always_inline int free_slot(struct attempt_slot *slot, __u64 cookie)
{
	if (FIELD(slot->cookie) != cookie)
		return 0;
	FIELD(slot->cookie) = SLOT_FREE;
	return 1;
}

/* 1 if that attempt is still under way there, and is not from now on. */
static __always_inline int end_of(struct attempt_state *state, __u64 id)
{
	return __sync_val_compare_and_swap(&state->id, id, 0) == id;
}
#else
struct attempt_slot;

static __always_inline struct attempt_slot *slot_of(__u64 cookie)
{
	return NULL;
}

#define FIND_STATE(slot, sk, number) bpf_sk_storage_get(&attempts, sk, 0, 0)

static __always_inline int begin_in_slot(
	struct attempt_slot *slot, __u64 cookie, const struct attempt_state *begun)
{
	return 0;
}

static __always_inline int free_slot(struct attempt_slot *slot, __u64 cookie)
{
	return 0;
}

static __always_inline int end_of(struct attempt_state *state, __u64 id)
{
	state->id = 0;
	return 1;
}
#endif

static __always_inline void state_ended(
	struct attempt_slot *slot, struct attempt_state *state, __u64 cookie)
{
	if (!free_slot(slot, cookie))
		state->id = 0;
}

/* A failure whose reason is not known. */
static __always_inline void attempt_failed(
	struct attempt_slot *slot, struct attempt_state *state, __u64 cookie, __u64 id)
{
	struct sample_end end = {.result = RESULT_FAILED};

	end.latency_ns = bpf_ktime_get_boot_ns() - state->start_ns;
	if (!end_of(state, id))
		return;
	outcome_submit(id, &end);
	free_slot(slot, cookie);
}

/*
 * The first subflow of an MPTCP connection is opened by the program, the others
 * by a worker of the kernel. The owner is forgotten when the program closes it.
 */
static __always_inline void mptcp_owner(struct sample_attempt *s, __u64 mptcp)
{
	if (mptcp && bpf_map_lookup_elem(&mptcp_owners, &mptcp))
		credit(s, mptcp);
	else if (mptcp)
		remember_owner(s, mptcp);
}

/* address: 4 or 16 bytes in network byte order, in four words. */
static __always_inline void connect_called(
	struct bpf_sock_addr *ctx, __u8 family, const __u32 address[4], __u32 flags)
{
	__u16 dport = bpf_ntohs((__u16)ctx->user_port);
	struct bpf_sock *sk = ctx->sk;
	struct attempt_state *state;
	struct attempt_slot *slot;
	struct sample_attempt *s;
	struct attempt_state begun = {.family = family};
	__u64 cookie;

	if (!sk || ctx->type != SOCK_STREAM || ctx->protocol != IPPROTO_TCP)
		return;
	cookie = bpf_get_socket_cookie(ctx);
	slot = slot_of(cookie);
	state = FIND_STATE(slot, sk, cookie);
	/* Another attempt on the same socket: the one before has failed at once. */
	if (state && state->id)
		attempt_failed(slot, state, cookie, state->id);
	if (!attempt_wanted(family, dport))
		return;
	s = sample_claim(sizeof *s);
	if (!s) {
		add_one(&control.counters.lost);
		return;
	}
	begun.start_ns = bpf_ktime_get_boot_ns();
	__builtin_memset(s, 0, sizeof *s);
	s->time_ns = begun.start_ns;
	s->family = family;
	s->dport = dport;
#ifdef PLAIN
	name_by_helpers(s, bpf_get_current_pid_tgid());
#else
	name_caller(s, bpf_get_current_pid_tgid(), settings.may_type);
#endif
	begun.id = s->id = new_id(begun.start_ns, s->tid);
	copy_address(s->daddr, address);
	s->flags = flags | SAMPLE_UNDECIDED;
	if (!begin_in_slot(slot, cookie, &begun)) {
		state = bpf_sk_storage_get(&attempts, sk, 0, BPF_SK_STORAGE_GET_F_CREATE);
		if (state) {
			*state = begun;
		} else { /* no memory: neither source nor outcome will be known */
			s->flags = flags | SAMPLE_COMPLETE;
			add_one(&control.counters.partial);
		}
	}
	if (settings.mptcp)
		mptcp_owner(s, (__u64)bpf_skc_to_mptcp_sock(sk));
	add_one(&control.counters.submitted);
	sample_submit(s, SAMPLE_ATTEMPT);
}

/* An address of another family than the socket's is refused behind us: it names no destination. */
SEC("cgroup/connect4")
int connect4(struct bpf_sock_addr *ctx)
{
	__u32 address[4] = {ctx->user_ip4, 0, 0, 0};

	if (ctx->user_family == AF_INET)
		connect_called(ctx, 4, address, 0);
	return 1;
}

SEC("cgroup/connect6")
int connect6(struct bpf_sock_addr *ctx)
{
	__u32 address[4] = {ctx->user_ip6[0], ctx->user_ip6[1], ctx->user_ip6[2], ctx->user_ip6[3]};

	if (ctx->user_family != AF_INET6)
		return 1;
	if (is_mapped(address)) {
		__u32 mapped[4] = {address[3], 0, 0, 0};

		connect_called(ctx, 4, mapped, SAMPLE_MAPPED);
	} else {
		connect_called(ctx, 6, address, 0);
	}
	return 1;
}

static __always_inline void send_source(struct bpf_sock_ops *ctx, struct attempt_state *state)
{
	struct sample_source *s = sample_claim(sizeof *s);

	if (!s) {
		add_one(&control.counters.partial);
		return;
	}
	__builtin_memset(s, 0, sizeof *s);
	s->id = state->id;
	s->lport = (__u16)ctx->local_port;
	s->start_ns = state->process_start_ns;
	s->process = state->process;
	s->net_ns = state->net_ns;
	if (state->family == 4) {
		*(__u32 *)s->saddr = FIELD(ctx->local_ip4);
		*(__u32 *)s->daddr = FIELD(ctx->remote_ip4);
	} else {
		__u32 local[4] = {FIELD(ctx->local_ip6[0]), FIELD(ctx->local_ip6[1]),
			FIELD(ctx->local_ip6[2]), FIELD(ctx->local_ip6[3])};
		__u32 remote[4] = {FIELD(ctx->remote_ip6[0]), FIELD(ctx->remote_ip6[1]),
			FIELD(ctx->remote_ip6[2]), FIELD(ctx->remote_ip6[3])};

		copy_address(s->saddr, local);
		copy_address(s->daddr, remote);
	}
	sample_submit(s, SAMPLE_SOURCE);
}

/* Why the attempt ended without success. Without BTF: no errno, but the rest. */
static __always_inline void why_failed(
	struct sample_end *end, struct bpf_sock *sk, const struct attempt_state *state)
{
#ifdef PLAIN
	end->result = state->closed == state->id ? RESULT_ABANDONED : RESULT_FAILED;
#else
	struct sock *typed = (struct sock *)bpf_skc_to_tcp_sock(sk);

	end->error = typed ? (__u16)typed->sk_err : 0;
	end->result = end->error ? RESULT_FAILED : RESULT_ABANDONED;
#endif
}

/* From SYN_SENT or SYN_RECV: the attempt ends, unless it is still in one of them. */
static __always_inline void state_callback(struct bpf_sock_ops *ctx, struct bpf_sock *sk,
	struct attempt_slot *slot, struct attempt_state *state, __u64 cookie)
{
	struct sample_end end = {.result = RESULT_ESTABLISHED};
	__u32 state_now = ctx->args[1];

	if (state_now == TCP_SYN_SENT || state_now == TCP_SYN_RECV)
		return;
	end.latency_ns = bpf_ktime_get_boot_ns() - state->start_ns;
	end.retransmits = ctx->total_retrans + 1;
	if (state_now != TCP_ESTABLISHED)
		why_failed(&end, sk, state);
	outcome_submit(state->id, &end);
	state_ended(slot, state, cookie);
}

static __noinline int source_or_state(struct bpf_sock_ops *ctx)
{
	struct attempt_state *state;
	struct attempt_slot *slot;
	struct bpf_sock *sk = ctx->sk;
	__u64 cookie;

	if (!sk)
		return 1;
	cookie = bpf_get_socket_cookie(ctx);
	slot = slot_of(cookie);
	state = FIND_STATE(slot, sk, cookie);
	if (!state || !state->id)
		return 1;
	if (ctx->op == BPF_SOCK_OPS_STATE_CB) {
		state_callback(ctx, sk, slot, state, cookie);
		return 1;
	}
	state->sent = 1;
	send_source(ctx, state);
	if (settings.end_callback)
		bpf_sock_ops_cb_flags_set(
			ctx, ctx->bpf_sock_ops_cb_flags | BPF_SOCK_OPS_STATE_CB_FLAG);
	return 1;
}

/* Short: it runs many times for each connection of the machine. */
SEC("sockops")
int source_known(struct bpf_sock_ops *ctx)
{
	__u32 op = ctx->op;

	if (op == BPF_SOCK_OPS_TCP_CONNECT_CB ||
		(settings.end_callback && op == BPF_SOCK_OPS_STATE_CB &&
			(ctx->args[0] == TCP_SYN_SENT || ctx->args[0] == TCP_SYN_RECV)))
		source_or_state(ctx);
	return 1;
}

/* Before the kernel closes it, and so before its last change of state. */
SEC("cgroup/sock_release")
int released(struct bpf_sock *ctx)
{
	struct attempt_state *state;
	struct attempt_slot *slot;
	__u64 cookie, id;

	if (settings.mptcp && ctx->protocol == IPPROTO_MPTCP) {
		__u64 mptcp = (__u64)ctx;

		bpf_map_delete_elem(&mptcp_owners, &mptcp);
	}
	if (ctx->type != SOCK_STREAM || ctx->protocol != IPPROTO_TCP)
		return 1;
	cookie = bpf_get_socket_cookie(ctx);
	slot = slot_of(cookie);
	state = FIND_STATE(slot, ctx, cookie);
	if (!state)
		return 1;
	/* The socket is not locked: meanwhile its attempt may end and the slot be another one's. */
	id = FIELD(state->id);
	if (!id || FIND_STATE(slot, ctx, cookie) != state)
		return 1;
	state->closed = id;
	/*
	 * SYN_SENT without a SYN: TCP_FASTOPEN_CONNECT waits for the first write.
	 * Closed after a SYN: the tracepoint was not run, which is seen once in
	 * 100,000 attempts when other recorders come and go.
	 */
	if (ctx->state == TCP_CLOSE || (!state->sent && ctx->state != TCP_SYN_SENT))
		attempt_failed(slot, state, cookie, id);
	return 1;
}

#ifndef PLAIN /* what needs BTF stands in the other object only */
static __noinline int attempt_changes(struct sock *sk, int newstate, __u32 again)
{
	struct sample_end end = {.result = RESULT_ABANDONED};
	struct attempt_state *state;
	struct attempt_slot *slot;
	struct tcp_sock *tcp;
	__u64 cookie;

	cookie = (__u64)sk->__sk_common.skc_cookie.counter;
	if (!cookie) /* connect4 and connect6 have asked for it */
		return 0;
	slot = slot_of(cookie);
	state = FIND_STATE(slot, sk, cookie);
	if (!state || !state->id)
		return 0;
	if (newstate == TCP_SYN_SENT) {
		struct caller caller;

		if (again && state->net_ns) /* the other of us was here */
			return 0;
		find_caller(&caller, bpf_get_current_pid_tgid(), again, !again);
		state->process_start_ns = caller.start_ns;
		state->process = caller.process;
		state->net_ns = sk->__sk_common.skc_net.net->ns.inum;
		return 0;
	}
	end.latency_ns = bpf_ktime_get_boot_ns() - state->start_ns;
	tcp = bpf_skc_to_tcp_sock(sk);
	if (tcp)
		end.retransmits = tcp->total_retrans + 1;
	if (newstate == TCP_ESTABLISHED) {
		end.result = RESULT_ESTABLISHED;
	} else if (sk->sk_err) {
		end.result = RESULT_FAILED;
		end.error = (__u16)sk->sk_err;
	} else if (!state->sent && state->closed != state->id) {
		/* Inside the call: no free port, say. */
		end.result = RESULT_FAILED;
		end.retransmits = 0;
	}
	outcome_submit(state->id, &end);
	state_ended(slot, state, cookie);
	return 0;
}

static __always_inline int state_change(struct state_change *change, __u32 again)
{
	return is_begin(change, again) || is_end(change)
		       ? attempt_changes(change->sk, (int)change->to, again)
		       : 0;
}

ON_STATE_CHANGE(state_change)
#endif

char LICENSE[] SEC("license") = "Dual BSD/GPL";
