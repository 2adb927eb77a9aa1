/* SPDX-License-Identifier: Apache-2.0 */
/* smtp/capacity.h - what a next hop cannot take, and is not asked to.
 *
 * By what its reply to EHLO offers: RFC 1870 (SIZE), RFC 6152 (8BITMIME),
 * RFC 6531 (SMTPUTF8).
 */
#ifndef SMTP_CAPACITY_H
#define SMTP_CAPACITY_H

#include "message/decision.h"
#include "message/edit.h"
#include "message/envelope.h"
#include "smtp/capabilities.h"

/* Before RCPT.  True: *ret is what the client is told. */
bool capacity_exceeds(const struct smtp_capabilities *offered,
    const struct envelope *envelope, const struct envelope_recipient *recipient,
    struct smtp_reply_text *ret);

/* Before DATA.  declared: the envelope's body and smtputf8 are the client's
 * word, and what the peer does not offer is refused; else they are hints, and
 * 8-bit content goes out as it came. */
bool capacity_content_exceeds(const struct smtp_capabilities *offered,
    const struct envelope *envelope, const struct message_pieces *pieces,
    bool declared, struct smtp_reply_text *ret);

#endif
