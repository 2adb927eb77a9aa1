/* SPDX-License-Identifier: Apache-2.0 */
/* auth/dkim_choose.h - which signatures are verified when there are too many.
 *
 * RFC 6376 section 6.1 leaves to a verifier how many it tries, and in which
 * order.  The author's own is usually the lowest, for every hop puts its own on
 * top; it is also the one that DMARC wants.  So the nearer d= is to a domain of
 * From:, the sooner a signature is taken: the domain itself; one above or below
 * it; one beside it; any other.  Equals are taken from the top.  No DNS: the
 * names alone are compared.
 */
#ifndef AUTH_DKIM_CHOOSE_H
#define AUTH_DKIM_CHOOSE_H

#include "base/arena.h"
#include "base/limits.h"
#include "message/headers.h"

struct dkim_choice {
	size_t count; /* at most limits->dkim_signatures */
	const struct header_field **fields; /* top first */
	size_t left_out;
};

/* The time is linear in the size of the header. */
struct dkim_choice dkim_choose(struct arena *arena,
    const struct header_list *headers, const struct limits *limits);

#endif
