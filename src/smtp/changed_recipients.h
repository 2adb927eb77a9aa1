/* SPDX-License-Identifier: Apache-2.0 */
/* smtp/changed_recipients.h - a delivery to those whom policy left and added.
 *
 * The next hop has said yes to each recipient at RCPT, and SMTP takes none of
 * them back (RFC 5321, 4.1.1.5): to remove one, the transaction is begun anew,
 * without it.  Those that are added are asked before the content is sent.  If
 * one of either is refused nobody gets the message and the client keeps it:
 * part of the changes would be less than what was decided.
 *
 * Over LMTP one may refuse when others have the message already, and SMTP has
 * no reply for that.  If it is one that was added the client hears 451, even if
 * the refusal was for good: the client never named that recipient (whose
 * address and affairs are none of its business), cannot mend it, and is not to
 * tell its user that those who have the message did not get it.  It tries
 * again, and they get it again until the administrator has mended it: of
 * duplicates and a policy silently not carried out, the former is the lesser
 * evil (RFC 5321, 4.5.4.1, for the reply that is lost).
 */
#ifndef SMTP_CHANGED_RECIPIENTS_H
#define SMTP_CHANGED_RECIPIENTS_H

#include "gate/gate.h"
#include "smtp/delivery.h"

struct changed_recipients {
	struct arena *arena;
	struct gate_message *gate;
	const struct envelope *envelope;
	const struct recipient_edits *edits;
	struct delivery_session *session;
};

/* *delivery has the envelope's recipients; it may be replaced by another.
 * False: *ret is the client's reply (a refusal of one that was added is 451,
 * whatever the next hop said: the client did not ask for it). */
bool changed_recipients_apply(const struct changed_recipients *change,
    struct delivery **delivery, struct smtp_reply_text *ret);

/* After delivery_data: the replies of result become those of the envelope's
 * recipients.  One that was removed is told yes.  If one that was added did
 * not get it, nobody else is told yes: with one reply for all they hear that,
 * else 451. */
void changed_recipients_map(
    const struct changed_recipients *change, struct delivery_result *result);

#endif
