/* SPDX-License-Identifier: Apache-2.0 */
/* auth/dkim.h - verifying DKIM signatures: RFC 6376, 8301, 8463, 8616.
 *
 * In three steps, so that the body is hashed while it arrives:
 * dkim_verifier_new with the header, body_hashes_add with each piece of the
 * body, dkim_verifier_finish for the outcomes.  The body is hashed once per
 * distinct canonicalization, algorithm and length, ARC's included.
 */
#ifndef AUTH_DKIM_H
#define AUTH_DKIM_H

#include "base/arena.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/slice.h"
#include "dns/resolver.h"
#include "message/headers.h"

/* In the words of RFC 8601 section 2.7.1. */
enum dkim_result {
	DKIM_NONE,
	DKIM_PASS,
	DKIM_FAIL,	/* the body's hash or the signature is another */
	DKIM_POLICY,	/* verifies, but is not acceptable: weak key, or (with
			 * a key that cannot be had now, too) l=, a signed field
			 * repeated; or over the limit on signatures */
	DKIM_NEUTRAL,	/* the field breaks the syntax of a signature, or asks
			 * for a version or algorithm that is not known */
	DKIM_TEMPERROR, /* DNS */
	DKIM_PERMERROR, /* no usable key; expired; rsa-sha1; h= without From;
			 * i= not below d=; l= longer than the body */
};

const char *dkim_result_name(enum dkim_result result);

struct dkim_outcome {
	enum dkim_result result;
	struct slice domain;	      /* d=, normalized; empty if unreadable */
	struct slice selector;	      /* s= */
	struct slice algorithm;	      /* a=: "rsa-sha256" */
	struct slice identity;	      /* i= or "@" d= */
	struct slice reason;	      /* plain words; empty for pass */
	struct slice signature_start; /* first characters of b=: header.b */
	unsigned int key_bits;	      /* 0 if not known */
	bool testing;		      /* t=y in the key */
	bool body_length_limited;     /* l= leaves content unsigned */
};

struct dkim_key_cache; /* auth/dkim_key.h */

struct dkim_settings {
	const struct limits *limits;
	const struct clock *clock; /* for x= and t= */
	bool accept_body_length;
	unsigned int minimum_rsa_bits;	  /* 1024 or more */
	struct dkim_key_cache *key_cache; /* shared; may be NULL */
};

struct dkim_verifier;
struct body_hashes; /* auth/body_hash.h: shared with ARC */

/* Parses the signatures and starts the key queries.  hashes gains what they
 * need.  Everything must outlive the verifier, which lives in arena. */
struct dkim_verifier *dkim_verifier_new(struct arena *arena,
    const struct dkim_settings *settings, struct dns_session *dns,
    const struct header_list *headers, struct body_hashes *hashes);

/* After body_hashes_finish.  One outcome per signature, top first, at most
 * limits->dkim_signatures (dkim_choose.h says which); those beyond are one last
 * outcome with result DKIM_POLICY that says so. */
size_t dkim_verifier_finish(
    struct dkim_verifier *verifier, const struct dkim_outcome **ret);

#endif
