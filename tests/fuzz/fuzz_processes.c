/* SPDX-License-Identifier: BSD-2-Clause */
/* Any sequence of events: the first byte is the limit of the cache. See process_world.h. */
#include "process_world.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct world world;

	if (size)
		world_run(&world, data + 1, size - 1, 2 + data[0]);
	return 0;
}
