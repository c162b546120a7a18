/* SPDX-License-Identifier: BSD-2-Clause */
#include "first_attach.h"
#include "thread.h"

#include <bpf/bpf.h>
#include <linux/bpf.h>
#include <stdlib.h>
#include <unistd.h>

/* Called only where programs of cgroups are asked. */
#define FUNCTION "__cgroup_bpf_run_filter_sock_addr"

struct first_attach {
	int program, link; /* descriptors */
	struct thread *thread;
};

static void attach(void *context)
{
	struct first_attach *first = context;

	first->link = bpf_raw_tracepoint_open(NULL, first->program);
}

static int load(const struct btf *kernel)
{
	static const struct bpf_insn nothing[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0},
		{.code = BPF_JMP | BPF_EXIT},
	};
	LIBBPF_OPTS(bpf_prog_load_opts, options, .expected_attach_type = BPF_TRACE_FENTRY);
	int id = btf__find_by_name_kind(kernel, FUNCTION, BTF_KIND_FUNC);

	if (id < 0)
		return -1;
	options.attach_btf_id = (__u32)id;
	return bpf_prog_load(BPF_PROG_TYPE_TRACING, "nothing", "Dual BSD/GPL", nothing,
		sizeof nothing / sizeof *nothing, &options);
}

struct first_attach *first_attach_begin(const struct btf *kernel)
{
	struct first_attach *first = calloc(1, sizeof *first);
	struct error error;

	if (!first)
		return NULL;
	first->link = -1;
	first->program = load(kernel);
	if (first->program >= 0)
		first->thread = thread_new(attach, first, false, &error);
	if (first->thread && !thread_start(first->thread, &error))
		return first;
	thread_free(first->thread);
	first->thread = NULL;
	first_attach_free(first);
	return NULL;
}

void first_attach_wait(struct first_attach *first)
{
	if (!first || !first->thread)
		return;
	thread_join(first->thread, NULL, NULL);
	thread_free(first->thread);
	first->thread = NULL;
}

void first_attach_free(struct first_attach *first)
{
	if (!first)
		return;
	first_attach_wait(first);
	if (first->link >= 0)
		close(first->link);
	if (first->program >= 0)
		close(first->program);
	free(first);
}
