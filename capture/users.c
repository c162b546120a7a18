/* SPDX-License-Identifier: BSD-2-Clause */
#include "users.h"

#include <pwd.h>
#include <stdlib.h>

#define USERS_MAX 256 /* a power of two; two users at one place push each other out */
#define KEEP_NS (60 * 1000000000ull)
#define NAME_LENGTH_MAX 256
#define ENTRY_BYTES 16384 /* of a line of the database */

struct user {
	bool known; /* even if without name */
	uint32_t uid;
	uint64_t until_ns;
	struct shared_text *name;
};

struct users {
	struct user table[USERS_MAX];
	char entry[ENTRY_BYTES];
};

struct users *users_new(void)
{
	return calloc(1, sizeof(struct users));
}

void users_free(struct users *users)
{
	if (!users)
		return;
	for (size_t i = 0; i < USERS_MAX; i++)
		shared_text_release(users->table[i].name);
	free(users);
}

struct shared_text *users_name(struct users *users, uint32_t uid, uint64_t now_ns)
{
	struct user *u = &users->table[(uid ^ uid >> 8 ^ uid >> 16) % USERS_MAX];
	struct passwd entry, *found = NULL;
	struct bytes name = {NULL, 0};

	if (u->known && u->uid == uid && now_ns < u->until_ns)
		return u->name;
	getpwuid_r(uid, &entry, users->entry, sizeof users->entry, &found);
	if (found)
		name = (struct bytes){
			(const uint8_t *)found->pw_name, strnlen(found->pw_name, NAME_LENGTH_MAX)};
	shared_text_release(u->name);
	*u = (struct user){true, uid, now_ns + KEEP_NS, shared_text_new(name)};
	return u->name;
}
