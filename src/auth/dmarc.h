/* SPDX-License-Identifier: Apache-2.0 */
/* auth/dmarc.h - DMARC: RFC 9989.
 *
 * Discovery (the DNS tree walk), identifier alignment, and the policy that
 * applies.  What is done about it is gate's.
 */
#ifndef AUTH_DMARC_H
#define AUTH_DMARC_H

#include "auth/dkim.h"
#include "auth/spf.h"
#include "base/arena.h"
#include "base/slice.h"
#include "dns/resolver.h"

enum dmarc_result {
	DMARC_NONE, /* no policy record */
	DMARC_PASS,
	DMARC_FAIL,
	DMARC_TEMPERROR,
	DMARC_PERMERROR,
};

enum dmarc_policy {
	DMARC_POLICY_NONE,
	DMARC_POLICY_QUARANTINE,
	DMARC_POLICY_REJECT
};

const char *dmarc_result_name(enum dmarc_result result);
const char *dmarc_policy_name(enum dmarc_policy policy);

/* What the tree walk found for one author domain.  TEMPERROR with a record: the
 * record applies, but whether by np= or sp= could not be told; policy is then
 * the stricter one. */
struct dmarc_discovery {
	enum dmarc_result status; /* NONE: no record; PASS: record found;
				   * TEMPERROR, PERMERROR */
	struct slice author_domain;
	struct slice policy_domain; /* where the record stands; or empty */
	struct slice organizational_domain; /* empty: DNS could not tell */
	bool author_domain_exists; /* false: NXDOMAIN; asked only where np=
				    * makes a difference, else true */
	struct slice record;	   /* as published, or empty */
	struct slice problem;	   /* in words, warnings included */
	enum dmarc_policy policy;  /* p=, sp= or np=: whichever applies */
	enum dmarc_policy applied_policy; /* one step milder with t=y */
	bool testing;			  /* t=y */
	bool strict_spf, strict_dkim;	  /* aspf=s, adkim=s */
	struct slice rua, ruf;		  /* raw values, or empty */
};

struct dmarc_discovery dmarc_discover(
    struct arena *arena, struct dns_session *dns, struct slice author_domain);

/* Starts the queries of the walk. */
void dmarc_prefetch(struct dns_session *dns, struct slice author_domain);

struct dmarc_outcome {
	enum dmarc_result result;
	struct slice from_domain;
	struct dmarc_discovery discovery;
	bool spf_aligned, dkim_aligned; /* passed and aligned.  With TEMPERROR:
					 * for exactly from_domain, which any
					 * record would have let pass */
	struct slice reason;		/* plain words */
};

/* spf is the MAIL FROM identity's outcome.  A temporary error of SPF, DKIM or
 * discovery that could have made it pass is DMARC_TEMPERROR. */
struct dmarc_outcome dmarc_evaluate(struct arena *arena,
    struct dns_session *dns, struct slice from_domain,
    const struct spf_outcome *spf, size_t dkim_count,
    const struct dkim_outcome *dkim);

/* Of several authors one that passes says nothing of the others: the worst, in
 * the order pass, none, permerror, temperror, fail.  NULL: none is there. */
const struct dmarc_outcome *dmarc_worst(
    size_t count, const struct dmarc_outcome *outcomes);

#endif
