/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The filters that both programs share, so that -u means the same in both.
 * Different filters AND together, the values of one OR, a leading ! negates.
 */
#ifndef FILTER_H
#define FILTER_H

#include "error.h"
#include "event.h"

struct filter_range {
	uint32_t low, high; /* both included */
};

/* count 0: the filter is not in use. */
struct filter_list {
	struct filter_range *ranges;
	size_t count;
	bool negated;
};

struct filter {
	struct filter_list pids, uids, ports; /* ports: of the destination */
	uint8_t family;                       /* 4 or 6; 0: both */
	bool failed;                          /* only what is known to have failed */
};

/* All zero is a filter that matches everything. */
void filter_release(struct filter *filter);

/*
 * Add what the option's argument lists; -1 with the reason. A USER may be a
 * name of this machine's user database.
 */
int filter_add_pids(struct filter *filter, const char *text, struct error *error);
int filter_add_uids(struct filter *filter, const char *text, struct error *error);
int filter_add_ports(struct filter *filter, const char *text, struct error *error);

/* family: 4 or 6. -1: the other one was asked for too. */
int filter_set_family(struct filter *filter, uint8_t family, struct error *error);

bool filter_matches(const struct filter *filter, const struct event *event);

/* The filter in words, "" without one: "uid 1000,1001 and port !22". Cut to size. Returns out. */
char *filter_describe(const struct filter *filter, char *out, size_t size);

#endif
