// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Backend "fentry": fexit of tcp_v4_connect and tcp_v6_connect, the cheapest
 * and most complete. Typed loads only (no bpf_probe_read) but for one rare
 * case, so that kernels in lockdown take it too.
 *
 * The destination is taken from the argument: a call that fails at once may
 * leave the socket without it. Of an IPv6 address a typed load reaches only the
 * first half in the argument (struct sockaddr has 16 bytes); the socket has all
 * of it, but for the few failures before it is stored there.
 */
#ifndef OLDER
#define WITH_SLOTS
#endif
#include "open.h"

/* Fields of the caller's sockaddr_in or sockaddr_in6, at their offsets in the ABI. */
#define ADDRESS_FAMILY(address) (*(const __u16 *)(address))
#define ADDRESS_PORT(address) bpf_ntohs(*(const __u16 *)((address) + 2))
#define ADDRESS_IPV4(address) (*(const __u32 *)((address) + 4))

#define IPV4_LENGTH 16 /* the least that tcp_v4_connect and tcp_v6_connect take */
#define IPV6_LENGTH 24

static __always_inline void load_address(__u32 to[4], const struct in6_addr *from)
{
	to[0] = from->in6_u.u6_addr32[0];
	to[1] = from->in6_u.u6_addr32[1];
	to[2] = from->in6_u.u6_addr32[2];
	to[3] = from->in6_u.u6_addr32[3];
}

/* A subflow is a socket of the kernel, or in newer ones has the one of its connection. */
static __always_inline int is_subflow(
	struct sock *sk, const struct socket *socket, const struct file *file)
{
	struct tcp_sock *tcp = NULL;

	if (!bpf_core_field_exists(tcp->is_mptcp) || (file && socket->sk == sk))
		return 0;
	tcp = bpf_skc_to_tcp_sock(sk);
	return tcp && BPF_CORE_READ_BITFIELD(tcp, is_mptcp);
}

/* What is the same for both families. */
static __always_inline int finish(
	struct sample_attempt *s, const struct call *call, struct sock *sk)
{
	const struct socket *socket = sk->sk_socket;
	const struct file *file = socket->file;

	s->lport = sk->__sk_common.skc_num;
	s->net_ns = sk->__sk_common.skc_net.net->ns.inum;
	if (file->f_flags & O_NONBLOCK)
		s->flags |= SAMPLE_NONBLOCKING;
	return end_sample(s, call, sk, is_subflow(sk, socket, file));
}

SEC("fexit/tcp_v4_connect")
int BPF_PROG(v4_connect, struct sock *sk, const void *address, int length, int ret)
{
	struct call call = {.ret = ret, .program = 0};
	struct sample_attempt *s;
	union { /* one load for two */
		__u64 both;
		struct {
			__u32 daddr, saddr;
		};
	} addresses;

	/* Such a call fails: it names no destination. */
	if (ret && (length < IPV4_LENGTH || ADDRESS_FAMILY(address) != AF_INET))
		return 0;
	s = begin_sample(&call, sk, sk->__sk_common.skc_state, 4, ADDRESS_PORT(address));
	if (!s)
		return 0;
	/* 0.0.0.0 became a loopback address in the socket; after a failure it may be unset. */
	addresses.both = sk->__sk_common.skc_addrpair;
	*(__u32 *)s->daddr = ret ? ADDRESS_IPV4(address) : addresses.daddr;
	*(__u32 *)s->saddr = addresses.saddr;
	if (sk->__sk_common.skc_family == AF_INET6)
		s->flags |= SAMPLE_MAPPED;
	return finish(s, &call, sk);
}

/*
 * The IPv6 destination of a failed call into daddr. Returns 0 if it is out of reach:
 * refused before it was stored in the socket (EINVAL, a multicast address, or by
 * a cgroup), where this kernel forbids to read the argument. Such a call is lost.
 */
static __always_inline int load_failed(
	__u32 daddr[4], struct sock *sk, const void *address, int ret, int refused)
{
	if (settings.may_read)
		return !bpf_probe_read_kernel(daddr, 16, address + 8);
	load_address(daddr, &sk->__sk_common.skc_v6_daddr);
	if (!refused && ret != -EINVAL && *(const __u8 *)(address + 8) != 0xff)
		return 1;
	if (attempt_wanted(6, ADDRESS_PORT(address)))
		add_one(&control.counters.lost);
	return 0;
}

SEC("fexit/tcp_v6_connect")
int BPF_PROG(v6_connect, struct sock *sk, const void *address, int length, int ret)
{
	struct call call = {.ret = ret, .program = 1};
	struct sample_attempt *s;
	__u32 daddr[4];
	int mapped;

	if (ret && (length < IPV6_LENGTH || ADDRESS_FAMILY(address) != AF_INET6))
		return 0;
	if (!ret)
		load_address(daddr, &sk->__sk_common.skc_v6_daddr);
	else if (!load_failed(daddr, sk, address, ret, 0))
		return 0;
	mapped = is_mapped(daddr);
	/* Recorded by tcp_v4_connect, unless an IPv6-only socket refused it. */
	if (mapped &&
		(ret != -ENETUNREACH || !BPF_CORE_READ_BITFIELD(&sk->__sk_common, skc_ipv6only)))
		return 0;
	s = begin_sample(
		&call, sk, sk->__sk_common.skc_state, mapped ? 4 : 6, ADDRESS_PORT(address));
	if (!s)
		return 0;
	if (mapped) {
		s->flags |= SAMPLE_MAPPED;
		*(__u32 *)s->daddr = daddr[3];
	} else {
		copy_address(s->daddr, daddr);
		load_address((__u32 *)s->saddr, &sk->__sk_common.skc_v6_rcv_saddr);
	}
	return finish(s, &call, sk);
}

/* The verifier wants them read at fixed offsets, where clang would choose the offset first. */
static __always_inline __u64 argument(const __u64 *ctx, const int number)
{
	__u64 value;

	asm volatile("%0 = *(u64 *)(%1 + %2)" : "=r"(value) : "r"(ctx), "i"(number * 8));
	return value;
}

/* __cgroup_bpf_run_filter_sock_addr has got an argument more in 5.12, and in 6.7. */
static __always_inline void load_refusal(const __u64 *ctx, __u32 *type, int *ret)
{
	if (bpf_core_field_exists(struct bpf_sock_addr_kern, uaddrlen)) {
		*type = (__u32)argument(ctx, 3);
		*ret = (int)argument(ctx, 6);
	} else if (HAS_HELPER(check_mtu)) {
		*type = (__u32)argument(ctx, 2);
		*ret = (int)argument(ctx, 5);
	} else {
		*type = (__u32)argument(ctx, 2);
		*ret = (int)argument(ctx, 4);
	}
}

#define HOOK(name)                                                                                 \
	(bpf_core_enum_value_exists(enum cgroup_bpf_attach_type, CGROUP_##name)                    \
			? bpf_core_enum_value(enum cgroup_bpf_attach_type, CGROUP_##name)          \
			: BPF_CGROUP_##name)

/*
 * The destination of a call that was refused, into a draft: the verifier does not know
 * what stands in a map, and looks at all that follows once, not once for each family.
 * Returns 0: not of a connect() that is ours, or not known.
 */
static __always_inline int load_refused(
	struct sample_attempt *draft, struct sock *sk, const void *address, __u32 type, int ret)
{
	__u32 *daddr = (__u32 *)draft->daddr;

	if (sk->sk_protocol != IPPROTO_TCP)
		return 0;
	__builtin_memset(daddr, 0, sizeof draft->daddr);
	draft->flags = 0;
	if (type == HOOK(INET4_CONNECT) && ADDRESS_FAMILY(address) == AF_INET) {
		draft->family = 4;
		daddr[0] = ADDRESS_IPV4(address);
		return 1;
	}
	if (type != HOOK(INET6_CONNECT) || ADDRESS_FAMILY(address) != AF_INET6 ||
		!load_failed(daddr, sk, address, ret, 1))
		return 0;
	draft->family = 6;
	if (is_mapped(daddr)) {
		draft->flags = SAMPLE_MAPPED;
		draft->family = 4;
		daddr[0] = daddr[3];
		daddr[2] = daddr[3] = 0;
	}
	return 1;
}

/*
 * Programs of cgroups may refuse a call: then tcp_v4_connect, or tcp_v6_connect, is not
 * called. The kernel comes here only where there are such programs. One for both families,
 * since its size is what it costs.
 */
SEC("fexit/__cgroup_bpf_run_filter_sock_addr")
int refused(__u64 *ctx)
{
	struct sock *sk = (struct sock *)ctx[0];
	const void *address = (const void *)ctx[1];
	struct call call = {.refused = 1, .program = 2};
	struct sample_attempt *s, *draft;
	__u32 daddr[4], type, flags;
	__u8 family;

	load_refusal(ctx, &type, &call.ret);
	draft = call.ret ? bpf_map_lookup_elem(&drafts, &call.program) : NULL;
	if (!draft || !load_refused(draft, sk, address, type, call.ret))
		return 0;
	barrier();
	copy_address(daddr, (const __u32 *)draft->daddr);
	family = draft->family;
	flags = draft->flags;
	s = begin_sample(&call, sk, sk->__sk_common.skc_state, family, ADDRESS_PORT(address));
	if (!s)
		return 0;
	copy_address(s->daddr, daddr);
	s->flags |= flags;
	if (sk->__sk_common.skc_family == AF_INET)
		*(__u32 *)s->saddr = sk->__sk_common.skc_rcv_saddr;
	else if (!flags)
		load_address((__u32 *)s->saddr, &sk->__sk_common.skc_v6_rcv_saddr);
	return finish(s, &call, sk);
}

/*
 * What state_changed may have missed, instead of state_again: where interrupts, and only
 * they, may end an attempt, but for one whose SYN crossed another's and that was then
 * established. These two run once for each connection, not at each change. Where another
 * task may get the CPU in the middle of state_changed they do not suffice.
 */
SEC("fentry/security_inet_conn_established")
int BPF_PROG(established_again, struct sock *sk)
{
	__u64 key = key_of(sk);

	/* state_changed was here, but for the seldom case. */
	return may_be_open(slot_of(key), key) ? attempt_ended(sk, TCP_ESTABLISHED) : 0;
}

/* Before the change: whoever comes first tells the outcome. */
SEC("fentry/tcp_done")
int BPF_PROG(done_again, struct sock *sk)
{
	__u32 state = sk->__sk_common.skc_state;

	if (state != TCP_SYN_SENT && state != TCP_SYN_RECV)
		return 0;
	return attempt_ended(sk, TCP_CLOSE);
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
