// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Backend "cgroup": for kernels that refuse tracing programs. Uses stable
 * context fields only, no CO-RE. connect4 and connect6 run first, in the
 * caller's context, and know who and where to; sockops runs when the SYN is
 * about to be sent and knows the source. Each attempt is sent at connect, so
 * that one which fails before its SYN is recorded too; sockops sends the rest.
 *
 * Ring order: both run in the same thread, so the source comes behind its
 * attempt.
 */
#include "common.h"

/* The verifier wants context fields read at fixed offsets: keeps clang from sharing the pointer. */
#define FIELD(field) (*(volatile const __typeof__(field) *)&(field))

/* What sockops must know of the attempt under way on a socket. */
struct attempt_state {
	__u32 ordinal; /* attempts so far */
	__u8 open;     /* an attempt was sent and waits for its source */
	__u8 family;   /* of that attempt */
	__u8 reserved[2];
};

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct attempt_state);
} attempts SEC(".maps");

/* address: 4 or 16 bytes in network byte order, in four words. */
static __always_inline void connect_called(
	struct bpf_sock_addr *ctx, __u8 family, const __u32 address[4], __u32 flags)
{
	struct capture_counters *count = this_cpu_counters();
	struct bpf_sock *sk = ctx->sk;
	struct attempt_state *state;
	struct sample_attempt *s;

	if (!count || !sk || ctx->type != SOCK_STREAM || ctx->protocol != IPPROTO_TCP)
		return;
	state = bpf_sk_storage_get(&attempts, sk, 0, BPF_SK_STORAGE_GET_F_CREATE);
	if (state)
		state->open = 0;
	s = attempt_begin(count, family, bpf_ntohs((__u16)ctx->user_port));
	if (!s)
		return;
	s->socket = bpf_get_socket_cookie(ctx);
	copy_address(s->daddr, address);
	if (state) {
		s->ordinal = ++state->ordinal;
		state->family = family;
		state->open = 1;
	} else {
		flags |= SAMPLE_COMPLETE;
	}
	s->flags = flags;
	attempt_submit(count, s);
}

SEC("cgroup/connect4")
int connect4(struct bpf_sock_addr *ctx)
{
	__u32 address[4] = {ctx->user_ip4, 0, 0, 0};

	connect_called(ctx, 4, address, 0);
	return 1;
}

SEC("cgroup/connect6")
int connect6(struct bpf_sock_addr *ctx)
{
	__u32 address[4] = {ctx->user_ip6[0], ctx->user_ip6[1], ctx->user_ip6[2], ctx->user_ip6[3]};

	if (is_mapped(address)) {
		__u32 mapped[4] = {address[3], 0, 0, 0};

		connect_called(ctx, 4, mapped, SAMPLE_MAPPED);
	} else {
		connect_called(ctx, 6, address, 0);
	}
	return 1;
}

SEC("sockops")
int source_known(struct bpf_sock_ops *ctx)
{
	struct capture_counters *count;
	struct attempt_state *state;
	struct sample_source *s;
	struct bpf_sock *sk;

	if (ctx->op != BPF_SOCK_OPS_TCP_CONNECT_CB)
		return 1;
	sk = ctx->sk;
	if (!sk)
		return 1;
	state = bpf_sk_storage_get(&attempts, sk, 0, 0);
	if (!state || !state->open)
		return 1;
	state->open = 0;
	s = bpf_ringbuf_reserve(&ring, sizeof *s, 0);
	if (!s) {
		count = this_cpu_counters();
		if (count)
			count->partial++;
		return 1;
	}
	__builtin_memset(s, 0, sizeof *s);
	s->kind = SAMPLE_SOURCE;
	s->ordinal = state->ordinal;
	s->socket = bpf_get_socket_cookie(ctx);
	s->lport = (__u16)ctx->local_port;
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
	bpf_ringbuf_submit(s, wakeup_flags());
	return 1;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
