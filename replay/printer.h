/* SPDX-License-Identifier: BSD-2-Clause */
/* Rows that several threads print, into pieces which are written in their order. */
#ifndef PRINTER_H
#define PRINTER_H

#include "../formats/columns.h"
#include "held.h"
#include "pool.h"

#define PRINTER_ROWS 1024 /* of a piece */

struct printer;

/* Each of the pool's threads has columns of that choice. NULL: see error. */
struct printer *printer_new(
	struct pool *pool, const struct columns_choice *choice, FILE *out, struct error *error);
void printer_free(struct printer *printer);

/* Both return 0, or -1: it could not be printed or written, now or before; see error. */
int printer_add(
	struct printer *printer, struct held *held, const struct rows *rows, struct error *error);

/* Prints and writes what was added: no batch is held any more. */
int printer_flush(struct printer *printer, struct error *error);

#endif
