/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the tracing programs of an object attach to, found in types of the kernel that are
 * read already: libbpf would read them again, and search all of them for each program.
 */
#ifndef TARGETS_H
#define TARGETS_H

#include <bpf/btf.h>
#include <bpf/libbpf.h>

/* For the objects opened from now on. */
void targets_begin(void);

/*
 * Finds those of the programs that will be loaded, which are then to be attached by
 * bpf_program__attach_trace(). What is not in the kernel itself, libbpf looks for, in its
 * modules. Returns 0, or less with errno. For one object at a time, until it is loaded.
 */
int targets_find(const struct bpf_object *object, const struct btf *kernel);

#endif
