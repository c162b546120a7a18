/* SPDX-License-Identifier: BSD-2-Clause */
#include "backend.h"

#include <mntent.h>
#include <stdio.h>
#include <string.h>
#include <sys/capability.h>
#include <unistd.h>

#define OBJECT(name) extern const char object_##name[], object_##name##_end[]
OBJECT(fentry);
OBJECT(fentry_older);
OBJECT(kprobe);
OBJECT(kprobe_older);
OBJECT(cgroup);
OBJECT(cgroup_older);
OBJECT(cgroup_plain);

static int has_capability(cap_value_t value)
{
	cap_t caps = cap_get_proc();
	cap_flag_value_t effective = CAP_CLEAR;

	if (caps)
		cap_get_flag(caps, value, CAP_EFFECTIVE, &effective);
	cap_free(caps);
	return effective == CAP_SET;
}

/* CAP_SYS_ADMIN holds both; the split exists since 5.8. */
static int check_privilege(cap_value_t second, const char *second_name, struct error *missing)
{
	if (has_capability(CAP_SYS_ADMIN) || (has_capability(CAP_BPF) && has_capability(second)))
		return 0;
	return error_set(missing, "no privilege: run as root, or with CAP_BPF and %s", second_name);
}

static int check_tracing(struct error *missing)
{
	if (check_privilege(CAP_PERFMON, "CAP_PERFMON", missing))
		return -1;
	if (access("/sys/kernel/btf/vmlinux", R_OK))
		return error_set(missing, "no BTF: /sys/kernel/btf/vmlinux cannot be read; the "
					  "kernel needs CONFIG_DEBUG_INFO_BTF, and sysfs mounted");
	return 0;
}

/* Also with programs that read kernel memory: refused from the level confidentiality on. */
static int check_kprobe(struct error *missing)
{
	char levels[128] = "";
	FILE *file;

	if (check_tracing(missing))
		return -1;
	if (access("/sys/bus/event_source/devices/kprobe/type", F_OK))
		return error_set(missing, "no kprobes: the kernel needs CONFIG_KPROBES and "
					  "CONFIG_KPROBE_EVENTS");
	file = fopen("/sys/kernel/security/lockdown", "r");
	if (file) {
		if (!fgets(levels, sizeof levels, file))
			levels[0] = '\0';
		fclose(file);
	}
	if (strstr(levels, "[confidentiality]"))
		return error_set(missing, "lockdown: the kernel is in lockdown=confidentiality, "
					  "which forbids programs that read its memory");
	return 0;
}

int backend_cgroup_root(char *path, size_t size, struct error *missing)
{
	FILE *mounts = setmntent("/proc/self/mounts", "r");
	struct mntent *mount;
	int found = 0;

	while (mounts && !found && (mount = getmntent(mounts)))
		if (!strcmp(mount->mnt_type, "cgroup2") && strlen(mount->mnt_dir) < size) {
			strcpy(path, mount->mnt_dir);
			found = 1;
		}
	if (mounts)
		endmntent(mounts);
	if (!found)
		return error_set(missing, "cgroup v2 is not mounted: mount -t cgroup2 none "
					  "/sys/fs/cgroup/unified, or any other directory");
	return 0;
}

static int check_cgroup(struct error *missing)
{
	char path[4096];

	if (check_privilege(CAP_NET_ADMIN, "CAP_NET_ADMIN", missing))
		return -1;
	return backend_cgroup_root(path, sizeof path, missing);
}

#define OUTCOMES                                                                                   \
	{.name = "state_changed", .feature = FEATURE_OUTCOME},                                     \
	{                                                                                          \
		.name = "state_again", .feature = FEATURE_OUTCOME, .again = AGAIN_AT_STATE         \
	}

const struct backend backends[] = {
	{"fentry",
		"fexit of tcp_v4_connect and tcp_v6_connect, tp_btf of inet_sock_set_state, "
		"fentry of security_inet_conn_established and tcp_done",
		{object_fentry, object_fentry_end}, {object_fentry_older, object_fentry_older_end},
		{0},
		{OUTCOMES,
			{.name = "established_again",
				.feature = FEATURE_OUTCOME,
				.again = AGAIN_AT_END},
			{.name = "done_again", .feature = FEATURE_OUTCOME, .again = AGAIN_AT_END},
			{.name = "v4_connect", .counts_misses = 1},
			{.name = "v6_connect", .feature = FEATURE_IPV6, .counts_misses = 1},
			{.name = "refused", .feature = FEATURE_REFUSAL}},
		.on_functions = 1, .can_hold = 1, .again = AGAIN_AT_END, .check = check_tracing},
	{"kprobe",
		"kprobe and kretprobe of tcp_v4_connect and tcp_v6_connect, tp_btf of "
		"inet_sock_set_state",
		{object_kprobe, object_kprobe_end}, {object_kprobe_older, object_kprobe_older_end},
		{0},
		{OUTCOMES, {.name = "v4_return"}, {.name = "v4_enter", .counts_misses = 1},
			{.name = "v6_return", .feature = FEATURE_IPV6},
			{.name = "v6_enter", .feature = FEATURE_IPV6, .counts_misses = 1},
			{.name = "v4_return",
				.feature = FEATURE_REFUSAL,
				.also_of = "tcp_v4_pre_connect"},
			{.name = "v4_ask", .feature = FEATURE_REFUSAL},
			{.name = "v6_return",
				.feature = FEATURE_REFUSAL | FEATURE_IPV6,
				.also_of = "tcp_v6_pre_connect"},
			{.name = "v6_ask", .feature = FEATURE_REFUSAL | FEATURE_IPV6}},
		.can_hold = 1, .again = AGAIN_AT_STATE, .check = check_kprobe},
	{"cgroup",
		"cgroup/connect4, connect6, sock_release and sockops on the root of cgroup v2, "
		"tp_btf of inet_sock_set_state",
		{object_cgroup, object_cgroup_end}, {object_cgroup_older, object_cgroup_older_end},
		{object_cgroup_plain, object_cgroup_plain_end},
		{OUTCOMES, {.name = "released", .feature = FEATURE_CLOSE}, {.name = "source_known"},
			{.name = "connect4"}, {.name = "connect6", .feature = FEATURE_IPV6}},
		.on_cgroup = 1, .again = AGAIN_AT_END, .check = check_cgroup},
	{0},
};

const struct backend *backend_find(const char *name)
{
	for (const struct backend *b = backends; b->name; b++)
		if (!strcmp(b->name, name))
			return b;
	return NULL;
}
