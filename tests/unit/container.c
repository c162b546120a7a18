/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"
#include "../../capture/container.h"

#define ID "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define ID2 "fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210"
#define UID "1c8e2b4a-5f60-4d1e-9a3b-7c2d8e9f0a1b"
#define UID_ "1c8e2b4a_5f60_4d1e_9a3b_7c2d8e9f0a1b"

/* Paths as the programs make them. */
static const struct {
	const char *cgroup, *container, *unit;
} cases[] = {
	{"", "", ""},
	{"/", "", ""},
	{"/init.scope", "", "init.scope"},
	{"/system.slice/ssh.service", "", "ssh.service"},
	{"/system.slice/system-getty.slice/getty@tty1.service", "", "getty@tty1.service"},
	{"/user.slice/user-1000.slice/session-3.scope", "", "session-3.scope"},
	{"/user.slice/user-1000.slice/user@1000.service/app.slice/app-gnome\\x2dterminal-12.scope",
		"", "app-gnome\\x2dterminal-12.scope"},
	{"/system.slice/nginx.service/worker", "", "nginx.service"},
	/* docker */
	{"/system.slice/docker-" ID ".scope", ID, "docker-" ID ".scope"},
	{"/docker/" ID, ID, ""},
	{"/docker/" ID "/system.slice/nginx.service", ID, "nginx.service"},
	{"/../../docker/" ID, ID, ""},
	{"/user.slice/user-1000.slice/user@1000.service/user.slice/docker-" ID ".scope", ID,
		"docker-" ID ".scope"},
	{"/ecs/0a1b2c/" ID, ID, ""},
	/* kubernetes: containerd, cri-o, with both drivers; kind */
	{"/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" UID_
	 ".slice/cri-containerd-" ID ".scope",
		ID, "cri-containerd-" ID ".scope"},
	{"/kubepods.slice/kubepods-pod" UID_ ".slice/crio-" ID ".scope", ID, "crio-" ID ".scope"},
	{"/kubepods/besteffort/pod" UID "/" ID, ID, ""},
	{"/kubepods/pod" UID "/crio-" ID, ID, ""},
	{"/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod" UID_ ".slice", UID,
		""},
	{"/kubepods/burstable/pod" UID, UID, ""},
	{"/kubepods/burstable/pod0123456789abcdef0123456789abcdef",
		"0123456789abcdef0123456789abcdef", ""},
	{"/docker/" ID2 "/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-pod" UID_
	 ".slice/cri-containerd-" ID ".scope",
		ID, "cri-containerd-" ID ".scope"},
	{"/system.slice/containerd.service/kubepods-burstable-pod" UID_ ".slice:cri-containerd:" ID,
		ID, "containerd.service"},
	{"/system.slice/nerdctl-" ID ".scope", ID, "nerdctl-" ID ".scope"},
	{"/default/" ID, ID, ""},
	/* podman */
	{"/machine.slice/libpod-" ID ".scope", ID, "libpod-" ID ".scope"},
	{"/machine.slice/libpod-" ID ".scope/container", ID, "libpod-" ID ".scope"},
	{"/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-" ID ".scope", ID,
		"libpod-" ID ".scope"},
	{"/libpod_parent/libpod-" ID, ID, ""},
	{"/system.slice/web.service/libpod-payload-" ID, ID, "web.service"},
	{"/machine.slice/libpod-conmon-" ID ".scope", "", "libpod-conmon-" ID ".scope"},
	{"/kubepods.slice/crio-conmon-" ID ".scope", "", "crio-conmon-" ID ".scope"},
	/* machines */
	{"/machine.slice/machine-web.scope/payload", "web", "machine-web.scope"},
	{"/machine.slice/machine-my\\x2dweb.scope", "my\\x2dweb", "machine-my\\x2dweb.scope"},
	{"/machine.slice/systemd-nspawn@web.service/payload", "web", "systemd-nspawn@web.service"},
	{"/machine.slice/machine-qemu\\x2d1\\x2dvm.scope", "1\\x2dvm",
		"machine-qemu\\x2d1\\x2dvm.scope"},
	{"/lxc.payload.web/init.scope", "web", "init.scope"},
	{"/lxc.payload/web/system.slice/ssh.service", "web", "ssh.service"},
	{"/lxc/web", "web", ""},
	{"/lxc.monitor.web", "", ""},
	/* nothing that is known, or nearly */
	{"/docker", "", ""},
	{"/lxc", "", ""},
	{"/docker-" ID, "", ""},
	{"/docker-" ID "0.scope", "", "docker-" ID "0.scope"},
	{"/0123456789ABCDEF0123456789abcdef0123456789abcdef0123456789abcdef", "", ""},
	{"/pod" UID "0", "", ""},
	{"/pod1c8e2b4a.5f60-4d1e-9a3b-7c2d8e9f0a1b", "", ""},
	{"/.service/.scope", "", ""},
	{"/machine-.scope", "", "machine-.scope"},
	{"//a.service//", "", "a.service"},
	{"/\033[31m\n.service", "", "\033[31m\n.service"},
};

static void paths_tell_container_and_unit(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		size_t length = strlen(cases[i].cgroup);
		uint8_t *path = exact_copy(cases[i].cgroup, length);
		struct bytes whole = {path, length}, container, unit;
		char pod[36];

		container = container_of(whole, pod);
		unit = unit_of(whole);
		if (!bytes_equal(container, bytes_of(cases[i].container)) ||
			!bytes_equal(unit, bytes_of(cases[i].unit)))
			fail_msg("%s: container %.*s, unit %.*s", cases[i].cgroup,
				(int)container.length, (const char *)container.data,
				(int)unit.length, (const char *)unit.data);
		free(path);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(paths_tell_container_and_unit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
