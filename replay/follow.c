/* SPDX-License-Identifier: BSD-2-Clause */
#include "follow.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

/* After news: what comes within it is taken together. */
#define GATHER_MS 50
#define WAITING_MS 5000 /* how often it is looked whether rows waited long enough */

struct watch {
	int id;
	bool all; /* every trace in it, not only those of known sessions */
	char *directory;
};

struct follow {
	struct merge *merge;
	int fd;
	struct watch *watches;
	size_t count;
	struct names names; /* that were added; the merge borrows them */
};

struct follow *follow_new(struct merge *merge, struct error *error)
{
	struct follow *f = calloc(1, sizeof *f);

	if (!f) {
		error_set(error, "out of memory");
		return NULL;
	}
	f->merge = merge;
	f->fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (f->fd >= 0)
		return f;
	error_set(error, "cannot watch files: %s", strerror(errno));
	free(f);
	return NULL;
}

void follow_free(struct follow *f)
{
	if (!f)
		return;
	for (size_t i = 0; i < f->count; i++)
		free(f->watches[i].directory);
	free(f->watches);
	names_release(&f->names);
	close(f->fd);
	free(f);
}

static int watch_directory(struct follow *f, const char *name, bool all, struct error *error)
{
	int id = inotify_add_watch(f->fd, name, IN_CREATE | IN_MOVED_TO | IN_MODIFY | IN_ONLYDIR);
	struct watch *grown;

	if (id < 0)
		return error_set(error, "%s: cannot watch: %s", name, strerror(errno));
	for (size_t i = 0; i < f->count; i++)
		if (f->watches[i].id == id) {
			f->watches[i].all |= all;
			return 0;
		}
	grown = realloc(f->watches, (f->count + 1) * sizeof *grown);
	if (!grown)
		return error_set(error, "out of memory");
	f->watches = grown;
	grown[f->count].id = id;
	grown[f->count].all = all;
	grown[f->count].directory = strdup(name);
	if (!grown[f->count].directory)
		return error_set(error, "out of memory");
	f->count++;
	return 0;
}

static bool is_directory(const char *name)
{
	struct stat status;

	return !stat(name, &status) && S_ISDIR(status.st_mode);
}

/* Directories below one are found by the traces in it, and by their creation later on. */
int follow_watch(struct follow *f, const char *name, struct error *error)
{
	char directory[PATH_MAX];
	const char *slash = strrchr(name, '/');

	if (!strcmp(name, "-"))
		return 0;
	if (is_directory(name))
		return watch_directory(f, name, true, error);
	if (!slash)
		return watch_directory(f, ".", false, error);
	snprintf(
		directory, sizeof directory, "%.*s", slash == name ? 1 : (int)(slash - name), name);
	return watch_directory(f, directory, false, error);
}

/* Whether the file holds a batch yet; not all: of a session that is read already. */
static bool is_begun(const struct follow *f, const char *name, bool all)
{
	struct error ignored;
	struct trace_reader *reader = trace_reader_open(name, &ignored);
	struct batch head = {0};
	bool known = false;
	int n;

	while (reader && !known && (n = trace_reader_head(reader, &head, &ignored)) > 0)
		known = all || merge_knows_session(f->merge, head.header.session);
	batch_release(&head);
	trace_reader_free(reader);
	return known;
}

static bool has(const struct follow *f, const char *name)
{
	for (size_t i = 0; i < f->names.count; i++)
		if (!strcmp(f->names.names[i], name))
			return true;
	return false;
}

/* A name that appeared, or a file that grew which may be new to us. */
static int take(struct follow *f, const struct watch *watch, const struct inotify_event *event,
	struct error *error)
{
	char path[PATH_MAX];
	struct stat status;

	if (!event->len)
		return 0;
	/* As the user would have named it: what he sees must be that. */
	if (!strcmp(watch->directory, "."))
		snprintf(path, sizeof path, "%s", event->name);
	else
		snprintf(path, sizeof path, "%s%s%s", watch->directory,
			strcmp(watch->directory, "/") ? "/" : "", event->name);
	if (stat(path, &status))
		return 0;
	if (S_ISDIR(status.st_mode))
		return watch->all && !(event->mask & IN_MODIFY)
			       ? watch_directory(f, path, true, error)
			       : 0;
	if (!S_ISREG(status.st_mode) || !name_is_trace(path) || merge_has_file(f->merge, &status))
		return 0;
	if (!is_begun(f, path, watch->all))
		return 0; /* it will be heard of again */
	/* The merge borrows the name; the same one again is another file by now. */
	if (!has(f, path) && names_add(&f->names, path, error))
		return -1;
	for (size_t i = 0; i < f->names.count; i++)
		if (!strcmp(f->names.names[i], path))
			return merge_add(f->merge, f->names.names[i], error);
	return 0;
}

int follow_wait(struct follow *f, struct error *error)
{
	_Alignas(struct inotify_event) char buffer[16384];
	struct pollfd wait = {.fd = f->fd, .events = POLLIN};
	ssize_t n;

	if (poll(&wait, 1, merge_waits(f->merge) ? WAITING_MS : -1) < 0)
		return errno == EINTR ? 0 : error_set(error, "cannot wait: %s", strerror(errno));
	if (poll(NULL, 0, GATHER_MS) < 0 && errno == EINTR)
		return 0;
	while ((n = read(f->fd, buffer, sizeof buffer)) > 0) {
		for (char *p = buffer; p < buffer + n;) {
			const struct inotify_event *event = (const struct inotify_event *)(void *)p;

			for (size_t i = 0; i < f->count; i++)
				if (f->watches[i].id == event->wd &&
					take(f, &f->watches[i], event, error))
					return -1;
			p += sizeof *event + event->len;
		}
	}
	return 1;
}
