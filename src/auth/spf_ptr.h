/* SPDX-License-Identifier: Apache-2.0 */
/* auth/spf_ptr.h - validated domain names of a client: RFC 7208 section 5.5.
 *
 * The names of its PTR records that lead back to its address; the first ten
 * only.  The records are asked for once an evaluation, and each name once.
 */
#ifndef AUTH_SPF_PTR_H
#define AUTH_SPF_PTR_H

#include "base/arena.h"
#include "base/ip.h"
#include "base/slice.h"
#include "dns/resolver.h"

enum { SPF_PTR_NAMES_MAX = 10 };

struct spf_ptr_name {
	struct slice name;
	bool tried, valid;
};

struct spf_ptr {
	bool asked;
	bool found_nothing; /* no PTR record: a void lookup */
	size_t count;
	struct spf_ptr_name names[SPF_PTR_NAMES_MAX];
};

/* Asks for the PTR records if they are not there yet.  Errors of the DNS leave
 * none (section 5.5: the mechanism then fails to match). */
void spf_ptr_ask(struct spf_ptr *ptr, struct arena *arena,
    struct dns_session *dns, const struct ip *client);

/* After spf_ptr_ask.  Is a validated name domain, or below it? */
bool spf_ptr_matches(struct spf_ptr *ptr, struct dns_session *dns,
    const struct ip *client, struct slice domain);

/* After spf_ptr_ask.  The p macro (section 7.3): domain itself, else a name
 * below it, else any validated name, else "unknown". */
struct slice spf_ptr_best_name(struct spf_ptr *ptr, struct dns_session *dns,
    const struct ip *client, struct slice domain);

#endif
