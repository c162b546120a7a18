/* SPDX-License-Identifier: BSD-2-Clause */
#include "sweep.h"

#include <bpf/bpf.h>
#include <linux/types.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "../bpf/tcpconnect.h"

#define NS_PER_S 1000000000ull
/* Inside the kernel's connect functions, which do not wait for the network. */
#define CALL_MAX_NS (60 * NS_PER_S)
/* 30 SYNs, doubling from a second up to two minutes, are 49 minutes; 7 are usual. */
#define ATTEMPT_MAX_NS (3600 * NS_PER_S)

struct entries {
	uint32_t count, key_size, value_size;
	uint8_t *keys, *values;
};

/*
 * A copy of the map. Empty without one, or without memory. Not by a call that reads many entries at
 * once: while it runs, the kernel skips the programs of kprobes on that CPU.
 */
static struct entries entries_read(int map)
{
	struct bpf_map_info info = {0};
	uint32_t size = sizeof info;
	struct entries e = {0};
	const void *from = NULL;
	uint8_t *key;

	if (map < 0 || bpf_obj_get_info_by_fd(map, &info, &size))
		return e;
	e.key_size = info.key_size;
	e.value_size = info.value_size;
	e.keys = malloc((size_t)info.max_entries * info.key_size);
	e.values = malloc((size_t)info.max_entries * info.value_size);
	for (; e.keys && e.values && e.count < info.max_entries; from = key) {
		key = e.keys + (size_t)e.count * e.key_size;
		if (bpf_map_get_next_key(map, from, key))
			break;
		/* An entry that is gone by now may make the kernel begin anew: hence the bound. */
		if (!bpf_map_lookup_elem(map, key, e.values + (size_t)e.count * e.value_size))
			e.count++;
	}
	return e;
}

static void entries_free(struct entries *e)
{
	free(e->keys);
	free(e->values);
}

static bool is_older(uint64_t begin_ns, uint64_t age_ns, uint64_t now_ns)
{
	return begin_ns < now_ns && now_ns - begin_ns > age_ns;
}

static bool has(int map, const void *key)
{
	uint8_t value[sizeof(struct open_call)];

	return !bpf_map_lookup_elem(map, key, value);
}

/* A mapped address: tcp_v6_connect has called tcp_v4_connect, one attempt. So the outer ones first.
 */
uint64_t sweep_calls(int map, uint64_t now_ns)
{
	struct entries e = entries_read(map);
	uint64_t lost = 0;

	for (uint32_t family = 6; family >= 4; family -= 2)
		for (uint32_t i = 0; i < e.count; i++) {
			struct open_call_key key, inner;
			struct open_call call;

			memcpy(&key, e.keys + i * sizeof key, sizeof key);
			memcpy(&call, e.values + i * sizeof call, sizeof call);
			inner = (struct open_call_key){key.tid, 4};
			if (key.family == family &&
				is_older(call.entered_ns, CALL_MAX_NS, now_ns) &&
				!bpf_map_delete_elem(map, &key) &&
				(family == 4 || !has(map, &inner)))
				lost++;
		}
	entries_free(&e);
	return lost;
}

static bool attempt_is_dead(const struct open_attempt *attempt, uint64_t now_ns)
{
	return is_older(attempt->start_ns, attempt->id ? ATTEMPT_MAX_NS : CALL_MAX_NS, now_ns);
}

struct swept sweep(const struct sweep_maps *maps, uint64_t now_ns)
{
	struct entries e = entries_read(maps->open_attempts);
	struct swept swept = {.calls = sweep_calls(maps->calls, now_ns)};

	for (uint32_t i = 0; i < e.count; i++) {
		struct open_attempt attempt;
		uint64_t socket;

		memcpy(&socket, e.keys + i * sizeof socket, sizeof socket);
		memcpy(&attempt, e.values + i * sizeof attempt, sizeof attempt);
		if (!attempt_is_dead(&attempt, now_ns) ||
			bpf_map_delete_elem(maps->open_attempts, &socket))
			continue;
		if (!attempt.id)
			swept.returns++;
		else if (maps->held >= 0 && !bpf_map_delete_elem(maps->held, &socket))
			swept.held++;
		else
			swept.outcomes++;
	}
	entries_free(&e);
	return swept;
}

uint32_t sweep_count_slots(const struct sweep_maps *maps, uint64_t now_ns)
{
	uint32_t used = 0;

	for (size_t i = 0; maps->slots && i < OPEN_SLOTS; i++) {
		struct open_slot_head slot;

		memcpy(&slot, (const char *)maps->slots + i * maps->slot_size, sizeof slot);
		used += slot.key && !attempt_is_dead(&slot.attempt, now_ns);
	}
	return used;
}

uint32_t sweep_count(int map)
{
	struct entries e = entries_read(map);

	entries_free(&e);
	return e.count;
}
