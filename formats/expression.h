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

bool expression_matches(const struct expression *expression, const struct event *event);

#endif
