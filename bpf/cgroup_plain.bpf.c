// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Backend "cgroup" for kernels without BTF; see there. */
#define PLAIN
#include "cgroup.bpf.c"
