/* SPDX-License-Identifier: Apache-2.0 */
/* dns/name.h - domain names as text. */
#ifndef DNS_NAME_H
#define DNS_NAME_H

#include "base/arena.h"
#include "base/err.h"
#include "base/ip.h"
#include "base/slice.h"

/* Lower case, A-labels (IDNA 2008 by libidn2; US-ASCII labels, underscores
 * included, pass untouched), no final dot.  False: E_SYNTAX: empty, an empty
 * label, over 63 octets in a label or 253 in all, a byte that cannot stand in
 * a host or service name, bad IDNA.  What stands behind "xn--" in US-ASCII is
 * not looked at: a name is below ours, and has records, whatever its label. */
bool name_normalize(
    struct arena *arena, struct slice text, struct slice *ret, struct err *err);

/* Of a normalized name that is shown to people: every "xn--" label is what its
 * own U-label becomes (see idna.h).  False: E_SYNTAX. */
bool name_check_a_labels(struct slice name, struct err *err);

/* Both normalized: name is parent, or below it. */
bool name_is_at_or_below(struct slice name, struct slice parent);

/* The name without its first label; empty when it has only one. */
struct slice name_parent(struct slice name);

size_t name_label_count(struct slice name);

/* "1.2.0.192.in-addr.arpa" or the ip6.arpa form. */
struct slice name_reverse(struct arena *arena, const struct ip *ip);

#endif
