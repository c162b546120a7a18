/* SPDX-License-Identifier: BSD-2-Clause */
#include "claim.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

#define LOCK_TRIES 50   /* of 100 ms, for another recorder that is just starting */
#define ADOPTED_MAX 256 /* open at once; others wait for the next start */

/* One second may belong to the recorder that starts beside us. */
static int lock_directory(const struct names *names, struct error *error)
{
	for (int i = 0; i < LOCK_TRIES; i++) {
		if (!flock(names->dir, LOCK_EX | LOCK_NB))
			return 0;
		if (errno != EWOULDBLOCK)
			return 0; /* a file system without locks */
		usleep(100000);
	}
	return error_set(error, "%s%s: its directory is locked", names->path, names->base);
}

/* The .part files of dead runs go to the finisher. Sets *last to the highest number in use. */
static int take_over(
	const struct claim *c, struct finisher *finisher, uint64_t *last, struct error *error)
{
	const struct names *names = c->names;
	struct named_file *files;
	struct live_file part;
	int count = names_list(names, &files, error), status = count < 0 ? -1 : 0;
	uint64_t lowest = UINT64_MAX;
	int adopted = 0;

	*last = 0;
	for (int i = 0; i < count && !status; i++) {
		*last = files[i].number;
		if (files[i].kind != NAME_PART || !c->numbered || adopted == ADOPTED_MAX)
			continue;
		status = live_file_adopt(&part, names, &files[i], error);
		if (status > 0) {
			status = error_set(error,
				"%s%s: another tcpconnect-rec records to this name (%s)",
				names->path, names->base, files[i].name);
			break;
		}
		if (status < 0) { /* which is no reason not to record */
			c->say(c->context, error);
			status = 0;
			continue;
		}
		if (lowest == UINT64_MAX)
			finisher_protect(finisher, lowest = files[i].number);
		finisher_add(finisher, &part);
		adopted++;
	}
	/* The finisher takes care of one beside a .part, which follows in the list. */
	for (int i = 0; i < count && !status; i++)
		if (files[i].kind == NAME_NEW && c->numbered &&
			(i + 1 == count || files[i + 1].number != files[i].number))
			unlinkat(names->dir, files[i].name, 0);
	if (lowest == UINT64_MAX)
		finisher_protect(finisher, *last + 1);
	free(files);
	return status;
}

int claim_name(const struct claim *c, int64_t wall_ns, struct finisher *finisher,
	struct live_file *file, struct error *error)
{
	uint64_t last;
	int status;

	if (lock_directory(c->names, error))
		return -1;
	status = take_over(c, finisher, &last, error);
	if (!status && c->numbered) {
		status = live_file_create(file, c->names, last + 1, wall_ns, error);
	} else if (!status) {
		status = live_file_create_plain(file, c->names, c->overwrite, error);
		file->number = last;
	}
	flock(c->names->dir, LOCK_UN);
	return status;
}
