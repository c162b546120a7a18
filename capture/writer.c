/* SPDX-License-Identifier: BSD-2-Clause */
#include "writer.h"
#include "clock.h"
#include "thread.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define RETRY_MS 1000
/* What a loss of power can cost, and what is kept in memory until the disk has it, at most. */
#define SYNC_NS 10000000000ull
#define SYNC_BYTES (4u << 20)
#define SPARE_BYTES SYNC_BYTES

struct writer {
	struct thread *thread;
	struct names *names;
	struct writer_hooks hooks;
	uint64_t queue_bytes;
	/* Only of the thread. */
	struct live_file file;
	struct chunks written; /* since the last fdatasync, whose error may concern any of them */
	uint64_t synced_ns;
	bool repeat; /* them, since there was one */
	bool deleted_said;
	/* Under the lock. */
	struct chunks queue;
	/* Their memory is used again: fresh pages cost more than what fills them. */
	struct chunks spare;
	uint64_t dropped, unsure;
	bool stop, give_up, failed, wants_next, dead_end;
	enum gap_reason reason;
	struct error failure;
};

static void say(struct writer *w, const struct error *text)
{
	w->hooks.say(w->hooks.context, text);
}

static enum gap_reason reason_of(int number)
{
	return number == ENOSPC || number == EDQUOT || number == EFBIG ? GAP_NO_SPACE : GAP_ERROR;
}

static void note_deleted(struct writer *w)
{
	struct stat status;
	struct error text;

	if (!w->file.regular || w->deleted_said || fstat(w->file.fd, &status) || status.st_nlink)
		return;
	w->deleted_said = true;
	error_set(&text,
		"%s%s: was deleted; what is in it is written again, and the next file begun",
		w->names->path, w->file.name);
	say(w, &text);
	thread_lock(w->thread);
	w->wants_next = true;
	thread_unlock(w->thread);
	w->hooks.changed(w->hooks.context);
}

/*
 * Each of these is tried until it succeeds: they return 0, or the errno with the
 * reason.
 */
typedef int writer_attempt(struct writer *w, const struct chunk *chunk, struct error *why);

static int write_chunk(struct writer *w, const struct chunk *chunk, struct error *why)
{
	int number = live_file_append(&w->file, chunk->data, chunk->length);

	if (number)
		error_set(why, "%s%s: cannot write: %s", w->names->path, w->file.name,
			strerror(number));
	return number;
}

/* After an error the kernel takes for written what it could not write: it gets all of it again. */
static int repeat(struct writer *w)
{
	uint64_t offset = w->file.size;
	int number = 0;

	for (const struct chunk *c = w->written.first; c; c = c->next)
		offset -= c->length;
	for (const struct chunk *c = w->written.first; c && !number; c = c->next) {
		number = live_file_repeat(&w->file, offset, c->data, c->length);
		offset += c->length;
	}
	return number;
}

static int sync_file(struct writer *w, const struct chunk *chunk, struct error *why)
{
	int number = w->repeat ? repeat(w) : 0;

	(void)chunk;
	/* EINVAL: a file system that has no such thing. */
	if (!number && fdatasync(w->file.fd) && errno != EINVAL)
		number = errno;
	w->repeat = number != 0;
	if (number) {
		error_set(why, "%s%s: cannot write to the disk: %s", w->names->path, w->file.name,
			strerror(number));
		return number;
	}
	thread_lock(w->thread);
	chunks_spare(&w->written, &w->spare, SPARE_BYTES);
	thread_unlock(w->thread);
	w->synced_ns = clock_boot_ns();
	return 0;
}

/* Before the old one is let go, so that at any time a locked file shows that we are here. */
static int open_next(struct writer *w, const struct chunk *chunk, struct error *error)
{
	struct live_file next;
	uint64_t number = w->file.number + 1;

	names_reopen(w->names);
	if (live_file_create(&next, w->names, number, chunk->wall_ns, error))
		return errno ? errno : EIO;
	w->hooks.done(w->hooks.context, &w->file);
	w->file = next;
	w->deleted_said = false;
	thread_lock(w->thread);
	w->wants_next = w->dead_end = false;
	thread_unlock(w->thread);
	return 0;
}

/* Tells the user once when it begins and once when it is over. */
static void set_reason(struct writer *w, enum gap_reason reason, const struct error *why)
{
	bool begins = reason != GAP_SLOW && w->reason == GAP_SLOW;
	bool ends = reason == GAP_SLOW && w->reason != GAP_SLOW;
	struct error text = {""};

	thread_lock(w->thread);
	w->reason = reason;
	thread_unlock(w->thread);
	if (begins) {
		text = *why;
		error_set(&text, "%.400s; trying again", why->text);
	} else if (ends) {
		error_set(&text, "%s%s: writing again", w->names->path, w->file.name);
	}
	if (*text.text)
		say(w, &text);
}

static void drop(struct writer *w, const struct chunk *chunk)
{
	thread_lock(w->thread);
	if (!w->give_up) /* then it was counted already */
		w->dropped += chunk->events;
	thread_unlock(w->thread);
}

static void fail(struct writer *w, const struct error *why)
{
	thread_lock(w->thread);
	w->failed = true;
	w->failure = *why;
	thread_unlock(w->thread);
	w->hooks.changed(w->hooks.context);
}

/* Returns true if it is to be tried again. tries: how often it was, since the end was asked for. */
static bool handle_error(struct writer *w, int number, const struct error *why, int *tries)
{
	bool again, stop;

	if (!w->file.regular) {
		fail(w, why);
		return false;
	}
	set_reason(w, reason_of(number), why);
	if (reason_of(number) == GAP_NO_SPACE && w->hooks.make_room(w->hooks.context) > 0)
		return true;
	thread_lock(w->thread);
	if (!w->stop)
		thread_wait(w->thread, RETRY_MS);
	stop = w->stop;
	again = !w->give_up && (!stop || !*tries);
	thread_unlock(w->thread);
	*tries += stop;
	return again;
}

/* Returns 0, or the errno when it is given up. */
static int insist(struct writer *w, writer_attempt *attempt, const struct chunk *chunk)
{
	struct error why;
	int number, tries = 0;

	for (;;) {
		number = attempt(w, chunk, &why);
		if (!number)
			break;
		/* Another file can grow. */
		if (number == EFBIG && w->file.regular && attempt == write_chunk) {
			set_reason(w, GAP_NO_SPACE, &why);
			return number;
		}
		if (!handle_error(w, number, &why, &tries))
			return number;
	}
	if (w->reason != GAP_SLOW)
		set_reason(w, GAP_SLOW, NULL);
	return 0;
}

/* Only when it is due, or now. */
static void sync_if_due(struct writer *w, bool now)
{
	struct error text;
	uint64_t events = w->written.events;

	if (!w->written.first ||
		(!now && w->written.bytes < SYNC_BYTES && clock_boot_ns() - w->synced_ns < SYNC_NS))
		return;
	thread_lock(w->thread);
	w->unsure += events;
	thread_unlock(w->thread);
	if (insist(w, sync_file, NULL)) {
		error_set(&text, "%s%s: its last %llu events are perhaps not on the disk",
			w->names->path, w->file.name, (unsigned long long)events);
		say(w, &text);
		chunks_clear(&w->written);
		w->repeat = false;
		return;
	}
	thread_lock(w->thread);
	w->unsure -= events;
	thread_unlock(w->thread);
}

/* Returns true if the chunk stands in a file. */
static bool process(struct writer *w, const struct chunk *chunk)
{
	int number;

	if (w->failed || (w->dead_end && !chunk->opens_file)) {
		drop(w, chunk);
		return false;
	}
	if (chunk->opens_file)
		sync_if_due(w, true);
	number = insist(w, chunk->opens_file ? open_next : write_chunk, chunk);
	if (number) {
		drop(w, chunk);
		thread_lock(w->thread);
		if (number == EFBIG && !w->stop)
			w->wants_next = w->dead_end = true;
		thread_unlock(w->thread);
		w->hooks.changed(w->hooks.context);
		return false;
	}
	note_deleted(w);
	return w->file.regular && !chunk->opens_file;
}

/* thread_run */
static void write_all(void *context)
{
	struct writer *w = context;
	struct chunk *chunk;
	bool keep;

	thread_lock(w->thread);
	for (;;) {
		while (!w->queue.first && !w->stop) {
			bool timed_out = !thread_wait(w->thread, w->written.first ? RETRY_MS : 0);

			if (timed_out && !w->queue.first) {
				thread_unlock(w->thread);
				note_deleted(w);
				sync_if_due(w, false);
				thread_lock(w->thread);
			}
		}
		/* It stays in the queue as long as it takes: so it counts there. */
		chunk = w->queue.first;
		if (!chunk || w->give_up)
			break;
		thread_unlock(w->thread);
		keep = process(w, chunk);
		thread_lock(w->thread);
		chunks_take(&w->queue);
		thread_unlock(w->thread);
		if (keep)
			chunks_append(&w->written, chunk);
		else
			free(chunk);
		sync_if_due(w, false);
		thread_lock(w->thread);
	}
	thread_unlock(w->thread);
	sync_if_due(w, true);
	w->hooks.done(w->hooks.context, &w->file);
}

struct writer *writer_new(const struct live_file *first, struct names *names, uint64_t queue_bytes,
	const struct writer_hooks *hooks, struct error *error)
{
	struct writer *w = calloc(1, sizeof *w);

	if (!w) {
		error_set(error, "out of memory");
		return NULL;
	}
	w->file = *first;
	w->names = names;
	w->queue_bytes = queue_bytes;
	w->hooks = *hooks;
	w->reason = GAP_SLOW;
	w->synced_ns = clock_boot_ns();
	w->thread = thread_new(write_all, w, false, error);
	if (!w->thread || thread_start(w->thread, error)) {
		thread_free(w->thread);
		free(w);
		return NULL;
	}
	return w;
}

bool writer_has_room(struct writer *w)
{
	bool room;

	thread_lock(w->thread);
	room = w->queue.bytes < w->queue_bytes && !w->failed;
	thread_unlock(w->thread);
	return room;
}

static void append(struct writer *w, struct chunk *chunk)
{
	thread_lock(w->thread);
	chunks_append(&w->queue, chunk);
	thread_signal(w->thread);
	thread_unlock(w->thread);
}

void writer_put(struct writer *w, struct chunk *chunk, uint32_t events)
{
	chunk->events = events;
	append(w, chunk);
}

struct chunk *writer_spare(struct writer *w)
{
	struct chunk *chunk;

	thread_lock(w->thread);
	chunk = chunks_take(&w->spare);
	thread_unlock(w->thread);
	if (chunk)
		chunk->length = 0;
	return chunk;
}

int writer_next(struct writer *w, int64_t wall_ns)
{
	struct chunk *chunk = chunk_new_file(wall_ns);

	if (!chunk)
		return -1;
	append(w, chunk);
	return 0;
}

enum gap_reason writer_reason(struct writer *w)
{
	enum gap_reason reason;

	thread_lock(w->thread);
	reason = w->reason;
	thread_unlock(w->thread);
	return reason;
}

bool writer_wants_next(struct writer *w)
{
	bool wants;

	thread_lock(w->thread);
	wants = w->wants_next;
	w->wants_next = false;
	thread_unlock(w->thread);
	return wants;
}

uint64_t writer_dropped(struct writer *w)
{
	uint64_t dropped;

	thread_lock(w->thread);
	dropped = w->dropped;
	thread_unlock(w->thread);
	return dropped;
}

uint64_t writer_unsure(struct writer *w)
{
	uint64_t unsure;

	thread_lock(w->thread);
	unsure = w->unsure;
	thread_unlock(w->thread);
	return unsure;
}

int writer_failed(struct writer *w, struct error *error)
{
	int status = 0;

	thread_lock(w->thread);
	if (w->failed) {
		*error = w->failure;
		status = -1;
	}
	thread_unlock(w->thread);
	return status;
}

void writer_finish(struct writer *w, bool (*impatient)(void *context), void *context)
{
	thread_lock(w->thread);
	w->stop = true;
	thread_signal(w->thread);
	thread_unlock(w->thread);
	if (!thread_join(w->thread, impatient, context))
		return;
	/* It hangs in the kernel: what is queued is not written. */
	thread_lock(w->thread);
	w->give_up = true;
	w->dropped += w->queue.events;
	thread_unlock(w->thread);
}

bool writer_is_over(const struct writer *w)
{
	return thread_is_over(w->thread);
}

void writer_free(struct writer *w)
{
	if (!w || !writer_is_over(w)) /* it hangs: what it uses must stay */
		return;
	thread_free(w->thread);
	chunks_clear(&w->queue);
	chunks_clear(&w->written);
	chunks_clear(&w->spare);
	free(w);
}
