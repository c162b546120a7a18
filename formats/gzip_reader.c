/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Nothing is believed that is not checked: the table must fill the place between
 * the members and the end, have its checksum, and account for each byte of the
 * file. A member is checked when it is read: its header against the table, then
 * all that gzip promises, with room for what it should become and no more. What
 * is not read is not checked: of a file that lies the records may be other ones
 * than those that a stream has, but they are checked like any.
 */
#include "gzip.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

/* Where a member begins, in the file and in what it becomes. */
struct place {
	uint64_t packed, plain;
};

struct gzip_members {
	int fd;
	uint64_t begin;
	size_t count;
	struct place places[]; /* one more: the end */
};

static bool read_at(int fd, uint64_t offset, uint8_t *out, size_t length)
{
	while (length) {
		ssize_t n = pread(fd, out, length, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		out += n;
		offset += (uint64_t)n;
		length -= (size_t)n;
	}
	return true;
}

/* A member with that field alone. */
static bool has_field(const uint8_t *p, const char *id, size_t length)
{
	return !memcmp(p, GZIP_MAGIC, 4) && get_le16(p + GZIP_AT_EXTRA_LENGTH) == 4 + length &&
	       !memcmp(p + GZIP_AT_ID, id, 2) && get_le16(p + GZIP_AT_LENGTH) == length;
}

static bool is_nothing(const uint8_t *p)
{
	static const uint8_t nothing[GZIP_NOTHING_LENGTH + GZIP_TRAILER_LENGTH] = {3};

	return !memcmp(p, nothing, sizeof nothing);
}

/* Takes the entries of one member of the table. */
static bool take_entries(struct gzip_members *m, const uint8_t *entries, size_t count)
{
	for (size_t i = 0; i < count; i++, entries += GZIP_ENTRY_LENGTH) {
		uint32_t packed = get_le32(entries), plain = get_le32(entries + 4);
		struct place *p = &m->places[m->count++];

		if (packed <= GZIP_MEMBER_HEADER + GZIP_TRAILER_LENGTH ||
			packed > GZIP_PACKED_MAX || !plain || plain > GZIP_MEMBER_MAX)
			return false;
		p[1] = (struct place){p->packed + packed, p->plain + plain};
	}
	return true;
}

/* The members of the table, length bytes, against what the end says. */
static bool take_table(
	struct gzip_members *m, const uint8_t *table, size_t length, const uint8_t *end)
{
	uint32_t count = get_le32(end + GZIP_END_AT_COUNT);
	uLong crc = crc32(0, NULL, 0);

	while (length) {
		size_t left = count - m->count, n;

		left = left < GZIP_ENTRIES_MAX ? left : GZIP_ENTRIES_MAX;
		n = left * GZIP_ENTRY_LENGTH;
		if (!left ||
			length < GZIP_AT_FIELD + n + GZIP_NOTHING_LENGTH + GZIP_TRAILER_LENGTH ||
			!has_field(table, GZIP_ID_TABLE, n) ||
			!is_nothing(table + GZIP_AT_FIELD + n) ||
			!take_entries(m, table + GZIP_AT_FIELD, left))
			return false;
		crc = crc32_z(crc, table + GZIP_AT_FIELD, n);
		n += GZIP_AT_FIELD + GZIP_NOTHING_LENGTH + GZIP_TRAILER_LENGTH;
		table += n;
		length -= n;
	}
	return m->count == count && crc == get_le32(end + GZIP_END_AT_CRC) &&
	       m->places[count].packed == get_le64(end + GZIP_END_AT_TABLE) &&
	       m->places[count].plain == get_le64(end + GZIP_END_AT_LENGTH);
}

/* Its end, if it is such a file. */
static bool read_end(int fd, uint64_t begin, uint8_t end[static GZIP_END_LENGTH], uint64_t *size)
{
	uint8_t first[GZIP_AT_FIELD];
	struct stat status;

	if (fstat(fd, &status) || !S_ISREG(status.st_mode) || (uint64_t)status.st_size < begin)
		return false;
	*size = (uint64_t)status.st_size - begin;
	return *size >= GZIP_MEMBER_HEADER + GZIP_END_LENGTH &&
	       read_at(fd, begin, first, sizeof first) &&
	       has_field(first, GZIP_ID_MEMBER, GZIP_ENTRY_LENGTH) &&
	       read_at(fd, begin + *size - GZIP_END_LENGTH, end, GZIP_END_LENGTH) &&
	       has_field(end, GZIP_ID_END, GZIP_END_FIELD_LENGTH) &&
	       is_nothing(end + GZIP_END_AT_TABLE + GZIP_END_FIELD_LENGTH);
}

struct gzip_members *gzip_members_open(int fd, uint64_t begin)
{
	uint8_t end[GZIP_END_LENGTH], *table;
	struct gzip_members *m;
	uint64_t at, size, length;
	uint32_t count;
	bool good;

	if (!read_end(fd, begin, end, &size))
		return NULL;
	at = get_le64(end + GZIP_END_AT_TABLE);
	count = get_le32(end + GZIP_END_AT_COUNT);
	if (!count || count > GZIP_MEMBERS_MAX || at >= size - GZIP_END_LENGTH)
		return NULL;
	length = size - GZIP_END_LENGTH - at;
	/* A table of one entry takes less than five times the entry. */
	if (length < (uint64_t)count * GZIP_ENTRY_LENGTH ||
		length > (uint64_t)count * 5 * GZIP_ENTRY_LENGTH)
		return NULL;
	table = malloc((size_t)length);
	m = calloc(1, sizeof *m + (count + 1) * sizeof *m->places);
	good = table && m && read_at(fd, begin + at, table, (size_t)length);
	if (good) {
		m->fd = fd;
		m->begin = begin;
		good = take_table(m, table, (size_t)length, end);
	}
	free(table);
	if (good)
		return m;
	free(m);
	return NULL;
}

void gzip_members_free(struct gzip_members *m)
{
	free(m);
}

uint64_t gzip_members_length(const struct gzip_members *m)
{
	return m->places[m->count].plain;
}

/* The member that holds offset; count: that is the end. */
static size_t find(const struct gzip_members *m, uint64_t offset)
{
	size_t low = 0, high = m->count;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (m->places[middle + 1].plain <= offset)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

size_t gzip_members_near(const struct gzip_members *m, uint64_t offset)
{
	size_t number = find(m, offset);

	return number == m->count ? 0 : (size_t)(m->places[number + 1].plain - offset);
}

static bool make_room(uint8_t **data, size_t *capacity, size_t length)
{
	if (*capacity >= length)
		return true;
	free(*data);
	*data = malloc(length);
	*capacity = *data ? length : 0;
	return *data;
}

static bool decompress(const uint8_t *packed, size_t packed_length, uint8_t *plain, size_t length)
{
	const uint8_t *trailer = packed + packed_length - GZIP_TRAILER_LENGTH;
	z_stream stream = {.next_in = (Bytef *)packed + GZIP_MEMBER_HEADER,
		.avail_in = (uInt)(packed_length - GZIP_MEMBER_HEADER - GZIP_TRAILER_LENGTH),
		.next_out = plain,
		.avail_out = (uInt)length};
	bool good;

	if (inflateInit2(&stream, -MAX_WBITS) != Z_OK)
		return false;
	good = inflate(&stream, Z_FINISH) == Z_STREAM_END && !stream.avail_in && !stream.avail_out;
	inflateEnd(&stream);
	return good && crc32(0, plain, (uInt)length) == get_le32(trailer) &&
	       get_le32(trailer + 4) == length;
}

static enum gzip_state load(const struct gzip_members *m, size_t number, struct gzip_member *kept)
{
	const struct place *p = &m->places[number];
	size_t packed = (size_t)(p[1].packed - p->packed), plain = (size_t)(p[1].plain - p->plain);

	kept->number = 0;
	if (!make_room(&kept->packed, &kept->packed_capacity, packed) ||
		!make_room(&kept->plain, &kept->plain_capacity, plain) ||
		!read_at(m->fd, m->begin + p->packed, kept->packed, packed))
		return GZIP_DAMAGED;
	if (!has_field(kept->packed, GZIP_ID_MEMBER, GZIP_ENTRY_LENGTH) ||
		get_le32(kept->packed + GZIP_AT_FIELD) != packed ||
		get_le32(kept->packed + GZIP_AT_FIELD + 4) != plain)
		return GZIP_OTHERWISE;
	if (!decompress(kept->packed, packed, kept->plain, plain))
		return GZIP_DAMAGED;
	kept->number = number + 1;
	return GZIP_GOOD;
}

enum gzip_state gzip_members_read(const struct gzip_members *m, uint64_t offset,
	struct gzip_member *kept, uint8_t *out, size_t size, size_t *length)
{
	size_t number = find(m, offset), left;
	enum gzip_state state;

	*length = 0;
	if (number == m->count)
		return GZIP_GOOD;
	if (kept->number != number + 1 && (state = load(m, number, kept)) != GZIP_GOOD)
		return state;
	left = (size_t)(m->places[number + 1].plain - offset);
	*length = left < size ? left : size;
	memcpy(out, kept->plain + offset - m->places[number].plain, *length);
	return GZIP_GOOD;
}

void gzip_member_release(struct gzip_member *member)
{
	free(member->packed);
	free(member->plain);
	memset(member, 0, sizeof *member);
}
