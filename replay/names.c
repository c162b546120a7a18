/* SPDX-License-Identifier: BSD-2-Clause */
#include "names.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define DEPTH_MAX 32 /* a link into a directory above it ends there */

static int add(struct names *n, const char *name, struct error *error)
{
	if (n->count == n->capacity) {
		size_t capacity = n->capacity ? n->capacity * 2 : 16;
		char **grown = realloc(n->names, capacity * sizeof *grown);

		if (!grown)
			return error_set(error, "%s: out of memory", name);
		n->names = grown;
		n->capacity = capacity;
	}
	n->names[n->count] = strdup(name);
	if (!n->names[n->count])
		return error_set(error, "%s: out of memory", name);
	n->count++;
	return 0;
}

int name_is_trace(const char *name)
{
	static const char *const ends[] = {".pcapng", ".pcapng.part", ".pcapng.gz", ".pcapng.zst"};
	size_t length = strlen(name);

	for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
		if (length > strlen(ends[i]) && !strcmp(name + length - strlen(ends[i]), ends[i]))
			return 1;
	return 0;
}

static int select_entry(const struct dirent *entry)
{
	return strcmp(entry->d_name, ".") && strcmp(entry->d_name, "..");
}

static int add_directory(struct names *n, const char *name, int depth, struct error *error)
{
	struct dirent **entries;
	int count = scandir(name, &entries, select_entry, alphasort), status = 0;

	if (count < 0)
		return error_set(error, "%s: cannot read: %s", name, strerror(errno));
	for (int i = 0; i < count; i++) {
		struct stat info;
		char *path = NULL;

		if (!status && asprintf(&path, "%s/%s", name, entries[i]->d_name) < 0)
			status = error_set(error, "%s: out of memory", name);
		/* Of thousands of files one call each counts. */
		info.st_mode = entries[i]->d_type == DT_REG ? S_IFREG : 0;
		free(entries[i]);
		if (status || !path || (!info.st_mode && stat(path, &info)))
			; /* gone meanwhile, or a link to nowhere */
		else if (S_ISDIR(info.st_mode) && depth < DEPTH_MAX)
			status = add_directory(n, path, depth + 1, error);
		else if (S_ISREG(info.st_mode) && name_is_trace(path))
			status = add(n, path, error);
		free(path);
	}
	free(entries);
	return status;
}

int names_add(struct names *n, const char *name, struct error *error)
{
	size_t before = n->count;
	struct stat info;

	if (!strcmp(name, "-") || stat(name, &info) || !S_ISDIR(info.st_mode))
		return add(n, name, error);
	if (add_directory(n, name, 0, error))
		return -1;
	return n->count > before
		       ? 0
		       : error_set(error, "%s: no traces (*.pcapng) in this directory", name);
}

void names_release(struct names *n)
{
	for (size_t i = 0; i < n->count; i++)
		free(n->names[i]);
	free(n->names);
	memset(n, 0, sizeof *n);
}
