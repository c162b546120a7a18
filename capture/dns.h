/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The names that addresses had in the answers of DNS servers: of 10,240 addresses, those
 * that were in an answer last, for a day.
 */
#ifndef DNS_H
#define DNS_H

#include "../formats/event.h"

struct dns;

/* NULL: out of memory. */
struct dns *dns_new(void);
void dns_free(struct dns *dns);

/* A sample_answer, of unchecked length and content. */
void dns_take(struct dns *dns, const void *sample, size_t length);

/*
 * Some answers are missing, from that boot time on; 0: none. Of an address without a name
 * nothing is known then.
 */
void dns_miss(struct dns *dns, uint64_t since_ns);

/*
 * Fills in query and answered of an event with time and destination: as of its time, whatever
 * was taken meanwhile. Times are nearly in order. The name is borrowed until the next call.
 */
void dns_find(struct dns *dns, struct event *event);

#endif
