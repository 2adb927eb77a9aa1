/* SPDX-License-Identifier: Apache-2.0 */
/* auth/test_signer.h - keys, signatures and a small DNS for tests.
 *
 * Not in the library.  Field canonicalization is the library's own (the public
 * suites prove it); bodies are canonicalized by test_reference.
 */
#ifndef AUTH_TEST_SIGNER_H
#define AUTH_TEST_SIGNER_H

#include "auth/arc.h"
#include "auth/body_hash.h"
#include "auth/crypto.h"
#include "auth/dkim.h"
#include "base/buf.h"

struct test_key;

/* Made anew; RSA has so many bits.  The arena releases it. */
struct test_key *test_key_new(
    struct arena *arena, enum crypto_key_type type, unsigned int bits);

/* From PEM. */
struct test_key *test_key_from_pem(struct arena *arena, struct slice pem);

/* The text of p=: SubjectPublicKeyInfo, or 32 octets, in base64. */
struct slice test_key_public(struct arena *arena, const struct test_key *key);

/* The same as a bare RSAPublicKey. */
struct slice test_key_public_pkcs1(
    struct arena *arena, const struct test_key *key);

/* Appends "NAME TXT ..." to a master file's text. */
void test_zone_add(struct buf *zone, struct slice name, struct slice record);

struct test_signature {
	const struct test_key *key;
	const char *field; /* default "DKIM-Signature" */
	const char *tags;  /* all but bh= and b=, with the final ';' */
	enum dkim_canonicalization header_canon, body_canon;
	const char *names;     /* h= as the signer reads it; default: none */
	const char *body_hash; /* replaces the computed bh=; "": leave out */
	bool limited;	       /* only so many octets of the body */
	size_t body_length;
};

/* The message with the signature's field on top. */
struct slice test_sign(struct arena *arena,
    const struct test_signature *signature, struct slice message);

/* An ARC set on top of message.  tags of seal and message signature as
 * above; results is the value of ARC-Authentication-Results. */
struct slice test_seal(struct arena *arena,
    const struct test_signature *message, const struct test_signature *seal,
    unsigned int instance, const char *results, struct slice text);

/* A verification of one message with a zone. */
struct test_run {
	struct slice zone; /* master file */
	struct slice message;
	int64_t now; /* 0: the system's clock */
	bool accept_body_length;
	unsigned int minimum_rsa_bits; /* 0: 1024 */
	size_t piece;		       /* octets of body at a time; 0: all */
	size_t failure_count;
	const struct dns_failure *failures;
	struct dkim_key_cache *cache;
	/* results */
	size_t count;
	const struct dkim_outcome *dkim;
	struct arc_outcome arc;
	size_t asked, asked_early; /* queries, and those before the body */
};
void test_verify(struct arena *arena, struct test_run *run);

#endif
