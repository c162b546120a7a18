/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A table of what decompresses, by the magic that its files begin with. The
 * first bytes are read into `stored` like all that is compressed, so a pipe
 * needs no second look. A gzip file with a table of its members (gzip.h) is read
 * by members instead, at any place, as long as they are what the table says.
 */
#include "input.h"
#include "gzip.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#define STORED_SIZE (64u << 10)
#define MAGIC_MAX 4
#define NEAR_MIN 256

struct decoder {
	const char *magic;
	size_t magic_length;
	const char *name;
	int (*start)(struct input *input);
	/* Decompresses from stored into out; *whole: nothing is missing if the file ends here. */
	int (*decode)(struct input *input, uint8_t *out, size_t size, size_t *length, bool *whole);
	void (*stop)(struct input *input);
};

struct input {
	int fd;
	off_t begin; /* in the file, of the first read; -1: a pipe */
	off_t next;  /* in the file, of the next read; unless it is a pipe */
	const struct decoder *decoder;
	struct gzip_members *members; /* NULL: none */
	struct gzip_member member;    /* that was read last */
	bool disbelieved;             /* they are not what their table says */
	bool begun, whole, at_end;
	z_stream gzip;
	ZSTD_DStream *zstd;
	uint64_t position; /* in the bytes that are given out */
	size_t start, end; /* of what is unused in stored */
	uint8_t stored[STORED_SIZE];
};

static int gzip_start(struct input *in)
{
	memset(&in->gzip, 0, sizeof in->gzip);
	return inflateInit2(&in->gzip, 15 + 16) == Z_OK ? 0 : -1;
}

static int gzip_decode(struct input *in, uint8_t *out, size_t size, size_t *length, bool *whole)
{
	int status;

	/* Another member may follow. */
	if (*whole && inflateReset(&in->gzip) != Z_OK)
		return -1;
	in->gzip.next_in = in->stored + in->start;
	in->gzip.avail_in = (uInt)(in->end - in->start);
	in->gzip.next_out = out;
	in->gzip.avail_out = (uInt)size;
	status = inflate(&in->gzip, Z_NO_FLUSH);
	in->start = in->end - in->gzip.avail_in;
	*length = size - in->gzip.avail_out;
	*whole = status == Z_STREAM_END;
	return status == Z_OK || status == Z_STREAM_END || status == Z_BUF_ERROR ? 0 : -1;
}

static void gzip_stop(struct input *in)
{
	inflateEnd(&in->gzip);
}

static int zstd_start(struct input *in)
{
	in->zstd = ZSTD_createDStream();
	return in->zstd ? 0 : -1;
}

static int zstd_decode(struct input *in, uint8_t *out, size_t size, size_t *length, bool *whole)
{
	ZSTD_inBuffer from = {in->stored + in->start, in->end - in->start, 0};
	ZSTD_outBuffer to = {out, size, 0};
	size_t status = ZSTD_decompressStream(in->zstd, &to, &from);

	in->start += from.pos;
	*length = to.pos;
	*whole = status == 0;
	return ZSTD_isError(status) ? -1 : 0;
}

static void zstd_stop(struct input *in)
{
	ZSTD_freeDStream(in->zstd);
}

static const struct decoder decoders[] = {
	{"\x1f\x8b", 2, "gzip", gzip_start, gzip_decode, gzip_stop},
	{"\x28\xb5\x2f\xfd", 4, "zstd", zstd_start, zstd_decode, zstd_stop},
};

struct input *input_new(int fd)
{
	struct input *in = malloc(sizeof *in);

	if (!in) {
		close(fd);
		return NULL;
	}
	memset(in, 0, offsetof(struct input, stored));
	in->fd = fd;
	in->begin = in->next = lseek(fd, 0, SEEK_CUR);
	return in;
}

static void stop_decoding(struct input *in)
{
	if (in->decoder)
		in->decoder->stop(in);
	in->decoder = NULL;
}

void input_free(struct input *in)
{
	if (!in)
		return;
	stop_decoding(in);
	gzip_members_free(in->members);
	gzip_member_release(&in->member);
	close(in->fd);
	free(in);
}

static int read_some(
	struct input *in, uint8_t *out, size_t size, size_t *length, struct error *error)
{
	ssize_t n;

	do
		n = in->begin < 0 ? read(in->fd, out, size) : pread(in->fd, out, size, in->next);
	while (n < 0 && errno == EINTR);
	*length = n > 0 ? (size_t)n : 0;
	in->next += (off_t)*length;
	return n < 0 ? error_set(error, "cannot read: %s", strerror(errno)) : 0;
}

/* More into stored, where all was used. */
static int refill(struct input *in, struct error *error)
{
	size_t n;

	if (in->start == in->end)
		in->start = in->end = 0;
	if (read_some(in, in->stored + in->end, STORED_SIZE - in->end, &n, error))
		return -1;
	in->at_end = n == 0;
	in->end += n;
	return 0;
}

uint64_t input_find_members(struct input *in)
{
	if (!in->begun && in->begin >= 0 && !in->members)
		in->members = gzip_members_open(in->fd, (uint64_t)in->begin);
	if (!in->members || in->disbelieved)
		return 0;
	in->begun = true;
	return gzip_members_length(in->members);
}

/* Reads the first bytes and finds out what they are. */
static int begin(struct input *in, struct error *error)
{
	if (input_find_members(in))
		return 0;
	while (in->end < MAGIC_MAX && !in->at_end)
		if (refill(in, error))
			return -1;
	in->begun = in->end > 0; /* nothing yet may be something later */
	for (size_t i = 0; i < sizeof decoders / sizeof *decoders; i++) {
		const struct decoder *d = &decoders[i];

		if (in->end < d->magic_length || memcmp(in->stored, d->magic, d->magic_length))
			continue;
		if (d->start(in))
			return error_set(error, "out of memory for %s", d->name);
		in->decoder = d;
		in->whole = false;
	}
	return 0;
}

static int decode(struct input *in, uint8_t *out, size_t size, size_t *length, struct error *error)
{
	*length = 0;
	while (!*length) {
		if (in->start == in->end && !in->at_end && refill(in, error))
			return -1;
		if (in->start == in->end && in->at_end) {
			bool whole = in->whole;

			/* What the decoder still holds. */
			if (!whole && !in->decoder->decode(in, out, size, length, &in->whole) &&
				*length)
				return 0;
			if (whole || in->whole)
				return 0;
			in->whole = true; /* say it once */
			return error_set(error, "the %s data end too early", in->decoder->name);
		}
		if (in->decoder->decode(in, out, size, length, &in->whole)) {
			in->start = in->end;
			in->at_end = in->whole = true;
			return error_set(error, "the %s data are damaged", in->decoder->name);
		}
	}
	return 0;
}

/* From the start again; whatever there is then. */
static int restart(struct input *in)
{
	if (in->begin < 0)
		return -1;
	stop_decoding(in);
	in->next = in->begin;
	in->begun = in->at_end = in->whole = false;
	in->start = in->end = 0;
	in->position = 0;
	return 0;
}

static int skip(struct input *in, uint64_t length)
{
	uint8_t dropped[16 << 10];
	struct error ignored;

	while (length) {
		size_t n = length < sizeof dropped ? (size_t)length : sizeof dropped;

		if (input_read(in, dropped, n, &n, &ignored) || !n)
			return -1;
		length -= n;
	}
	return 0;
}

/* From here on as a stream, since the table of the members is wrong. */
static int disbelieve(struct input *in, struct error *error)
{
	uint64_t position = in->position;

	in->disbelieved = true;
	return restart(in) || skip(in, position) ? error_set(error, "the gzip data are damaged")
						 : 0;
}

static int read_members(
	struct input *in, uint8_t *out, size_t size, size_t *length, struct error *error)
{
	enum gzip_state state =
		gzip_members_read(in->members, in->position, &in->member, out, size, length);

	if (state == GZIP_OTHERWISE)
		return disbelieve(in, error) ? -1 : input_read(in, out, size, length, error);
	in->position += *length;
	return state == GZIP_GOOD ? 0 : error_set(error, "the gzip data are damaged");
}

int input_read(struct input *in, uint8_t *out, size_t size, size_t *length, struct error *error)
{
	int status;

	*length = 0;
	if (!in->begun && begin(in, error))
		return -1;
	if (in->members && !in->disbelieved)
		return read_members(in, out, size, length, error);
	if (in->decoder) {
		status = decode(in, out, size, length, error);
	} else if (in->start < in->end) {
		*length = in->end - in->start < size ? in->end - in->start : size;
		memcpy(out, in->stored + in->start, *length);
		in->start += *length;
		status = 0;
	} else {
		status = read_some(in, out, size, length, error);
	}
	in->position += *length;
	return status;
}

void input_is_plain(struct input *in)
{
	in->begun = in->begin >= 0;
}

bool input_seeks_freely(const struct input *in)
{
	return in->begun && in->begin >= 0 && !in->decoder;
}

bool input_is_compressed(const struct input *in)
{
	return in->decoder || in->members;
}

size_t input_near(const struct input *in, uint64_t offset)
{
	size_t near = in->members ? gzip_members_near(in->members, offset) : SIZE_MAX;

	return near < NEAR_MIN ? SIZE_MAX : near;
}

int input_seek(struct input *in, uint64_t offset)
{
	if (input_seeks_freely(in)) {
		if (offset > (uint64_t)(INT64_MAX - in->begin))
			return -1;
		in->next = in->begin + (off_t)offset;
		in->start = in->end = 0;
		in->position = offset;
		return 0;
	}
	if (offset < in->position && restart(in))
		return -1;
	if (!in->position && offset && in->begin >= 0) {
		struct error ignored;

		if (!in->begun && begin(in, &ignored))
			return -1;
		if (input_seeks_freely(in))
			return input_seek(in, offset);
	}
	return skip(in, offset - in->position);
}

static size_t read_members_at(
	const struct gzip_members *members, uint64_t offset, uint8_t *out, size_t size)
{
	struct gzip_member member = {0};
	size_t length = 0, n;

	while (length < size &&
		!gzip_members_read(
			members, offset + length, &member, out + length, size - length, &n) &&
		n)
		length += n;
	gzip_member_release(&member);
	return length;
}

size_t input_read_at(const struct input *in, uint64_t offset, uint8_t *out, size_t size)
{
	size_t length = 0;
	ssize_t n;

	if (in->members)
		return read_members_at(in->members, offset, out, size);
	do {
		n = pread(
			in->fd, out + length, size - length, in->begin + (off_t)(offset + length));
		length += n > 0 ? (size_t)n : 0;
	} while (length < size && (n > 0 || (n < 0 && errno == EINTR)));
	return length;
}
