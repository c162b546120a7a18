/* SPDX-License-Identifier: BSD-2-Clause */
/* A filter falls into what the programs in the kernel apply and what the recorder does. */
#ifndef FILTERS_H
#define FILTERS_H

#include "../formats/filter.h"

/* Both borrow what the whole owns. failed: the filter on failures is applied there, if it is asked
 * for. */
struct filter filters_of_kernel(const struct filter *whole, bool failed);
struct filter filters_of_recorder(const struct filter *whole, bool failed);

/* Sets of processes that other programs keep up to date; as in bcc. NULL: not asked for. */
struct filter_maps {
	const char *cgroups, *mount_namespaces;
};

/* Opens a pinned map of an option, of keys of eight bytes. Negative: see error. */
int filters_open_map(const char *option, const char *path, struct error *error);

/* All of it in words, with where it ran; "none". Cut to size. */
void filters_describe(const struct filter *whole, const struct filter_maps *maps,
	bool failed_in_kernel, char *out, size_t size);

/* Whether there is anything to ask filters_want(). */
bool filters_ask(const struct filter *recorder);

/*
 * Whether the recorder wants an event, with its process. Does not ask how it
 * ended. notes: what it could not tell for want of knowledge.
 */
bool filters_want(
	const struct filter *recorder, const struct event *event, struct filter_notes *notes);

#endif
