/* SPDX-License-Identifier: BSD-2-Clause */
#include "names.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LONGEST_ENDING 5 /* .part */
#define DIGITS_MIN 5
#define DIGITS_MAX 18

static int open_directory(const char *path)
{
	return open(*path ? path : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

int names_open(struct names *n, const char *file, struct error *error)
{
	const char *slash = strrchr(file, '/'), *base = slash ? slash + 1 : file;
	const char *dot = strrchr(base, '.');
	size_t stem = dot && dot != base ? (size_t)(dot - base) : strlen(base);

	memset(n, 0, sizeof *n);
	n->dir = -1;
	if (!*base)
		return error_set(error, "%s: is a directory, a file name is expected", file);
	if (strlen(base) >= sizeof n->base || (size_t)(base - file) >= sizeof n->path)
		return error_set(error, "%s: the name is too long", file);
	memcpy(n->path, file, (size_t)(base - file));
	snprintf(n->base, sizeof n->base, "%s", base);
	memcpy(n->stem, base, stem);
	snprintf(n->suffix, sizeof n->suffix, "%s", base + stem);
	n->dir = open_directory(n->path);
	if (n->dir < 0)
		return error_set(error, "%s: cannot create: %s", file, strerror(errno));
	return 0;
}

void names_close(struct names *n)
{
	if (n->dir >= 0)
		close(n->dir);
	n->dir = -1;
}

void names_reopen(struct names *n)
{
	struct stat status;
	int dir;

	if (!fstat(n->dir, &status) && status.st_nlink)
		return;
	dir = open_directory(n->path);
	if (dir < 0)
		return;
	/* The other threads go on using the same number. */
	dup3(dir, n->dir, O_CLOEXEC);
	close(dir);
}

int names_format(const struct names *n, uint64_t number, int64_t wall_ns,
	char out[static NAME_SIZE], struct error *error)
{
	time_t seconds = (time_t)(wall_ns / 1000000000);
	struct tm tm;
	char when[40];

	gmtime_r(&seconds, &tm);
	strftime(when, sizeof when, "%Y%m%dT%H%M%SZ", &tm);
	if (snprintf(out, NAME_SIZE, "%s_%0*" PRIu64 "_%s%s", n->stem, DIGITS_MIN, number, when,
		    n->suffix) >= NAME_SIZE - LONGEST_ENDING)
		return error_set(
			error, "%s%s: the name is too long for a number", n->path, n->base);
	return 0;
}

static bool skip(const char **p, const char *text)
{
	size_t length = strlen(text);

	if (strncmp(*p, text, length))
		return false;
	*p += length;
	return true;
}

static size_t digits(const char *p)
{
	size_t n = 0;

	while (isdigit((unsigned char)p[n]))
		n++;
	return n;
}

bool names_parse(const struct names *n, const char *name, struct named_file *out)
{
	static const struct {
		const char *text;
		enum name_kind kind;
	} endings[] = {{"", NAME_FINAL}, {".gz", NAME_FINAL}, {".zst", NAME_FINAL},
		{".xz", NAME_FINAL}, {".bz2", NAME_FINAL}, {".part", NAME_PART},
		{".new", NAME_NEW}};
	const char *p = name;
	size_t count;

	if (strlen(name) >= sizeof out->name || !skip(&p, n->stem) || !skip(&p, "_"))
		return false;
	count = digits(p);
	if (count < DIGITS_MIN || count > DIGITS_MAX)
		return false;
	out->number = strtoull(p, NULL, 10);
	p += count;
	if (!skip(&p, "_") || digits(p) != 8 || p[8] != 'T' || digits(p + 9) != 6 || p[15] != 'Z')
		return false;
	p += 16;
	if (!skip(&p, n->suffix))
		return false;
	for (size_t i = 0; i < sizeof endings / sizeof *endings; i++)
		if (!strcmp(p, endings[i].text)) {
			out->kind = endings[i].kind;
			snprintf(out->name, sizeof out->name, "%s", name);
			return true;
		}
	return false;
}

static int by_number(const void *a, const void *b)
{
	const struct named_file *x = a, *y = b;

	if (x->number != y->number)
		return x->number < y->number ? -1 : 1;
	return strcmp(x->name, y->name);
}

int names_list(const struct names *n, struct named_file **files, struct error *error)
{
	int fd = openat(n->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct named_file *list = NULL, file;
	size_t count = 0, capacity = 0;
	struct dirent *entry;
	struct stat status;

	*files = NULL;
	if (!dir) {
		if (fd >= 0)
			close(fd);
		return error_set(error, "%s: cannot read the directory: %s",
			*n->path ? n->path : ".", strerror(errno));
	}
	while ((entry = readdir(dir))) {
		if (!names_parse(n, entry->d_name, &file) ||
			fstatat(n->dir, file.name, &status, AT_SYMLINK_NOFOLLOW) ||
			!S_ISREG(status.st_mode))
			continue;
		file.bytes = (uint64_t)status.st_blocks * 512;
		file.modified = status.st_mtim;
		if (count == capacity) {
			struct named_file *grown;

			capacity = capacity ? capacity * 2 : 64;
			grown = realloc(list, capacity * sizeof *list);
			if (!grown) {
				free(list);
				closedir(dir);
				return error_set(error, "out of memory");
			}
			list = grown;
		}
		list[count++] = file;
	}
	closedir(dir);
	if (count)
		qsort(list, count, sizeof *list, by_number);
	*files = list;
	return (int)count;
}
