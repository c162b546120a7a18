/* SPDX-License-Identifier: BSD-2-Clause */
#include "dns_hook.h"
#include "backend.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

extern const char object_dns[], object_dns_end[];

struct dns_hook {
	struct bpf_object *object;
	struct bpf_link *link;
};

static int load(struct dns_hook *h, int ring, int control, struct error *error)
{
	LIBBPF_OPTS(bpf_object_open_opts, open, .object_name = "tcpconnect");

	h->object = bpf_object__open_mem(object_dns, (size_t)(object_dns_end - object_dns), &open);
	if (!h->object)
		return error_set(error, "cannot open the program: %s", strerror(errno));
	if (bpf_map__reuse_fd(bpf_object__find_map_by_name(h->object, "ring"), ring) ||
		bpf_map__reuse_fd(
			bpf_object__find_map_by_name(h->object, ".data.control"), control))
		return error_set(error, "cannot share the ring: %s", strerror(errno));
	if (!bpf_object__load(h->object))
		return 0;
	return error_set(error, "the kernel refuses the program%s: %s",
		errno == EPERM ? " without CAP_NET_ADMIN" : "", strerror(errno));
}

static int attach(struct dns_hook *h, struct error *error)
{
	char path[4096];
	int cgroup;

	if (backend_cgroup_root(path, sizeof path, error))
		return -1;
	cgroup = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (cgroup < 0)
		return error_set(error, "cannot open %s: %s", path, strerror(errno));
	h->link = bpf_program__attach_cgroup(
		bpf_object__find_program_by_name(h->object, "answered"), cgroup);
	if (!h->link)
		error_set(error, "cannot attach to %s: %s", path, strerror(errno));
	close(cgroup);
	return h->link ? 0 : -1;
}

struct dns_hook *dns_hook_new(int ring, int control, struct error *error)
{
	struct dns_hook *h = calloc(1, sizeof *h);

	if (!h) {
		error_set(error, "out of memory");
		return NULL;
	}
	if (!load(h, ring, control, error) && !attach(h, error))
		return h;
	dns_hook_free(h);
	return NULL;
}

void dns_hook_free(struct dns_hook *h)
{
	if (!h)
		return;
	bpf_link__destroy(h->link);
	bpf_object__close(h->object);
	free(h);
}
