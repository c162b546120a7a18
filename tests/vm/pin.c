/* SPDX-License-Identifier: BSD-2-Clause */
/* pin PATH KEY: makes a hash with that key of eight bytes, and pins it to PATH. */
#define _GNU_SOURCE /* syscall */
#include <linux/bpf.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

static long bpf(int command, union bpf_attr *attributes)
{
	return syscall(SYS_bpf, command, attributes, sizeof *attributes);
}

int main(int argc, char **argv)
{
	const struct rlimit all = {RLIM_INFINITY, RLIM_INFINITY};
	union bpf_attr create, update, pin;
	uint64_t key, value = 0;
	long map;

	if (argc != 3)
		return 2;
	setrlimit(RLIMIT_MEMLOCK, &all); /* before 5.11 it counts */
	key = strtoull(argv[2], NULL, 10);
	memset(&create, 0, sizeof create);
	create.map_type = BPF_MAP_TYPE_HASH;
	create.key_size = sizeof key;
	create.value_size = sizeof value;
	create.max_entries = 1024;
	map = bpf(BPF_MAP_CREATE, &create);
	memset(&update, 0, sizeof update);
	update.map_fd = (uint32_t)map;
	update.key = (uintptr_t)&key;
	update.value = (uintptr_t)&value;
	memset(&pin, 0, sizeof pin);
	pin.pathname = (uintptr_t)argv[1];
	pin.bpf_fd = (uint32_t)map;
	if (map < 0 || bpf(BPF_MAP_UPDATE_ELEM, &update) || bpf(BPF_OBJ_PIN, &pin)) {
		perror("pin");
		return 1;
	}
	return 0;
}
