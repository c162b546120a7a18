/* SPDX-License-Identifier: BSD-2-Clause */
/* Collects events and late results and encodes them as one batch record. */
#ifndef BATCH_BUILDER_H
#define BATCH_BUILDER_H

#include "batch.h"
#include "skip.h"

#define BATCH_EVENTS_MAX 16384 /* also the most late results */

struct batch_builder;

/* NULL: out of memory. All memory is taken here. */
struct batch_builder *batch_builder_new(void);
void batch_builder_free(struct batch_builder *builder);

/*
 * From now on batches are made to be compressed, up to RECORD_PLAIN_MAX bytes
 * large. Only while the builder is empty.
 */
void batch_builder_pack(struct batch_builder *builder);

/* The same: batches have a summary for skipping. -1: out of memory. */
int batch_builder_skip(struct batch_builder *builder);

/* The values of what was encoded last, for the summary of the file; NULL: they are not known. */
const struct skip_set *batch_builder_values(const struct batch_builder *builder);

/*
 * Copies the event and its process with up to ANCESTORS_MAX ancestors;
 * event->number is not stored: it is header->sequence plus the row. Returns 0,
 * or 1: no room, encode first. A process that alone fills a batch loses texts.
 */
int batch_builder_add(struct batch_builder *builder, const struct event *event);

/* Replaces the result of the event of that row, below batch_builder_count(). 1: no room for it. */
int batch_builder_set_result(
	struct batch_builder *builder, uint32_t row, const struct result *result);

/* Adds the result of an event that is in an earlier batch. Returns 0, or 1: encode first. */
int batch_builder_add_late(struct batch_builder *builder, const struct late_result *late);

/* Events, and late results, since the last encoding. */
uint32_t batch_builder_count(const struct batch_builder *builder);
uint32_t batch_builder_late_count(const struct batch_builder *builder);

/* What the record would take now, at most. */
size_t batch_builder_size(const struct batch_builder *builder);

/*
 * Writes the record, at most RECORD_PAYLOAD_MAX bytes, or RECORD_PLAIN_MAX after
 * batch_builder_pack(), and empties the builder.
 * header->first_ns and last_ns are set from the events. The host name and the
 * backend are cut to 255 bytes. Returns the length.
 */
size_t batch_builder_encode(struct batch_builder *builder, struct batch_header *header,
	uint8_t out[static RECORD_PAYLOAD_MAX]);

#endif
