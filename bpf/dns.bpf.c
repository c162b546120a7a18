// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * What DNS servers answer to the sockets of this host, by UDP: put into the ring of the
 * backend that runs. An object of its own, since it is loaded on request only, and is the
 * same for all of them: stable fields alone, no CO-RE, nothing that lockdown refuses.
 *
 * Runs for each packet that comes to a socket: nearly all of them have to be done with in
 * a few instructions.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>
#include "tcpconnect.h"

#define PASS 1
#define ETHERTYPE_IPV4 0x0800
#define ETHERTYPE_IPV6 0x86dd
#define PROTOCOL_UDP 17
#define IPV4_LENGTH 20
#define IPV6_LENGTH 40
#define UDP_LENGTH 8
#define PORT_DNS 53
#define PORT_MDNS 5353

/* RFC 1035, 4.1.1 */
#define DNS_LENGTH 12
#define DNS_AT_FLAGS 2
#define DNS_RESPONSE 0x80
#define DNS_OPCODE 0x78
#define DNS_AT_ANSWERS 6

#define WAKEUP_FRACTION 4 /* of the ring: full enough to wake the reader */
#define MOST_FRACTION 2   /* the rest is for what describes processes, and for older kernels' all */

/* Those of the backend: see common.h. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} ring SEC(".maps");

struct capture_control control SEC(".data.control");

static __always_inline void lose(void)
{
	if (!control.answers_lost_since)
		control.answers_lost_since = bpf_ktime_get_boot_ns();
	__sync_fetch_and_add(&control.answers_lost, 1);
}

/* room: a constant, as the ring wants it; not less than length. */
static __always_inline void send(
	struct __sk_buff *skb, __u32 offset, __u64 length, const __u64 room)
{
	__u64 used = bpf_ringbuf_query(&ring, BPF_RB_AVAIL_DATA) + room;
	__u64 size = bpf_ringbuf_query(&ring, BPF_RB_RING_SIZE);
	struct sample_answer *s = NULL;
	__u64 flags = BPF_RB_NO_WAKEUP; /* it is of no use before an attempt that comes behind it */

	/* The verifier of 7.2 wants to know this last, apart from what is known already. */
	asm volatile("" : "+r"(length));
	if (length < DNS_LENGTH)
		return;
	if (used <= size / MOST_FRACTION)
		s = bpf_ringbuf_reserve(&ring, sizeof *s + room, 0);
	if (!s) {
		lose();
		return;
	}
	s->kind = SAMPLE_ANSWER;
	s->length = (__u32)length;
	s->time_ns = bpf_ktime_get_boot_ns();
	if (control.wakeup != WAKEUP_NONE && used >= size / WAKEUP_FRACTION)
		flags = BPF_RB_FORCE_WAKEUP;
	if (bpf_skb_load_bytes(skb, offset, s->message, (__u32)length))
		bpf_ringbuf_discard(s, flags);
	else
		bpf_ringbuf_submit(s, flags);
}

/* offset: of the message in the packet. Not inlined: there is one of it. */
static __noinline int look_at_message(struct __sk_buff *skb, __u32 offset)
{
	__u8 header[DNS_LENGTH];
	__u64 length;

	if (bpf_skb_load_bytes(skb, offset, header, sizeof header) ||
		(header[DNS_AT_FLAGS] & (DNS_RESPONSE | DNS_OPCODE)) != DNS_RESPONSE ||
		!(header[DNS_AT_ANSWERS] | header[DNS_AT_ANSWERS + 1]))
		return PASS;
	length = (__u64)skb->len - offset;
	asm volatile("" : "+r"(length)); /* what is compared is what the verifier looks at */
	if (length <= ANSWER_USUAL)
		send(skb, offset, length, ANSWER_USUAL);
	else if (length <= ANSWER_MAX)
		send(skb, offset, length, ANSWER_MAX);
	else
		lose();
	return PASS;
}

/* The kernel has seen to it that the headers, that of UDP too, are where data is. */
SEC("cgroup_skb/ingress")
int answered(struct __sk_buff *skb)
{
	const __u8 *data = (const __u8 *)(long)skb->data, *end = (const __u8 *)(long)skb->data_end;
	__u32 header = IPV6_LENGTH;
	__u16 port;

	if (skb->protocol == bpf_htons(ETHERTYPE_IPV4)) {
		if (data + IPV4_LENGTH > end || data[9] != PROTOCOL_UDP)
			return PASS;
		header = (data[0] & 15) * 4u;
	} else if (skb->protocol != bpf_htons(ETHERTYPE_IPV6) || data + IPV6_LENGTH > end ||
		   data[6] != PROTOCOL_UDP) {
		return PASS;
	}
	data += header;
	if (data + UDP_LENGTH > end)
		return PASS;
	port = *(const __u16 *)data;
	if (port != bpf_htons(PORT_DNS) && port != bpf_htons(PORT_MDNS))
		return PASS;
	return look_at_message(skb, header + UDP_LENGTH);
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
