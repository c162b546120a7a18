/* SPDX-License-Identifier: BSD-2-Clause */
/* -c: as tcpconnect(8) of bcc prints it (its print formats, to the byte): IPv4, then IPv6. */
#ifndef COUNT_H
#define COUNT_H

#include "error.h"
#include "event.h"
#include "value.h"

struct count;

/* zeros: what stands for an unknown source, as with the peers. NULL: out of memory. */
struct count *count_new(enum value_format format, bool zeros, struct error *error);
void count_free(struct count *count);

/* Counts the event with its addresses and port. Returns 0, or -1: see error. */
int count_add(struct count *count, const struct event *event, struct error *error);

/* Counts what the other one has counted. Returns 0, or -1: see error. */
int count_join(struct count *count, const struct count *other, struct error *error);

/* The most first. Returns 0, or -1: see error. */
int count_print(struct count *count, FILE *out, struct error *error);

#endif
