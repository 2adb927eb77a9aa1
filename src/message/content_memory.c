/* SPDX-License-Identifier: Apache-2.0 */
#include "message/content_memory.h"

#include <stdatomic.h>

enum { SHARE = 8 };

static atomic_ullong all;

uint64_t content_memory_hold(uint64_t *held, uint64_t now)
{
	uint64_t grown = now - *held; /* or shrunk */

	*held = now;
	return atomic_fetch_add_explicit(&all, grown, memory_order_relaxed) +
	       grown;
}

bool content_memory_allows(
    uint64_t max, uint64_t *held, struct spool *spool, uint64_t besides)
{
	uint64_t together = content_memory_hold(
	    held, spool_memory(spool) + besides);

	if (together > max / SHARE)
		spool_use_file(spool);
	return together <= max;
}
