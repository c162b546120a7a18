/* SPDX-License-Identifier: BSD-2-Clause */
#include "first_attach.h"
#include "thread.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

extern const char object_find_function[], object_find_function_end[];

struct first_attach {
	int program, link; /* descriptors */
	struct thread *thread;
};

static void attach(void *context)
{
	struct first_attach *first = context;

	first->link = bpf_raw_tracepoint_open(NULL, first->program);
}

/* The number of the function's type. 0 or less: it cannot be told. */
static int find_function(void)
{
	struct bpf_object *object = bpf_object__open_mem(object_find_function,
		(size_t)(object_find_function_end - object_find_function), NULL);
	const struct bpf_program *program = object ? bpf_object__next_program(object, NULL) : NULL;
	LIBBPF_OPTS(bpf_test_run_opts, run);

	if (!program || bpf_object__load(object) ||
		bpf_prog_test_run_opts(bpf_program__fd(program), &run))
		run.retval = 0;
	bpf_object__close(object);
	return (int)run.retval;
}

static int load(void)
{
	static const struct bpf_insn nothing[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0},
		{.code = BPF_JMP | BPF_EXIT},
	};
	LIBBPF_OPTS(bpf_prog_load_opts, options, .expected_attach_type = BPF_TRACE_FENTRY);
	int type = find_function();

	if (type <= 0)
		return -1;
	options.attach_btf_id = (uint32_t)type;
	return bpf_prog_load(BPF_PROG_TYPE_TRACING, "nothing", "Dual BSD/GPL", nothing,
		sizeof nothing / sizeof *nothing, &options);
}

struct first_attach *first_attach_begin(void)
{
	struct first_attach *first = calloc(1, sizeof *first);
	struct error error;

	if (!first)
		return NULL;
	first->link = -1;
	first->program = load();
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
