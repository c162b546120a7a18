// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Backend "kprobe": the same two functions as "fentry", for kernels with BTF
 * but without BPF trampolines. The entry keeps the arguments, the return
 * probe sends the sample.
 *
 * The kernel can miss a return probe (all its instances are in use). Then an
 * entry stays behind: it is counted as lost when the thread connects again,
 * or by the recorder at the end.
 */
#include "common.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>

#define CALLS_MAX 16384 /* threads inside connect() at one time */

/* tcp_v6_connect calls tcp_v4_connect for a mapped address: both can be open in a thread. */
struct call_key {
	__u32 tid;
	__u32 family;
};

struct call {
	struct sock *sk;
	__u32 daddr[4]; /* as asked for */
	__u16 dport;    /* host byte order */
	__u16 reserved[3];
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, CALLS_MAX);
	__type(key, struct call_key);
	__type(value, struct call);
} calls SEC(".maps");

static __always_inline int call_entered(struct sock *sk, const void *address, __u32 family)
{
	struct capture_counters *count = this_cpu_counters();
	struct call_key key = {(__u32)bpf_get_current_pid_tgid(), family};
	struct call call = {.sk = sk};
	__be16 port = 0;

	if (!count)
		return 0;
	if (bpf_map_lookup_elem(&calls, &key)) {
		count->seen++;
		count->lost++;
	}
	/* sockaddr_in: port at 2, address at 4; sockaddr_in6: port at 2, address at 8. */
	bpf_probe_read_kernel(&port, sizeof port, address + 2);
	call.dport = bpf_ntohs(port);
	if (family == 4)
		bpf_probe_read_kernel(call.daddr, 4, address + 4);
	else
		bpf_probe_read_kernel(call.daddr, 16, address + 8);
	if (bpf_map_update_elem(&calls, &key, &call, BPF_ANY)) {
		count->seen++;
		count->lost++;
	}
	return 0;
}

static __always_inline int call_returned(__u32 hook_family, int ret)
{
	struct capture_counters *count = this_cpu_counters();
	struct call_key key = {(__u32)bpf_get_current_pid_tgid(), hook_family};
	__u32 family = hook_family, mapped = 0;
	struct call *found, call;
	struct sample_attempt *s;
	struct sock *sk;

	found = bpf_map_lookup_elem(&calls, &key);
	if (!found || !count)
		return 0;
	call = *found;
	bpf_map_delete_elem(&calls, &key);
	sk = call.sk;
	if (hook_family == 6 && is_mapped(call.daddr)) {
		/* Recorded by tcp_v4_connect, unless an IPv6-only socket refused it. */
		if (!(ret == -ENETUNREACH &&
			    BPF_CORE_READ_BITFIELD_PROBED(&sk->__sk_common, skc_ipv6only)))
			return 0;
		family = 4;
		mapped = 1;
		call.daddr[0] = call.daddr[3];
		call.daddr[1] = call.daddr[2] = call.daddr[3] = 0;
	} else if (hook_family == 4) {
		mapped = BPF_CORE_READ(sk, __sk_common.skc_family) == AF_INET6;
	}
	s = attempt_begin(count, family, call.dport);
	if (!s)
		return 0;
	s->flags = SAMPLE_COMPLETE | (mapped ? SAMPLE_MAPPED : 0);
	copy_address(s->daddr, call.daddr);
	/* After a success the socket has the addresses in use (0.0.0.0 became a loopback one). */
	if (!ret && family == 4) {
		BPF_CORE_READ_INTO(s->daddr, sk, __sk_common.skc_daddr);
		BPF_CORE_READ_INTO(s->saddr, sk, __sk_common.skc_rcv_saddr);
	} else if (!ret) {
		bpf_core_read(s->daddr, 16, &sk->__sk_common.skc_v6_daddr);
		bpf_core_read(s->saddr, 16, &sk->__sk_common.skc_v6_rcv_saddr);
	}
	s->lport = BPF_CORE_READ(sk, __sk_common.skc_num);
	attempt_submit(count, s);
	return 0;
}

SEC("kprobe/tcp_v4_connect")
int BPF_KPROBE(v4_enter, struct sock *sk, void *address)
{
	return call_entered(sk, address, 4);
}

SEC("kretprobe/tcp_v4_connect")
int BPF_KRETPROBE(v4_return, int ret)
{
	return call_returned(4, ret);
}

SEC("kprobe/tcp_v6_connect")
int BPF_KPROBE(v6_enter, struct sock *sk, void *address)
{
	return call_entered(sk, address, 6);
}

SEC("kretprobe/tcp_v6_connect")
int BPF_KRETPROBE(v6_return, int ret)
{
	return call_returned(6, ret);
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
