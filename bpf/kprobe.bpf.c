// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Backend "kprobe": the same two functions as "fentry", for kernels with BTF
 * but without BPF trampolines. The entry keeps the arguments, the return
 * probe sends the sample.
 *
 * The kernel can miss a return probe (all its instances are in use). Then an
 * entry stays behind: it is counted as lost when the thread connects again,
 * or by the recorder, which sweeps the map.
 */
#include "open.h"

#define CALLS_MAX 16384 /* threads inside connect() at one time */

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, CALLS_MAX);
	__type(key, struct open_call_key);
	__type(value, struct open_call);
} calls SEC(".maps");

/* The head of a sockaddr_in or sockaddr_in6. */
struct address_head {
	__u16 family;
	__be16 port;
	__be32 ipv4;
};

static __always_inline int call_entered(
	struct sock *sk, const void *address, int length, __u32 family, __u16 refusal)
{
	struct open_call_key key = {(__u32)bpf_get_current_pid_tgid(), family};
	struct open_call call = {
		.entered_ns = bpf_ktime_get_boot_ns(), .sk = (__u64)sk, .refusal = refusal};
	struct address_head head = {};

	if (bpf_map_lookup_elem(&calls, &key)) {
		add_one(&control.counters.seen);
		add_one(&control.counters.lost);
		bpf_map_delete_elem(&calls, &key);
	}
	/* What these functions refuse at once names no destination. */
	bpf_probe_read_kernel(&head, sizeof head, address);
	if (family == 4 ? length < 16 || head.family != AF_INET
			: length < 24 || head.family != AF_INET6)
		return 0;
	call.dport = bpf_ntohs(head.port);
	if (family == 4)
		call.daddr[0] = head.ipv4;
	else
		bpf_probe_read_kernel(call.daddr, 16, address + 8);
	if (bpf_map_update_elem(&calls, &key, &call, BPF_ANY)) {
		add_one(&control.counters.seen);
		add_one(&control.counters.lost);
	}
	return 0;
}

static __always_inline int call_returned(__u32 hook_family, int ret)
{
	struct open_call_key key = {(__u32)bpf_get_current_pid_tgid(), hook_family};
	struct call call = {.ret = ret, .program = hook_family == 6};
	struct sample_attempt *s;
	struct open_call *found;
	int mapped, is_mptcp = 0;
	struct tcp_sock *tcp;
	struct sock *sk;
	__u32 daddr[4];
	__u16 dport;
	int refusal;

	found = bpf_map_lookup_elem(&calls, &key);
	if (!found)
		return 0;
	sk = (struct sock *)found->sk;
	tcp = (struct tcp_sock *)sk;
	dport = found->dport;
	refusal = found->refusal;
	copy_address(daddr, found->daddr);
	bpf_map_delete_elem(&calls, &key);
	if (refusal && !ret)
		return 0;
	mapped = hook_family == 6 && is_mapped(daddr);
	/* Recorded by tcp_v4_connect, unless an IPv6-only socket refused it. */
	if (mapped && !refusal &&
		!(ret == -ENETUNREACH &&
			BPF_CORE_READ_BITFIELD_PROBED(&sk->__sk_common, skc_ipv6only)))
		return 0;
	s = begin_sample(&call, sk, BPF_CORE_READ(sk, __sk_common.skc_state),
		mapped ? 4 : (__u8)hook_family, dport);
	if (!s)
		return 0;
	if (mapped) {
		s->flags |= SAMPLE_MAPPED;
		*(__u32 *)s->daddr = daddr[3];
	} else if (hook_family == 6) {
		copy_address(s->daddr, daddr);
		/* After a success the socket has the addresses in use (:: became ::1). */
		if (!ret)
			bpf_core_read(s->daddr, 16, &sk->__sk_common.skc_v6_daddr);
		bpf_core_read(s->saddr, 16, &sk->__sk_common.skc_v6_rcv_saddr);
	} else {
		*(__u32 *)s->daddr = ret ? daddr[0] : BPF_CORE_READ(sk, __sk_common.skc_daddr);
		*(__u32 *)s->saddr = BPF_CORE_READ(sk, __sk_common.skc_rcv_saddr);
		if (BPF_CORE_READ(sk, __sk_common.skc_family) == AF_INET6)
			s->flags |= SAMPLE_MAPPED;
	}
	s->lport = BPF_CORE_READ(sk, __sk_common.skc_num);
	s->net_ns = BPF_CORE_READ(sk, __sk_common.skc_net.net, ns.inum);
	if (bpf_core_field_exists(tcp->is_mptcp))
		is_mptcp = BPF_CORE_READ_BITFIELD_PROBED(tcp, is_mptcp);
	if (BPF_CORE_READ(sk, sk_socket, file, f_flags) & O_NONBLOCK)
		s->flags |= SAMPLE_NONBLOCKING;
	return end_sample(s, &call, sk, is_mptcp);
}

/* The returns are those of tcp_v4_pre_connect and tcp_v6_pre_connect too: see backend.c. */

SEC("kprobe/tcp_v4_connect")
int BPF_KPROBE(v4_enter, struct sock *sk, void *address, int length)
{
	return call_entered(sk, address, length, 4, 0);
}

SEC("kretprobe/tcp_v4_connect")
int BPF_KRETPROBE(v4_return, int ret)
{
	return call_returned(4, ret);
}

SEC("kprobe/tcp_v6_connect")
int BPF_KPROBE(v6_enter, struct sock *sk, void *address, int length)
{
	return call_entered(sk, address, length, 6, 0);
}

SEC("kretprobe/tcp_v6_connect")
int BPF_KRETPROBE(v6_return, int ret)
{
	return call_returned(6, ret);
}

SEC("kprobe/tcp_v4_pre_connect")
int BPF_KPROBE(v4_ask, struct sock *sk, void *address, int length)
{
	return call_entered(sk, address, length, 4, 1);
}

SEC("kprobe/tcp_v6_pre_connect")
int BPF_KPROBE(v6_ask, struct sock *sk, void *address, int length)
{
	return call_entered(sk, address, length, 6, 1);
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
