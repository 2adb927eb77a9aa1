/* SPDX-License-Identifier: Apache-2.0 */
/* smtp/snapshot.h - what sessions work with until they end: configuration,
 * certificates, next-hop connections.
 *
 * Immutable and reference-counted.  A reload makes a new one; sessions that
 * run keep theirs.
 */
#ifndef SMTP_SNAPSHOT_H
#define SMTP_SNAPSHOT_H

#include <stdatomic.h>

#include "base/err.h"
#include "gate/gate.h"
#include "smtp/next_hop_pool.h"

struct ssl_ctx_st;

struct smtp_snapshot {
	atomic_uint references;
	struct gate_context gate; /* config and resolver are held */
	struct next_hop_pool *pool;
	struct ssl_ctx_st **tls; /* of each listener; or NULL */
	bool one_domain;	 /* recipients' domains may need different next
				  * hops: tell clients (RFC 9422) */
};

/* The store must outlive it.  False: E_CONFIG (certificates,
 * authorities). */
bool smtp_snapshot_new(const struct gate_context *gate,
    struct smtp_snapshot **ret, struct err *err);

/* The same once more for old's configuration, when files have changed; gate may
 * have another resolver.  TLS files that cannot be used any more are taken over
 * from old, and tell hears why: one that is broken must not let another's
 * certificate expire in use.  Returns whether all of them could be used. */
bool smtp_snapshot_renew(const struct gate_context *gate,
    const struct smtp_snapshot *old, void (*tell)(const struct err *err),
    struct smtp_snapshot **ret);

/* Any thread. */
struct smtp_snapshot *smtp_snapshot_hold(struct smtp_snapshot *snapshot);
void smtp_snapshot_release(struct smtp_snapshot *snapshot);

#endif
