/* SPDX-License-Identifier: BSD-2-Clause */
/* The program that puts DNS answers into the ring of a backend: bpf/dns.bpf.c. */
#ifndef DNS_HOOK_H
#define DNS_HOOK_H

#include "../formats/error.h"

struct dns_hook;

/* Loads and attaches it. ring, control: descriptors of the backend's maps. NULL: see error. */
struct dns_hook *dns_hook_new(int ring, int control, struct error *error);

/* Detaches it. */
void dns_hook_free(struct dns_hook *hook);

#endif
