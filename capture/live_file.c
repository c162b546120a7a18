/* SPDX-License-Identifier: BSD-2-Clause */
#include "live_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define PART ".part"

static int cannot(const struct names *names, const char *name, const char *what, int number,
	struct error *error)
{
	return error_set(error, "%s%s: cannot %s: %s", names->path, name, what, strerror(number));
}

int live_file_create(struct live_file *f, const struct names *names, uint64_t number,
	int64_t wall_ns, struct error *error)
{
	memset(f, 0, sizeof *f);
	f->owned = f->regular = true;
	for (f->number = number;; f->number++) {
		if (names_format(names, f->number, wall_ns, f->final, error))
			return -1;
		snprintf(f->name, sizeof f->name, "%.*s" PART, (int)(NAME_MAX - sizeof PART),
			f->final);
		f->fd = openat(names->dir, f->name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
		if (f->fd >= 0 || errno != EEXIST)
			break;
	}
	if (f->fd < 0)
		return cannot(names, f->name, "create", errno, error);
	flock(f->fd, LOCK_EX | LOCK_NB);
	return 0;
}

int live_file_create_plain(
	struct live_file *f, const struct names *names, bool overwrite, struct error *error)
{
	int flags = O_CREAT | O_CLOEXEC | (overwrite ? 0 : O_EXCL);
	struct stat status;

	memset(f, 0, sizeof *f);
	f->owned = true;
	snprintf(f->name, sizeof f->name, "%s", names->base);
	f->fd = openat(names->dir, f->name, O_RDWR | flags, 0600);
	/* A device or a pipe may be for writing only. */
	if (f->fd < 0 && (errno == EACCES || errno == EINVAL))
		f->fd = openat(names->dir, f->name, O_WRONLY | flags, 0600);
	if (f->fd < 0 && errno == EEXIST)
		return error_set(error, "%s%s: exists already; --overwrite replaces it",
			names->path, f->name);
	if (f->fd < 0)
		return cannot(names, f->name, "create", errno, error);
	f->regular = !fstat(f->fd, &status) && S_ISREG(status.st_mode);
	if (!f->regular)
		return 0;
	if (flock(f->fd, LOCK_EX | LOCK_NB)) {
		live_file_close(f);
		return error_set(error, "%s%s: another tcpconnect-rec is writing to it",
			names->path, f->name);
	}
	return ftruncate(f->fd, 0) ? cannot(names, f->name, "empty", errno, error) : 0;
}

int live_file_adopt(struct live_file *f, const struct names *names, const struct named_file *part,
	struct error *error)
{
	memset(f, 0, sizeof *f);
	f->owned = f->regular = true;
	f->number = part->number;
	snprintf(f->name, sizeof f->name, "%s", part->name);
	snprintf(f->final, sizeof f->final, "%.*s", (int)(strlen(f->name) - strlen(PART)), f->name);
	f->fd = openat(names->dir, f->name, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	if (f->fd < 0)
		return cannot(names, f->name, "open", errno, error);
	if (!flock(f->fd, LOCK_EX | LOCK_NB))
		return 0;
	live_file_close(f);
	return 1;
}

/* At the place, not behind the last write: what could not be cut off is written over. */
int live_file_repeat(struct live_file *f, uint64_t offset, const uint8_t *blocks, size_t length)
{
	size_t done = 0;

	while (done < length) {
		ssize_t n = f->regular ? pwrite(f->fd, blocks + done, length - done,
						 (off_t)(offset + done))
				       : write(f->fd, blocks + done, length - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno;
		done += (size_t)n;
	}
	return 0;
}

static int cut_back(struct live_file *f)
{
	if (f->torn && ftruncate(f->fd, (off_t)f->size))
		return errno;
	f->torn = false;
	return 0;
}

int live_file_append(struct live_file *f, const uint8_t *blocks, size_t length)
{
	int number = cut_back(f);

	if (number)
		return number;
	number = live_file_repeat(f, f->size, blocks, length);
	if (!number) {
		f->size += length;
	} else if (f->regular) {
		f->torn = true;
		cut_back(f);
	}
	return number;
}

void live_file_close(struct live_file *f)
{
	if (f->owned && f->fd >= 0)
		close(f->fd);
	f->fd = -1;
}
