/* SPDX-License-Identifier: BSD-2-Clause */
#include "held.h"

#include <stdlib.h>

void held_release(struct held *h)
{
	if (--h->users)
		return;
	if (!h->spares) {
		free(h);
		return;
	}
	h->next = *h->spares;
	*h->spares = h;
}

void held_free_spares(struct held *spares)
{
	while (spares) {
		struct held *h = spares;

		spares = h->next;
		batch_release(&h->batch);
		free(h->bytes.data);
		free(h);
	}
}
