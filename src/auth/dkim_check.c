/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/dkim_check.h"

#include "auth/dkim_canon.h"
#include "auth/dkim_key.h"
#include "dns/name.h"

enum { RSA_BITS_MIN = 1024 }; /* RFC 8301 section 3.2 */

#define VERDICT(verdict, words)                                                \
	((struct dkim_check){.result = (verdict), .reason = SLICE(words)})

static const struct dkim_check passed = {.result = DKIM_PASS};

/* RFC 6376 section 6.1.1. */
static struct dkim_check check_times(const struct dkim_settings *settings,
    const struct dkim_signature *signature)
{
	int64_t now = clock_now(settings->clock);

	if (signature->expires_at >= 0 && signature->expires_at < now)
		return VERDICT(DKIM_PERMERROR, "signature expired");
	if (signature->expires_at >= 0 &&
	    signature->expires_at <= signature->signed_at)
		return VERDICT(
		    DKIM_PERMERROR, "signature expires before it was made");
	return passed;
}

/* A signature that verifies is good, once it is the time that it names: one of
 * both clocks is wrong, and it may be ours.  RFC 6376 section 3.5 leaves it
 * open. */
static struct dkim_check check_future(const struct dkim_settings *settings,
    enum signature_kind kind, const struct dkim_signature *signature)
{
	if (kind == SIGNATURE_ARC_SEAL ||
	    signature->signed_at <=
		clock_now(settings->clock) + DKIM_CLOCK_SKEW)
		return passed;
	return VERDICT(DKIM_TEMPERROR,
	    "signature is from the future: its clock is fast, or ours slow");
}

static struct dkim_check check_dkim(const struct dkim_signature *signature)
{
	if (!dkim_signature_covers(signature, SLICE("From")))
		return VERDICT(DKIM_PERMERROR, "signature does not cover From");
	if (!name_is_at_or_below(signature->identity_domain, signature->domain))
		return VERDICT(DKIM_PERMERROR, "i= is not in the domain of d=");
	return passed;
}

struct dkim_check dkim_check_rules(const struct dkim_settings *settings,
    enum signature_kind kind, const struct dkim_signature *signature)
{
	/* RFC 8301 section 3.1: such a signature has failed for good. */
	if (signature->algorithm == ALGORITHM_RSA_SHA1)
		return VERDICT(DKIM_PERMERROR, "rsa-sha1 is not acceptable");
	/* A seal has no lifetime (RFC 8617 section 4.1.3). */
	if (kind == SIGNATURE_ARC_SEAL)
		return passed;
	/* RFC 8617 section 4.1.2. */
	if (kind == SIGNATURE_ARC_MESSAGE &&
	    dkim_signature_covers(signature, SLICE("ARC-Seal")))
		return VERDICT(
		    DKIM_PERMERROR, "message signature covers ARC-Seal");
	if (kind == SIGNATURE_DKIM) {
		struct dkim_check check = check_dkim(signature);

		if (check.result != DKIM_PASS)
			return check;
	}
	return check_times(settings, signature);
}

struct dkim_check dkim_check_body(const struct dkim_signature *signature,
    const struct body_hashes *hashes, size_t number)
{
	uint64_t length = body_hashes_length(hashes, number);

	if (signature->body_length != BODY_LENGTH_ALL &&
	    signature->body_length > length)
		return VERDICT(DKIM_PERMERROR, "l= is longer than the body");
	if (!slice_eq(signature->body_hash, body_hashes_digest(hashes, number)))
		return VERDICT(DKIM_FAIL, "body hash did not verify");
	return passed;
}

bool dkim_check_is_limited(const struct dkim_signature *signature,
    const struct body_hashes *hashes, size_t number)
{
	return signature->body_length < body_hashes_length(hashes, number);
}

struct dkim_check dkim_check_additions(struct arena *arena,
    const struct header_list *headers, const struct dkim_signature *signature)
{
	static const struct slice names[] = {
	    SLICE_INIT("From"),
	    SLICE_INIT("Sender"),
	    SLICE_INIT("Reply-To"),
	    SLICE_INIT("To"),
	    SLICE_INIT("Cc"),
	    SLICE_INIT("Subject"),
	    SLICE_INIT("Date"),
	    SLICE_INIT("Content-Type"),
	    SLICE_INIT("Content-Transfer-Encoding"),
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		size_t there = headers_count(headers, names[i]);
		size_t covered;

		if (there < 2)
			continue;
		covered = dkim_signature_count(signature, names[i]);
		if (covered && covered < there)
			return (struct dkim_check){
			    .result = DKIM_POLICY,
			    .reason = arena_format_slice(arena,
				"there are more %.*s: fields than h= signs",
				SLICE_ARGS(names[i])),
			};
	}
	return passed;
}

static struct slice key_name(
    struct arena *arena, const struct dkim_signature *signature)
{
	return ARENA_JOIN(arena, signature->selector, SLICE("._domainkey."),
	    signature->domain);
}

void dkim_check_prefetch(struct arena *arena, struct dns_session *dns,
    const struct dkim_signature *signature)
{
	dns_prefetch(dns, key_name(arena, signature), DNS_TXT);
}

/* The one key record of an answer.  Other TXT records at the name are not
 * ours; of several keys none can be preferred (section 6.1.2, step 4). */
static struct dkim_check pick_record(
    const struct dns_answer *answer, struct slice *ret)
{
	size_t count = 0;

	for (size_t i = 0; i < answer->count; i++) {
		if (!dkim_key_is_record(answer->records[i].data))
			continue;
		*ret = answer->records[i].data;
		count++;
	}
	if (count == 0)
		return VERDICT(DKIM_PERMERROR, "no key for signature");
	if (count > 1)
		return VERDICT(DKIM_PERMERROR, "several keys for signature");
	return passed;
}

static struct dkim_check find_record(struct arena *arena,
    struct dns_session *dns, const struct dkim_signature *signature,
    struct slice *ret)
{
	const struct dns_answer *answer = dns_ask(
	    dns, key_name(arena, signature), DNS_TXT);

	if (answer->status == DNS_TEMPORARY_FAILURE)
		return (struct dkim_check){
		    .result = DKIM_TEMPERROR,
		    .reason = arena_format_slice(
			arena, "key unavailable: %s", answer->problem),
		};
	if (answer->status != DNS_FOUND)
		return VERDICT(DKIM_PERMERROR, "no key for signature");
	return pick_record(answer, ret);
}

/* May this key be used for this signature?  RFC 6376 section 6.1.2. */
static struct dkim_check check_use(const struct dkim_key *key,
    enum signature_kind kind, const struct dkim_signature *signature)
{
	enum crypto_key_type wanted = signature->algorithm ==
					      ALGORITHM_ED25519_SHA256
					  ? CRYPTO_ED25519
					  : CRYPTO_RSA;

	if (!key->key)
		return VERDICT(DKIM_PERMERROR, "key revoked");
	if (key->type != wanted)
		return VERDICT(
		    DKIM_PERMERROR, "key is for another algorithm than a=");
	if (!key->for_sha256)
		return VERDICT(DKIM_PERMERROR, "key does not allow sha256");
	if (!key->for_email)
		return VERDICT(DKIM_PERMERROR, "key is not for email");
	if (kind == SIGNATURE_DKIM && key->strict_identity &&
	    !slice_eq(signature->identity_domain, signature->domain))
		return VERDICT(
		    DKIM_PERMERROR, "key does not allow subdomains in i=");
	return passed;
}

static struct dkim_check check_with_key(const struct dkim_settings *settings,
    enum signature_kind kind, const struct dkim_key *key,
    const struct dkim_signature *signature, const struct crypto_digest *digest)
{
	struct dkim_check check = check_use(key, kind, signature);
	unsigned int minimum = settings->minimum_rsa_bits > RSA_BITS_MIN
				   ? settings->minimum_rsa_bits
				   : RSA_BITS_MIN;

	if (check.result == DKIM_PASS) {
		check = check_future(settings, kind, signature);
		check.key_bits = crypto_key_bits(key->key);
		if (!crypto_verify(key->key, digest, signature->signature)) {
			check.result = DKIM_FAIL;
			check.reason = SLICE("signature did not verify");
		} else if (key->type == CRYPTO_RSA &&
			   check.key_bits < minimum) {
			check.result = DKIM_POLICY;
			check.reason = SLICE("key is too short");
		}
	}
	check.testing = key->testing;
	return check;
}

struct dkim_check dkim_check_signature(struct arena *arena,
    const struct dkim_settings *settings, struct dns_session *dns,
    enum signature_kind kind, const struct dkim_signature *signature,
    const struct crypto_digest *digest)
{
	struct slice record = SLICE("");
	struct dkim_check check = find_record(arena, dns, signature, &record);
	struct dkim_key *key;
	struct err err;

	if (check.result != DKIM_PASS)
		return check;
	if (!dkim_key_get(settings->key_cache, record, &key, &err))
		return (struct dkim_check){
		    .result = DKIM_PERMERROR,
		    .reason = arena_format_slice(
			arena, "key unusable: %s", err.text),
		};
	check = check_with_key(settings, kind, key, signature, digest);
	dkim_key_release(key);
	return check;
}

struct crypto_digest dkim_check_header_digest(
    const struct header_list *headers, const struct dkim_signature *signature)
{
	struct crypto_digest digest;
	struct buf buf;

	buf_init(&buf, dkim_canon_max(headers));
	dkim_canon_named_fields(&buf, signature->header_canon, headers,
	    signature->names, signature->field);
	dkim_canon_own_field(&buf, signature->header_canon,
	    signature->field->raw, signature->whole_b);
	digest = crypto_sha256(buf_slice(&buf));
	buf_release(&buf);
	return digest;
}
