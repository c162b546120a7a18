/* SPDX-License-Identifier: BSD-2-Clause */
#include "trace_file.h"

#include <stdlib.h>

static struct file_session *find(struct trace_file *file, const struct batch *head)
{
	struct file_session *grown;

	for (size_t i = 0; i < file->session_count; i++)
		if (!memcmp(file->sessions[i].id, head->header.session, 16))
			return &file->sessions[i];
	grown = file->session_count < FILE_SESSIONS_MAX
			? realloc(file->sessions, (file->session_count + 1) * sizeof *grown)
			: NULL;
	if (!grown)
		return NULL;
	file->sessions = grown;
	grown += file->session_count++;
	*grown = (struct file_session){
		.number = head->header.file, .first_ns = head->header.anchor.wall_ns};
	memcpy(grown->id, head->header.session, 16);
	return grown;
}

static void note(struct trace_file *file, const struct batch *head)
{
	struct file_session *s = find(file, head);

	if (!s) {
		file->session_count = 0;
		return;
	}
	s->late += head->late;
	if (head->events && !s->has_events) {
		s->has_events = true;
		s->first_ns = batch_wall_ns(head, head->header.first_ns);
	}
}

/* Returns whether any of it is wanted, or damaged. */
static bool look_through(struct trace_file *file, file_head *wants, void *context)
{
	struct batch head = {0};
	struct error ignored;
	bool too_many = false, wanted = false;
	int n;

	while ((n = trace_reader_head(file->reader, &head, &ignored)) != 0) {
		wanted |= n < 0 || wants(context, &head);
		if (n < 0 || too_many)
			continue;
		note(file, &head);
		too_many = !file->session_count;
	}
	batch_release(&head);
	return wanted;
}

int trace_file_open(struct trace_file *file, const char *name, bool keep, file_head *wants,
	void *context, struct error *error)
{
	const struct stat *status;

	memset(file, 0, sizeof *file);
	file->reader = trace_reader_open(name, error);
	if (!file->reader)
		return -1;
	file->name = trace_reader_name(file->reader);
	status = trace_reader_status(file->reader);
	file->is_stream = !S_ISREG(status->st_mode);
	file->device = status->st_dev;
	file->inode = status->st_ino;
	if (file->is_stream)
		return 0;
	if (!look_through(file, wants, context) && keep)
		file->kept = trace_reader_park(file->reader);
	if (!file->kept) {
		trace_reader_free(file->reader);
		file->reader = NULL;
	}
	file->name = name;
	return 0;
}

void trace_file_release(struct trace_file *file)
{
	trace_reader_free(file->reader);
	free(file->sessions);
	memset(file, 0, sizeof *file);
}
