/* SPDX-License-Identifier: Apache-2.0 */
/* auth/spf_record.h - SPF records: the grammar of RFC 7208 section 12.
 *
 * A record borrows the text it was parsed from.  Everything that the grammar
 * can tell is told here, before any evaluation (section 4.6); macros are
 * checked, and expanded later.
 */
#ifndef AUTH_SPF_RECORD_H
#define AUTH_SPF_RECORD_H

#include "auth/spf.h"
#include "base/arena.h"
#include "base/err.h"
#include "base/ip.h"
#include "base/slice.h"

/* Terms of one record, modifiers included.  RFC 7208 section 3.4 wants a record
 * to fit into 450 octets; real ones list some hundred networks.  Together with
 * the ten records more that an evaluation may read, it bounds the memory that
 * a stranger's records take. */
enum { SPF_TERMS_MAX = 1000 };

enum spf_mechanism {
	SPF_ALL,
	SPF_INCLUDE,
	SPF_A,
	SPF_MX,
	SPF_PTR,
	SPF_IP4,
	SPF_IP6,
	SPF_EXISTS,
};

struct spf_term {
	enum spf_mechanism mechanism;
	enum spf_result qualifier; /* the result if it matches */
	struct slice text;	   /* as written, without the qualifier */
	struct slice domain;	   /* domain-spec; empty: the current domain */
	unsigned int prefix4, prefix6; /* of a and mx */
	struct ip_network network;     /* of ip4 and ip6 */
};

struct spf_record {
	size_t count;
	const struct spf_term *terms;
	struct slice redirect, explanation; /* domain-specs, or empty */
};

/* "v=spf1", in any case, followed by a space or the end (section 4.5). */
bool spf_record_is_spf(struct slice text);

/* text is_spf.  False: E_SYNTAX, with the term that is wrong; E_LIMIT if there
 * are more than SPF_TERMS_MAX. */
bool spf_record_parse(struct arena *arena, struct slice text,
    struct spf_record *ret, struct err *err);

#endif
