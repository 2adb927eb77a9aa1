/* SPDX-License-Identifier: Apache-2.0 */
/* auth/arc_set.h - the ARC sets of a header: RFC 8617 sections 4.2 and 5.2,
 * steps 1 to 3.
 */
#ifndef AUTH_ARC_SET_H
#define AUTH_ARC_SET_H

#include "auth/dkim_signature.h"
#include "base/err.h"
#include "message/headers.h"

struct arc_set {
	const struct header_field *results; /* ARC-Authentication-Results */
	const struct header_field *message_field, *seal_field;
	struct slice results_value;    /* after "i=N;" */
	struct dkim_signature message; /* ARC-Message-Signature */
	struct dkim_signature seal;    /* ARC-Seal */
	/* Empty, or why message cannot be judged.  Only the newest has to
	 * verify. */
	struct slice message_problem;
};

struct arc_sets {
	size_t count;
	struct arc_set *sets; /* instance 1 first */
};

/* Collects the sets and checks their structure and the cv= of their seals.
 * count is 0 if the header has no ARC field at all.  False: E_SYNTAX or
 * E_LIMIT: the chain fails; *ret then holds what could be read: some fields
 * of a set may be NULL. */
bool arc_sets_collect(struct arena *arena, const struct header_list *headers,
    size_t max, struct arc_sets *ret, struct err *err);

#endif
