/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Writes a byte for each socket that has a value in a map of the type SK_STORAGE. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct seq_file;

struct bpf_iter_meta {
	struct seq_file *seq;
} __attribute__((preserve_access_index));

struct bpf_iter__bpf_sk_storage_map {
	struct bpf_iter_meta *meta;
	void *value;
} __attribute__((preserve_access_index));

SEC("iter/bpf_sk_storage_map")
int count(struct bpf_iter__bpf_sk_storage_map *context)
{
	const char one = 1;

	if (context->value)
		bpf_seq_write(context->meta->seq, &one, sizeof one);
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
