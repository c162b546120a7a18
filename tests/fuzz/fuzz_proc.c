/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What /proc and the proc connector may hold: any bytes. The first says which.
 * What is found lies in the input and keeps its bounds.
 */
#include <assert.h>
#include <stdlib.h>

#include "../../capture/container.h"
#include "../../capture/proc_events.h"
#include "../../capture/proc_read.h"

static void inside(struct bytes part, struct bytes whole)
{
	assert(!part.length ||
		(part.data >= whole.data && part.data + part.length <= whole.data + whole.length));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct proc_reading reading;
	struct proc_change change;
	struct bytes text, found;
	uint8_t *copy;
	char pod[36];

	if (!size)
		return 0;
	copy = malloc(size); /* so that a read beyond it is seen */
	assert(copy);
	memcpy(copy, data + 1, size - 1);
	text = (struct bytes){copy, size - 1};
	switch (data[0] % 5) {
	case 0:
		if (!proc_parse_stat(text, &reading))
			assert(reading.process.comm.length <= PROC_COMM_MAX);
		break;
	case 1:
		proc_parse_status(text, &reading.process);
		break;
	case 2:
		found = proc_parse_cgroup(text);
		inside(found, text);
		assert(!found.length || !memchr(found.data, '\n', found.length));
		break;
	case 3:
		inside(unit_of(text), text);
		found = container_of(text, pod);
		if (found.data != (const uint8_t *)pod)
			inside(found, text);
		assert(!found.length || !memchr(found.data, '/', found.length));
		break;
	case 4:
		if (proc_events_parse(text, 0, &change))
			assert(change.kind >= CHANGE_FORK && change.kind <= CHANGE_EXIT);
		break;
	}
	free(copy);
	return 0;
}
