/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A batch of events, decoded in place: header and columns point into the
 * record. After batch_parse() every index in it is known to be inside its
 * table, so that rows are read without further checks.
 */
#ifndef BATCH_H
#define BATCH_H

#include "column.h"
#include "compress.h"
#include "error.h"
#include "event.h"
#include "process_field.h"
#include "record.h"

/* Events that had a number and were dropped. All zero: none. */
struct gap {
	uint64_t from_ns, to_ns; /* CLOCK_BOOTTIME of the earliest and the latest */
	uint8_t reason;          /* enum gap_reason */
};

/* The same for writing and reading. The bytes are borrowed. */
struct batch_header {
	uint8_t session[16];
	uint32_t file;     /* number of the file in the session, from 1 */
	uint64_t sequence; /* events of the session before this batch */
	struct clock_anchor anchor;
	uint64_t first_ns, last_ns; /* CLOCK_BOOTTIME of earliest and latest event */
	struct counters counters;
	uint64_t dropped; /* part of lost: events that had a number; cumulative */
	struct gap gap;   /* the last of them, if they would stand just before this batch */
	struct bytes host, backend;
	struct bytes skip; /* of a batch that is read: skip.h; may be absent */
};

/* The columns of events are asked for by bits, so that only these are decompressed. */
enum { EVENT_COLUMNS = 16 };
#define EVENT_BIT(id) (1u << ((id)-EVENT_TIME))
#define EVENT_BITS ((1u << EVENT_COLUMNS) - 1)
#define EVENT_RESULT_BITS                                                                          \
	(EVENT_BIT(EVENT_OUTCOME) | EVENT_BIT(EVENT_ERROR) | EVENT_BIT(EVENT_LATENCY) |            \
		EVENT_BIT(EVENT_RETRANSMITS))

#define EVENT_QUERY_BITS (EVENT_BIT(EVENT_QUERY) | EVENT_BIT(EVENT_ANSWERED))

/* Where a body is read from as it is needed. All zero: all of it is there. */
struct batch_source {
	int (*read)(void *context, struct bytes part); /* -1: it cannot */
	void *context;
};

/* All zero before the first batch_parse(). */
struct batch {
	struct batch_header header;
	uint32_t events, processes, strings, ipv4, ipv6, late;
	struct column time, process, tid, saddr, daddr, lport, dport, flags;
	struct column outcome, error, latency, retransmits, returned, net_ns, query, answered;
	struct column process_columns[PROCESS_FIELDS]; /* as in process_fields */
	struct column string_end, ipv4_address, ipv6_high, ipv6_low;
	struct column late_event, late_outcome, late_error, late_latency, late_retransmits;
	struct bytes string_bytes;
	struct process *table; /* the processes, decoded; owned */
	uint32_t table_capacity;
	struct address *addresses; /* the addresses by number, decoded; owned */
	uint32_t address_count;    /* 0: too many, or batch_decode_addresses() was not called */
	uint32_t address_capacity;
	struct unpacked body; /* if it is compressed; owned */
	/* Of the columns of events: where they stand, which are there, those that were encoded. */
	struct bytes plain;
	bool packed;                     /* plain is in body, as far as it was needed */
	struct batch_source source;      /* of plain; of a packed one there is none */
	uint32_t entries[EVENT_COLUMNS]; /* of the directory, plus 1; 0: absent */
	bool queried;                    /* one of EVENT_QUERY_BITS is there */
	uint32_t loaded;
	struct expanded {
		uint8_t *data; /* owned */
		size_t capacity;
	} expanded[EVENT_COLUMNS];
};

/* Frees what the batch owns; it is all zero again. */
void batch_release(struct batch *batch);

/*
 * Checks the fields that all records share. Puts the record without what
 * follows it (padding, options of the block) into *record and its kind into
 * *kind. Returns 0, or -1: not a record that this version can read.
 */
int record_parse(struct bytes payload, struct bytes *record, int *kind, struct error *error);

/*
 * Decodes a record of kind RECORD_BATCH into a batch that may hold another one.
 * It borrows from the record. Returns 0, or -1 with the reason: it is damaged,
 * or needs a newer version; the batch then holds no events.
 */
int batch_parse(struct batch *batch, struct bytes record, struct error *error);

/*
 * The same in two steps: batch_open() decodes all but the columns of events,
 * which batch_need() adds, by EVENT_BIT(); the others are all 0 until then. After
 * -1 of either the batch holds no events. batch_open_parts(): of a body that is not packed
 * only what is needed is read, until the last batch_need().
 */
int batch_open(struct batch *batch, struct bytes record, struct error *error);
int batch_open_parts(struct batch *batch, struct bytes record, const struct batch_source *source,
	struct error *error);
int batch_need(struct batch *batch, uint32_t bits, struct error *error);

/*
 * Only the header and the numbers of rows. Of the record only its header is
 * looked at; host, backend and skip are inside the record, and yet to be there.
 */
int batch_parse_head(struct batch *batch, struct bytes record, struct error *error);

/* Row of the events, below batch->events. Borrowed from the batch until it is parsed again. */
void batch_event(const struct batch *batch, uint32_t row, struct event *event);

/* Only what stands in these columns, and the number; without its column the process is any. */
void batch_event_part(const struct batch *batch, uint32_t row, uint32_t bits, struct event *event);

/*
 * Decodes all addresses of the batch, for who will ask for most of them, or for some
 * again and again. Without memory for it they are decoded when they are asked for.
 */
void batch_decode_addresses(struct batch *batch);

/* An address by its number in a column: as it was decoded, or as it stands in the batch. */
void batch_make_address(const struct batch *batch, uint64_t number, struct address *address);
static inline void batch_address(
	const struct batch *batch, uint64_t number, struct address *address)
{
	if (number < batch->address_count)
		*address = batch->addresses[number];
	else
		batch_make_address(batch, number, address);
}

/* Only its result. */
void batch_result(const struct batch *batch, uint32_t row, struct result *result);

/* Row of the late results, below batch->late. */
void batch_late_result(const struct batch *batch, uint32_t row, struct late_result *late);

/* What the wall clock of the host showed at that time, ns since 1970. */
int64_t batch_wall_ns(const struct batch *batch, uint64_t time_ns);

#endif
