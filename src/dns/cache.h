/* SPDX-License-Identifier: Apache-2.0 */
/* dns/cache.h - answers by question, within so many bytes, private to dns/.
 *
 * What was used least recently goes first.  Not thread-safe: the resolver's
 * lock guards it.
 */
#ifndef DNS_CACHE_H
#define DNS_CACHE_H

#include "dns/question.h"
#include "dns/reply.h"

struct cache;

/* max_bytes 0: nothing is ever kept. */
struct cache *cache_new(uint64_t max_bytes);
void cache_free(struct cache *cache);

/* Held for the caller; NULL: not there, or expired. */
struct reply *cache_find(
    struct cache *cache, const struct question *question, int64_t now_ms);

/* Until reply->expires_ms; takes the place of an older one. */
void cache_put(
    struct cache *cache, const struct question *question, struct reply *reply);

/* Bytes in use. */
uint64_t cache_size(const struct cache *cache);

#endif
