/* SPDX-License-Identifier: Apache-2.0 */
/* milter/mta_address.h - whom MAIL and RCPT name, where the MTA delivers.
 *
 * An MTA takes more for an address than RFC 5321 has ("<a@(x)b.example>",
 * "<b.example!a>", "<a>"), makes it a proper one, and tells a milter of the
 * argument as it came.  What it made of that stands in the macros {mail_addr}
 * and {rcpt_addr}: "the address part of the resolved triple" (Sendmail), the
 * address that trivial-rewrite(8) resolves (Postfix).  Resolved is more than
 * delivered: of a domain that the MTA has mailboxes for nothing may be left,
 * and "a%c.example@b.example" may have become "a@c.example" then, although
 * readers see b.example.  So neither is believed alone.
 */
#ifndef MILTER_MTA_ADDRESS_H
#define MILTER_MTA_ADDRESS_H

#include "base/arena.h"
#include "base/slice.h"
#include "conf/config.h"

struct mta_sender {
	struct slice address; /* without brackets; empty: null sender */
	const char *doubt; /* NULL; or why readers may see another: words for a
			    * reply (550 5.1.7) */
};

/* given: the argument of MAIL; it must live as long as the result.  resolved:
 * {mail_addr}, empty if there is none (or if it is the null sender); copied. */
struct mta_sender mta_address_sender(struct arena *arena,
    const struct config *config, struct slice given, struct slice resolved);

/* The same of RCPT and {rcpt_addr}; given as it is (but for brackets and
 * source route) if it is a proper address, or nothing better is known. */
struct slice mta_address_recipient(
    struct arena *arena, struct slice given, struct slice resolved);

#endif
