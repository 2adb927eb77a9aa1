/* SPDX-License-Identifier: Apache-2.0 */
/* dns/reply.h - an answer that many may hold, private to dns/.
 *
 * Built by one thread, then never changed.  It owns its memory: sessions of
 * any thread may hold it, and the cache, and whoever lets it go last frees it.
 */
#ifndef DNS_REPLY_H
#define DNS_REPLY_H

#include "base/arena.h"
#include "dns/resolver.h"

struct reply {
	_Atomic unsigned int holders;
	struct arena *arena; /* holds the reply itself */
	struct dns_answer answer;
	int64_t expires_ms; /* monotonic; the cache's */
};

/* Held once; DNS_NODATA until its answer is filled. */
struct reply *reply_new(void);

/* DNS_TEMPORARY_FAILURE. */
struct reply *reply_failure(enum dns_security security, const char *rcode,
    const char *format, ...) __attribute__((format(printf, 3, 4)));

/* The same for a limit of ours. */
struct reply *reply_over_limit(const char *rcode, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

struct reply *reply_hold(struct reply *reply);
void reply_release(struct reply *reply);

/* Bytes, for the bound of the cache. */
size_t reply_size(const struct reply *reply);

#endif
