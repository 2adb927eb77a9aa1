/* SPDX-License-Identifier: Apache-2.0 */
/* message/address.h - mailboxes of RFC 5322 (3.4) and paths of RFC 5321.
 *
 * Iterative and bounded.  The parts of a path borrow the input where they can;
 * those of a list are copies in the arena, and nothing else takes memory there:
 * elements that name nobody cost none.
 */
#ifndef MESSAGE_ADDRESS_H
#define MESSAGE_ADDRESS_H

#include "base/arena.h"
#include "base/err.h"
#include "base/slice.h"

struct mailbox {
	struct slice display_name; /* unquoted; empty if none */
	struct slice local_part;   /* unquoted */
	struct slice domain; /* as written, comments removed; a literal keeps
			      * its brackets */
	bool source_route;   /* there was one: "<@a.example:x@b.example>" */
};

struct mailbox_list {
	size_t count;
	struct mailbox *mailboxes;
};

/* An address-list (From:, To:, ...): mailboxes, and those inside groups.
 * Accepts obsolete syntax (RFC 5322 section 4) since senders use it, and what
 * all readers take for the same domain:
 *
 *	a..b@c, .a@c, a.@c	some providers give such addresses
 *	A [x] <a@b>		brackets in a name without quotes
 *	a@b <c@b>		an address where the name should be
 *	=?utf-8?q?x,_y?= <a@b>	specials in an encoded word; behind "@" only the
 *				same domain
 *
 * It never guesses: all else is E_SYNTAX; over max is E_LIMIT. */
bool address_parse_list(struct arena *arena, struct slice value, size_t max,
    struct mailbox_list *ret, struct err *err);

/* An address as SMTP writes it, without the angle brackets: "a@b.example",
 * "\"a b\"@b.example", "a@[192.0.2.1]"; UTF-8 only if smtputf8.  Dots may
 * stand anywhere in a local part (address_format() quotes it then).  A source
 * route is dropped (RFC 5321 section 4.1.1.3).  "" is the null path: the
 * result is then all empty. */
bool address_parse_path(struct arena *arena, struct slice text, bool smtputf8,
    struct mailbox *ret, struct err *err);

/* The part after the last '@', or the empty slice. */
struct slice address_domain(struct slice address);

/* Whether dots stand elsewhere than between other octets, as RFC 5321 (4.1.2)
 * and RFC 5322 (3.2.3) have them in quotes alone. */
bool address_has_odd_dots(struct slice local_part);

/* "local@domain", the local part quoted where it must be. */
struct slice address_format(struct arena *arena, const struct mailbox *mailbox);

#endif
