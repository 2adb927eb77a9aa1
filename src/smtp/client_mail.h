/* SPDX-License-Identifier: Apache-2.0 */
/* smtp/client_mail.h - the verbs of a mail transaction, as client.
 *
 * Parameters are sent only where the peer offers the extension.
 */
#ifndef SMTP_CLIENT_MAIL_H
#define SMTP_CLIENT_MAIL_H

#include "message/edit.h"
#include "smtp/client.h"
#include "smtp/dot_stuff.h"

/* XFORWARD (where configured and offered), MAIL and the first RCPT; in one
 * go if the peer takes PIPELINING.  ret_rcpt->code is 0 if MAIL was refused. */
bool client_mail_begin(struct smtp_client *client,
    const struct envelope *envelope, const struct envelope_recipient *recipient,
    struct smtp_reply *ret_mail, struct smtp_reply *ret_rcpt, struct err *err);

bool client_mail_recipient(struct smtp_client *client,
    const struct envelope_recipient *recipient, struct smtp_reply *ret,
    struct err *err);

/* DATA, and its reply.  Go on with client_mail_content if that is 354. */
bool client_mail_data(struct smtp_client *client, struct err *err);
bool client_mail_go_ahead(
    struct smtp_client *client, struct smtp_reply *ret, struct err *err);

/* The message, dots doubled; then the final dot, and not yet the reply.  state
 * begins zeroed.  False: the connection failed before the final dot was sent
 * whole. */
bool client_mail_content(struct smtp_client *client,
    const struct message_pieces *pieces, struct dot_stuff *state,
    struct err *err);
bool client_mail_final_dot(
    struct smtp_client *client, const struct dot_stuff *state, struct err *err);

/* A reply to the end of data: one, or with LMTP one per accepted recipient. */
bool client_mail_outcome(
    struct smtp_client *client, struct smtp_reply *ret, struct err *err);

#endif
