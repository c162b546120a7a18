/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is in the maps of that name, of every recorder that runs.
 *
 * usage: entries MAP OBJECT    prints the id of each and the number of its entries; OBJECT:
 * entries.bpf.o entries --fill MAP    fills hashes with keys of eight bytes to the brim, with
 * values of zeros but for a time in the second eight: just after the boot
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static long count_storage(int map, const char *object)
{
	union bpf_iter_link_info info = {.map = {.map_fd = (__u32)map}};
	LIBBPF_OPTS(
		bpf_iter_attach_opts, options, .link_info = &info, .link_info_len = sizeof info);
	struct bpf_object *programs = bpf_object__open(object);
	struct bpf_link *link = NULL;
	char bytes[4096];
	long entries = 0;
	ssize_t n = -1;
	int fd;

	if (programs && !bpf_object__load(programs))
		link = bpf_program__attach_iter(
			bpf_object__find_program_by_name(programs, "count"), &options);
	fd = link ? bpf_iter_create(bpf_link__fd(link)) : -1;
	while (fd >= 0 && (n = read(fd, bytes, sizeof bytes)) > 0)
		entries += n;
	if (fd >= 0)
		close(fd);
	bpf_link__destroy(link);
	bpf_object__close(programs);
	return n ? -1 : entries;
}

static long count_hash(int map)
{
	uint64_t key, *from = NULL;
	long entries = 0;

	for (; !bpf_map_get_next_key(map, from, &key); from = &key)
		entries++;
	return errno == ENOENT ? entries : -1;
}

static long fill(int map)
{
	const uint64_t value[2] = {0, 1};
	long entries = 0;

	for (uint64_t key = 1; !bpf_map_update_elem(map, &key, value, BPF_NOEXIST); key++)
		entries++;
	return errno == E2BIG ? entries : -1;
}

int main(int argc, char **argv)
{
	__u32 id = 0;

	if (argc != 3) {
		fputs("usage: entries MAP OBJECT | --fill MAP\n", stderr);
		return 2;
	}
	while (!bpf_map_get_next_id(id, &id)) {
		struct bpf_map_info info = {0};
		__u32 size = sizeof info;
		int map = bpf_map_get_fd_by_id(id), filling = !strcmp(argv[1], "--fill");
		long entries;

		if (map < 0)
			continue;
		if (!bpf_obj_get_info_by_fd(map, &info, &size) &&
			!strcmp(info.name, argv[filling ? 2 : 1])) {
			entries = filling ? fill(map)
				  : info.type == BPF_MAP_TYPE_SK_STORAGE
					  ? count_storage(map, argv[2])
					  : count_hash(map);
			if (entries < 0) {
				fprintf(stderr, "entries: map %u: %s\n", id, strerror(errno));
				return 1;
			}
			printf("%u %ld\n", id, entries);
		}
		close(map);
	}
	return 0;
}
