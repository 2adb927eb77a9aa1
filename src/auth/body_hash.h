/* SPDX-License-Identifier: Apache-2.0 */
/* auth/body_hash.h - canonical body hashes, taken while the body arrives.
 *
 * RFC 6376 sections 3.4.3, 3.4.4 and 3.7.  One digest per distinct
 * (canonicalization, algorithm, length limit).
 */
#ifndef AUTH_BODY_HASH_H
#define AUTH_BODY_HASH_H

#include "base/arena.h"
#include "base/slice.h"

enum dkim_canonicalization { CANON_SIMPLE, CANON_RELAXED };

struct body_hashes;

struct body_hashes *body_hashes_new(struct arena *arena);

static const uint64_t BODY_LENGTH_ALL = UINT64_MAX;

/* Before the first piece.  Returns the hash's number, the same for the same
 * parameters.  SHA-256 is the only algorithm (RFC 8301 forbids SHA-1). */
size_t body_hashes_want(struct body_hashes *hashes,
    enum dkim_canonicalization canonicalization, uint64_t length);

/* A piece of the body as it is in the message (CR LF line ends). */
void body_hashes_add(struct body_hashes *hashes, struct slice piece);

void body_hashes_finish(struct body_hashes *hashes);

/* 32 octets, after finish. */
struct slice body_hashes_digest(
    const struct body_hashes *hashes, size_t number);

/* Octets of the whole canonical body, whatever the limit: what l= left out. */
uint64_t body_hashes_length(const struct body_hashes *hashes, size_t number);

#endif
