/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The rows of one session in one file that match, one after the other. Holds one
 * batch, or less: it can rest, without file and memory, and go on later.
 */
#ifndef SOURCE_H
#define SOURCE_H

#include "../formats/filter.h"
#include "held.h"
#include "join.h"
#include "progress.h"
#include "../formats/rows.h"
#include "select.h"

/* What a source has allocated for batches: between two sources it holds none. */
struct memory {
	struct batch batch;
	struct selection selection;
	struct fetched bytes;
};

void memory_release(struct memory *memory);

/* What all sources share. */
struct scan {
	const struct filter *filter;
	const struct selector *selector;
	struct filter_notes notes; /* of results, and of the sources that have ended */
	uint32_t bits;             /* of the columns that rows are asked for: EVENT_BIT() */
	struct sessions sessions;
	bool results;   /* rows have the late results of their events */
	bool any_order; /* rows may come in any */
	bool follow;    /* the end of a file is none */
	bool incomplete;
	struct progress *progress;   /* may be NULL */
	struct lookahead *lookahead; /* NULL: nothing is read ahead */
	/* Until it returns no batch is held any more, but by its source. */
	void (*settle)(void *context);
	struct held *spares; /* that nobody holds any more: memory for batches */
	struct memory spare; /* of the last source that ended, for the next one */
	uint64_t generation;
	void (*report)(void *context, const struct error *error);
	void *context;
};

void scan_report(struct scan *scan, const struct error *error);
void scan_add_notes(struct scan *scan, const struct filter_notes *notes);

enum source_state {
	SOURCE_NEW,     /* nothing was read; wall_ns is a lower bound */
	SOURCE_READY,   /* at a row */
	SOURCE_RESTING, /* at a row that has to be read again */
	SOURCE_IDLE,    /* follow: nothing more for now */
	SOURCE_ENDED,
};

struct source {
	struct trace_file *file;
	const struct file_session *only; /* NULL: all that no other source of the file has */
	bool primary;                    /* reports what is wrong between batches */
	enum source_state state;
	int64_t wall_ns;  /* of the row */
	int64_t start_ns; /* no row is earlier, as far as the head of the file is right */
	uint32_t row, end;
	struct selection selection; /* of the batch */
	uint32_t next;              /* in it: the row */
	struct rows rows;           /* of the batch, that were taken last */
	struct trace_reader *reader;
	struct pcapng_position at; /* of the batch */
	struct batch batch;
	struct session *session; /* of the batch */
	struct found *found;     /* the late results of rows that are selected, in their order */
	uint32_t found_count, found_capacity,
		found_next;   /* the next one: at the row or behind it */
	struct ahead *ahead;  /* what is read ahead of the reader, in its order */
	bool passed;          /* a batch before this one was not wanted */
	struct fetched bytes; /* of a batch that was read ahead */
	bool owned;           /* the batch at hand has only memory of the source */
	struct held *held;    /* the batch at hand; NULL: nobody asked for it */
	struct queue *queue;  /* of a stream whose late results are waited for */
	uint64_t order;       /* for the merge: in which it came */
};

/* Whether the filter may want anything of a batch, by its head. */
bool source_wants(const struct filter *filter, const struct batch *head);

/* Goes to the next row that matches. */
void source_advance(struct source *source, struct scan *scan);

/* Follow: the file is read behind those that the source has. False: it is of another session. */
bool source_append(struct source *source, struct trace_file *file);

/* True when rows of it wait for the results of their events. */
bool source_waits(const struct source *source);

/* Gives memory and file back. Only at a row, and not of a stream. */
void source_rest(struct source *source, struct scan *scan);

/* Makes a resting one ready, or ended with a report. */
void source_resume(struct source *source, struct scan *scan);

/* Fills in the row at hand. event, and what it borrows, is valid until the source moves. */
void source_event(const struct source *source, const struct scan *scan, struct event *event);

/* The batch at hand, which its users may keep; the source is one of them. NULL: no memory. */
struct held *source_hold(struct source *source);

/* Whose they are: of rows as source_rows() gives them. */
static inline struct source *source_of(const struct rows *rows)
{
	return (struct source *)((char *)rows->batch - offsetof(struct source, batch));
}

/*
 * Takes the row at hand and those of its batch that follow, up to the first that is later
 * than that; at most so many. Goes to the next one, unless it takes another batch to know it:
 * false, it is at the last of them then. until_ns: INT64_MAX: any time.
 */
bool source_take(struct source *source, uint64_t most, int64_t until_ns, struct rows *taken);

/* Of what is read ahead nothing may be left. */
void source_release(struct source *source);

/*
 * What of a batch depends on it alone, so that any thread may ask: whether it is
 * wanted, by its head, unless all of it was met; and what of it is selected, with the
 * columns that are needed. -1: damage, or no memory.
 */
bool source_may_want(
	const struct source *source, const struct scan *scan, const struct batch *head);
int source_prepare(const struct scan *scan, struct selection *selection, struct batch *batch,
	struct error *error);

#endif
