/* SPDX-License-Identifier: Apache-2.0 */
/* smtp/repeat.h - a delivery without those who have the message already.
 *
 * Over LMTP a message may have been taken for some recipients while its client
 * heard 4xx for all of them (see smtp/partly_taken.h).  When it comes again,
 * the transaction is begun anew without those who have it, and they are told
 * yes.  The same message is the same octets with a Message-ID, from the same
 * sender and network (or user) to the same recipient by the same route.  Over
 * SMTP, or where policy changes the recipients, nothing happens here.
 */
#ifndef SMTP_REPEAT_H
#define SMTP_REPEAT_H

#include "gate/gate.h"
#include "smtp/delivery.h"
#include "smtp/partly_taken.h"

struct repeat {
	struct arena *arena;
	struct gate_message *gate;
	const struct envelope *envelope;
	struct delivery_session *session;
	struct partly_taken *table;
	struct slice content; /* as the client sent it */
	/* Of repeat.c. */
	size_t have; /* recipients who are left out */
	bool *had;
	struct smtp_reply_text *replies; /* code 0: still to be heard */
	struct taken_copy copy;
	bool has_digest;
};

/* Before anything is said of the message: *delivery, which has the envelope's
 * recipients, may be replaced by another with fewer.  False: nobody is left
 * who could be given the message. */
bool repeat_leave_out(struct repeat *repeat, struct delivery **delivery);

/* After delivery_data (where nobody was left, instead of it: with an empty
 * result): replies for all of the envelope's recipients.  Remembers who has the
 * message, if the client will send it again. */
struct delivery_result repeat_map(
    struct repeat *repeat, const struct delivery_result *result);

/* The recipient has it from an earlier try. */
bool repeat_had(const struct repeat *repeat, size_t recipient);

#endif
