/* SPDX-License-Identifier: Apache-2.0 */
/* dns/resolver_private.h - what sessions use of the resolver. */
#ifndef DNS_RESOLVER_PRIVATE_H
#define DNS_RESOLVER_PRIVATE_H

#include "dns/question.h"
#include "dns/reply.h"

/* A question under way, shared by all who ask it. */
struct request;

/* The question of a name that can be one; in the arena.
 * False: it cannot; *ret untouched. */
bool resolver_question(const struct dns_resolver *resolver, struct arena *arena,
    struct slice name, enum dns_type type, struct question *ret);

/* Answers at once (*ret_reply, held), or starts or joins a request
 * (*ret_request, held).  The other one is NULL. */
void resolver_post(struct dns_resolver *resolver,
    const struct question *question, struct reply **ret_reply,
    struct request **ret_request);

/* Are most places for queries taken?  Those left are for answers that somebody
 * waits for. */
bool resolver_is_busy(struct dns_resolver *resolver);

/* The reply, held; NULL when the deadline passed.  False: it came while nobody
 * waited, and was too large to be kept but in the cache: post it again. */
bool resolver_wait(struct dns_resolver *resolver, struct request *request,
    struct deadline deadline, struct reply **ret);

/* The reply, held; NULL when there is none yet. */
struct reply *resolver_peek(
    struct dns_resolver *resolver, struct request *request);

/* Done with it, whether it was answered or not. */
void resolver_leave(struct dns_resolver *resolver, struct request *request);

/* A session waited in vain for as long as one query may take: for some
 * seconds nobody else needs to, unless the answer has come since. */
void resolver_timed_out(struct dns_resolver *resolver,
    const struct request *request, struct reply *failure);

/* One query's time, milliseconds; 0: not set. */
uint64_t resolver_query_timeout(const struct dns_resolver *resolver);

#endif
