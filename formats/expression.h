/* SPDX-License-Identifier: BSD-2-Clause */
/* Filters of tcpdump, pcap-filter(7), over the SYN that a connection attempt begins with. */
#ifndef EXPRESSION_H
#define EXPRESSION_H

#include "error.h"
#include "event.h"

struct expression;

/*
 * Compiles the text. Names of services stand for their ports; a name that would
 * be looked up elsewhere, in DNS, is refused. NULL: see error.
 */
struct expression *expression_new(const char *text, struct error *error);
void expression_free(struct expression *expression);

/* As it was given. */
const char *expression_text(const struct expression *expression);
/* What every event has that matches: an address in a network, or a port in a range. */
struct expression_need {
	enum { SIDE_EITHER, SIDE_SOURCE, SIDE_DESTINATION } side;
	uint8_t family; /* 0: a port */
	uint8_t bits;   /* of the network */
	uint8_t network[16];
	uint16_t low, high;
};

#define EXPRESSION_NEEDS_MAX 16

/* Returns how many are known, which may be none. */
size_t expression_needs(const struct expression *expression, const struct expression_need **needs);

/* Whether it is in the network; an address that is unknown counts as any. */
bool expression_need_address(const struct expression_need *need, const struct address *address);

bool expression_matches(const struct expression *expression, const struct event *event);

#endif
