/* SPDX-License-Identifier: BSD-2-Clause */
#include "rows.h"

const struct result *rows_find(const struct rows *rows, uint32_t row)
{
	uint32_t low = 0, high = rows->found_count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (rows->found[middle].row < row)
			low = middle + 1;
		else
			high = middle;
	}
	return low < rows->found_count && rows->found[low].row == row ? &rows->found[low].result
								      : NULL;
}

void rows_get(const struct rows *rows, uint32_t i, const struct result *late, struct event *event,
	struct columns_row *row)
{
	const struct batch *batch = rows->batch;

	batch_event_part(batch, rows->rows[i], rows->bits, event);
	if (late)
		event->result = *late;
	*row = (struct columns_row){.event = event,
		.wall_ns = rows_wall_ns(rows, i),
		.host = batch->header.host,
		.backend = batch->header.backend};
}
