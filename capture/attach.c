/* SPDX-License-Identifier: BSD-2-Clause */
#include "attach.h"
#include "backend.h"

#include <string.h>
#include <unistd.h>

#define PROGRAM "tcpconnect-rec"

static struct capture *try_backend(const struct backend *b, const struct capture_options *options,
	bool quiet, capture_sample *take, void *context, struct error *error)
{
	struct error warning;
	struct capture *capture = capture_open(b, options, take, context, &warning, error);

	if (capture && *warning.text && !quiet)
		fprintf(stderr, PROGRAM ": %s: %s\n", b->name, warning.text);
	return capture;
}

static int open_maps(
	const struct filter_maps *paths, struct capture_options *capture, struct error *error)
{
	if (paths->cgroups)
		capture->cgroup_map = filters_open_map("--cgroupmap", paths->cgroups, error);
	if (paths->mount_namespaces && (!paths->cgroups || capture->cgroup_map >= 0))
		capture->mount_map = filters_open_map("--mntnsmap", paths->mount_namespaces, error);
	return (paths->cgroups && capture->cgroup_map < 0) ||
			       (paths->mount_namespaces && capture->mount_map < 0)
		       ? -1
		       : 0;
}

static void close_maps(const struct capture_options *capture)
{
	if (capture->cgroup_map >= 0)
		close(capture->cgroup_map);
	if (capture->mount_map >= 0)
		close(capture->mount_map);
}

struct capture *attach(const struct rec_options *rec, capture_sample *take, void *context,
	const char **chosen, struct error *error)
{
	struct capture_options options = {.filter = &rec->filter,
		.cgroup_map = -1,
		.mount_map = -1,
		.ring_bytes = rec->ring_bytes,
		.arguments = !rec->no_args,
		.verbose = rec->verbose};
	char reasons[sizeof error->text] = "";
	struct capture *capture = NULL;
	size_t used = 0;

	if (open_maps(&rec->maps, &options, error)) {
		close_maps(&options);
		return NULL;
	}
	for (const struct backend *b = backends; b->name && !capture; b++) {
		if (rec->backend && strcmp(rec->backend, b->name))
			continue;
		capture = try_backend(b, &options, rec->quiet, take, context, error);
		if (capture)
			*chosen = b->name;
		else if (used < sizeof reasons)
			used += (size_t)snprintf(reasons + used, sizeof reasons - used,
				"\n  %s: %s", b->name, error->text);
	}
	close_maps(&options);
	if (!capture)
		error_set(error, "no backend can run here:%s", reasons);
	return capture;
}

static void ignore_sample(void *context, const void *sample, size_t length)
{
	(void)context;
	(void)sample;
	(void)length;
}

int attach_list(FILE *out)
{
	static const struct filter no_filter;
	struct capture_options options = {
		.filter = &no_filter, .cgroup_map = -1, .mount_map = -1, .ring_bytes = 4096};
	struct error warning, error;
	int usable = 0;

	for (const struct backend *b = backends; b->name; b++) {
		struct capture *capture =
			capture_open(b, &options, ignore_sample, NULL, &warning, &error);

		fprintf(out, "%-8s %s%s%s\n", b->name, capture ? "can run" : "cannot run: ",
			capture ? (*warning.text ? ": " : "") : error.text,
			capture ? warning.text : "");
		usable += capture != NULL;
		capture_close(capture);
	}
	return usable;
}
