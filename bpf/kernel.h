/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The few kernel types that the tracing programs read, with the members they
 * read and no others: CO-RE finds the real offsets when the program is loaded,
 * so neither BTF nor kernel headers are needed to build. Names and types are
 * those of include/net/sock.h and include/linux/socket.h of the kernel.
 */
#ifndef KERNEL_H
#define KERNEL_H

#include <linux/bpf.h>

#ifndef AF_INET6
#define AF_INET6 10
#endif
#define SOCK_STREAM 1
#ifndef IPPROTO_TCP
#define IPPROTO_TCP 6
#endif
#define ENETUNREACH 101

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct in6_addr {
	union {
		__u8 u6_addr8[16];
		__be32 u6_addr32[4];
	} in6_u;
};

struct sock_common {
	__be32 skc_daddr;
	__be32 skc_rcv_saddr;
	__u16 skc_num; /* the local port, in host byte order */
	__u16 skc_family;
	unsigned char skc_ipv6only : 1;
	struct in6_addr skc_v6_daddr;
	struct in6_addr skc_v6_rcv_saddr;
};

struct sock {
	struct sock_common __sk_common;
};

struct sockaddr {
	__u16 sa_family;
	char sa_data[14];
};

/* Registers at a probe: only the kprobe backend needs them, by the names bpf_tracing.h uses. */
#if defined(__TARGET_ARCH_x86)
#define __VMLINUX_H__ /* bpf_tracing.h: the kernel's register names, not those of user space */
struct pt_regs {
	unsigned long bp, ax, cx, dx, si, di, ip, sp, r8;
};
#elif defined(__TARGET_ARCH_arm64)
struct user_pt_regs {
	__u64 regs[31];
	__u64 sp, pc, pstate;
};
#endif

#pragma clang attribute pop

#endif
