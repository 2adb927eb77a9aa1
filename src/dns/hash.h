/* SPDX-License-Identifier: Apache-2.0 */
/* dns/hash.h - uthash with our memory, private to dns/. */
#ifndef DNS_HASH_H
#define DNS_HASH_H

#include "base/hash.h"
#include "base/memory.h"

#define uthash_malloc(size) memory_new(1, size)
#define uthash_free(memory, size) memory_free(memory)
/* The name of the root is empty, and may have no bytes to point to. */
#define HASH_KEYCMP(a, b, n) ((n) ? memcmp(a, b, n) : 0)
#include <uthash.h>

#endif
