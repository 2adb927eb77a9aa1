/* SPDX-License-Identifier: Apache-2.0 */
/* auth/arc.h - validating an ARC chain: RFC 8617 section 5.2. */
#ifndef AUTH_ARC_H
#define AUTH_ARC_H

#include "auth/body_hash.h"
#include "auth/dkim.h"

enum arc_result { ARC_NONE, ARC_PASS, ARC_FAIL, ARC_TEMPERROR };

/* "none", "pass", "fail", "temperror". */
const char *arc_result_name(enum arc_result result);

struct arc_outcome {
	enum arc_result result;
	unsigned int sets;	  /* instances, as far as they could be read */
	unsigned int oldest_pass; /* RFC 8617 section 5.2, step 5; 0: all */
	struct slice sealer;	  /* d= of the newest seal; empty if none */
	struct slice reason;	  /* plain words, for fail and temperror */
	bool from_signed;	  /* the newest message signature's h= has every
				   * From field; RFC 8617 does not ask for it */
	bool fields_added;   /* a field that it signs is there more often than
			      * its h= says: see dkim_check_additions */
	size_t sealer_count; /* d= of each seal, instance 1 first */
	const struct slice *sealers;
	const struct slice *results; /* ARC-Authentication-Results values
				      * (after "i=N;"), instance 1 first */
};

struct arc_verifier;

struct arc_verifier *arc_verifier_new(struct arena *arena,
    const struct dkim_settings *settings, struct dns_session *dns,
    const struct header_list *headers, struct body_hashes *hashes);

/* After body_hashes_finish. */
struct arc_outcome arc_verifier_finish(struct arc_verifier *verifier);

#endif
