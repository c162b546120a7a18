/* SPDX-License-Identifier: BSD-2-Clause */
/* Which container and which systemd unit a cgroup path tells of. */
#ifndef CONTAINER_H
#define CONTAINER_H

#include "../formats/bytes.h"

/*
 * Id of the innermost container of the path: that of docker, containerd, cri-o
 * and podman (64 hexadecimal digits), the name of a machine (systemd-nspawn, lxc);
 * of a pod without container its uid, with dashes as kubectl shows it, in uid.
 * Part of the path or of uid; empty: none.
 */
struct bytes container_of(struct bytes cgroup, char uid[static 36]);

/* The innermost NAME.service or NAME.scope, as it stands in the path; empty: none. */
struct bytes unit_of(struct bytes cgroup);

#endif
