/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A gzip file with a table of its members: what is read by them is what zlib reads
 * from the file as a stream. Checksums are set right, so that the rest is believed.
 */
#include <assert.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>
#include <zlib.h>

#include "../../formats/gzip.h"
#include "../../formats/input.h"

#define MOST (4u << 20) /* what is looked at of what it becomes */

/* What the data at p become, at most MOST bytes. Returns how long they are; 0: damaged. */
static size_t inflate_one(
	int bits, const uint8_t *p, size_t size, uint8_t *out, size_t room, size_t *length)
{
	z_stream stream = {.next_in = (Bytef *)p,
		.avail_in = (uInt)size,
		.next_out = out,
		.avail_out = (uInt)room};
	int status;

	assert(inflateInit2(&stream, bits) == Z_OK);
	status = inflate(&stream, Z_FINISH);
	*length = room - stream.avail_out;
	size -= stream.avail_in;
	inflateEnd(&stream);
	return status == Z_STREAM_END ? size : 0;
}

static void sign_members(uint8_t *data, size_t size, uint8_t *out)
{
	size_t at = 0;

	while (size - at > GZIP_MEMBER_HEADER + GZIP_TRAILER_LENGTH) {
		uint32_t packed = get_le32(data + at + GZIP_AT_FIELD);
		size_t plain;

		if (packed <= GZIP_MEMBER_HEADER + GZIP_TRAILER_LENGTH || packed > size - at)
			return;
		inflate_one(-MAX_WBITS, data + at + GZIP_MEMBER_HEADER,
			packed - GZIP_MEMBER_HEADER - GZIP_TRAILER_LENGTH, out, MOST, &plain);
		put_le32(data + at + packed - 8, (uint32_t)crc32(0, out, (uInt)plain));
		put_le32(data + at + packed - 4, (uint32_t)plain);
		at += packed;
	}
}

/* Of a table in one member. */
static void sign_table(uint8_t *data, size_t size)
{
	uint8_t *end = data + size - GZIP_END_LENGTH;
	uint64_t at = get_le64(end + GZIP_END_AT_TABLE), total = 0;
	size_t count = get_le32(end + GZIP_END_AT_COUNT);

	if (at > size - GZIP_END_LENGTH || count > (size - at) / GZIP_ENTRY_LENGTH ||
		GZIP_AT_FIELD + count * GZIP_ENTRY_LENGTH > size - GZIP_END_LENGTH - at)
		return;
	data += at + GZIP_AT_FIELD;
	for (size_t i = 0; i < count; i++)
		total += get_le32(data + i * GZIP_ENTRY_LENGTH + 4);
	put_le64(end + GZIP_END_AT_LENGTH, total);
	put_le32(end + GZIP_END_AT_CRC, (uint32_t)crc32_z(0, data, count * GZIP_ENTRY_LENGTH));
}

static size_t read_stream(const uint8_t *data, size_t size, uint8_t *out, bool *good)
{
	size_t length = 0, n, used;

	for (*good = true; size && *good; data += used, size -= used) {
		used = inflate_one(15 + 16, data, size, out + length, MOST - length, &n);
		length += n;
		*good = used;
	}
	return length;
}

static void check(struct input *in, uint64_t whole, const uint8_t *plain, size_t length, bool good)
{
	static uint8_t out[MOST];
	struct error error;
	size_t done = 0, n = 1;
	int status = 0;
	bool same;

	for (; done < MOST && n && !status; done += n)
		status = input_read(in, out + done, MOST - done, &n, &error);
	assert(!memcmp(out, plain, done < length ? done : length));
	/* All members were as the table says. */
	same = whole && whole < MOST && !status && input_seeks_freely(in);
	assert(!same || (good && done == length && done == whole));
	for (uint64_t offset = 1; offset <= whole; offset = offset * 3 + 1) {
		assert(input_near(in, offset) >= 256);
		n = input_read_at(in, offset, out, 1000);
		assert(n <= 1000 && n <= whole - offset);
		assert(!same || !memcmp(out, plain + offset, n));
		input_seek(in, offset);
		if (!input_read(in, out, 10, &n, &error) && same)
			assert(!memcmp(out, plain + offset, n));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t plain[MOST];
	int fd = memfd_create("gzip", MFD_CLOEXEC);
	uint8_t *copy = malloc(size + 1);
	struct input *in;
	uint64_t whole;
	size_t length;
	bool good;

	assert(copy && fd >= 0);
	if (size)
		memcpy(copy, data, size);
	if (size > GZIP_END_LENGTH) {
		sign_members(copy, size - GZIP_END_LENGTH, plain);
		sign_table(copy, size);
	}
	length = read_stream(copy, size, plain, &good);
	assert(write(fd, copy, size) == (ssize_t)size && !lseek(fd, 0, SEEK_SET));
	free(copy);
	in = input_new(fd);
	assert(in);
	whole = input_find_members(in);
	if (whole)
		check(in, whole, plain, length, good);
	input_free(in);
	return 0;
}
