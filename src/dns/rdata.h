/* SPDX-License-Identifier: Apache-2.0 */
/* dns/rdata.h - the octets of one record to what sessions see, private to dns/.
 *
 * The octets come from strangers: every length in them is checked.
 */
#ifndef DNS_RDATA_H
#define DNS_RDATA_H

#include "base/arena.h"
#include "base/err.h"
#include "dns/resolver.h"

/* What struct dns_record says of each type; all in the arena.
 * False: E_SYNTAX: the octets are not rdata of that type. */
bool rdata_parse(struct arena *arena, enum dns_type type, struct slice rdata,
    struct dns_record *ret, struct err *err);

/* The same record twice is one (RFC 2181, section 5): how many are left, in
 * the order of the first of each. */
size_t rdata_unique(struct dns_record *records, size_t count);

#endif
