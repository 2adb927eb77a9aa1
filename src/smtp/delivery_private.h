/* SPDX-License-Identifier: Apache-2.0 */
/* smtp/delivery_private.h - what delivery_session.c and delivery.c share. */
#ifndef SMTP_DELIVERY_PRIVATE_H
#define SMTP_DELIVERY_PRIVATE_H

#include "smtp/delivery.h"

struct delivery_session {
	struct next_hop_pool *pool;
	const struct envelope_client *client;
	struct delivery_waiter waiter;
	struct smtp_client *authenticated; /* or NULL */
	struct slice authenticated_route;  /* its text; empty: never */
	struct arena *arena;
};

#endif
