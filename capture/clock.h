/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef CLOCK_H
#define CLOCK_H

#include "../formats/event.h"

/* CLOCK_BOOTTIME now, in ns: the clock of the samples. */
uint64_t clock_boot_ns(void);

/* Both clocks at (nearly) one moment. */
struct clock_anchor clock_anchor_now(void);

#endif
