/* SPDX-License-Identifier: BSD-2-Clause */
/* What stands in a cell, and the one way to show it in columns, in JSON and in CSV. */
#ifndef VALUE_H
#define VALUE_H

#include "event.h"
#include "text.h"

enum value_kind {
	VALUE_UNKNOWN,
	VALUE_NUMBER,
	VALUE_WORD,      /* a text of ours, which needs no escaping */
	VALUE_TEXT,      /* hostile */
	VALUE_ARGUMENTS, /* hostile, each with a NUL behind it */
	VALUE_ANCESTORS, /* of a process */
	VALUE_ADDRESS,
	VALUE_RESULT,   /* of struct result */
	VALUE_RETURNED, /* of struct event */
	VALUE_SINCE,    /* a time of the wall clock; columns show the distance from the first one */
	VALUE_CLOCK,    /* the same; columns show it in the zone of this machine */
	VALUE_LATENCY,  /* microseconds; columns show milliseconds */
	VALUE_RATE,     /* thousandths: 12345 is 12.345 */
	VALUE_QUERY,    /* of struct event: a name; columns show how old its answer was */
	VALUE_NAME,     /* the same, but for that */
};

#define VALUE_OLD_US 100000 /* of the answer with a name: columns show ages that are more */

/* Bytes are borrowed. */
struct value {
	enum value_kind kind;
	bool cut;          /* of arguments: they are only the beginning */
	uint64_t number;   /* and VALUE_LATENCY, VALUE_RATE */
	int64_t wall_ns;   /* VALUE_SINCE, VALUE_CLOCK */
	struct bytes text; /* and VALUE_WORD, VALUE_ARGUMENTS */
	const void *of;    /* struct process, address, result, event: as the kind says */
};

enum value_format { FORMAT_COLUMNS, FORMAT_JSON, FORMAT_CSV };

/* A name for each value of a row: the same in JSON and CSV. */
struct value_column {
	const char *key, *header;
	int width; /* in columns */
};

/*
 * Adds a cell of columns: never with a space at its edge or a control character.
 * first_ns: what VALUE_SINCE counts from.
 */
void value_put_column(const struct value *value, int64_t first_ns, struct text *out);

/*
 * Adds "key":value to a JSON object. A time has two keys, its name with RFC 3339
 * and its name with _ns; a latency the key with _us. kind: that of the column,
 * which the value has if it is known.
 */
void value_put_json(
	const struct value *value, enum value_kind kind, const char *key, struct text *out);

/* The same in two: "key": and what stands behind it. */
void value_put_json_key(enum value_kind kind, const char *key, struct text *out);
void value_put_json_value(
	const struct value *value, enum value_kind kind, const char *key, struct text *out);

/* Adds the keys (the same, also two for a time) or the value as fields of a line of CSV. */
void value_put_csv_header(enum value_kind kind, const char *key, struct text *out);
void value_put_csv(const struct value *value, enum value_kind kind, struct text *out);

/*
 * A whole line. The columns are padded to their widths, but for the last one.
 */
void values_put_header(enum value_format format, const struct value_column *columns,
	const enum value_kind *kinds, size_t count, struct text *out);
void values_put_row(enum value_format format, const struct value_column *columns,
	const enum value_kind *kinds, const struct value *values, size_t count, struct text *out);

#endif
