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
#define SYNC_NS 10000000000ull /* what a loss of power can cost, at most */

struct chunk {
	struct chunk *next;
	bool opens_file; /* no bytes, but the next file */
	int64_t wall_ns; /* when it begins */
	uint32_t events;
	size_t length;
	uint8_t data[];
};

struct writer {
	struct thread *thread;
	struct names *names;
	struct writer_hooks hooks;
	uint64_t queue_bytes;
	/* Only of the thread. */
	struct live_file file;
	uint64_t synced_ns;
	bool dirty, deleted_said;
	/* Under the lock. */
	struct chunk *first, **end;
	uint64_t queued, dropped;
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

/* Returns 0, or the errno. A part of the chunk is taken back. */
static int write_chunk(struct writer *w, const struct chunk *chunk)
{
	struct live_file *f = &w->file;
	size_t done = 0;

	while (done < chunk->length) {
		ssize_t n = write(f->fd, chunk->data + done, chunk->length - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			int number = errno;

			if (f->regular && done && !ftruncate(f->fd, (off_t)f->size))
				lseek(f->fd, (off_t)f->size, SEEK_SET);
			return number;
		}
		done += (size_t)n;
	}
	f->size += chunk->length;
	w->dirty = true;
	return 0;
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

static void sync_file(struct writer *w, bool now)
{
	uint64_t time_ns = clock_boot_ns();
	struct error text;

	if (!w->file.regular || !w->dirty || (!now && time_ns - w->synced_ns < SYNC_NS))
		return;
	if (fdatasync(w->file.fd)) {
		error_set(&text, "%s%s: cannot write to the disk: %s", w->names->path, w->file.name,
			strerror(errno));
		say(w, &text);
	}
	w->dirty = false;
	w->synced_ns = time_ns;
}

/* Before the old one is let go, so that at any time a locked file shows that we are here. */
static int open_next(struct writer *w, const struct chunk *chunk, struct error *error)
{
	struct live_file next;
	uint64_t number = w->file.number + 1;

	names_reopen(w->names);
	if (live_file_create(&next, w->names, number, chunk->wall_ns, error))
		return errno ? errno : EIO;
	sync_file(w, true);
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

/* Returns true if the chunk has to be tried again. */
static bool handle_error(
	struct writer *w, const struct chunk *chunk, int number, const struct error *why)
{
	bool last;

	if (!w->file.regular) {
		fail(w, why);
		drop(w, chunk);
		return false;
	}
	set_reason(w, reason_of(number), why);
	if (number == EFBIG && !chunk->opens_file) {
		thread_lock(w->thread);
		w->wants_next = w->dead_end = true;
		thread_unlock(w->thread);
		w->hooks.changed(w->hooks.context);
		drop(w, chunk);
		return false;
	}
	thread_lock(w->thread);
	last = w->stop;
	thread_unlock(w->thread);
	if (reason_of(number) == GAP_NO_SPACE && w->hooks.make_room(w->hooks.context) > 0)
		return true;
	if (last) {
		drop(w, chunk);
		return false;
	}
	thread_lock(w->thread);
	if (!w->stop)
		thread_wait(w->thread, RETRY_MS);
	thread_unlock(w->thread);
	return true;
}

static void process(struct writer *w, const struct chunk *chunk)
{
	struct error why;
	int number;

	for (;;) {
		if (w->failed) {
			drop(w, chunk);
			return;
		}
		if (chunk->opens_file) {
			number = open_next(w, chunk, &why);
		} else if (w->dead_end) {
			drop(w, chunk);
			return;
		} else {
			number = write_chunk(w, chunk);
			if (number)
				error_set(&why, "%s%s: cannot write: %s", w->names->path,
					w->file.name, strerror(number));
		}
		if (!number)
			break;
		if (!handle_error(w, chunk, number, &why))
			return;
	}
	if (w->reason != GAP_SLOW)
		set_reason(w, GAP_SLOW, NULL);
	note_deleted(w);
}

/* thread_run */
static void write_all(void *context)
{
	struct writer *w = context;
	struct chunk *chunk;

	thread_lock(w->thread);
	for (;;) {
		while (!w->first && !w->stop && !w->give_up) {
			bool timed_out = !thread_wait(w->thread, w->dirty ? RETRY_MS : 0);

			if (timed_out && !w->first) {
				thread_unlock(w->thread);
				note_deleted(w);
				sync_file(w, false);
				thread_lock(w->thread);
			}
		}
		chunk = w->first;
		if (!chunk)
			break;
		thread_unlock(w->thread);
		process(w, chunk);
		sync_file(w, false);
		thread_lock(w->thread);
		w->first = chunk->next;
		if (!w->first)
			w->end = &w->first;
		w->queued -= sizeof *chunk + chunk->length;
		free(chunk);
	}
	thread_unlock(w->thread);
	sync_file(w, true);
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
	w->end = &w->first;
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
	room = w->queued < w->queue_bytes && !w->failed;
	thread_unlock(w->thread);
	return room;
}

static int append(struct writer *w, struct chunk *chunk)
{
	if (!chunk)
		return -1;
	thread_lock(w->thread);
	*w->end = chunk;
	w->end = &chunk->next;
	w->queued += sizeof *chunk + chunk->length;
	thread_signal(w->thread);
	thread_unlock(w->thread);
	return 0;
}

int writer_put(struct writer *w, const uint8_t *blocks, size_t length, uint32_t events)
{
	struct chunk *chunk = calloc(1, sizeof *chunk + length);

	if (chunk) {
		memcpy(chunk->data, blocks, length);
		chunk->length = length;
		chunk->events = events;
	}
	return append(w, chunk);
}

int writer_next(struct writer *w, int64_t wall_ns)
{
	struct chunk *chunk = calloc(1, sizeof *chunk);

	if (chunk) {
		chunk->opens_file = true;
		chunk->wall_ns = wall_ns;
	}
	return append(w, chunk);
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
	for (struct chunk *chunk = w->first; chunk; chunk = chunk->next)
		w->dropped += chunk->events;
	thread_unlock(w->thread);
}

bool writer_is_over(const struct writer *w)
{
	return thread_is_over(w->thread);
}

void writer_free(struct writer *w)
{
	if (!w)
		return;
	if (!writer_is_over(w))
		return;
	thread_free(w->thread);
	while (w->first) {
		struct chunk *chunk = w->first;

		w->first = chunk->next;
		free(chunk);
	}
	free(w);
}
