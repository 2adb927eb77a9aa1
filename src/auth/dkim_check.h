/* SPDX-License-Identifier: Apache-2.0 */
/* auth/dkim_check.h - the steps of judging one signature, for DKIM and ARC.
 *
 * RFC 6376 section 6.1, RFC 8301, RFC 8617 sections 5.1.1 and 5.2.
 */
#ifndef AUTH_DKIM_CHECK_H
#define AUTH_DKIM_CHECK_H

#include "auth/dkim.h"
#include "auth/dkim_signature.h"

/* Signers' clocks may be ahead so many seconds. */
enum { DKIM_CLOCK_SKEW = 300 };

struct dkim_check {
	enum dkim_result result;
	struct slice reason; /* empty for pass */
	unsigned int key_bits;
	bool testing;
};

/* What needs neither DNS nor the body: algorithm, times, h= and i=. */
struct dkim_check dkim_check_rules(const struct dkim_settings *settings,
    enum signature_kind kind, const struct dkim_signature *signature);

/* bh= and l= against the body.  After body_hashes_finish. */
struct dkim_check dkim_check_body(const struct dkim_signature *signature,
    const struct body_hashes *hashes, size_t number);

/* Starts the query for the key. */
void dkim_check_prefetch(struct arena *arena, struct dns_session *dns,
    const struct dkim_signature *signature);

/* Waits for the key, and checks b= against the digest of the header.  One that
 * verifies and is from the future is DKIM_TEMPERROR. */
struct dkim_check dkim_check_signature(struct arena *arena,
    const struct dkim_settings *settings, struct dns_session *dns,
    enum signature_kind kind, const struct dkim_signature *signature,
    const struct crypto_digest *digest);

/* The digest of the header: the fields of h=, then the signature's own. */
struct crypto_digest dkim_check_header_digest(
    const struct header_list *headers, const struct dkim_signature *signature);

/* DKIM_POLICY if a field that a header may have once (RFC 5322 section 3.6)
 * and that h= signs is there more often than h= says: the one that readers
 * show may have been added by anybody (RFC 6376 section 8.15). */
struct dkim_check dkim_check_additions(struct arena *arena,
    const struct header_list *headers, const struct dkim_signature *signature);

/* Does l= leave a part of the body unsigned? */
bool dkim_check_is_limited(const struct dkim_signature *signature,
    const struct body_hashes *hashes, size_t number);

#endif
