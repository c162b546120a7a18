/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Command lines as tables: each program has one, and both include the rows for
 * filters and columns, so that an option means the same in both.
 */
#ifndef OPTIONS_H
#define OPTIONS_H

#include "columns.h"
#include "filter.h"

/* Applies one option. value is NULL for one without argument. Returns 0 or -1. */
typedef int option_apply(void *target, const char *value, struct error *error);

struct option_row {
	int letter;           /* 0: long form only */
	const char *name;     /* long form; NULL ends a table */
	const char *argument; /* as the help shows it; NULL: takes none */
	const char *help;
	option_apply *apply;
	size_t target; /* offset of what apply gets, in the program's options */
};

/* To be used as rows: filter_at and choice_at are the offsets of the structs in the options. */
#define FILTER_OPTIONS(filter_at)                                                                  \
	{'p', "pid", "PID[,PID..]", "only these processes; ! in front: all but these",             \
		option_pids, (filter_at)},                                                         \
		{'u', "uid", "USER[,USER..]", "only these users, number or name", option_uids,     \
			(filter_at)},                                                              \
		{'P', "port", "PORT[,LO-HI..]", "only these destination ports", option_ports,      \
			(filter_at)},                                                              \
		{'4', "ipv4", NULL, "only IPv4", option_ipv4, (filter_at)},                        \
	{                                                                                          \
		'6', "ipv6", NULL, "only IPv6", option_ipv6, (filter_at)                           \
	}

#define COLUMN_OPTIONS(choice_at)                                                                  \
	{'t', "timestamp", NULL, "column TIME(s): since the first event printed", option_flag,     \
		(choice_at) + offsetof(struct columns_choice, time)},                              \
		{'U', "print-uid", NULL, "column UID", option_flag,                                \
			(choice_at) + offsetof(struct columns_choice, uid)},                       \
		{'L', "lport", NULL, "column LPORT: the local port", option_flag,                  \
			(choice_at) + offsetof(struct columns_choice, lport)},                     \
	{                                                                                          \
		'o', "columns", "COL[,COL..]", "these columns, in this order", option_text,        \
			(choice_at) + offsetof(struct columns_choice, names)                       \
	}

option_apply option_pids, option_uids, option_ports, option_ipv4, option_ipv6;
option_apply option_flag;  /* target: bool, set to true */
option_apply option_text;  /* target: const char *, borrowed from argv */
option_apply option_count; /* target: uint64_t; from 1 */

/*
 * Parses argv by the table into options. Returns 0, or -1 with the reason,
 * which quotes the option and its value. Operands are an error.
 */
int options_parse(
	const struct option_row *table, int argc, char **argv, void *options, struct error *error);

/* The help text: usage line and one line for each row. */
void options_help(const struct option_row *table, const char *usage, FILE *out);

#endif
