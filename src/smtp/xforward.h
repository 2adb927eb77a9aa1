/* SPDX-License-Identifier: Apache-2.0 */
/* smtp/xforward.h - telling a next hop who the client was.
 *
 * Postfix's XFORWARD: attributes in xtext (RFC 3461 section 4).  A server
 * forgets them after each transaction and each RSET, so they are sent before
 * every MAIL, unknown ones as [UNAVAILABLE].
 */
#ifndef SMTP_XFORWARD_H
#define SMTP_XFORWARD_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/slice.h"
#include "message/envelope.h"

/* Bytes outside "!" to "~", and "+" and "=", as +HH. */
struct slice xtext_encode(struct arena *arena, struct slice text);

/* The commands (without CR LF) for the attributes that are offered; their
 * number, 0 to XFORWARD_COMMANDS_MAX.  client may be NULL: not known
 * any more (a released message). */
enum { XFORWARD_COMMANDS_MAX = 7 };
size_t xforward_commands(struct arena *arena,
    const struct envelope_client *client, struct slice ident,
    unsigned int offered, struct slice ret[static XFORWARD_COMMANDS_MAX]);

#endif
