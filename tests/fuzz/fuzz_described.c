/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Descriptions as they may come out of the ring: any bytes behind a length of
 * two. What is taken keeps the bounds of a process of /proc.
 */
#include <assert.h>
#include <linux/types.h>
#include <stdlib.h>

#include "../../bpf/tcpconnect.h"
#include "../../capture/described.h"
#include "../../capture/proc_read.h"

static void check(const struct description *found)
{
	const struct process *p = &found->process;

	assert(p->exe.length <= PROC_TEXT_MAX && p->args.length <= PROC_TEXT_MAX);
	assert(p->cgroup.length <= PROC_TEXT_MAX && found->parent_comm.length <= SAMPLE_COMM_SIZE);
	assert(!p->exe.length || (p->exe.data[0] == '/' && !memchr(p->exe.data, 0, p->exe.length)));
	assert(!p->cgroup.length ||
		(p->cgroup.data[0] == '/' && !memchr(p->cgroup.data, 0, p->cgroup.length)));
	assert(!p->args.length || !p->args.data[p->args.length - 1]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct described *d = described_new(size & 1);

	assert(d);
	while (size >= 2) {
		size_t length = data[0] | (size_t)data[1] << 8;
		const struct description *found;
		struct sample_process sample;
		uint8_t *copy;

		data += 2;
		size -= 2;
		length = length < size ? length : size;
		copy = malloc(length + 1); /* so that a read beyond it is seen */
		assert(copy);
		memcpy(copy + 1, data, length); /* not aligned */
		if (!described_take(d, copy + 1, length)) {
			memcpy(&sample, copy + 1, sizeof sample);
			found = described_find(d, sample.id);
			assert(found && found->process.pid == sample.pid);
			check(found);
		}
		free(copy);
		data += length;
		size -= length;
	}
	described_free(d);
	return 0;
}
