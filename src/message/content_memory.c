/* SPDX-License-Identifier: Apache-2.0 */
#include "message/content_memory.h"

#include <stdatomic.h>

static atomic_ullong all;

uint64_t content_memory_hold(uint64_t *held, uint64_t now)
{
	uint64_t grown = now - *held; /* or shrunk */

	*held = now;
	return atomic_fetch_add_explicit(&all, grown, memory_order_relaxed) +
	       grown;
}
