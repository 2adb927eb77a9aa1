/* SPDX-License-Identifier: Apache-2.0 */
/* auth/own_domain.h - mail from outside that claims to be from us.
 *
 * A pure decision.  Mail that uses one of our accepted domains in MAIL FROM or
 * in From: must be authenticated as that domain, whether or not a DMARC record
 * exists:
 *
 *	MAIL FROM  SPF passes for it, or a DKIM signature passes whose d= is
 *	           within the same accepted domain
 *	From:      SPF passes for, or a DKIM signature passes of, a domain
 *	           within the same accepted domain (relaxed alignment; every
 *	           address in From: by itself)
 *
 * "Within" is the accepted domain and what is below it.  For the null sender
 * SPF's domain is that of HELO (RFC 7208 section 2.4).
 */
#ifndef AUTH_OWN_DOMAIN_H
#define AUTH_OWN_DOMAIN_H

#include "auth/dkim.h"
#include "auth/spf.h"
#include "base/arena.h"
#include "base/slice.h"

enum own_domain_result {
	OWN_DOMAIN_NONE,      /* none of our domains is used */
	OWN_DOMAIN_PASS,      /* used, and authenticated */
	OWN_DOMAIN_EXEMPT,    /* used; a connector may send as it */
	OWN_DOMAIN_TEMPERROR, /* not authenticated, but something temporary
			       * failed that could have done it */
	OWN_DOMAIN_FAIL,
};

/* "none", "pass", "exempt", "temperror", "fail". */
const char *own_domain_result_name(enum own_domain_result result);

enum own_domain_identity { OWN_DOMAIN_MAIL_FROM, OWN_DOMAIN_HEADER_FROM };

/* "mailfrom", "from". */
const char *own_domain_identity_name(enum own_domain_identity identity);

/* A pass of SPF that everybody has (spf_outcome.everybody) does not count:
 * whoever could use it did not show to be us.
 *
 * All domains normalized, but for a mail_from that cannot be: that is printable
 * US-ASCII in lower case, its last labels as a name has them.  spf and dkim may
 * be absent (NULL, 0). */
struct own_domain_input {
	size_t accepted_count;
	const struct slice *accepted;
	bool subdomains;	 /* names below an accepted domain are ours */
	struct slice mail_from;	 /* domain; empty: null sender */
	bool mail_from_unusable; /* it is no name that DNS could have: nothing
				  * authenticates it, but it may be ours */
	size_t from_count;
	const struct slice *from;      /* domains of From: */
	const struct spf_outcome *spf; /* of MAIL FROM */
	size_t dkim_count;
	const struct dkim_outcome *dkim;
	size_t exempt_count;	    /* domains the connector may send as, */
	const struct slice *exempt; /* and what is below them */
};

struct own_domain_outcome {
	enum own_domain_result result;
	enum own_domain_identity identity; /* whose result it is */
	struct slice domain;		   /* as used; empty for none */
	struct slice accepted;		   /* the domain of ours it is within */
	struct slice reason;		   /* plain words; empty for none */
};

/* The worst of all identities, MAIL FROM first among equals. */
struct own_domain_outcome own_domain_check(
    struct arena *arena, const struct own_domain_input *input);

/* The accepted domain that name is within, the longest one; empty if none. */
struct slice own_domain_match(
    const struct own_domain_input *input, struct slice name);

#endif
