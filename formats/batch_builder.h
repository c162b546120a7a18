/* SPDX-License-Identifier: BSD-2-Clause */
/* Collects events and encodes them as one batch record. */
#ifndef BATCH_BUILDER_H
#define BATCH_BUILDER_H

#include "batch.h"

#define BATCH_EVENTS_MAX 16384

struct batch_builder;

/* NULL: out of memory. All memory is taken here. */
struct batch_builder *batch_builder_new(void);
void batch_builder_free(struct batch_builder *builder);

/* Copies the event. Returns 0, or 1: no room, encode first. */
int batch_builder_add(struct batch_builder *builder, const struct event *event);

uint32_t batch_builder_count(const struct batch_builder *builder);

/*
 * Writes the record, at most RECORD_PAYLOAD_MAX bytes, and empties the builder.
 * header->first_ns and last_ns are set from the events. The host name and the
 * backend are cut to 255 bytes. Returns the length.
 */
size_t batch_builder_encode(struct batch_builder *builder, struct batch_header *header,
	uint8_t out[static RECORD_PAYLOAD_MAX]);

#endif
