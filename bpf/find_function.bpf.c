// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Asks the kernel for the number of a function's type: to read all of its types takes
 * longer. Is run once, see capture/first_attach.c. 5.14 and newer.
 */
#include "kernel.h"
#include <linux/btf.h>
#include <bpf/bpf_helpers.h>

/* Called only where programs of cgroups are asked. */
static const char name[] = "__cgroup_bpf_run_filter_sock_addr";

SEC("syscall")
int find_function(void *context)
{
	return (int)bpf_btf_find_by_name_kind((char *)name, sizeof name, BTF_KIND_FUNC, 0);
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
