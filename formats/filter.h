/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The filters that both programs share, so that -u means the same in both.
 * Different filters AND together, the values of one OR, a leading ! negates.
 */
#ifndef FILTER_H
#define FILTER_H

#include "error.h"
#include "event.h"
#include "expression.h"

struct filter_range {
	uint32_t low, high; /* both included */
};

/* count 0: the filter is not in use. */
struct filter_list {
	struct filter_range *ranges;
	size_t count;
	bool negated;
};

/* Of texts, which are owned. */
struct filter_texts {
	char **texts;
	size_t count;
	bool negated;
};

struct filter {
	struct filter_list pids, uids, ports; /* ports: of the destination */
	uint8_t family;                       /* 4 or 6; 0: both */
	struct filter_list netns;             /* inodes */
	struct filter_list results;           /* outcome << 16 | errno */
	struct filter_texts comms, exes, containers, cgroups, hosts, ancestors;
	bool failed;             /* only what is known to have failed */
	uint64_t min_latency_us; /* 0: any */
	bool has_since, has_until;
	int64_t since_ns, until_ns; /* wall clock; until is not included */
	struct expression *expression;
};

/* What was asked of processes and events, and how often they did not know. */
enum filter_fact {
	FACT_COMM,
	FACT_EXE,
	FACT_CONTAINER,
	FACT_CGROUP,
	FACT_ANCESTOR,
	FACT_NETNS,
	FACT_RESULT,
	FILTER_FACTS,
};

struct filter_notes {
	uint64_t known[FILTER_FACTS], unknown[FILTER_FACTS];
};

/* The option and what it needs, for messages: "--exe", "programs' paths". */
struct filter_fact_name {
	const char *option, *what;
};

extern const struct filter_fact_name filter_fact_names[FILTER_FACTS];

/* All zero is a filter that matches everything. */
void filter_release(struct filter *filter);

/*
 * Add what the option's argument lists; -1 with the reason. A USER may be a
 * name of this machine's user database.
 */
int filter_add_pids(struct filter *filter, const char *text, struct error *error);
int filter_add_uids(struct filter *filter, const char *text, struct error *error);
int filter_add_ports(struct filter *filter, const char *text, struct error *error);

/* An inode, or a path whose inode it is. */
int filter_add_netns(struct filter *filter, const char *text, struct error *error);

/* ok, failed, abandoned, pending, or the name of an errno. */
int filter_add_results(struct filter *filter, const char *text, struct error *error);

/*
 * Texts: comm and host whole; exe whole, or without / its last part; container
 * the beginning of the id; cgroup that one and those below; ancestor a pid, or a
 * name as comm or exe.
 */
int filter_add_comms(struct filter *filter, const char *text, struct error *error);
int filter_add_exes(struct filter *filter, const char *text, struct error *error);
int filter_add_containers(struct filter *filter, const char *text, struct error *error);
int filter_add_cgroups(struct filter *filter, const char *text, struct error *error);
int filter_add_hosts(struct filter *filter, const char *text, struct error *error);
int filter_add_ancestors(struct filter *filter, const char *text, struct error *error);

/* Milliseconds, also with a fraction. */
int filter_set_min_latency(struct filter *filter, const char *text, struct error *error);

/* As when_parse(). */
int filter_set_since(struct filter *filter, const char *text, struct error *error);
int filter_set_until(struct filter *filter, const char *text, struct error *error);

/* pcap-filter(7); only one. */
int filter_set_expression(struct filter *filter, const char *text, struct error *error);

/* family: 4 or 6. -1: the other one was asked for too. */
int filter_set_family(struct filter *filter, uint8_t family, struct error *error);

/* It asks who made the attempts. */
bool filter_needs_process(const struct filter *filter);

/* It asks how attempts ended. */
bool filter_needs_result(const struct filter *filter);

/*
 * The parts: all must match. notes may be NULL; what was asked counts there as
 * known or not. Unknown values match a negated list, and no other.
 */
bool filter_wants_process(
	const struct filter *filter, const struct process *process, struct filter_notes *notes);
bool filter_wants_port(const struct filter *filter, uint16_t dport);
bool filter_wants_netns(const struct filter *filter, uint32_t inode, struct filter_notes *notes);
bool filter_wants_host(const struct filter *filter, struct bytes host);
bool filter_wants_time(const struct filter *filter, int64_t wall_ns);
bool filter_wants_result(const struct filter *filter, const struct result *result);

/* True when nothing can match in a batch with that summary (skip.h), which may be absent. */
bool filter_skips(const struct filter *filter, struct bytes summary);

/* Of an event alone: all but host and time. */
bool filter_matches(const struct filter *filter, const struct event *event);

/*
 * What of the filter a recorder can apply, in words, "" without any: "uid
 * 1000,1001 and port !22". Cut to size. Returns out.
 */
char *filter_describe(const struct filter *filter, char *out, size_t size);

#endif
