/* SPDX-License-Identifier: Apache-2.0 */
/* milter/milter_message.h - one message from MAIL to the answer at its end.
 *
 * Rebuilds the content as the MTA received it (milter/header_field.h), feeds
 * the gate while it arrives, and turns the decision into packets: an SMTP reply
 * of ours, changes of the header, or one of the MTA's ways to keep a message.
 * Whether a recipient may be relayed to is the MTA's to say, and so is what
 * becomes of an accepted message.
 *
 * A failure (a limit, a full disk) is remembered, the rest of the content is
 * dropped, and the answer at the end says so.
 */
#ifndef MILTER_MILTER_MESSAGE_H
#define MILTER_MILTER_MESSAGE_H

#include "base/buf.h"
#include "base/ip.h"
#include "base/slice.h"
#include "milter/macros.h"
#include "milter/milter_snapshot.h"
#include "milter/options.h"

struct milter_message;

/* What is known of the client; copied. */
struct milter_client {
	struct ip ip;
	uint16_t port;
	struct slice name, helo;
	struct slice listener; /* of the configuration */
};

/* parameters is the data of an SMFIC_MAIL: texts, the path first.  options are
 * what was agreed with the MTA; copied.  The snapshot is held.  NULL:
 * E_SYNTAX. */
struct milter_message *milter_message_new(struct milter_snapshot *snapshot,
    const struct milter_client *client, const struct macros *macros,
    const struct milter_options *options, struct slice parameters,
    struct err *err);

/* Without a word to the MTA. */
void milter_message_free(struct milter_message *message);

/* The data of an SMFIC_RCPT, and {rcpt_addr} or nothing; copied.  False:
 * E_SYNTAX. */
bool milter_message_recipient(struct milter_message *message,
    struct slice parameters, struct slice resolved, struct err *err);

void milter_message_header(
    struct milter_message *message, struct slice name, struct slice value);

/* The empty line; harmless if it was there already. */
void milter_message_end_header(struct milter_message *message);

void milter_message_body(struct milter_message *message, struct slice piece);

/* True: the rest of the body changes nothing any more, and need not come. */
bool milter_message_skips_body(struct milter_message *message);

/* Decides, and begins to record that.  queue_id must live as long as message.
 * Once.  False: there will be no notice (as for gate_commit_begin).  The answer
 * comes then, or after the notice. */
bool milter_message_decide(struct milter_message *message,
    struct slice queue_id, const struct store_notice *notice);

/* As gate_commit_deadline and gate_commit_give_up. */
struct deadline milter_message_deadline(const struct milter_message *message);
bool milter_message_give_up(struct milter_message *message);

/* Will the answer have a body? */
bool milter_message_replaces_body(const struct milter_message *message);

/* Writes the packets that carry out what is recorded, or say that nothing
 * could be.  True: *ret_body, which lives as long as the message, is to follow,
 * then the end (milter/answer.h).  Once; then free. */
bool milter_message_answer(
    struct milter_message *message, struct buf *out, struct slice *ret_body);

#endif
