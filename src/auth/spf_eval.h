/* SPDX-License-Identifier: Apache-2.0 */
/* auth/spf_eval.h - check_host() of RFC 7208 sections 4 to 6.
 *
 * One evaluation of one identity.  Its limits (section 4.6.4) are counted over
 * all records that it reads: 10 terms that need DNS, 2 terms whose queries
 * find nothing, 10 names an mx or ptr.
 */
#ifndef AUTH_SPF_EVAL_H
#define AUTH_SPF_EVAL_H

#include "auth/spf.h"
#include "auth/spf_macro.h"
#include "auth/spf_ptr.h"

enum {
	SPF_LOOKUPS_MAX = 10,
	SPF_VOID_LOOKUPS_MAX = 2,
	SPF_NAMES_MAX = 10,
};

struct spf_evaluation {
	struct arena *arena;
	struct dns_session *dns;
	struct spf_macro_values values; /* without domain and p */
	unsigned int lookups, void_lookups;
	unsigned int prefetched; /* terms asked for ahead of their turn */
	struct spf_ptr ptr;
	struct slice problem; /* the first; of temperror and permerror */
	bool everybody;	      /* the term that matched suits any client */
};

/* What a record says of the client. */
struct spf_check {
	enum spf_result result;
	struct slice mechanism;	  /* that matched; or empty */
	struct slice domain;	  /* of the record that decided */
	struct slice explanation; /* its exp= domain-spec; or empty */
};

/* domain is a valid one (section 4.3).  depth: 0; grows with each include and
 * redirect, and so never passes SPF_LOOKUPS_MAX. */
struct spf_check spf_evaluate(
    struct spf_evaluation *evaluation, struct slice domain, unsigned int depth);

/* The explanation of a fail (section 6.2), or the empty slice. */
struct slice spf_explain(
    struct spf_evaluation *evaluation, const struct spf_check *check);

#endif
