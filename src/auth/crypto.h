/* SPDX-License-Identifier: Apache-2.0 */
/* auth/crypto.h - SHA-256, and RSA and Ed25519 signatures: all that DKIM and
 * ARC need of OpenSSL.
 */
#ifndef AUTH_CRYPTO_H
#define AUTH_CRYPTO_H

#include "base/arena.h"
#include "base/err.h"
#include "base/slice.h"

enum { CRYPTO_DIGEST_SIZE = 32 };

struct crypto_digest {
	unsigned char bytes[CRYPTO_DIGEST_SIZE];
};

struct crypto_digest crypto_sha256(struct slice bytes);
struct slice crypto_digest_slice(const struct crypto_digest *digest);

/* SHA-256 in progress.  The arena releases it. */
struct crypto_hash;

struct crypto_hash *crypto_hash_new(struct arena *arena);
void crypto_hash_add(struct crypto_hash *hash, struct slice bytes);

/* Of what was added so far and tail; hash itself does not change. */
struct crypto_digest crypto_hash_digest(
    const struct crypto_hash *hash, struct slice tail);

enum crypto_key_type { CRYPTO_RSA, CRYPTO_ED25519 };

/* A public key: immutable, for any number of threads.  End with
 * crypto_key_free. */
struct crypto_key;

/* RSA from DER (see auth/rsa_der.h), Ed25519 from its 32 octets (RFC 8463
 * section 4.2).  False: E_SYNTAX. */
bool crypto_key_new(enum crypto_key_type type, struct slice data,
    struct crypto_key **ret, struct err *err);
void crypto_key_free(struct crypto_key *key);

enum crypto_key_type crypto_key_type(const struct crypto_key *key);
unsigned int crypto_key_bits(const struct crypto_key *key);

/* Does signature sign the digest?  RSA: RSASSA-PKCS1-v1_5 with SHA-256.
 * Ed25519: PureEdDSA of the digest's 32 octets (RFC 8463 section 3). */
bool crypto_verify(const struct crypto_key *key,
    const struct crypto_digest *digest, struct slice signature);

#endif
