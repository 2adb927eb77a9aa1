/* SPDX-License-Identifier: Apache-2.0 */
/* smtp/delivery.h - handing one message on to its next hop, while the sender
 * waits.
 *
 * Nothing is queued: each function returns the reply that the client gets.
 * 2xx after the end of data is returned only when the next hop has said so (or
 * the Maildir files are on the disk).  A connection lost between the final dot
 * and its reply is 451: the sender tries again, and a duplicate is possible,
 * as RFC 5321 section 4.5.4.1 accepts.
 *
 * A client that is slow with its content makes next hops tire of waiting
 * (Postfix under stress after ten seconds).  One that goes away before it was
 * sent any content is asked again on another connection, MAIL and all
 * recipients that it had accepted, once before the end of data and once after;
 * all of them have to be accepted again, else it is 451.  One that goes away
 * because it refused many recipients is asked again for the others, some ten
 * times; then they are 452 4.5.3, and what was accepted is delivered.  Not on a
 * connection that a client logged in to.
 *
 * Replies are one line, clean of control bytes, with an enhanced code always
 * (RFC 2034), so that decision_reply_line() prints them as they are.  421 is
 * returned in one case only: the authenticated connection of the session is
 * lost, and the client has to be disconnected to log in again.  Any other 421
 * of a next hop becomes 451.
 *
 * All structs live in an arena of the caller and belong to one thread at a
 * time; the arena's end aborts what is unfinished.
 */
#ifndef SMTP_DELIVERY_H
#define SMTP_DELIVERY_H

#include "base/arena.h"
#include "base/clock.h"
#include "base/slice.h"
#include "conf/config.h"
#include "message/decision.h"
#include "message/edit.h"
#include "message/envelope.h"
#include "smtp/client_auth.h"
#include "smtp/next_hop_pool.h"

/* What one client connection keeps: its identity (for XFORWARD and PROXY) and
 * an authenticated connection. */
struct delivery_session;

/* Lives in the connection's arena; holds pool.  client stays the caller's and
 * may change (EHLO, STARTTLS) until a delivery begins. */
struct delivery_session *delivery_session_new(struct arena *arena,
    struct next_hop_pool *pool, const struct envelope_client *client);

/* Asks the route's next hop by AUTH PLAIN or LOGIN, on a connection of its
 * own: TLS with a verified certificate, loopback or a unix socket.  235: it
 * said yes, and that connection carries the session's deliveries on this
 * route.  535 5.7.8: it said no.  454 4.7.0: it could not be asked.  text
 * lives in arena. */
struct smtp_reply_text delivery_session_authenticate(
    struct delivery_session *session, struct arena *arena,
    const struct conf_route *route,
    const struct delivery_credentials *credentials);

/* Outside of a delivery: what follows is another client's, or nobody's. */
void delivery_session_forget_login(struct delivery_session *session);

/* Who waits for the reply to the end of data. */
struct delivery_waiter {
	/* Not even the final dot is sent after dot_by, and its reply is not
	 * waited for after until: who is answered too late sends again what
	 * the next hop has (RFC 5321, section 6.1). */
	struct deadline dot_by, until;
	bool (*is_gone)(void *context);
	void *context;
};

/* From the end of data on, until it is NULL.  A message whose client gave up is
 * 451, and not delivered, as long as its final dot has not been sent. */
void delivery_session_wait(
    struct delivery_session *session, const struct delivery_waiter *waiter);

/* One transaction. */
struct delivery;

/* At MAIL; contacts nobody.  envelope's sender and parameters must be complete
 * and everything must outlive the delivery, which lives in arena. */
struct delivery *delivery_new(struct arena *arena,
    struct delivery_session *session, const struct envelope *envelope);

/* At RCPT, after gate_recipient said yes.  The first one opens the connection
 * and sends MAIL; its refusal is returned here.  A recipient that needs
 * another next hop than those accepted before (another route, with kind mx
 * another domain) is 452 4.5.3.  2xx: it is part of the delivery (append it to
 * the envelope). */
struct smtp_reply_text delivery_recipient(struct delivery *delivery,
    const struct conf_route *route, const struct envelope_recipient *recipient);

/* Between commands, and amid content: the client is slow, and the thread goes;
 * or DNS has not answered, where he who sent the message may be slow.  As many
 * connections to next hops wait with it as may (limits.next_hop_waiting), so
 * that silent strangers cannot take all that a next hop has.  Those that have
 * waited longest are given back, and what they had begun is begun anew when it
 * is needed, as if the next hop had tired of waiting; for a recipient more only
 * a few times, then that one is 452 4.5.3.  One that a client logged in to is
 * its own. */
void delivery_pause(struct delivery *delivery);
void delivery_resume(struct delivery *delivery);

/* How many were accepted so far. */
size_t delivery_recipient_count(const struct delivery *delivery);

struct delivery_result {
	/* For a client that takes one reply: reply_strongest.  Only LMTP can
	 * tell recipients apart. */
	struct smtp_reply_text reply;
	size_t count; /* accepted recipients, in order */
	const struct smtp_reply_text *recipient_replies; /* for PRDR */
	bool tells_apart; /* each of them is the recipient's own: LMTP */
};

/* Before delivery_data with the same pieces, if wanted: says DATA, so that the
 * next hop's go-ahead comes while the message is recorded.  If delivery_abort
 * follows instead, the connection is closed: so no message ends there
 * (RFC 5321 section 3.8).  Says nothing on a connection that a client logged in
 * to: without it the client would have to log in again. */
void delivery_announce(
    struct delivery *delivery, const struct message_pieces *pieces);

/* At the end of data, once; at least one recipient was accepted.  Sends DATA
 * and the pieces, waits for the outcome. */
struct delivery_result delivery_data(
    struct delivery *delivery, const struct message_pieces *pieces);

/* Instead of delivery_data: the message goes nowhere (refused, discarded,
 * quarantined, RSET, client gone).  The connection is kept for others if it
 * can be.  Harmless after delivery_data. */
void delivery_abort(struct delivery *delivery);

/* A whole message to one recipient in one call, with no client behind it: the
 * release of a quarantined message.  sender may be empty (null path).  8-bit
 * content is declared where the next hop takes it, and goes out as it is where
 * not, as a client's that declared nothing: nobody else could mend it.  True if
 * the reply is 2xx. */
bool delivery_send_message(struct arena *arena, struct next_hop_pool *pool,
    const struct conf_route *route, struct slice sender, struct slice recipient,
    struct slice message, struct smtp_reply_text *ret_reply);

#endif
