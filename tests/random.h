/* SPDX-License-Identifier: BSD-2-Clause */
/* Numbers that are the same everywhere, by a seed: splitmix64. */
#ifndef RANDOM_H
#define RANDOM_H

#include <stdint.h>

static uint64_t random_state;

static inline uint64_t random_next(void)
{
	uint64_t z = (random_state += UINT64_C(0x9e3779b97f4a7c15));

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

static inline uint32_t random_below(uint32_t n)
{
	return (uint32_t)(random_next() >> 32) % n;
}

#endif
