/* SPDX-License-Identifier: BSD-2-Clause */
#include "merge.h"
#include "ahead.h"
#include "looks.h"

#include <stdlib.h>
#include <sys/resource.h>

#define READY_MAX 350  /* sources that hold a file and a batch: 0.3 MiB each at most, usually */
#define OTHER_FILES 32 /* that are open besides */
#define KEPT_MAX (32u << 20) /* bytes of the summaries of files of which nothing is wanted */

struct merge {
	struct scan scan;
	struct selector *selector;
	struct trace_file **files;
	size_t file_count, kept; /* bytes of them */
	struct source **sources;
	size_t count, started; /* sources that are in the heap or ended */
	struct place {
		int64_t at; /* what they are ordered by: near, as it is looked at for each row */
		struct source *source;
	} * heap; /* by time, then by the order in which they were added */
	size_t heap_count;
	size_t ready, ready_max; /* sources that hold a file */
	struct source *current;  /* whose row was given out last: the first of the heap */
	struct event event;
	/* As far as merge_has_several_hosts() has looked. */
	struct hosts hosts;
	bool followed; /* there may be idle sources */
};

struct merge *merge_new(const struct filter *filter, merge_report *report, void *context)
{
	struct merge *m = calloc(1, sizeof *m);
	struct rlimit files;

	if (m)
		m->selector = selector_new(filter);
	if (m && !m->selector) {
		free(m);
		return NULL;
	}
	if (m) {
		m->scan.filter = filter;
		m->scan.selector = m->selector;
		m->scan.bits = EVENT_BITS;
		m->scan.report = report;
		m->scan.context = context;
		m->ready_max = READY_MAX;
		if (!getrlimit(RLIMIT_NOFILE, &files) && files.rlim_cur < READY_MAX + OTHER_FILES)
			m->ready_max = files.rlim_cur > 2 * OTHER_FILES
					       ? (size_t)files.rlim_cur - OTHER_FILES
					       : OTHER_FILES;
	}
	return m;
}

void merge_free(struct merge *m)
{
	if (!m)
		return;
	for (size_t i = 0; i < m->count; i++) {
		ahead_drop(m->sources[i], &m->scan);
		source_release(m->sources[i]);
		free(m->sources[i]);
	}
	for (size_t i = 0; i < m->scan.sessions.count; i++)
		join_free(m->scan.sessions.sessions[i]->join);
	sessions_release(&m->scan.sessions);
	held_free_spares(m->scan.spares);
	memory_release(&m->scan.spare);
	selector_free(m->selector);
	lookahead_free(m->scan.lookahead);
	for (size_t i = 0; i < m->file_count; i++) {
		trace_file_release(m->files[i]);
		free(m->files[i]);
	}
	free(m->files);
	free(m->sources);
	free(m->heap);
	free(m);
}

void merge_show_progress(struct merge *m, struct progress *progress)
{
	m->scan.progress = progress;
}

void merge_use(struct merge *m, struct pool *pool)
{
	m->scan.lookahead = lookahead_new(pool); /* without memory for it nothing is read ahead */
}

static void *grow(void *array, size_t count, size_t size)
{
	/* At powers of two. */
	return count & (count - 1) ? array : realloc(array, (count ? count * 2 : 1) * size);
}

static int add_source(struct merge *m, struct trace_file *file, const struct file_session *only)
{
	struct source **sources = grow(m->sources, m->count, sizeof *sources), *s;
	struct place *heap;

	if (!sources)
		return -1;
	m->sources = sources;
	heap = grow(m->heap, m->count, sizeof *heap);
	if (!heap)
		return -1;
	m->heap = heap;
	s = calloc(1, sizeof *s);
	if (!s)
		return -1;
	s->file = file;
	s->only = only;
	s->primary = !only || only == file->sessions;
	s->wall_ns = s->start_ns = only ? only->first_ns : INT64_MIN;
	m->sources[m->count++] = s;
	return 0;
}

/* Takes the file that was looked at. */
static int take(struct merge *m, struct look *look, struct error *error)
{
	struct trace_file **grown = grow(m->files, m->file_count, sizeof *grown);
	struct trace_file *file = look->file;
	int status = 0;

	if (grown)
		m->files = grown;
	if (!file) {
		*error = look->error;
		return -1;
	}
	if (!grown) {
		error_set(error, "%s: out of memory", file->name);
		trace_file_release(file);
		free(file);
		return -1;
	}
	if (look->hosts.any)
		hosts_note(&m->hosts, (struct bytes){look->hosts.first, look->hosts.length});
	m->hosts.several |= look->hosts.several;
	m->kept += file->kept;
	m->files[m->file_count++] = file;
	if (m->scan.follow && file->session_count > 1)
		file->session_count = 0; /* more may come */
	for (size_t i = 0; m->scan.follow && i < m->count; i++)
		if (source_append(m->sources[i], file))
			return 0;
	if (!file->session_count)
		status = add_source(m, file, NULL);
	for (size_t i = 0; i < file->session_count && !status; i++)
		status = add_source(m, file, &file->sessions[i]);
	return status ? error_set(error, "%s: out of memory", file->name) : 0;
}

/* Whether what is to be known of a file of which nothing is wanted may be kept. */
static bool may_keep(const struct merge *m)
{
	return !m->scan.follow && m->kept < KEPT_MAX;
}

int merge_add(struct merge *m, const char *name, struct error *error)
{
	struct look look;

	look_at(&look, m->scan.filter, name, may_keep(m));
	return take(m, &look, error);
}

bool merge_add_all(struct merge *m, struct pool *pool, char *const *names, size_t count)
{
	struct looks *looks = looks_new(pool, m->scan.filter, names, count);
	bool all = looks;
	struct look *look;
	struct error error;

	if (!looks) {
		error_set(&error, "out of memory");
		m->scan.report(m->scan.context, &error);
	}
	while (looks && (look = looks_next(looks, may_keep(m)))) {
		if (!take(m, look, &error))
			continue;
		m->scan.report(m->scan.context, &error);
		all = false;
	}
	looks_free(looks);
	return all;
}

/* The files that hold late results, for the joins of their sessions. */
static int add_joins(struct merge *m)
{
	uint64_t late = 0;

	for (size_t i = 0; i < m->file_count; i++) {
		const struct trace_file *file = m->files[i];

		for (size_t k = 0; k < file->session_count; k++) {
			const struct file_session *part = &file->sessions[k];
			struct session *session;

			if (!part->late)
				continue;
			late += part->late;
			session = sessions_get(&m->scan.sessions, part->id);
			if (!session || (!session->join && !join_new(session)) ||
				join_add(session->join, file, part))
				return -1;
		}
	}
	for (size_t i = 0; i < m->scan.sessions.count; i++)
		if (m->scan.sessions.sessions[i]->join)
			join_plan(m->scan.sessions.sessions[i]->join, late);
	return 0;
}

void merge_need_results(struct merge *m)
{
	struct error error;

	m->scan.results = true;
	/* A file that grows brings them itself. */
	if (m->scan.follow || !add_joins(m))
		return;
	error_set(&error, "out of memory");
	scan_report(&m->scan, &error);
}

void merge_any_order(struct merge *m)
{
	m->scan.any_order = true;
}

void merge_need_columns(struct merge *m, uint32_t bits)
{
	m->scan.bits = bits;
}

void merge_follow(struct merge *m)
{
	m->scan.follow = m->followed = true;
}

void merge_end_following(struct merge *m)
{
	m->scan.follow = false;
}

bool merge_waits(const struct merge *m)
{
	for (size_t i = 0; i < m->started; i++)
		if (m->sources[i]->state == SOURCE_IDLE && source_waits(m->sources[i]))
			return true;
	return false;
}

static struct place place_of(const struct merge *m, struct source *s)
{
	/* In any order: one source after the other. */
	return (struct place){m->scan.any_order ? s->start_ns : s->wall_ns, s};
}

static inline bool is_before(const struct place *a, const struct place *b)
{
	return a->at != b->at ? a->at < b->at : a->source->order < b->source->order;
}

/* The first of the heap has a later place now. */
static void sift_down(struct merge *m)
{
	struct place *h = m->heap, moved = place_of(m, h->source);
	size_t i = 0, child;

	while ((child = 2 * i + 1) < m->heap_count) {
		if (child + 1 < m->heap_count && is_before(&h[child + 1], &h[child]))
			child++;
		if (!is_before(&h[child], &moved))
			break;
		h[i] = h[child];
		i = child;
	}
	h[i] = moved;
}

static void push(struct merge *m, struct source *s)
{
	struct place *h = m->heap, added = place_of(m, s);
	size_t i = m->heap_count++;

	for (; i && is_before(&added, &h[(i - 1) / 2]); i = (i - 1) / 2)
		h[i] = h[(i - 1) / 2];
	h[i] = added;
}

/* The first of the heap has ended, or is idle. */
static void pop(struct merge *m)
{
	m->heap[0] = m->heap[--m->heap_count];
	if (m->heap_count)
		sift_down(m);
}

/* Makes room for one more that holds a file: the one whose next row is the latest rests. */
static void make_room(struct merge *m)
{
	struct source *latest = NULL;

	if (m->ready < m->ready_max || m->scan.follow)
		return;
	for (size_t i = 0; i < m->heap_count; i++) {
		struct source *s = m->heap[i].source;

		if (s->state == SOURCE_READY && !s->file->is_stream &&
			(!latest || s->wall_ns > latest->wall_ns))
			latest = s;
	}
	if (!latest)
		return;
	source_rest(latest, &m->scan);
	m->ready--;
}

/* The first of the heap moves on to its next row, and to its place. */
static void advance(struct merge *m)
{
	struct source *s = m->heap->source;
	bool held = s->state == SOURCE_READY;

	if (!held)
		make_room(m);
	source_advance(s, &m->scan);
	if (held)
		m->ready--;
	if (s->state == SOURCE_READY || s->state == SOURCE_IDLE)
		m->ready++;
	if (s->state == SOURCE_READY)
		sift_down(m);
	else
		pop(m);
}

static void resume(struct merge *m)
{
	struct source *s = m->heap->source;

	make_room(m);
	source_resume(s, &m->scan);
	if (s->state == SOURCE_READY)
		m->ready++;
	else
		pop(m);
}

static void start_sources(struct merge *m)
{
	for (; m->started < m->count; m->started++) {
		m->sources[m->started]->order = m->started;
		push(m, m->sources[m->started]);
	}
}

bool merge_has_several_hosts(struct merge *m)
{
	/* One pipe alone is not waited for: its first event would decide nothing. */
	for (size_t i = 0; i < m->count && m->count > 1 && !m->hosts.several; i++) {
		struct source *s = m->sources[i];

		if (!s->file->is_stream)
			continue;
		start_sources(m);
		if (s->state == SOURCE_NEW) {
			while (m->heap->source != s)
				advance(m); /* others without a known time, before it */
			advance(m);
		}
		if (s->state == SOURCE_READY)
			hosts_note(&m->hosts, s->batch.header.host);
	}
	return m->hosts.several;
}

/* What was idle may have more. */
static void wake(struct merge *m)
{
	for (size_t i = 0; m->followed && i < m->started; i++) {
		struct source *s = m->sources[i];

		if (s->state != SOURCE_IDLE)
			continue;
		source_advance(s, &m->scan);
		if (s->state == SOURCE_READY)
			push(m, s);
		else if (s->state == SOURCE_ENDED)
			m->ready--;
	}
}

/* The source of the next row, now m->current; NULL: the end. */
static struct source *next_source(struct merge *m)
{
	start_sources(m);
	if (m->current)
		advance(m);
	else
		wake(m);
	m->current = NULL;
	while (m->heap_count && m->heap->source->state != SOURCE_READY) {
		if (m->heap->source->state == SOURCE_RESTING)
			resume(m);
		else
			advance(m);
	}
	if (m->heap_count)
		m->current = m->heap->source;
	return m->current;
}

/* The last time at which a row of the first source is still before those of the others. */
static int64_t until_of(const struct merge *m)
{
	const struct place *other = &m->heap[1];

	if (m->heap_count == 1 || m->scan.any_order)
		return INT64_MAX;
	if (m->heap_count > 2 && is_before(&m->heap[2], other))
		other = &m->heap[2];
	/* It is not at the earliest time of all, if it was added before the first one. */
	return other->at - (other->source->order < m->heap->source->order);
}

size_t merge_next_rows(struct merge *m, struct rows *runs, size_t room, uint64_t most)
{
	struct source *s = next_source(m);
	size_t count = 0;
	bool more;

	while (s) {
		m->current = s;
		more = source_take(s, most, until_of(m), &runs[count]);
		most -= runs[count++].count;
		if (!more)
			break;
		m->current = NULL; /* it is at a row that is still to come */
		sift_down(m);
		s = m->heap->source;
		if (count == room || !most || s->state != SOURCE_READY)
			break;
	}
	return count;
}

void merge_hold(struct merge *m, void (*settle)(void *context))
{
	m->scan.settle = settle;
}

struct held *merge_held(const struct rows *run)
{
	return source_hold(source_of(run));
}

int merge_next(struct merge *m, struct columns_row *row)
{
	struct source *s = next_source(m);

	if (!s)
		return 0;
	source_event(s, &m->scan, &m->event);
	row->event = &m->event;
	row->wall_ns = s->wall_ns;
	row->host = s->batch.header.host;
	row->backend = s->batch.header.backend;
	return 1;
}

void merge_report_missing(struct merge *m)
{
	for (size_t i = 0; i < m->scan.sessions.count; i++)
		if (session_report(m->scan.sessions.sessions[i], m->scan.report, m->scan.context))
			m->scan.incomplete = true;
}

bool merge_incomplete(const struct merge *m)
{
	return m->scan.incomplete;
}

size_t merge_unreadable(const struct merge *m)
{
	size_t unreadable = 0;

	for (size_t i = 0; i < m->file_count; i++)
		unreadable += m->files[i]->ended && !trace_is_readable(&m->files[i]->facts);
	return unreadable;
}

size_t merge_count(const struct merge *m)
{
	return m->file_count;
}

const struct session *merge_session(const struct merge *m)
{
	return m->current->session;
}

const struct sessions *merge_sessions(const struct merge *m)
{
	return &m->scan.sessions;
}

struct filter_notes merge_notes(const struct merge *m)
{
	struct filter_notes notes = m->scan.notes;

	for (size_t i = 0; i < m->count; i++)
		for (size_t k = 0; k < FILTER_FACTS; k++) {
			notes.known[k] += m->sources[i]->selection.notes.known[k];
			notes.unknown[k] += m->sources[i]->selection.notes.unknown[k];
		}
	return notes;
}

bool merge_knows_session(const struct merge *m, const uint8_t id[16])
{
	for (size_t i = 0; i < m->scan.sessions.count; i++)
		if (!memcmp(m->scan.sessions.sessions[i]->id, id, 16))
			return true;
	return false;
}

bool merge_has_file(const struct merge *m, const struct stat *status)
{
	for (size_t i = 0; i < m->file_count; i++)
		/* The inode of one that was read to its end may be that of another file by now. */
		if (!m->files[i]->ended && m->files[i]->device == status->st_dev &&
			m->files[i]->inode == status->st_ino)
			return true;
	return false;
}

void merge_visit(const struct merge *m,
	void (*visit)(void *context, const char *name, struct trace_facts facts), void *context)
{
	for (size_t i = 0; i < m->file_count; i++)
		if (m->files[i]->ended)
			visit(context, m->files[i]->name, m->files[i]->facts);
}
