/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/test_signer.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include "auth/dkim_canon.h"
#include "auth/test_reference.h"
#include "base/ascii.h"
#include "base/require.h"
#include "base/text.h"

struct test_key {
	EVP_PKEY *key;
	enum crypto_key_type type;
};

static void release_key(void *object)
{
	EVP_PKEY_free(object);
}

static struct test_key *wrap(struct arena *arena, EVP_PKEY *pkey)
{
	struct test_key *key = ARENA_NEW(arena, struct test_key);

	require(pkey);
	key->key = pkey;
	key->type = EVP_PKEY_is_a(pkey, "RSA") ? CRYPTO_RSA : CRYPTO_ED25519;
	arena_defer(arena, release_key, pkey);
	return key;
}

struct test_key *test_key_new(
    struct arena *arena, enum crypto_key_type type, unsigned int bits)
{
	if (type == CRYPTO_RSA)
		return wrap(
		    arena, EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)bits));
	return wrap(arena, EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"));
}

struct test_key *test_key_from_pem(struct arena *arena, struct slice pem)
{
	BIO *bio = BIO_new_mem_buf(pem.ptr, (int)pem.len);
	EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);

	BIO_free(bio);
	return wrap(arena, key);
}

static struct slice encode_der(struct arena *arena, unsigned char *der, int len)
{
	struct slice text;

	require(len > 0);
	text = text_base64_encode(
	    arena, slice_of((const char *)der, (size_t)len));
	OPENSSL_free(der);
	return text;
}

struct slice test_key_public(struct arena *arena, const struct test_key *key)
{
	unsigned char raw[32], *der = NULL;
	size_t len = sizeof(raw);

	if (key->type == CRYPTO_RSA) {
		int size = i2d_PUBKEY(key->key, &der);

		return encode_der(arena, der, size);
	}
	require(EVP_PKEY_get_raw_public_key(key->key, raw, &len) == 1);
	return text_base64_encode(arena, slice_of((const char *)raw, len));
}

struct slice test_key_public_pkcs1(
    struct arena *arena, const struct test_key *key)
{
	unsigned char *der = NULL;
	int len = i2d_PublicKey(key->key, &der);

	return encode_der(arena, der, len);
}

void test_zone_add(struct buf *zone, struct slice name, struct slice record)
{
	buf_add_format(zone, "%.*s. 300 IN TXT", SLICE_ARGS(name));
	do {
		struct slice part = slice_sub(record, 0, 200);

		buf_add_text(zone, " \"");
		for (size_t i = 0; i < part.len; i++) {
			char c = part.ptr[i];

			if (ascii_is_visible(c) && c != '"' && c != '\\')
				buf_add_byte(zone, c);
			else
				buf_add_format(
				    zone, "\\%03u", (unsigned char)c);
		}
		buf_add_text(zone, "\"");
		record = slice_from_pos(record, part.len);
	} while (record.len);
	buf_add_text(zone, "\n");
}

/* The base64 of a signature over data. */
static struct slice sign(
    struct arena *arena, const struct test_key *key, struct slice data)
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	struct crypto_digest digest = crypto_sha256(data);
	const EVP_MD *md = key->type == CRYPTO_RSA ? EVP_sha256() : NULL;
	unsigned char signature[2048];
	size_t len = sizeof(signature);

	if (key->type == CRYPTO_ED25519)
		data = crypto_digest_slice(&digest);
	require(EVP_DigestSignInit(context, NULL, md, NULL, key->key) == 1);
	require(EVP_DigestSign(context, signature, &len,
		    (const unsigned char *)data.ptr, data.len) == 1);
	EVP_MD_CTX_free(context);
	return text_base64_encode(
	    arena, slice_of((const char *)signature, len));
}

static struct slice body_hash(struct arena *arena,
    const struct test_signature *signature, struct slice body)
{
	struct crypto_digest digest;

	body = test_reference_body(arena, signature->body_canon, body);
	if (signature->limited)
		body = slice_sub(body, 0, signature->body_length);
	digest = crypto_sha256(body);
	return text_base64_encode(arena, crypto_digest_slice(&digest));
}

static struct header_list parse(struct arena *arena, struct slice message)
{
	struct header_list headers;
	struct err err;

	require(headers_parse(arena, message, &limits_default, &headers, &err));
	return headers;
}

/* "Name: tags bh=...; b=" and the octets to sign: fields, then itself. */
static struct slice unsigned_field(struct arena *arena,
    const struct test_signature *signature, struct slice body)
{
	const char *name = signature->field ? signature->field
					    : "DKIM-Signature";
	struct slice hash = body_hash(arena, signature, body);

	if (signature->body_hash)
		hash = slice_from(signature->body_hash);
	if (slice_empty(hash))
		return arena_format_slice(
		    arena, "%s: %s b=", name, signature->tags);
	return arena_format_slice(arena, "%s: %s\r\n\tbh=%.*s; b=", name,
	    signature->tags, SLICE_ARGS(hash));
}

struct slice test_sign(struct arena *arena,
    const struct test_signature *signature, struct slice message)
{
	struct header_list headers = parse(arena, message);
	struct slice body = slice_from_pos(message, headers.body_offset);
	struct slice field = unsigned_field(arena, signature, body);
	struct buf *data = buf_in_arena(arena, message.len * 2 + 10000);
	struct slice b;

	if (signature->names)
		dkim_canon_named_fields(data, signature->header_canon, &headers,
		    slice_from(signature->names), NULL);
	dkim_canon_own_field(data, signature->header_canon, field,
	    slice_from_pos(field, field.len));
	b = sign(arena, signature->key, buf_slice(data));
	return arena_format_slice(arena, "%.*s%.*s\r\n%.*s", SLICE_ARGS(field),
	    SLICE_ARGS(b), SLICE_ARGS(message));
}

/* All earlier sets and this one's two fields, oldest first; the message has
 * them newest first, as seal, message signature, results. */
static void add_sealed(
    struct buf *data, const struct header_list *headers, unsigned int instance)
{
	static const struct slice names[] = {
	    SLICE_INIT("ARC-Authentication-Results"),
	    SLICE_INIT("ARC-Message-Signature"),
	    SLICE_INIT("ARC-Seal"),
	};

	for (unsigned int i = 1; i <= instance; i++) {
		for (size_t n = 0; n < (i == instance ? 2 : 3); n++) {
			size_t count = headers_count(headers, names[n]);

			dkim_canon_field(data, CANON_RELAXED,
			    headers_find(headers, names[n], count - i)->raw);
		}
	}
}

struct slice test_seal(struct arena *arena,
    const struct test_signature *message, const struct test_signature *seal,
    unsigned int instance, const char *results, struct slice text)
{
	struct buf *data = buf_in_arena(arena, text.len * 2 + 10000);
	struct header_list headers;
	struct slice field, b;

	text = arena_format_slice(arena,
	    "ARC-Authentication-Results: %s\r\n%.*s", results,
	    SLICE_ARGS(text));
	text = test_sign(arena, message, text);
	headers = parse(arena, text);
	add_sealed(data, &headers, instance);
	field = arena_format_slice(arena, "ARC-Seal: %s b=", seal->tags);
	dkim_canon_own_field(
	    data, CANON_RELAXED, field, slice_from_pos(field, field.len));
	b = sign(arena, seal->key, buf_slice(data));
	return arena_format_slice(arena, "%.*s%.*s\r\n%.*s", SLICE_ARGS(field),
	    SLICE_ARGS(b), SLICE_ARGS(text));
}

static void release_resolver(void *object)
{
	dns_resolver_release(object);
}

static struct dns_session *open_dns(
    struct arena *arena, const struct test_run *run)
{
	struct dns_settings settings = {
	    .zone_text = run->zone,
	    .failure_count = run->failure_count,
	    .failures = run->failures,
	    .cache_bytes = 1024 * 1024,
	    .cache_min_ttl = 5,
	    .cache_max_ttl = 86400,
	    .cache_negative_ttl = 60,
	};
	struct dns_resolver *resolver;
	struct err err;

	if (!dns_resolver_open(&settings, &resolver, &err)) {
		fprintf(stderr, "%s\n", err.text);
		require(false);
	}
	arena_defer(arena, release_resolver, resolver);
	return dns_session_new(
	    arena, resolver, &limits_default, DEADLINE_NEVER);
}

void test_verify(struct arena *arena, struct test_run *run)
{
	struct clock clock = {.fixed = run->now != 0, .fixed_at = run->now};
	struct dkim_settings settings = {
	    .limits = &limits_default,
	    .clock = &clock,
	    .accept_body_length = run->accept_body_length,
	    .minimum_rsa_bits = run->minimum_rsa_bits ? run->minimum_rsa_bits
						      : 1024,
	    .key_cache = run->cache,
	};
	struct header_list headers = parse(arena, run->message);
	struct slice body = slice_from_pos(run->message, headers.body_offset);
	struct body_hashes *hashes = body_hashes_new(arena);
	struct dns_session *dns = open_dns(arena, run);
	struct dkim_verifier *dkim = dkim_verifier_new(
	    arena, &settings, dns, &headers, hashes);
	struct arc_verifier *arc = arc_verifier_new(
	    arena, &settings, dns, &headers, hashes);
	size_t piece = run->piece ? run->piece : body.len;
	const struct dns_query_record *queries;

	run->asked_early = dns_session_queries(dns, &queries);
	while (body.len) {
		body_hashes_add(hashes, slice_sub(body, 0, piece));
		body = slice_from_pos(body, piece);
	}
	body_hashes_finish(hashes);
	run->count = dkim_verifier_finish(dkim, &run->dkim);
	run->arc = arc_verifier_finish(arc);
	run->asked = dns_session_queries(dns, &queries);
}
