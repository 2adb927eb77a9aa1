/* SPDX-License-Identifier: Apache-2.0 */
/* smtp/next_hop_pool.h - connections to next hops: opened, kept, reused.
 *
 * One pool a configuration snapshot.  It knows our name, the limits, the
 * resolver and the TLS contexts, keeps idle connections by target, and
 * remembers for a short time which targets could not be reached.  Any thread
 * may call anything; no lock is held while a peer is waited for.
 */
#ifndef SMTP_NEXT_HOP_POOL_H
#define SMTP_NEXT_HOP_POOL_H

#include "base/arena.h"
#include "base/err.h"
#include "conf/config.h"
#include "dns/resolver.h"
#include "message/decision.h"
#include "message/envelope.h"

struct next_hop_pool;
struct smtp_client; /* smtp/client.h */

/* Holds config and resolver (NULL: targets must be addresses or sockets). */
struct next_hop_pool *next_hop_pool_new(
    struct config *config, struct dns_resolver *resolver);

/* Loads the authorities that routes verify next hops with; those of the system
 * when they are needed.  False: E_CONFIG (a file has none), E_TEMP. */
bool next_hop_pool_load_authorities(
    struct next_hop_pool *pool, struct err *err);

/* The same once more, the files having changed: what cannot be used any more is
 * taken over from old, a pool of the same configuration, and tell hears why.
 * Returns whether all of them could be used. */
bool next_hop_pool_renew_authorities(struct next_hop_pool *pool,
    struct next_hop_pool *old, void (*tell)(const struct err *err));

/* Reference-counted: a snapshot and its sessions each hold one.  The last
 * release closes what is idle. */
struct next_hop_pool *next_hop_pool_hold(struct next_hop_pool *pool);
void next_hop_pool_release(struct next_hop_pool *pool);

const struct config *next_hop_pool_config(const struct next_hop_pool *pool);

/* NULL if it has none. */
struct dns_resolver *next_hop_pool_resolver(struct next_hop_pool *pool);

struct next_hop_statistics {
	uint64_t opened, reused, failed, tls; /* since the start */
	uint64_t idle;			      /* now */
};
struct next_hop_statistics next_hop_pool_statistics(struct next_hop_pool *pool);

/* What a connection is wanted for. */
struct next_hop_request {
	const struct conf_route *route;
	struct slice domain; /* of the recipient: whose MX, with kind mx */
	const struct envelope_client *client; /* for PROXY; or NULL */
	bool fresh;			      /* not an idle one */
	struct slice avoid;    /* key of an endpoint that has just failed */
	struct deadline until; /* opened by then, or not at all */
};

/* Tries the route's targets in order: an idle connection, else a new one,
 * greeted and secured as the route says.  The connection belongs to the caller
 * until next_hop_pool_put.  False: *ret_reply (text in arena) is what to tell
 * the client: 451 4.4.1, 556 5.1.10 (null MX), 554 5.4.6 (loop)... */
bool next_hop_pool_get(struct next_hop_pool *pool, struct arena *arena,
    const struct next_hop_request *request, struct smtp_client **ret,
    struct smtp_reply_text *ret_reply);

/* A connection that was got for request failed while it served: its endpoint is
 * tried last for a while. */
void next_hop_pool_blame(struct next_hop_pool *pool,
    const struct next_hop_request *request, const struct smtp_client *client,
    const struct err *err);

/* Gives a connection back: kept if it may serve another client (no
 * transaction open, no PROXY header, no AUTH, not too many refusals), else
 * closed with QUIT.  NULL is allowed. */
void next_hop_pool_put(struct next_hop_pool *pool, struct smtp_client *client);

/* A connection that waits for a client or for DNS; its owner's, zeroed at
 * first. */
struct next_hop_waiter {
	struct smtp_client *client; /* NULL: does not wait, or was given back */
	struct next_hop_waiter *next, **back;
};

/* The connection waits.  If more do than may (limits.next_hop_waiting), the one
 * that has waited longest is given back, whosever it is. */
void next_hop_pool_wait(struct next_hop_pool *pool,
    struct next_hop_waiter *waiter, struct smtp_client *client);

/* It is over.  Returns the connection; NULL: it was given back. */
struct smtp_client *next_hop_pool_wait_over(
    struct next_hop_pool *pool, struct next_hop_waiter *waiter);

/* Closes what has been idle for too long at now_ms (monotonic), so that a next
 * hop need not do it; targets that failed and were not tried for ten minutes
 * since do not count as away any more.  Now and then. */
void next_hop_pool_tidy(struct next_hop_pool *pool, int64_t now_ms);

/* Its configuration is not the newest any more.  What waits now is given back,
 * lest silent clients hold as many again with each reload; a session that goes
 * on may wait as before.  Nothing is kept idle from now on, and next hops that
 * are away are the next pool's to count. */
void next_hop_pool_retire(struct next_hop_pool *pool);

#endif
