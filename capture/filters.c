/* SPDX-License-Identifier: BSD-2-Clause */
#include "filters.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

struct filter filters_of_kernel(const struct filter *whole, bool failed)
{
	return (struct filter){.pids = whole->pids,
		.uids = whole->uids,
		.ports = whole->ports,
		.family = whole->family,
		.failed = whole->failed && failed};
}

struct filter filters_of_recorder(const struct filter *whole, bool failed)
{
	return (struct filter){.comms = whole->comms,
		.cgroups = whole->cgroups,
		.netns = whole->netns,
		.expression = whole->expression,
		.failed = whole->failed && failed};
}

int filters_open_map(const char *option, const char *path, struct error *error)
{
	struct bpf_map_info info = {0};
	uint32_t size = sizeof info;
	int fd = bpf_obj_get(path);

	if (fd < 0)
		return error_set(
			error, "%s: '%s' is not a pinned map: %s", option, path, strerror(errno));
	if (!bpf_obj_get_info_by_fd(fd, &info, &size) &&
		(info.type == BPF_MAP_TYPE_HASH || info.type == BPF_MAP_TYPE_LRU_HASH) &&
		info.key_size == sizeof(uint64_t))
		return fd;
	close(fd);
	return error_set(error, "%s: '%s' is not a hash with keys of eight bytes", option, path);
}

static void add(char *out, size_t size, const char *text)
{
	size_t used = strlen(out);

	snprintf(out + used, size - used, "%s", text);
}

static void add_map(char *out, size_t size, const char *name, const char *path)
{
	if (!path)
		return;
	add(out, size, *out ? " and " : "");
	add(out, size, name);
	add(out, size, path);
}

void filters_describe(const struct filter *whole, const struct filter_maps *maps,
	bool failed_in_kernel, char *out, size_t size)
{
	struct filter kernel = filters_of_kernel(whole, failed_in_kernel);
	struct filter recorder = filters_of_recorder(whole, !failed_in_kernel);
	char words[2048];

	filter_describe(&kernel, out, size > sizeof words ? size - sizeof words : size);
	add_map(out, size, "cgroupmap ", maps->cgroups);
	add_map(out, size, "mntnsmap ", maps->mount_namespaces);
	if (*out)
		add(out, size, " (in the kernel)");
	if (*filter_describe(&recorder, words, sizeof words - 64)) {
		add(out, size, *out ? ", " : "");
		add(out, size, words);
		add(out, size, " (in the recorder)");
	}
	if (!*out)
		add(out, size, "none");
}

bool filters_ask(const struct filter *recorder)
{
	return recorder->netns.count || recorder->expression || filter_needs_process(recorder);
}

bool filters_want(
	const struct filter *recorder, const struct event *event, struct filter_notes *notes)
{
	return filter_wants_netns(recorder, event->net_ns, notes) &&
	       (!recorder->expression || expression_matches(recorder->expression, event)) &&
	       filter_wants_process(recorder, event->process, notes);
}
