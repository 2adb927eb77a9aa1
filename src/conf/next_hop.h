/* SPDX-License-Identifier: Apache-2.0 */
/* conf/next_hop.h - where a route leads, as one text.
 *
 *	smtp:HOST		the MX of HOST, or HOST itself, port 25
 *	smtp:HOST:PORT		HOST itself
 *	smtp:[HOST], smtp:[HOST]:PORT	HOST itself
 *	lmtp:HOST:PORT, lmtp:[HOST]:PORT, lmtp:unix:/path
 *	maildir:/path		%d is the domain, %l the local part
 *	mx			the MX of the recipient's domain
 *
 * Several targets of smtp and lmtp, separated by commas or blanks, are tried
 * in turn; the ones after the first may repeat the word.  IPv6 addresses need
 * brackets.  A relative Maildir begins at folder.
 */
#ifndef CONF_NEXT_HOP_H
#define CONF_NEXT_HOP_H

#include "conf/config.h"

enum { NEXT_HOP_TARGETS_MAX = 16 };

/* Sets text, kind, targets and maildir of the route.  False: E_SYNTAX or
 * E_LIMIT, and the route is untouched. */
bool next_hop_parse(struct arena *arena, struct slice folder, struct slice text,
    struct conf_route *route, struct err *err);

/* The route whose server knows our users: that of "*", or the first.  NULL:
 * there is none. */
const struct conf_route *next_hop_for_logins(const struct config *config);

#endif
