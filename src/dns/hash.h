/* SPDX-License-Identifier: Apache-2.0 */
/* dns/hash.h - hash tables of names that strangers choose, private to dns/.
 *
 * SipHash-1-3 with a secret of the resolver, so that nobody can choose names
 * that fall into one bucket; uthash keeps the tables, with our memory.
 */
#ifndef DNS_HASH_H
#define DNS_HASH_H

#include <stdint.h>

#include "base/memory.h"
#include "base/slice.h"

#define uthash_malloc(size) memory_new(1, size)
#define uthash_free(memory, size) memory_free(memory)
/* The name of the root is empty, and may have no bytes to point to. */
#define HASH_KEYCMP(a, b, n) ((n) ? memcmp(a, b, n) : 0)
#include <uthash.h>

struct hash_secret {
	uint64_t k0, k1;
};

/* From the system's random numbers. */
struct hash_secret hash_secret_new(void);

unsigned int hash_bytes(const struct hash_secret *secret, struct slice bytes);

#endif
