/* SPDX-License-Identifier: Apache-2.0 */
/* base/hash.h - for hash tables whose keys strangers choose: names, addresses.
 *
 * SipHash-1-3 with a secret of the table, so that nobody can choose keys that
 * fall into one bucket.
 */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include <stdint.h>

#include "base/slice.h"

struct hash_secret {
	uint64_t k0, k1;
};

/* From the system's random numbers. */
struct hash_secret hash_secret_new(void);

unsigned int hash_bytes(const struct hash_secret *secret, struct slice bytes);

#endif
