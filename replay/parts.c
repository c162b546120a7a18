/* SPDX-License-Identifier: BSD-2-Clause */
#include "parts.h"

#include <stdlib.h>

#define ADDRESS_WORDS 3

void parts_put_cells(const struct column_kind *const *kinds, size_t count, enum value_format format,
	const struct columns_row *row, struct text *out)
{
	for (size_t i = 0; i < count; i++) {
		struct value value = kinds[i]->get(row);

		if (value.kind == VALUE_QUERY)
			value.kind = VALUE_NAME;
		if (i)
			text_char(out, PARTS_SEPARATOR);
		if (format == FORMAT_JSON) {
			value_put_json(&value, kinds[i]->value, kinds[i]->name, out);
		} else if (format == FORMAT_CSV) {
			value_put_csv(&value, kinds[i]->value, out);
		} else {
			if (value.kind == VALUE_SINCE)
				value.kind = VALUE_CLOCK;
			value_put_column(&value, 0, out);
		}
	}
}

static bool is_address(enum column_about about)
{
	return about == ABOUT_SOURCE || about == ABOUT_DESTINATION;
}

/* A value stands for its cells: it needs no index in the batch. */
static bool is_value(const struct part *p)
{
	switch (p->about) {
	case ABOUT_EVENT: /* a port, see parts_of() */
	case ABOUT_CALL:
	case ABOUT_NETNS:
	case ABOUT_PORT:
	case ABOUT_RESULT:
		return true;
	default:
		return false;
	}
}

void parts_of(struct parts *parts, const struct column_kind *const *kinds, size_t count,
	enum value_format format)
{
	parts->format = format;
	for (size_t i = 0; i < count; i++)
		if (kinds[i]->about == ABOUT_EVENT && !kinds[i]->port)
			return;
	parts->parts = calloc(count, sizeof *parts->parts);
	if (!parts->parts)
		return;
	for (size_t i = 0; i < count; i++) {
		struct part *p = parts->parts, *end = p + parts->count;

		while (p < end && (p->about != kinds[i]->about || kinds[i]->port))
			p++;
		if (p == end) {
			parts->count++;
			p->about = kinds[i]->about;
			p->texts.payload_size = sizeof(uint32_t);
			p->wide.words = is_address(p->about) ? ADDRESS_WORDS : 1;
			p->joined.words = 1;
		}
		p->kinds[p->kind_count++] = kinds[i];
	}
}

void parts_release(struct parts *parts)
{
	for (size_t i = 0; i < parts->count; i++) {
		struct part *p = &parts->parts[i];

		groups_release(&p->texts);
		numbers_release(&p->wide);
		numbers_release(&p->joined);
		free(p->numbers);
	}
	free(parts->parts);
	text_release(&parts->text);
	memset(parts, 0, sizeof *parts);
}

static size_t address_count(const struct batch *batch)
{
	return 1 + (size_t)batch->ipv4 + batch->ipv6;
}

/* Of what the part is about, in a batch. */
static size_t count_indexes(const struct part *p, const struct batch *batch)
{
	switch (p->about) {
	case ABOUT_PROCESS:
		return batch->processes;
	case ABOUT_SOURCE:
	case ABOUT_DESTINATION:
		return address_count(batch);
	case ABOUT_FAMILY:
		return 2;
	case ABOUT_QUERY: /* a name, or an address with or without an answer */
		return 1 + (size_t)batch->strings + 2 * address_count(batch);
	default:
		return 1; /* the recording */
	}
}

static uint32_t query_index(const struct batch *batch, uint32_t row)
{
	uint32_t name = (uint32_t)column_get(&batch->query, row);
	uint32_t daddr = (uint32_t)column_get(&batch->daddr, row);

	return name ? name
		    : 1 + batch->strings + 2 * daddr + (column_get(&batch->answered, row) != 0);
}

static void take_indexes(
	const struct part *p, const struct rows *rows, uint32_t i, uint32_t n, uint32_t *indexes)
{
	const struct batch *batch = rows->batch;

	if (p->about == ABOUT_PROCESS)
		column_take_small(&batch->process, rows->rows + i, n, indexes);
	else if (p->about == ABOUT_SOURCE)
		column_take_small(&batch->saddr, rows->rows + i, n, indexes);
	else if (p->about == ABOUT_DESTINATION || p->about == ABOUT_FAMILY)
		column_take_small(&batch->daddr, rows->rows + i, n, indexes);
	else
		for (uint32_t k = 0; k < n; k++)
			indexes[k] =
				p->about == ABOUT_QUERY ? query_index(batch, rows->rows[i + k]) : 0;
	/* IPv4 addresses come first, and each row has one. */
	for (uint32_t k = 0; p->about == ABOUT_FAMILY && k < n; k++)
		indexes[k] = indexes[k] > batch->ipv4;
}

static void address_words(const struct batch *batch, size_t index, uint64_t words[ADDRESS_WORDS])
{
	const struct address *address;
	struct address made;

	if (index < batch->address_count) {
		address = &batch->addresses[index];
	} else {
		batch_make_address(batch, index, &made);
		address = &made;
	}
	memcpy(words, address->bytes, sizeof address->bytes);
	words[2] = address->family;
}

/* Of all addresses of the batch at once: what is in memory is asked for before it is looked at. */
static int number_addresses(struct part *p, const struct batch *batch)
{
	uint64_t words[PARTS_ROWS][ADDRESS_WORDS], hashes[PARTS_ROWS];

	for (size_t first = 0, n; first < p->count; first += n) {
		n = p->count - first < PARTS_ROWS ? p->count - first : PARTS_ROWS;
		for (size_t i = 0; i < n; i++) {
			address_words(batch, first + i, words[i]);
			hashes[i] = numbers_hash(words[i], ADDRESS_WORDS);
			numbers_prefetch(&p->wide, hashes[i]);
		}
		for (size_t i = 0; i < n; i++) {
			p->numbers[first + i] =
				numbers_get(&p->wide, words[i], hashes[i], ADDRESS_WORDS);
			if (!p->numbers[first + i])
				return -1;
		}
	}
	return 0;
}

int parts_begin(struct parts *parts, const struct batch *batch, uint32_t rows)
{
	for (size_t i = 0; i < parts->count; i++) {
		struct part *p = &parts->parts[i];

		p->count = is_value(p) ? 0 : count_indexes(p, batch);
		if (p->count > p->capacity) {
			free(p->numbers);
			p->numbers = malloc(p->count * sizeof *p->numbers);
			p->capacity = p->numbers ? p->count : 0;
			if (!p->numbers)
				return -1;
		}
		if (p->count)
			memset(p->numbers, 0, p->count * sizeof *p->numbers);
		/* Of few rows only their own are looked for. */
		if (is_address(p->about) && rows > p->count && number_addresses(p, batch))
			return -1;
	}
	return 0;
}

/* 0: out of memory. */
static uint32_t number_of_cells(
	struct parts *parts, struct part *p, const struct rows *rows, uint32_t i)
{
	struct event event = {0};
	struct columns_row row;
	uint32_t *number;
	bool is_new;

	rows_get(rows, i, NULL, &event, &row);
	parts->text.length = 0;
	parts_put_cells(p->kinds, p->kind_count, parts->format, &row, &parts->text);
	if (parts->text.failed)
		return 0;
	number = groups_get(&p->texts,
		(struct bytes){(uint8_t *)parts->text.data, parts->text.length}, &is_new);
	if (!number)
		return 0;
	if (is_new)
		*number = (uint32_t)p->texts.count;
	return *number;
}

/* 0: out of memory. */
static uint32_t number_at(
	struct parts *parts, struct part *p, const struct rows *rows, uint32_t i, uint32_t index)
{
	uint64_t words[ADDRESS_WORDS];

	if (p->numbers[index])
		return p->numbers[index];
	if (!is_address(p->about))
		return p->numbers[index] = number_of_cells(parts, p, rows, i);
	address_words(rows->batch, index, words);
	return p->numbers[index] = numbers_get(
		       &p->wide, words, numbers_hash(words, ADDRESS_WORDS), ADDRESS_WORDS);
}

static uint64_t result_value(const struct rows *rows, uint32_t row)
{
	const struct result *late = rows->found_count ? rows_find(rows, row) : NULL;
	struct result result;

	batch_result(rows->batch, row, &result);
	if (late)
		result = *late;
	return result.outcome | (uint64_t)result.error << 8 | (uint64_t)result.retransmits << 24;
}

static uint32_t value_at(const struct part *p, const struct batch *batch, uint32_t row)
{
	switch (p->about) {
	case ABOUT_NETNS:
		return (uint32_t)column_get(&batch->net_ns, row);
	case ABOUT_CALL:
		return (uint32_t)(column_get(&batch->flags, row) & EVENT_FLAGS_KNOWN) << 16 |
		       (uint16_t)column_get(&batch->returned, row);
	case ABOUT_PORT:
		return (uint16_t)column_get(&batch->dport, row);
	default: /* the other port */
		return (uint16_t)column_get(
			(const struct column *)((const char *)batch + p->kinds[0]->port), row);
	}
}

/* What stands for the cells of a part. -1: out of memory. */
static int take_part(struct parts *parts, struct part *p, const struct rows *rows, uint32_t i,
	uint32_t n, uint32_t *numbers)
{
	if (!is_value(p)) {
		take_indexes(p, rows, i, n, numbers);
		for (uint32_t k = 0; k < n; k++) {
			numbers[k] = number_at(parts, p, rows, i + k, numbers[k]);
			if (!numbers[k])
				return -1;
		}
		return 0;
	}
	for (uint32_t k = 0; k < n; k++) {
		uint64_t result;

		if (p->about != ABOUT_RESULT) {
			numbers[k] = value_at(p, rows->batch, rows->rows[i + k]);
			continue;
		}
		result = result_value(rows, rows->rows[i + k]);
		numbers[k] = numbers_get(&p->wide, &result, numbers_hash(&result, 1), 1);
		if (!numbers[k])
			return -1;
	}
	return 0;
}

int parts_numbers(
	struct parts *parts, const struct rows *rows, uint32_t i, uint32_t n, uint32_t *numbers)
{
	uint32_t more[PARTS_ROWS];
	uint64_t keys[PARTS_ROWS], hashes[PARTS_ROWS];

	memset(numbers, 0, n * sizeof *numbers);
	for (size_t k = 0; k < parts->count; k++) {
		struct part *p = &parts->parts[k];

		if (take_part(parts, p, rows, i, n, more))
			return -1;
		if (!k && parts->count > 1) {
			memcpy(numbers, more, n * sizeof *numbers);
			continue;
		}
		for (uint32_t j = 0; j < n; j++) {
			keys[j] = (uint64_t)numbers[j] << 32 | more[j];
			hashes[j] = numbers_hash(&keys[j], 1);
			numbers_prefetch(&p->joined, hashes[j]);
		}
		for (uint32_t j = 0; j < n; j++) {
			numbers[j] = numbers_get(&p->joined, &keys[j], hashes[j], 1);
			if (!numbers[j])
				return -1;
		}
	}
	return 0;
}

size_t parts_indexes(const struct parts *parts)
{
	return parts->count == 1 ? parts->parts->count : 0;
}

void parts_take_indexes(const struct parts *parts, const struct rows *rows, uint32_t i, uint32_t n,
	uint32_t *indexes)
{
	take_indexes(parts->parts, rows, i, n, indexes);
}

uint32_t parts_number_at(struct parts *parts, const struct rows *rows, uint32_t i, uint32_t index)
{
	return rows ? number_at(parts, parts->parts, rows, i, index) : parts->parts->numbers[index];
}
