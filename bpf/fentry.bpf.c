// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Backend "fentry": fexit of tcp_v4_connect and tcp_v6_connect, the cheapest
 * and most complete. Typed loads only (no bpf_probe_read), which kernels in
 * lockdown accept too.
 *
 * The destination is taken from the argument: a call that fails at once leaves
 * the socket without it. tcp_v6_connect keeps the IPv6 destination in the
 * socket also when it fails; only the port is cleared.
 */
#include "common.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>

static __always_inline void load_address(__u32 to[4], const struct in6_addr *from)
{
	to[0] = from->in6_u.u6_addr32[0];
	to[1] = from->in6_u.u6_addr32[1];
	to[2] = from->in6_u.u6_addr32[2];
	to[3] = from->in6_u.u6_addr32[3];
}

/* The port of a sockaddr_in or sockaddr_in6, in host byte order. */
static __always_inline __u16 port_of(const struct sockaddr *address)
{
	return bpf_ntohs(*(const __u16 *)address->sa_data);
}

SEC("fexit/tcp_v4_connect")
int BPF_PROG(v4_connect, struct sock *sk, struct sockaddr *address, int length, int ret)
{
	struct capture_counters *count = this_cpu_counters();
	struct sample_attempt *s;

	if (!count)
		return 0;
	s = attempt_begin(count, 4, port_of(address));
	if (!s)
		return 0;
	s->flags = SAMPLE_COMPLETE | (sk->__sk_common.skc_family == AF_INET6 ? SAMPLE_MAPPED : 0);
	/* 0.0.0.0 became a loopback address in the socket; after a failure it may be unset. */
	*(__u32 *)s->daddr =
		ret ? *(const __u32 *)(address->sa_data + 2) : sk->__sk_common.skc_daddr;
	if (!ret)
		*(__u32 *)s->saddr = sk->__sk_common.skc_rcv_saddr;
	s->lport = sk->__sk_common.skc_num;
	attempt_submit(count, s);
	return 0;
}

SEC("fexit/tcp_v6_connect")
int BPF_PROG(v6_connect, struct sock *sk, struct sockaddr *address, int length, int ret)
{
	struct capture_counters *count = this_cpu_counters();
	struct sample_attempt *s;
	__u32 daddr[4], saddr[4];
	int mapped;

	if (!count)
		return 0;
	load_address(daddr, &sk->__sk_common.skc_v6_daddr);
	mapped = is_mapped(daddr);
	/* A mapped one was recorded by tcp_v4_connect, unless an IPv6-only socket refused it. */
	if (mapped &&
		!(ret == -ENETUNREACH && BPF_CORE_READ_BITFIELD(&sk->__sk_common, skc_ipv6only)))
		return 0;
	s = attempt_begin(count, mapped ? 4 : 6, port_of(address));
	if (!s)
		return 0;
	s->flags = SAMPLE_COMPLETE;
	if (mapped) {
		s->flags |= SAMPLE_MAPPED;
		*(__u32 *)s->daddr = daddr[3];
	} else {
		copy_address(s->daddr, daddr);
	}
	if (!ret) {
		load_address(saddr, &sk->__sk_common.skc_v6_rcv_saddr);
		copy_address(s->saddr, saddr);
	}
	s->lport = sk->__sk_common.skc_num;
	attempt_submit(count, s);
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
