/* SPDX-License-Identifier: BSD-2-Clause */
#include "targets.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <stdint.h>
#include <string.h>

#define TARGETS_MAX 16
#define ANY_PROGRAM 1 /* libbpf then takes the target for a part of that, and does not search */

static const struct hook {
	const char *section;
	enum bpf_attach_type type;
	uint32_t kind;      /* of the type that tells how it is called */
	const char *prefix; /* of its name */
} hooks[] = {
	{"fentry/", BPF_TRACE_FENTRY, BTF_KIND_FUNC, ""},
	{"fexit/", BPF_TRACE_FEXIT, BTF_KIND_FUNC, ""},
	{"tp_btf/", BPF_TRACE_RAW_TP, BTF_KIND_TYPEDEF, "btf_trace_"},
};

#define HOOKS (sizeof hooks / sizeof *hooks)

struct target {
	struct bpf_program *program;
	const struct hook *hook;
	const char *name; /* borrowed */
	uint32_t id;      /* 0: not found */
};

/* libbpf's handlers stay: before 1.3 it frees twice what it has of them with the last one. */
static struct target targets[TARGETS_MAX];
static size_t count;
static size_t handlers; /* of so many hooks */

/* libbpf_prog_prepare_load_fn_t */
static int prepare(struct bpf_program *program, struct bpf_prog_load_opts *options, long unused)
{
	(void)unused;
	for (size_t i = 0; i < count; i++)
		if (targets[i].program == program && targets[i].id) {
			options->attach_btf_id = targets[i].id;
			options->attach_prog_fd = 0;
		}
	return 0;
}

void targets_begin(void)
{
	LIBBPF_OPTS(libbpf_prog_handler_opts, options, .prog_prepare_load_fn = prepare);

	for (; handlers < HOOKS; handlers++)
		if (libbpf_register_prog_handler(hooks[handlers].section, BPF_PROG_TYPE_TRACING,
			    hooks[handlers].type, &options) < 0)
			break;
}

static const struct hook *hook_of(const char *section)
{
	for (size_t i = 0; i < HOOKS; i++)
		if (!strncmp(section, hooks[i].section, strlen(hooks[i].section)))
			return &hooks[i];
	return NULL;
}

static int add(struct bpf_program *program)
{
	const char *section = bpf_program__section_name(program);
	const struct hook *hook = hook_of(section);

	if (!hook || count == TARGETS_MAX) {
		errno = EINVAL;
		return -1;
	}
	targets[count++] = (struct target){
		.program = program, .hook = hook, .name = section + strlen(hook->section)};
	return 0;
}

static bool is_named(const struct target *target, const char *name)
{
	size_t length = strlen(target->hook->prefix);

	return !strncmp(name, target->hook->prefix, length) && !strcmp(name + length, target->name);
}

static void search(const struct btf *kernel)
{
	for (uint32_t id = 1; id < btf__type_cnt(kernel); id++) {
		const struct btf_type *type = btf__type_by_id(kernel, id);
		uint32_t kind = btf_kind(type);
		const char *name;

		if (kind != BTF_KIND_FUNC && kind != BTF_KIND_TYPEDEF)
			continue;
		name = btf__name_by_offset(kernel, type->name_off);
		for (size_t i = 0; i < count; i++)
			if (targets[i].hook->kind == kind && !targets[i].id &&
				is_named(&targets[i], name))
				targets[i].id = id;
	}
}

int targets_find(const struct bpf_object *object, const struct btf *kernel)
{
	struct bpf_program *program = NULL;
	int status = 0;

	count = 0;
	while ((program = bpf_object__next_program(object, program)))
		if (bpf_program__autoload(program) &&
			bpf_program__type(program) == BPF_PROG_TYPE_TRACING && add(program))
			return -1;
	if (kernel && handlers == HOOKS)
		search(kernel);
	for (size_t i = 0; i < count && !status; i++) {
		const struct target *t = &targets[i];

		status = t->id ? bpf_program__set_attach_target(t->program, ANY_PROGRAM, NULL)
			       : bpf_program__set_attach_target(t->program, 0, t->name);
	}
	return status;
}
