/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The lives that are known, by pid and time. When there is no room the one that
 * exited first goes, else the one that was not asked for the longest.
 */
#ifndef PROCESS_TABLE_H
#define PROCESS_TABLE_H

#include "process_life.h"

#define PROCESS_SLOTS 8192            /* a power of two */
#define PROCESS_BYTES_MAX (32u << 20) /* of all together */

/* By age; the links are in the lives. */
struct lives {
	struct life *oldest, *youngest;
};

struct process_table {
	size_t limit, count, bytes;
	uint64_t stamp;
	uint64_t horizon_ns; /* all changes since then are in a life, if that has not seen any */
	struct lives living, exited;
	struct life *slots[PROCESS_SLOTS];
};

/* The one with that pid that was born last; the one of that time. NULL: none is known. */
struct life *process_table_newest(struct process_table *table, uint32_t pid);
struct life *process_table_find(struct process_table *table, uint32_t pid, uint64_t time_ns);

/* A new one, see life_new(); others may have to go. NULL: out of memory. */
struct life *process_table_add(struct process_table *table, uint32_t pid, uint64_t from_ns);

/* It was asked for. */
void process_table_touch(struct process_table *table, struct life *life);

/* life_change(), life_read(): what they return. Others may have to go for it. */
void process_table_change(
	struct process_table *table, struct life *life, const struct proc_change *change);
int process_table_read(
	struct process_table *table, struct life *life, const struct proc_reading *reading);

/* Something of it changed: counts its bytes anew. */
void process_table_count(struct process_table *table, struct life *life);

/* And those with the same pid that are older. */
void process_table_forget(struct process_table *table, struct life *life);

/* Those that exited before that time. */
void process_table_expire(struct process_table *table, uint64_t time_ns);
void process_table_clear(struct process_table *table);

#endif
