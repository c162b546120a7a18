/* SPDX-License-Identifier: BSD-2-Clause */
/* What the recorder gives up once its programs are attached. */
#ifndef PRIVILEGES_H
#define PRIVILEGES_H

#include <stdbool.h>

#include "../formats/error.h"

/*
 * Becomes user (a name or a number; NULL: stays who it is) and keeps only the
 * capabilities that a running recorder needs, of those that it has. override:
 * among them CAP_DAC_OVERRIDE, to make files in a directory of another user.
 * To be called before there is a second thread.
 */
int privileges_drop(const char *user, bool override, struct error *error);

#endif
