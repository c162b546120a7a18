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
	int letter;       /* 0: long form only */
	const char *name; /* long form; NULL ends a table; "": the operands, with blanks between */
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

/* More of them, in user space. */
#define PROCESS_FILTER_OPTIONS(filter_at)                                                          \
	{0, "comm", "NAME[,NAME..]", "only threads of these names", option_comms, (filter_at)},    \
		{0, "cgroup", "PATH[,PATH..]", "only these cgroups, and those below",              \
			option_cgroups, (filter_at)},                                              \
	{                                                                                          \
		0, "netns", "INODE|PATH[,..]", "only these network namespaces", option_netns,      \
			(filter_at)                                                                \
	}

/* Filters that only a trace is asked. */
#define TRACE_FILTER_OPTIONS(filter_at)                                                            \
	{'x', "failed", NULL, "only attempts that failed; adds the column RESULT", option_failed,  \
		(filter_at)},                                                                      \
		{0, "result", "RESULT[,RESULT..]",                                                 \
			"ok, failed, abandoned, pending or an errno (ECONNREFUSED)",               \
			option_results, (filter_at)},                                              \
		{0, "min-latency", "MS", "only what took so long, or longer", option_min_latency,  \
			(filter_at)},                                                              \
		{0, "exe", "PATH[,PATH..]", "only these programs, path or name", option_exes,      \
			(filter_at)},                                                              \
		{0, "container", "ID[,ID..]", "only these containers; their first digits will do", \
			option_containers, (filter_at)},                                           \
		{0, "ancestor", "PID|NAME[,..]", "only descendants of these processes",            \
			option_ancestors, (filter_at)},                                            \
		{0, "host", "NAME[,NAME..]", "only what these hosts recorded", option_hosts,       \
			(filter_at)},                                                              \
		{0, "since", "TIME", "only from this time on: RFC 3339, 10:45, -15m ..",           \
			option_since, (filter_at)},                                                \
	{                                                                                          \
		0, "until", "TIME", "only before this time", option_until, (filter_at)             \
	}

/* What is left of the line, as one filter. */
#define EXPRESSION_OPTION(filter_at)                                                               \
	{                                                                                          \
		0, "", "EXPRESSION", "only what matches this pcap-filter(7)", option_expression,   \
			(filter_at)                                                                \
	}

#define COLUMN_OPTIONS(choice_at)                                                                  \
	{'t', "timestamp", NULL, "column TIME(s): since the first event printed", option_flag,     \
		(choice_at) + offsetof(struct columns_choice, time)},                              \
		{'U', "print-uid", NULL, "column UID", option_flag,                                \
			(choice_at) + offsetof(struct columns_choice, uid)},                       \
		{'L', "lport", NULL, "column LPORT: the local port", option_flag,                  \
			(choice_at) + offsetof(struct columns_choice, lport)},                     \
		{'d', "dns", NULL, "column QUERY: the name that was looked up", option_flag,       \
			(choice_at) + offsetof(struct columns_choice, query)},                     \
	{                                                                                          \
		'o', "columns", "COL[,COL..]", "these columns, in this order", option_text,        \
			(choice_at) + offsetof(struct columns_choice, names)                       \
	}

option_apply option_pids, option_uids, option_ports, option_ipv4, option_ipv6;
option_apply option_failed, option_results, option_min_latency, option_comms, option_exes;
option_apply option_containers, option_cgroups, option_netns, option_ancestors, option_hosts;
option_apply option_since, option_until, option_expression;
option_apply option_flag;  /* target: bool, set to true */
option_apply option_text;  /* target: const char *, borrowed from argv */
option_apply option_count; /* target: uint64_t; from 1 */

/*
 * Parses argv by the table into options. Returns 0, or -1 with the reason,
 * which quotes the option and its value. Operands are an error without a row for them.
 */
int options_parse(
	const struct option_row *table, int argc, char **argv, void *options, struct error *error);

/* The help text: usage line and one line for each row. */
void options_help(const struct option_row *table, const char *usage, FILE *out);

#endif
