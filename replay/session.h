/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One run of the recorder, whose batches may lie in several files: which of its
 * events were met, so that copies count once and what is missing is known.
 */
#ifndef SESSION_H
#define SESSION_H

#include "../formats/batch.h"
#include "late.h"

struct join;

/* Where a batch was met, and the span of its events by the wall clock. */
struct session_place {
	const char *file;
	int64_t first_ns, last_ns;
};

#define SESSION_LOSSES_MAX 64 /* of more the last one is the sum */

struct session {
	uint8_t id[16];
	/* Numbers of events that were met: sorted, apart; an empty one marks a place. */
	struct session_range {
		uint64_t begin, end;
		struct session_place first, last;
	} * ranges;
	size_t count;
	struct counters counters; /* as of the last batch */
	struct session_place counters_place;
	/* Events that had a number and were lost on the way to the file; before the first batch. */
	uint64_t dropped, dropped_before, first_sequence;
	/* When the counter of what was lost went up. */
	struct session_loss {
		uint64_t lost;
		int64_t after_ns, before_ns; /* batches were written then */
	} losses[SESSION_LOSSES_MAX];
	size_t loss_count;
	int64_t noted_ns; /* when the last batch was written */
	bool from_start;  /* its first file was met */
	uint8_t host[64]; /* the beginning of its name */
	size_t host_length;
	int64_t first_ns, last_ns; /* wall clock of its events and batches */
	uint64_t batches;
	struct late late;
	struct join *join; /* where the late results are read; NULL: nowhere */
};

/* All zero: none yet. */
struct sessions {
	struct session **sessions;
	size_t count;
	struct session *last; /* that was asked for */
};

/* Finds it or makes it. NULL: out of memory. */
struct session *sessions_get(struct sessions *sessions, const uint8_t id[16]);
void sessions_release(struct sessions *sessions);

/* Takes note of the header of a batch. file: its name, which must outlive the session. */
void session_note(struct session *session, const struct batch *head, const char *file);

/* Whether all these events were met already: begin to before end, at least one. */
bool session_has_met(const struct session *session, uint64_t begin, uint64_t end);

/*
 * Takes the first events of begin to before end that were not met yet: those
 * from *first to before *behind. Returns 1; 0: all were met; -1: out of memory.
 * With begin equal to end it only marks that place, and returns 0.
 */
int session_meet(struct session *session, uint64_t begin, uint64_t end,
	const struct session_place *place, uint64_t *first, uint64_t *behind);

/* That of a batch, by its head. */
struct session_place session_place_of(const struct batch *head, const char *file);

/* Events that are missing between those that were met, but for those that are counted as lost. */
uint64_t session_missing(const struct session *session);

/*
 * Puts each finding as one line through report: "file: what". Returns the number
 * of findings.
 */
size_t session_report(const struct session *session,
	void (*report)(void *context, const struct error *error), void *context);

#endif
