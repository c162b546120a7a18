/* SPDX-License-Identifier: BSD-2-Clause */
/* Attempts, failures and latencies for each combination of some columns. */
#ifndef TALKERS_H
#define TALKERS_H

#include "../formats/columns.h"
#include "../formats/groups.h"
#include "../formats/text.h"
#include "latencies.h"
#include "rows.h"

#define TALKER_KEYS_MAX 16
#define TALKER_SEPARATOR                                                                           \
	'\x1f' /* between the cells of a key: no cell has one, it would be escaped */

struct talker {
	uint64_t attempts, failures;
	int64_t first_ns, last_ns;
	struct latencies latencies; /* of those that were established */
	uint64_t turn;              /* of the batch in which it has its number */
	uint32_t number;
	uint64_t rank; /* for who sorts them */
};

/* All zero but for keys, key_count and format is one without talkers, to be prepared. */
struct talkers {
	const struct column_kind *keys[TALKER_KEYS_MAX];
	size_t key_count;
	enum value_format format; /* of the cells, which are the key of the group */
	struct groups groups;     /* of struct talker */
	/* Below: of talkers.c. */
	struct text key;
	uint32_t key_bits; /* of columns of events that the key is made of */
	/* Whose talker it is, by what the key columns are about: spares making the key again. */
	struct memo {
		struct talker *talker; /* NULL: nothing */
		uint64_t words[];      /* memo_words of them */
	} * memo; /* NULL: some column is about the event alone, or there are too many */
	size_t memo_words;
	/*
	 * The rows of a batch are put together by talkers, so that each of these is
	 * looked for once, and has its place in the cache while its rows are noted.
	 */
	struct batch_rows {
		struct talker **talkers; /* by number; NULL: not looked for yet */
		uint32_t *ends;          /* by number: where its rows end in order */
		size_t number_capacity;
		uint32_t *numbers, *order; /* of each row; the rows themselves by numbers */
		size_t row_capacity;
		uint64_t turn;
	} batch;
};

void talkers_prepare(struct talkers *talkers);
void talkers_release(struct talkers *talkers);

/* The columns of events that are looked at, by EVENT_BIT(). */
uint32_t talkers_need(const struct talkers *talkers);

/* Both return 0, or -1: out of memory. */
int talkers_add(struct talkers *talkers, const struct columns_row *row);
int talkers_add_rows(struct talkers *talkers, const struct rows *rows);

#endif
