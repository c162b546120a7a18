/* SPDX-License-Identifier: BSD-2-Clause */
/* Names of users, of this host's database, remembered for a while. */
#ifndef USERS_H
#define USERS_H

#include "shared_text.h"

struct users;

/* NULL: out of memory. */
struct users *users_new(void);
void users_free(struct users *users);

/* Borrowed until the next call; NULL: that user has no name. now_ns: any clock that never steps. */
struct shared_text *users_name(struct users *users, uint32_t uid, uint64_t now_ns);

#endif
