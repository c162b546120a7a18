/* SPDX-License-Identifier: BSD-2-Clause */
/* All that is known of an event and its process, as lines below its row. */
#ifndef DETAIL_H
#define DETAIL_H

#include "column_kind.h"

/* Adds lines, each indented; none for what is unknown. */
void detail_put(const struct columns_row *row, struct text *out);

#endif
