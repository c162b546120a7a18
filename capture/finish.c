/* SPDX-License-Identifier: BSD-2-Clause */
#include "finish.h"
#include "../formats/gzip.h"
#include "../formats/pcapng.h"
#include "../formats/trace_writer.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define LATE_MAX (1u << 20) /* results that are kept in memory to be joined: 40 MB */
/* Batches whose clocks differ by more are not merged: wall times stay as they were. */
#define CLOCK_TOLERANCE_NS 1000000

struct source {
	struct pcapng_reader *blocks;
	struct batch batch;
};

struct rewrite {
	const struct names *names;
	struct live_file *file;
	const struct finish_options *options;
	bool (*stop)(void *context);
	void *context;
	struct source source;
	struct late_result *late; /* of this file, by number */
	size_t late_count, late_capacity;
	uint64_t first, next; /* numbers of the events in the file */
	uint64_t length;      /* of the file */
	uint64_t whole;       /* where the last whole block ends that is more than packets */
	uint64_t batches;
	bool damaged;         /* something cannot be read, if only a torn end */
	bool compressed;      /* as a whole: it was written again before a crash */
	bool packets;         /* it has some: the new one gets some too */
	char name[NAME_SIZE]; /* of the new file */
	int fd;
	uint64_t size;
	struct gzip_writer *gzip; /* NULL: the new file is not compressed as a whole */
	struct trace_writer *writer;
	struct batch_builder *builder;
	struct batch_header header; /* of what the builder holds */
	int64_t clock;              /* offset of its first batch */
	char host[256], backend[256];
};

static int open_source(struct rewrite *r, struct error *error)
{
	int fd;

	if (lseek(r->file->fd, 0, SEEK_SET))
		return error_set(error, "cannot read it again: %s", strerror(errno));
	fd = fcntl(r->file->fd, F_DUPFD_CLOEXEC, 3);
	if (fd < 0)
		return error_set(error, "cannot read it again: %s", strerror(errno));
	pcapng_reader_free(r->source.blocks);
	r->source.blocks = pcapng_reader_new(fd);
	return r->source.blocks ? 0 : error_set(error, "out of memory");
}

/* Which of our records it holds, if any, else 0. */
static int record_of(const struct block *block, struct bytes *record)
{
	struct bytes payload;
	struct error ignored;
	int kind;

	if (block->type != BLOCK_CUSTOM ||
		!bytes_slice(block->body, 4, block->body.length - 4, &payload) ||
		payload.length < 8 || memcmp(payload.data, RECORD_MAGIC, 8) ||
		record_parse(payload, record, &kind, &ignored))
		return 0;
	return kind;
}

/*
 * The next block; behind what is damaged, or torn at the end, it goes on. 1, 0 at
 * the end, -1: it cannot be read.
 */
static int next_block(struct rewrite *r, struct block *block, struct error *error)
{
	int n;

	if (r->stop(r->context))
		return error_set(error, "interrupted");
	do {
		n = pcapng_reader_next(r->source.blocks, RECORD_MAGIC, block, error);
		if (n < 0 && pcapng_reader_is_broken(r->source.blocks))
			return -1;
		r->damaged |= n < 0 && r->length;
	} while (n < 0);
	return n;
}

/* The next batch that can be understood. */
static int next_batch(struct rewrite *r, struct error *error)
{
	struct block block;
	struct bytes record;
	struct error damage;
	int n;

	while ((n = next_block(r, &block, error)) > 0) {
		/* Packets come before their batch: the last ones may have none. */
		if (block.type != BLOCK_PACKET && block.type != BLOCK_PROCESS)
			r->whole = block.offset + block.body.length + BLOCK_LENGTH_MIN;
		r->packets |= block.type == BLOCK_PACKET;
		if (record_of(&block, &record) == RECORD_BATCH &&
			!batch_parse(&r->source.batch, record, &damage))
			return 1;
	}
	return n;
}

static int keep_late(struct rewrite *r, struct error *error)
{
	const struct batch *batch = &r->source.batch;

	for (uint32_t i = 0; i < batch->late && r->late_count < LATE_MAX; i++) {
		struct late_result late;

		batch_late_result(batch, i, &late);
		if (late.number < r->first)
			continue;
		if (r->late_count == r->late_capacity) {
			size_t capacity = r->late_capacity ? r->late_capacity * 2 : 256;
			struct late_result *grown = realloc(r->late, capacity * sizeof *grown);

			if (!grown)
				return error_set(error, "out of memory");
			r->late = grown;
			r->late_capacity = capacity;
		}
		r->late[r->late_count++] = late;
	}
	return 0;
}

static int by_number(const void *a, const void *b)
{
	const struct late_result *x = a, *y = b;

	return x->number < y->number ? -1 : x->number > y->number;
}

/* What the file holds, and the late results of its own events. */
static int survey(struct rewrite *r, struct error *error)
{
	int n;

	if (open_source(r, error))
		return -1;
	while ((n = next_batch(r, error)) > 0) {
		const struct batch_header *h = &r->source.batch.header;

		if (!r->batches++) {
			r->first = h->sequence;
			r->header = *h;
		} else if (memcmp(h->session, r->header.session, sizeof h->session)) {
			return error_set(error, "it holds more than one session");
		}
		if (keep_late(r, error))
			return -1;
	}
	r->compressed = pcapng_reader_is_compressed(r->source.blocks);
	if (r->late_count)
		qsort(r->late, r->late_count, sizeof *r->late, by_number);
	return n;
}

static const struct late_result *find_late(const struct rewrite *r, uint64_t number)
{
	const struct late_result key = {.number = number};

	return r->late_count ? bsearch(&key, r->late, r->late_count, sizeof key, by_number) : NULL;
}

static int write_copy(struct rewrite *r, struct bytes block, struct error *error)
{
	ssize_t n;

	if (r->gzip)
		return gzip_writer_blocks(r->gzip, block.data, block.length, error);
	n = write(r->fd, block.data, block.length);
	return n == (ssize_t)block.length
		       ? 0
		       : error_set(error, "%s%s: cannot write: %s", r->names->path, r->name,
				 n < 0 ? strerror(errno) : "short write");
}

static int copy_block(struct rewrite *r, const struct block *block, struct error *error)
{
	size_t length = block->body.length + BLOCK_LENGTH_MIN;
	struct block_writer w = {.data = malloc(length), .capacity = length};
	int status;

	if (!w.data)
		return error_set(error, "out of memory");
	block_begin(&w, block->type);
	block_bytes(&w, block->body);
	status = block_end(&w) ? error_set(error, "a block is not whole")
			       : write_copy(r, (struct bytes){w.data, w.length}, error);
	free(w.data);
	r->size += length;
	return status;
}

/* Section, interface and trace record as they are; the last may stand behind packets. */
static int copy_head(struct rewrite *r, struct error *error)
{
	struct trace_info info = {
		.anchor = r->header.anchor, .file = r->header.file, .packets = r->packets};
	struct bytes record = {NULL, 0};
	struct block block;
	int n, kind = 0;

	memcpy(info.session, r->header.session, sizeof info.session);
	while (kind != RECORD_TRACE && kind != RECORD_BATCH &&
		(n = next_block(r, &block, error)) > 0) {
		kind = record_of(&block, &record);
		if ((block.type == BLOCK_SECTION || block.type == BLOCK_INTERFACE) &&
			copy_block(r, &block, error))
			return -1;
	}
	if (n <= 0)
		return n < 0 ? -1 : error_set(error, "its head is missing");
	if (kind != RECORD_TRACE || record.length < TRACE_HEADER_LENGTH)
		record.length = 0;
	if (record.length) {
		info.anchor.boot_ns = get_le64(record.data + TRACE_AT_BOOT_NS);
		info.anchor.wall_ns = (int64_t)get_le64(record.data + TRACE_AT_WALL_NS);
	}
	r->writer = r->gzip ? trace_writer_resume_sink(
				      gzip_writer_blocks, r->gzip, r->name, r->size, &info, error)
			    : trace_writer_resume(r->fd, r->name, r->size, &info, error);
	if (!r->writer || (record.length && trace_writer_keep_trace(r->writer, record, error)) ||
		(r->options->compress && trace_writer_compress(r->writer, error)))
		return -1;
	r->builder = batch_builder_new();
	if (!r->builder || batch_builder_skip(r->builder))
		return error_set(error, "out of memory");
	if (r->options->compress)
		batch_builder_pack(r->builder);
	return 0;
}

static int64_t clock_offset(const struct clock_anchor *anchor)
{
	return (int64_t)((uint64_t)anchor->wall_ns - anchor->boot_ns);
}

static bool goes_on(const struct rewrite *r, const struct batch_header *h)
{
	int64_t step = clock_offset(&h->anchor) - r->clock;

	return h->sequence == r->next && step <= CLOCK_TOLERANCE_NS &&
	       step >= -CLOCK_TOLERANCE_NS && !h->gap.reason;
}

static int write_batch(struct rewrite *r, struct error *error)
{
	uint32_t events = batch_builder_count(r->builder);

	if (trace_writer_batch(r->writer, r->builder, &r->header, error))
		return -1;
	r->header.sequence += events;
	r->header.gap = (struct gap){0};
	return 0;
}

/* Takes over what the header of a batch says as of its end; its names outlive it here. */
static void take_header(struct rewrite *r, const struct batch_header *h)
{
	snprintf(r->host, sizeof r->host, "%.*s", (int)h->host.length, (const char *)h->host.data);
	snprintf(r->backend, sizeof r->backend, "%.*s", (int)h->backend.length,
		(const char *)h->backend.data);
	r->header.host = bytes_of(r->host);
	r->header.backend = bytes_of(r->backend);
	r->header.anchor = h->anchor;
	r->header.counters = h->counters;
	r->header.dropped = h->dropped;
}

static int add_event(struct rewrite *r, uint32_t row, struct error *error)
{
	const struct batch *batch = &r->source.batch;
	const struct late_result *late;
	struct event event;

	batch_event(batch, row, &event);
	late = find_late(r, event.number);
	if (late)
		event.result = late->result;
	if (!batch_builder_add(r->builder, &event))
		return 0;
	/* As of the event before: those that follow in this batch are still under way. */
	r->header.counters.recorded = batch->header.counters.recorded - (batch->events - row);
	if (write_batch(r, error))
		return -1;
	r->header.counters.recorded = batch->header.counters.recorded;
	return batch_builder_add(r->builder, &event) ? error_set(error, "an event is too large")
						     : 0;
}

static int add_late(struct rewrite *r, uint32_t row, struct error *error)
{
	struct late_result late;

	batch_late_result(&r->source.batch, row, &late);
	if (late.number >= r->first && late.number < r->next && find_late(r, late.number))
		return 0; /* joined */
	if (!batch_builder_add_late(r->builder, &late))
		return 0;
	if (write_batch(r, error))
		return -1;
	return batch_builder_add_late(r->builder, &late) ? error_set(error, "no room") : 0;
}

static int add_batch(struct rewrite *r, bool first, struct error *error)
{
	const struct batch *batch = &r->source.batch;

	if (first || !goes_on(r, &batch->header)) {
		if (!first && write_batch(r, error))
			return -1;
		r->header.sequence = batch->header.sequence;
		r->clock = clock_offset(&batch->header.anchor);
		r->header.gap = batch->header.gap;
	}
	take_header(r, &batch->header);
	r->next = batch->header.sequence;
	for (uint32_t row = 0; row < batch->events; row++)
		if (add_event(r, row, error))
			return -1;
	r->next += batch->events;
	for (uint32_t row = 0; row < batch->late; row++)
		if (add_late(r, row, error))
			return -1;
	return 0;
}

/* It is as old as what is in it, not as its being written again: --keep-days goes by that. */
static void keep_times(const struct rewrite *r)
{
	struct stat status;

	if (!fstat(r->file->fd, &status))
		futimens(r->fd, (const struct timespec[]){status.st_atim, status.st_mtim});
}

static int write_again(struct rewrite *r, struct error *error)
{
	bool first = true;
	int n;

	snprintf(r->name, sizeof r->name, "%.*s.new", (int)(NAME_MAX - sizeof ".new"),
		r->file->final);
	unlinkat(r->names->dir, r->name, 0);
	r->fd = openat(r->names->dir, r->name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (r->fd < 0)
		return error_set(
			error, "%s%s: cannot create: %s", r->names->path, r->name, strerror(errno));
	flock(r->fd, LOCK_EX | LOCK_NB);
	if (r->options->gzip) {
		r->gzip = gzip_writer_new(r->fd, r->name);
		if (!r->gzip)
			return error_set(error, "out of memory");
	}
	if (open_source(r, error) || copy_head(r, error) || open_source(r, error))
		return -1;
	while ((n = next_batch(r, error)) > 0) {
		if (add_batch(r, first, error))
			return -1;
		first = false;
	}
	if (n < 0 || write_batch(r, error) || trace_writer_finish(r->writer, error) ||
		(r->gzip && gzip_writer_finish(r->gzip, error)))
		return -1;
	keep_times(r);
	if (fdatasync(r->fd))
		return error_set(error, "%s%s: cannot write to the disk: %s", r->names->path,
			r->name, strerror(errno));
	return 0;
}

/* link(2) where the file system knows no renameat2(2). */
static int rename_unless_exists(int dir, const char *from, const char *to)
{
	if (!renameat2(dir, from, dir, to, RENAME_NOREPLACE))
		return 0;
	if (errno != EINVAL && errno != ENOSYS)
		return -1;
	return linkat(dir, from, dir, to, 0) ? -1 : unlinkat(dir, from, 0);
}

static int give_final_name(const struct rewrite *r, struct error *error)
{
	struct live_file *f = r->file;

	if (rename_unless_exists(r->names->dir, f->name, f->final))
		return error_set(error, "cannot be renamed: %s", strerror(errno));
	fsync(r->names->dir);
	snprintf(f->name, sizeof f->name, "%s", f->final);
	return 0;
}

static enum finished replace(struct rewrite *r, struct error *error)
{
	if (renameat(r->names->dir, r->name, r->names->dir, r->file->name)) {
		error_set(error, "cannot be replaced: %s", strerror(errno));
		return FINISH_CANNOT;
	}
	return give_final_name(r, error) ? FINISH_CANNOT : FINISH_DONE;
}

static enum finished keep_as_it_was(struct rewrite *r, struct error *error)
{
	struct error why;

	/* If nothing in it can be read, it is kept for who can do more. */
	if (r->whole && r->length > r->whole && !r->compressed &&
		ftruncate(r->file->fd, (off_t)r->whole)) {
		error_set(error, "%s%s: cannot be cut to its last whole block: %s", r->names->path,
			r->file->name, strerror(errno));
		return FINISH_CANNOT;
	}
	fdatasync(r->file->fd);
	if (give_final_name(r, &why)) {
		*error = why;
		return FINISH_CANNOT;
	}
	return FINISH_AS_IT_WAS;
}

static void release(struct rewrite *r)
{
	pcapng_reader_free(r->source.blocks);
	batch_release(&r->source.batch);
	trace_writer_free(r->writer);
	gzip_writer_free(r->gzip);
	batch_builder_free(r->builder);
	free(r->late);
	if (r->fd >= 0)
		close(r->fd);
}

enum finished finish_file(const struct names *names, struct live_file *file,
	const struct finish_options *options, bool (*stop)(void *context), void *context,
	struct error *error)
{
	struct rewrite r = {.names = names,
		.file = file,
		.options = options,
		.stop = stop,
		.context = context,
		.fd = -1};
	enum finished result;
	struct stat status;
	bool surveyed;

	r.length = fstat(file->fd, &status) ? 0 : (uint64_t)status.st_size;
	surveyed = !survey(&r, error);
	if (surveyed && !r.batches && r.damaged)
		error_set(error, "no batch in it can be read");
	if (surveyed && !r.batches && !r.damaged) {
		unlinkat(names->dir, file->name, 0);
		result = FINISH_EMPTY;
	} else if (surveyed && r.batches && !write_again(&r, error)) {
		result = replace(&r, error);
	} else {
		if (*r.name)
			unlinkat(names->dir, r.name, 0);
		result = surveyed && !stop(context) ? keep_as_it_was(&r, error) : FINISH_CANNOT;
	}
	release(&r);
	return result;
}
