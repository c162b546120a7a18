/* SPDX-License-Identifier: BSD-2-Clause */
#include "session.h"

#include <inttypes.h>
#include <stdlib.h>

struct session *sessions_get(struct sessions *sessions, const uint8_t id[16])
{
	struct session **grown, *session;

	if (sessions->last && !memcmp(sessions->last->id, id, 16))
		return sessions->last;
	for (size_t i = 0; i < sessions->count; i++)
		if (!memcmp(sessions->sessions[i]->id, id, 16))
			return sessions->last = sessions->sessions[i];
	grown = realloc(sessions->sessions, (sessions->count + 1) * sizeof *grown);
	if (!grown)
		return NULL;
	sessions->sessions = grown;
	session = calloc(1, sizeof *session);
	if (!session)
		return NULL;
	memcpy(session->id, id, 16);
	sessions->last = grown[sessions->count++] = session;
	return session;
}

void sessions_release(struct sessions *sessions)
{
	for (size_t i = 0; i < sessions->count; i++) {
		late_release(&sessions->sessions[i]->late);
		free(sessions->sessions[i]->ranges);
		free(sessions->sessions[i]);
	}
	free(sessions->sessions);
	memset(sessions, 0, sizeof *sessions);
}

struct session_place session_place_of(const struct batch *head, const char *file)
{
	const struct batch_header *h = &head->header;

	if (!head->events)
		return (struct session_place){file, h->anchor.wall_ns, h->anchor.wall_ns};
	return (struct session_place){
		file, batch_wall_ns(head, h->first_ns), batch_wall_ns(head, h->last_ns)};
}

static void note_loss(struct session *s, uint64_t lost, int64_t now_ns)
{
	struct session_loss *loss;

	if (s->loss_count < SESSION_LOSSES_MAX) {
		loss = &s->losses[s->loss_count++];
		loss->after_ns = s->batches > 1 ? s->noted_ns : s->first_ns;
		loss->lost = 0;
	} else {
		loss = &s->losses[SESSION_LOSSES_MAX - 1];
	}
	loss->lost += lost;
	loss->before_ns = now_ns;
}

void session_note(struct session *s, const struct batch *head, const char *file)
{
	const struct batch_header *h = &head->header;
	struct session_place place = session_place_of(head, file);

	if (!s->batches || place.first_ns < s->first_ns)
		s->first_ns = place.first_ns;
	if (!s->batches || place.last_ns > s->last_ns)
		s->last_ns = place.last_ns;
	if (!s->batches) {
		size_t n = h->host.length < sizeof s->host ? h->host.length : sizeof s->host;

		if (n)
			memcpy(s->host, h->host.data, n);
		s->host_length = n;
	}
	if (!s->batches || h->sequence < s->first_sequence) {
		s->first_sequence = h->sequence;
		s->dropped_before = h->dropped;
	}
	if (h->dropped > s->dropped)
		s->dropped = h->dropped;
	s->batches++;
	if (h->file == 1)
		s->from_start = true;
	if (!s->counters_place.file || h->counters.seen >= s->counters.seen) {
		if (h->counters.lost > s->counters.lost)
			note_loss(s, h->counters.lost - s->counters.lost, h->anchor.wall_ns);
		s->counters = h->counters;
		s->counters_place = place;
		s->noted_ns = h->anchor.wall_ns;
	}
}

/* The first range that ends at begin or later; count: there is none. */
static size_t find(const struct session *s, uint64_t begin)
{
	size_t low = 0, high = s->count;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (s->ranges[middle].end < begin)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

bool session_has_met(const struct session *s, uint64_t begin, uint64_t end)
{
	size_t i = find(s, begin);

	/* The one that ends at begin does not hold it. */
	if (i < s->count && s->ranges[i].end == begin)
		i++;
	return i < s->count && s->ranges[i].begin <= begin && s->ranges[i].end >= end;
}

/* Puts a range in, which overlaps none. It grows together with those that it touches. */
static int insert(
	struct session *s, uint64_t begin, uint64_t end, const struct session_place *place)
{
	size_t i = find(s, begin);
	struct session_range *r = i < s->count ? &s->ranges[i] : NULL, *grown;

	if (r && r->end == begin) {
		r->end = end;
		r->last = *place;
	} else if (r && r->begin == end) {
		r->begin = begin;
		r->first = *place;
	} else {
		grown = realloc(s->ranges, (s->count + 1) * sizeof *grown);
		if (!grown)
			return -1;
		s->ranges = grown;
		memmove(grown + i + 1, grown + i, (s->count - i) * sizeof *grown);
		s->count++;
		grown[i] = (struct session_range){begin, end, *place, *place};
		return 0;
	}
	if (i + 1 < s->count && r->end == r[1].begin) {
		r->end = r[1].end;
		r->last = r[1].last;
		memmove(r + 1, r + 2, (s->count - i - 2) * sizeof *r);
		s->count--;
	}
	return 0;
}

int session_meet(struct session *s, uint64_t begin, uint64_t end, const struct session_place *place,
	uint64_t *first, uint64_t *behind)
{
	size_t i = find(s, begin);

	if (begin >= end) { /* also of a hostile batch, whose numbers wrap */
		if (i < s->count && s->ranges[i].begin <= begin)
			return 0;
		return insert(s, begin, begin, place) ? -1 : 0;
	}
	for (; i < s->count && s->ranges[i].begin <= begin; i++)
		if (s->ranges[i].end > begin)
			begin = s->ranges[i].end;
	if (begin >= end)
		return 0;
	if (i < s->count && s->ranges[i].begin < end)
		end = s->ranges[i].begin;
	*first = begin;
	*behind = end;
	return insert(s, begin, end, place) ? -1 : 1;
}

/* Holes in the numbers that the counters explain. */
static uint64_t explained(const struct session *s)
{
	return s->from_start ? s->dropped : s->dropped - s->dropped_before;
}

/* Takes from missing what is explained, and that from *known. */
static uint64_t unexplained(uint64_t missing, uint64_t *known)
{
	uint64_t part = missing < *known ? missing : *known;

	*known -= part;
	return missing - part;
}

uint64_t session_missing(const struct session *s)
{
	uint64_t missing = s->count && s->from_start ? s->ranges[0].begin : 0;
	uint64_t known = explained(s);

	for (size_t i = 1; i < s->count; i++)
		missing += s->ranges[i].begin - s->ranges[i - 1].end;
	return unexplained(missing, &known);
}

/* behind: the file behind the gap, if that is another one. */
static size_t report_gap(const char *file, uint64_t missing, const char *behind,
	void (*report)(void *context, const struct error *error), void *context)
{
	struct error text;

	if (!missing)
		return 0;
	if (behind)
		error_set(&text, "%s: %" PRIu64 " events are missing between this file and %s",
			file, missing, behind);
	else
		error_set(
			&text, "%s: %" PRIu64 " events are missing from this file", file, missing);
	report(context, &text);
	return 1;
}

/* Those from one file are added up. */
static size_t report_missing(const struct session *s,
	void (*report)(void *context, const struct error *error), void *context)
{
	const char *file = s->ranges[0].first.file;
	uint64_t known = explained(s);
	uint64_t missing = unexplained(s->from_start ? s->ranges[0].begin : 0, &known);
	size_t findings = 0;

	for (size_t i = 1; i < s->count; i++) {
		const struct session_range *before = &s->ranges[i - 1], *r = &s->ranges[i];
		bool inside = before->last.file == r->first.file;

		if (!inside || r->first.file != file) {
			findings += report_gap(file, missing, NULL, report, context);
			missing = 0;
			file = r->first.file;
		}
		if (inside)
			missing += unexplained(r->begin - before->end, &known);
		else
			findings += report_gap(before->last.file,
				unexplained(r->begin - before->end, &known), file, report, context);
	}
	return findings + report_gap(file, missing, NULL, report, context);
}

size_t session_report(const struct session *s,
	void (*report)(void *context, const struct error *error), void *context)
{
	const struct {
		uint64_t count;
		const char *what;
	} facts[] = {
		{s->counters.lost, "events were lost while recording"},
		{s->counters.partial, "parts of events were lost while recording: a source address "
				      "or an outcome"},
	};
	struct error text;
	size_t findings = 0;

	for (size_t i = 0; i < sizeof facts / sizeof *facts; i++) {
		if (!facts[i].count)
			continue;
		error_set(&text, "%s: %" PRIu64 " %s", s->counters_place.file, facts[i].count,
			facts[i].what);
		report(context, &text);
		findings++;
	}
	return findings + (s->count ? report_missing(s, report, context) : 0);
}
