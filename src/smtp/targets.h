/* SPDX-License-Identifier: Apache-2.0 */
/* smtp/targets.h - from a route to the endpoints to try, best first.
 *
 * Addresses and sockets as configured, names by A and AAAA, mail exchangers by
 * MX (RFC 5321 section 5.1, null MX: RFC 7505).  We never deliver to ourselves.
 */
#ifndef SMTP_TARGETS_H
#define SMTP_TARGETS_H

#include "smtp/client.h"
#include "smtp/next_hop_pool.h"

enum {
	TARGETS_HOSTS_MAX = 10,	   /* of one MX set */
	TARGETS_ADDRESSES_MAX = 4, /* of one host */
	TARGETS_MAX = 20,
};

struct target_list {
	size_t count;
	struct smtp_endpoint endpoints[TARGETS_MAX];
};

/* Mail on both goes to the same next hop in the same way: it may share a
 * transaction (with kind mx, that of one domain). */
bool targets_same(const struct conf_route *a, const struct conf_route *b);

/* The listener at which mail for this target would come in again, or NULL, as
 * far as it is known without DNS: addresses, and our own name. */
const struct conf_listener *targets_lead_to(const struct config *config,
    const struct conf_route *route, const struct conf_target *target);

/* The port that is tried. */
uint16_t targets_port(const struct conf_target *target);

/* Text lives in arena.  False: *ret_reply says why there is none.  Only a
 * route of kind mx can lead to a permanent refusal: elsewhere it would be our
 * configuration that is wrong. */
bool targets_find(struct arena *arena, const struct config *config,
    struct dns_resolver *resolver, const struct next_hop_request *request,
    struct target_list *ret, struct smtp_reply_text *ret_reply);

#endif
