/* SPDX-License-Identifier: BSD-2-Clause */
/* DNS messages of any bytes behind a length of two, a millisecond apart; then all that is known. */
#include <assert.h>
#include <linux/types.h>
#include <stdlib.h>

#include "../../bpf/tcpconnect.h"
#include "../../capture/dns.h"

#define NAME_MAX_LENGTH 1024 /* 255 bytes, each as a backslash and three digits */

static void look_for(struct dns *d, uint64_t time_ns, uint8_t family, const uint8_t *bytes)
{
	struct event event = {.time_ns = time_ns, .daddr.family = family};

	memcpy(event.daddr.bytes, bytes, family == 4 ? 4 : 16);
	dns_find(d, &event);
	assert(event.answered != ANSWERED_UNKNOWN && event.query.length <= NAME_MAX_LENGTH);
	assert((event.answered >= ANSWERED_AGE) == (event.query.length > 0));
	assert(event.answered < ANSWERED_AGE + 1 + time_ns / 1000);
	for (size_t i = 0; i < event.query.length; i++)
		assert(event.query.data[i] > ' ' && event.query.data[i] < 0x7f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct dns *d = dns_new();
	uint64_t time_ns = 0;

	assert(d);
	for (size_t at = 0; size - at >= 2;) {
		size_t length = data[at] | (size_t)data[at + 1] << 8;
		struct sample_answer head = {.kind = SAMPLE_ANSWER, .time_ns = time_ns += 1000000};
		uint8_t *copy;

		at += 2;
		length = length < size - at ? length : size - at;
		head.length = (uint32_t)length;
		copy = malloc(1 + sizeof head + length); /* so that a read beyond it is seen */
		assert(copy);
		memcpy(copy + 1, &head, sizeof head); /* not aligned */
		memcpy(copy + 1 + sizeof head, data + at, length);
		dns_take(d, copy + 1, sizeof head + length);
		free(copy);
		at += length;
	}
	for (size_t at = 0; size - at >= 4; at++) {
		look_for(d, time_ns, 4, data + at);
		if (size - at >= 16)
			look_for(d, time_ns / 2, 6, data + at);
	}
	dns_free(d);
	return 0;
}
