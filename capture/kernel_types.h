/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The types of this kernel that the programs of an object read, and no others: libbpf
 * looks through all of the kernel's, a hundred thousand, for each one that it relocates.
 */
#ifndef KERNEL_TYPES_H
#define KERNEL_TYPES_H

#include <bpf/btf.h>

#define KERNEL_TYPES_PATH_SIZE 32

/*
 * An empty file in memory and a path that leads to it, for bpf_object_open_opts.btf_custom_path.
 * Returns its descriptor, or -1: there is none, or no /proc; libbpf then has to do without.
 */
int kernel_types_open(char path[static KERNEL_TYPES_PATH_SIZE]);

/*
 * Writes into it, as BTF, those types of the kernel (all) that have the name of a type of an
 * object (wanted; behind "___" a name tells versions apart), with all that they have inside
 * them; of what they point to, nothing. Without memory for that: all. Returns 0, or -1 with
 * errno.
 */
int kernel_types_write(int fd, const struct btf *all, const struct btf *wanted);

#endif
