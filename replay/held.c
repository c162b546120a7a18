/* SPDX-License-Identifier: BSD-2-Clause */
#include "held.h"

#include <stdlib.h>

void held_release(struct held *h)
{
	if (--h->users)
		return;
	if (h->left) {
		batch_release(&h->batch);
		free(h->bytes);
	}
	free(h);
}
