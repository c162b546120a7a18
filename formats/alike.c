/* SPDX-License-Identifier: BSD-2-Clause */
#include "alike.h"

#include <stdlib.h>

#define MEMORY_MAX (512u << 10)

_Static_assert(sizeof(struct alike_slot) == 64, "a line of the cache");

bool alike_go_together(unsigned int abouts)
{
	static const unsigned int together[] = {
		ALIKE(ABOUT_RECORDING) | ALIKE(ABOUT_PROCESS) | ALIKE(ABOUT_NETNS) |
			ALIKE(ABOUT_FAMILY) | ALIKE(ABOUT_SOURCE),
		ALIKE(ABOUT_RECORDING) | ALIKE(ABOUT_CALL) | ALIKE(ABOUT_RESULT),
		ALIKE(ABOUT_DESTINATION) | ALIKE(ABOUT_PORT),
	};

	for (size_t i = 0; i < sizeof together / sizeof *together; i++)
		if (!(abouts & ~together[i]))
			return true;
	return false;
}

int alike_init(struct alike *alike, unsigned int abouts)
{
	size_t each = sizeof *alike->slots;

	*alike = (struct alike){.abouts = abouts, .owned = calloc(ALIKE_SLOTS + 1, each)};
	if (!alike->owned)
		return -1;
	alike->slots = (struct alike_slot *)(((uintptr_t)alike->owned + each - 1) / each * each);
	return 0;
}

void alike_release(struct alike *alike)
{
	text_release(&alike->memory);
	free(alike->owned);
	alike->owned = alike->slots = NULL;
}

void alike_remember(struct alike *alike, struct alike_slot slots[static 2],
	const struct alike_key *key, struct bytes cells)
{
	uint32_t offset;

	if (alike->memory.length + cells.length > MEMORY_MAX) {
		memset(alike->slots, 0, ALIKE_SLOTS * sizeof *alike->slots);
		alike->memory.length = 0;
	}
	slots[1] = slots[0];
	slots->key = *key;
	slots->length = (uint32_t)cells.length;
	if (cells.length <= sizeof slots->text) {
		if (cells.length)
			memcpy(slots->text, cells.data, cells.length);
		return;
	}
	offset = (uint32_t)alike->memory.length;
	memcpy(slots->text, &offset, sizeof offset);
	text_put(&alike->memory, cells);
	if (alike->memory.failed)
		slots->key.scope = 0;
}
