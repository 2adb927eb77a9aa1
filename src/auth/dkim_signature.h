/* SPDX-License-Identifier: Apache-2.0 */
/* auth/dkim_signature.h - what a signature field says.
 *
 * DKIM-Signature (RFC 6376 section 3.5, with RFC 8301, 8463 and 8616), and the
 * two ARC fields that are made like it (RFC 8617 sections 4.1.2, 4.1.3).
 */
#ifndef AUTH_DKIM_SIGNATURE_H
#define AUTH_DKIM_SIGNATURE_H

#include "auth/body_hash.h"
#include "auth/crypto.h"
#include "base/err.h"
#include "base/slice.h"
#include "message/headers.h"

/* Bits, so that a tag's row can name several. */
enum signature_kind {
	SIGNATURE_DKIM = 1 << 0,
	SIGNATURE_ARC_MESSAGE = 1 << 1,
	SIGNATURE_ARC_SEAL = 1 << 2,
};

enum signature_algorithm {
	ALGORITHM_RSA_SHA256,
	ALGORITHM_ED25519_SHA256,
	ALGORITHM_RSA_SHA1, /* known, and never valid: RFC 8301 */
};

/* ARC-Seal's cv=. */
enum chain_validation { CV_NONE, CV_PASS, CV_FAIL };

enum {
	/* Names in h=; real signatures have some dozens. */
	SIGNATURE_NAMES_MAX = 256,
	/* Octets of b=, decoded: RSA of 8192 bits. */
	SIGNATURE_SIZE_MAX = 1024,
};

struct dkim_signature {
	const struct header_field *field;
	struct slice whole_b;	/* what is left out of the field's hash */
	struct slice start;	/* of b='s text: for header.b */
	struct slice signature; /* b=, decoded */
	struct slice body_hash; /* bh=, decoded */
	struct slice algorithm_text;
	enum signature_algorithm algorithm;
	enum dkim_canonicalization header_canon, body_canon;
	struct slice domain;	       /* d=, normalized */
	struct slice selector;	       /* s=, normalized */
	struct slice identity;	       /* i=, decoded, or "@" d= */
	struct slice identity_domain;  /* normalized */
	struct slice names;	       /* h= */
	uint64_t body_length;	       /* l=, or BODY_LENGTH_ALL */
	int64_t signed_at, expires_at; /* t=, x=; -1: not there */
	unsigned int instance;	       /* ARC's i= */
	enum chain_validation chain_validation;
};

/* Reads a field.  False: E_SYNTAX or E_LIMIT; *ret then still holds what was
 * read before the fault (domain, selector, algorithm...), for reports. */
bool dkim_signature_parse(struct arena *arena, enum signature_kind kind,
    const struct header_field *field, struct dkim_signature *ret,
    struct err *err);

/* Is that field name in h=? */
bool dkim_signature_covers(
    const struct dkim_signature *signature, struct slice name);

/* How often that name is in h=. */
size_t dkim_signature_count(
    const struct dkim_signature *signature, struct slice name);

#endif
