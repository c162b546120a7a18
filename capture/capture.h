/* SPDX-License-Identifier: BSD-2-Clause */
/* A backend at work: loaded, attached, its ring read in bulk, detached. */
#ifndef CAPTURE_H
#define CAPTURE_H

#include <linux/types.h>

#include "../bpf/tcpconnect.h"
#include "../formats/filter.h"
#include "backend.h"
#include "samples.h"

struct capture;

struct capture_options {
	const struct filter *filter; /* what of it the kernel can apply, runs there */
	/* Sets of processes: ids of cgroups, inodes of mount namespaces; negative: not in use. */
	int cgroup_map, mount_map;
	size_t ring_bytes; /* a power of two, at least a page */
	bool arguments;    /* command lines may be read */
	bool verbose;      /* libbpf's messages to stderr */
};

/*
 * Loads and attaches the backend. Returns NULL and the reason when this kernel
 * cannot run it. *warning gets what is not recorded for want of an optional
 * hook, else "".
 */
struct capture *capture_open(const struct backend *backend, const struct capture_options *options,
	capture_sample *sample, void *context, struct error *warning, struct error *error);

/*
 * Also hands out what DNS servers answer to this host, as samples, from now on: each before
 * the attempts that came behind it. -1: it cannot, and why; nothing else changes.
 */
int capture_hear_answers(struct capture *capture, struct error *error);

/* Those for which there was no room. */
uint64_t capture_answers_lost(const struct capture *capture);
/* The boot time of the first of them; 0: there is none. */
uint64_t capture_answers_lost_since(const struct capture *capture);

/* True if filter->failed is applied in the kernel; else every attempt comes out of the ring. */
bool capture_failed_only(const struct capture *capture);

/* True if the programs tell the texts of a process too; else they must be read in time. */
bool capture_describes(const struct capture *capture);

/* The ring: to be polled edge-triggered, an edge for each wake-up by the kernel. */
int capture_fd(const struct capture *capture);

/* Asks to be woken: at the next sample, or only when the ring fills. Valid for one wake-up. */
void capture_request_wakeup(struct capture *capture, enum wakeup_request request);

/* Hands out all samples that there are. Returns how many, or -1. */
int capture_consume(struct capture *capture, struct error *error);

/* Sums over all CPUs; see struct capture_counters. */
struct capture_counters capture_count(const struct capture *capture);

/*
 * Forgets attempts whose end the kernel did not show to the programs, at most
 * once a minute; what becomes unknown by that is counted.
 */
void capture_sweep(struct capture *capture, uint64_t now_ns);

/*
 * Detaches, hands out what is left, and waits for programs still
 * running on other CPUs, so that the counters are final.
 */
int capture_drain(struct capture *capture, struct error *error);

/* After capture_drain(): attempts that the programs still followed (fentry and kprobe). */
uint32_t capture_under_way(const struct capture *capture);

/* How many entries capture_sweep() has found. */
uint64_t capture_swept(const struct capture *capture);

void capture_close(struct capture *capture);

#endif
