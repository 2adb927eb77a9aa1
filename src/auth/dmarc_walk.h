/* SPDX-License-Identifier: Apache-2.0 */
/* auth/dmarc_walk.h - the DNS tree walk of RFC 9989 section 4.10.
 *
 * At most eight TXT queries for one domain, from the name itself upwards, and
 * what they say about its organizational domain (section 4.10.2).
 */
#ifndef AUTH_DMARC_WALK_H
#define AUTH_DMARC_WALK_H

#include "auth/dmarc_record.h"
#include "base/arena.h"
#include "base/slice.h"
#include "dns/resolver.h"

enum { DMARC_WALK_MAX = 8 };

/* The domains to ask below "_dmarc.", in order; they borrow domain, which is
 * normalized.  Returns how many. */
size_t dmarc_walk_names(
    struct slice domain, struct slice ret[static DMARC_WALK_MAX]);

struct dmarc_walk_step {
	struct slice domain;
	enum dns_status status;
	bool several; /* policy records, all of them ignored */
	bool found;   /* exactly one */
	struct dmarc_record record;
};

struct dmarc_walk {
	struct slice start;
	size_t count;
	struct dmarc_walk_step steps[DMARC_WALK_MAX];
	bool temporary;	     /* the last step got no answer; the walk ended */
	const char *problem; /* then, in words */
};

/* start is normalized.  The walk lives as long as the session. */
struct dmarc_walk dmarc_walk(
    struct arena *arena, struct dns_session *dns, struct slice start);

/* Empty when the walk ended with a temporary failure. */
struct slice dmarc_walk_organizational_domain(const struct dmarc_walk *walk);

#endif
