/* SPDX-License-Identifier: Apache-2.0 */
/* auth/intermediary.h - did a trusted intermediary relay this message?
 *
 * Mailing lists and forwarders break SPF and often DKIM; RFC 9989 section 7.4
 * wants such knowledge applied before a reject.  The administrator names them.
 * A pure decision.
 *
 * arc_sealer: the chain must pass and its newest seal be the sealer's.  What
 * counts as the first hop's word is the ARC-Authentication-Results of the
 * oldest set from which on every seal is that of a configured sealer; a set
 * below it may be a stranger's invention, which any chain carries along
 * (RFC 8617 section 9.3).  It must show authentication that passed for every
 * domain of From:.
 */
#ifndef AUTH_INTERMEDIARY_H
#define AUTH_INTERMEDIARY_H

#include "auth/arc.h"
#include "auth/dkim.h"
#include "base/arena.h"
#include "base/ip.h"
#include "base/slice.h"
#include "conf/config.h"

struct intermediary_input {
	size_t count;
	const struct conf_intermediary *list;
	const struct arc_outcome *arc; /* or NULL */
	struct ip client_ip;
	struct slice client_name; /* verified both ways; empty if not */
	bool client_name_unknown; /* it could not be looked up now */
	size_t dkim_count;
	const struct dkim_outcome *dkim;
	size_t from_count;
	const struct slice *from; /* domains of From:, normalized */
};

struct intermediary_outcome {
	bool matched;
	bool undecided; /* not matched; one would have to be asked again once
			 * a key, or the client's name, can be had */
	const struct conf_intermediary *entry; /* NULL if not matched */
	struct slice reason; /* plain words, also why none matched */
};

/* The first of the list that matches. */
struct intermediary_outcome intermediary_find(
    struct arena *arena, const struct intermediary_input *input);

#endif
