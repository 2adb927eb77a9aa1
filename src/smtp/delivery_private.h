/* SPDX-License-Identifier: Apache-2.0 */
/* smtp/delivery_private.h - what the files of smtp/delivery.h share. */
#ifndef SMTP_DELIVERY_PRIVATE_H
#define SMTP_DELIVERY_PRIVATE_H

#include "smtp/delivery.h"
#include "smtp/maildir.h"

struct delivery_session {
	struct next_hop_pool *pool;
	const struct envelope_client *client;
	struct delivery_waiter waiter;
	struct smtp_client *authenticated; /* or NULL */
	struct slice authenticated_route;  /* its text; empty: never */
	struct arena *arena;
};

struct delivery {
	struct arena *arena;
	struct delivery_session *session;
	const struct envelope *envelope;
	const struct conf_route *route;
	struct slice domain;	    /* of the recipients, with kind mx */
	struct smtp_client *client; /* NULL: none yet, or no more */
	bool lost;	/* the connection, with the transaction in it */
	bool announced; /* DATA was said, and its reply is to come */
	bool finished;
	bool undeclared; /* what the envelope says of the content is a guess */
	bool renewed; /* begun anew: once before the end of data, once after */
	struct next_hop_waiter waiter; /* while it is paused: has the client */
	bool paused;
	bool rests; /* until it is needed: the connection was given back */
	unsigned int wakes;		       /* for a recipient more */
	unsigned int beginnings;	       /* of delivery_begin_again */
	struct smtp_reply_text sender_refusal; /* code 0: none */
	size_t count, room;
	struct envelope_recipient *accepted; /* count */
	size_t folder_room;
	struct maildir_recipient *folders; /* with a Maildir: count */
};

/* --- delivery.c -------------------------------------------------------- */

/* Gives the connection back, whatever state it is in. */
void delivery_leave(struct delivery *delivery);

/* The connection has gone before it was sent any content: nobody has the
 * message.  What the peer had taken is said again on another connection, and
 * all of it has to be taken.  False: the transaction is lost; *ret is why, 4xx.
 */
bool delivery_renew(struct delivery *delivery, struct smtp_reply_text *ret);

/* --- delivery_pause.c -------------------------------------------------- */

/* Before it is needed: for a recipient more, or for the message.  True: it has
 * its connection, and its recipients.  False: *ret is the reply, 4xx; it rests
 * on. */
bool delivery_wake(
    struct delivery *delivery, bool for_recipient, struct smtp_reply_text *ret);

/* The next hop went away because of the recipients that it refused: what it had
 * taken is said again, as often as that brings the message further.  False:
 * *ret is the reply to the recipient that it was asked for, 4xx; the others
 * rest, until the message needs them. */
bool delivery_begin_again(
    struct delivery *delivery, struct smtp_reply_text *ret);

#endif
