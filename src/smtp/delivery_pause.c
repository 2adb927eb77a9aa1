/* SPDX-License-Identifier: Apache-2.0 */
/* A delivery whose client or DNS is slow, and whose connection others may need;
 * or whose next hop bears so many refused recipients in one connection. */
#include "smtp/delivery_private.h"

/* Each time all recipients so far are said again: a client that lets us wait
 * between any two must not make that a thousand times a thousand. */
enum { WAKES_MAX = 4, BEGINNINGS_MAX = 10 };

void delivery_pause(struct delivery *delivery)
{
	struct smtp_client *client = delivery->client;

	if (!client || client == delivery->session->authenticated)
		return;
	delivery->client = NULL;
	delivery->paused = true;
	next_hop_pool_wait(delivery->session->pool, &delivery->waiter, client);
}

void delivery_resume(struct delivery *delivery)
{
	if (!delivery->paused)
		return;
	delivery->paused = false;
	delivery->client = next_hop_pool_wait_over(
	    delivery->session->pool, &delivery->waiter);
	delivery->rests = !delivery->client && delivery->count;
}

bool delivery_wake(
    struct delivery *delivery, bool for_recipient, struct smtp_reply_text *ret)
{
	if (!delivery->rests)
		return true;
	if (for_recipient && delivery->wakes++ >= WAKES_MAX) {
		*ret = (struct smtp_reply_text){452, SLICE("4.5.3"),
		    SLICE("too slow for so many recipients, send this one "
			  "separately")};
		return false;
	}
	delivery->renewed = false;
	delivery->rests = !delivery_renew(delivery, ret);
	delivery->lost = false;
	/* That was our own doing; the next hop may still tire. */
	delivery->renewed = false;
	return !delivery->rests;
}

bool delivery_begin_again(
    struct delivery *delivery, struct smtp_reply_text *ret)
{
	delivery->rests = true;
	if (delivery->beginnings++ < BEGINNINGS_MAX)
		return delivery_wake(delivery, false, ret);
	*ret = (struct smtp_reply_text){452, SLICE("4.5.3"),
	    SLICE("too many refused recipients in one message, send this one "
		  "separately")};
	return false;
}
