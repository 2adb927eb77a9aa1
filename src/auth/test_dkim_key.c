/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/dkim_key.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "auth/test_signer.h"
#include "base/text.h"

/* RFC 8463 appendix A.2. */
#define ED_KEY "p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="
#define ED "k=ed25519; " ED_KEY

static const struct {
	const char *record;
	bool good, testing, strict, email, sha256, revoked;
} cases[] = {
    {ED, true, false, false, true, true, false},
    {"k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo", true, false,
	false, true, true, false},
    {"v=DKIM1; " ED, true, false, false, true, true, false},
    {ED "; v=DKIM1", true, false, false, true, true, false},
    {"v=DKIM1; t=y; " ED, true, true, false, true, true, false},
    {"t=s:y:z; " ED, true, true, true, true, true, false},
    {"t=; " ED, true, false, false, true, true, false},
    {"s=email; " ED, true, false, false, true, true, false},
    {"s=tlsrpt; " ED, true, false, false, false, true, false},
    {"s=tlsrpt:*; " ED, true, false, false, true, true, false},
    {"h=sha1; " ED, true, false, false, true, false, false},
    {"h=sha1:sha256; " ED, true, false, false, true, true, false},
    {"n=any notes; g=*; new=tag; " ED, true, false, false, true, true, false},
    {"v=DKIM1; p=", true, false, false, true, true, true},
    {"v=DKIM1; k=rsa; p= ;", true, false, false, true, true, true},
    {.record = ""},
    {.record = "v=DKIM1"},
    {.record = "v=DKIM2; " ED},
    {.record = "v=dkim1; " ED},
    {.record = ED "; v=DKIM2"},
    {.record = ED "; " ED_KEY}, /* p= twice */
    {.record = "k=dsa; " ED_KEY},
    {.record = ED_KEY}, /* k= is rsa: not DER */
    {.record = "k=ed25519; p=AAAA"},
    {.record = "k=ed25519; p=*"},
    {.record = "k=ed25519; \x01; p=AAAA"},
};

static void test_records(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct dkim_key *key;
		struct err err;
		bool good = dkim_key_get(
		    NULL, slice_from(cases[i].record), &key, &err);

		if (good != cases[i].good)
			fail_msg("%s", cases[i].record);
		if (!good)
			continue;
		assert_int_equal(key->testing, cases[i].testing);
		assert_int_equal(key->strict_identity, cases[i].strict);
		assert_int_equal(key->for_email, cases[i].email);
		assert_int_equal(key->for_sha256, cases[i].sha256);
		assert_int_equal(!key->key, cases[i].revoked);
		dkim_key_release(key);
	}
}

static void test_is_record(void **state)
{
	(void)state;
	assert_true(dkim_key_is_record(SLICE("k=rsa; p=")));
	assert_true(dkim_key_is_record(SLICE(" v = DKIM1 ; p=")));
	assert_true(dkim_key_is_record(SLICE("k=rsa; t=y; p=")));
	assert_true(dkim_key_is_record(SLICE("k=rsa;\tp =")));
	/* Texts of others at the same name. */
	assert_false(dkim_key_is_record(SLICE("")));
	assert_false(dkim_key_is_record(SLICE("site-verification=abc")));
	assert_false(dkim_key_is_record(SLICE("hello")));
	assert_false(dkim_key_is_record(SLICE("x=p=")));
	assert_false(dkim_key_is_record(SLICE("v=spf1 -all")));
	assert_false(dkim_key_is_record(SLICE("v=DKIM2; p=")));
}

/* Every way to spoil the DER of a good RSA key. */
static void test_rsa_der(void **state)
{
	struct arena *arena = arena_new(0);
	struct test_key *pair = test_key_new(arena, CRYPTO_RSA, 1024);
	struct slice forms[2] = {
	    test_key_public(arena, pair),
	    test_key_public_pkcs1(arena, pair),
	};

	(void)state;
	for (size_t form = 0; form < 2; form++) {
		struct crypto_key *key;
		struct slice der;
		struct err err;
		char *copy;

		assert_true(text_base64_decode(arena, forms[form], &der));
		assert_true(crypto_key_new(CRYPTO_RSA, der, &key, &err));
		assert_int_equal(crypto_key_bits(key), 1024);
		crypto_key_free(key);
		/* Cut short, and with an octet more. */
		for (size_t len = 0; len < der.len; len++)
			assert_false(crypto_key_new(
			    CRYPTO_RSA, slice_sub(der, 0, len), &key, &err));
		copy = arena_text(arena, der);
		assert_false(crypto_key_new(
		    CRYPTO_RSA, slice_of(copy, der.len + 1), &key, &err));
		/* The structure before the modulus: each octet matters. */
		for (size_t i = 0; i < (form ? 6 : 28); i++) {
			copy = arena_text(arena, der);
			copy[i] = (char)(copy[i] ^ 0x20);
			if (crypto_key_new(CRYPTO_RSA, slice_of(copy, der.len),
				&key, &err))
				fail_msg("form %zu octet %zu", form, i);
		}
	}
	arena_free(arena);
}

/* An RSAPublicKey whose modulus has so many octets of 0xff. */
static bool accepts_modulus(struct arena *arena, size_t octets, struct err *err)
{
	struct buf *der = buf_in_arena(arena, 4096);
	size_t number = octets + 1, content = 4 + number + 3;
	struct crypto_key *key;

	buf_add(der, slice_of("\x30\x82", 2));
	buf_add_byte(der, (char)(content >> 8));
	buf_add_byte(der, (char)content);
	buf_add(der, slice_of("\x02\x82", 2));
	buf_add_byte(der, (char)(number >> 8));
	buf_add_byte(der, (char)number);
	buf_add_byte(der, 0);
	for (size_t i = 0; i < octets; i++)
		buf_add_byte(der, (char)0xff);
	buf_add(der, slice_of("\x02\x01\x03", 3));
	if (!crypto_key_new(CRYPTO_RSA, buf_slice(der), &key, err))
		return false;
	crypto_key_free(key);
	return true;
}

static void test_rsa_limit(void **state)
{
	struct arena *arena = arena_new(0);
	struct err err;

	(void)state;
	assert_true(accepts_modulus(arena, 1024, &err));
	assert_false(accepts_modulus(arena, 1025, &err));
	assert_int_equal(err.kind, E_LIMIT);
	arena_free(arena);
}

static struct slice record_number(struct arena *arena, int number)
{
	return arena_format_slice(arena, "n=%d; " ED, number);
}

static void test_cache(void **state)
{
	struct arena *arena = arena_new(0);
	struct dkim_key_cache *cache = dkim_key_cache_new(2);
	struct dkim_key *first, *again, *other;
	struct err err;

	(void)state;
	assert_true(dkim_key_get(cache, record_number(arena, 1), &first, &err));
	assert_true(dkim_key_get(cache, record_number(arena, 1), &again, &err));
	assert_ptr_equal(first, again);
	dkim_key_release(again);
	assert_true(dkim_key_get(cache, record_number(arena, 2), &other, &err));
	dkim_key_release(other);
	/* 1 is used, so that 2 is the oldest when 3 comes. */
	assert_true(dkim_key_get(cache, record_number(arena, 1), &again, &err));
	assert_ptr_equal(first, again);
	dkim_key_release(again);
	assert_true(dkim_key_get(cache, record_number(arena, 3), &other, &err));
	dkim_key_release(other);
	assert_true(dkim_key_get(cache, record_number(arena, 1), &again, &err));
	assert_ptr_equal(first, again);
	dkim_key_release(again);
	/* A key that is in use outlives its place. */
	for (int i = 4; i < 8; i++) {
		assert_true(
		    dkim_key_get(cache, record_number(arena, i), &other, &err));
		dkim_key_release(other);
	}
	assert_int_equal(crypto_key_bits(first->key), 256);
	assert_int_equal(dkim_key_cache_count(cache), 2);
	dkim_key_release(first);
	dkim_key_cache_free(cache);
	arena_free(arena);
}

/* A record that is longer than usual ones is no reason to hold it. */
static void test_long_records(void **state)
{
	struct arena *arena = arena_new(0);

	(void)state;
	for (size_t more = 0; more < 2; more++) {
		struct dkim_key_cache *cache = dkim_key_cache_new(2);
		struct buf *record = buf_in_arena(arena, 4096 + more);
		struct dkim_key *first, *second;
		struct err err;

		buf_add_text(record, ED "; n=");
		while (record->len < 4096 + more)
			buf_add_byte(record, 'x');
		assert_true(
		    dkim_key_get(cache, buf_slice(record), &first, &err));
		assert_int_equal(dkim_key_cache_count(cache), 1 - more);
		assert_true(
		    dkim_key_get(cache, buf_slice(record), &second, &err));
		assert_int_equal(first == second, 1 - more);
		dkim_key_release(first);
		dkim_key_release(second);
		dkim_key_cache_free(cache);
	}
	dkim_key_release(NULL);
	dkim_key_cache_free(NULL);
	arena_free(arena);
}

static void *use_cache(void *argument)
{
	struct dkim_key_cache *cache = argument;
	struct arena *arena = arena_new(0);
	struct dkim_key *key;
	struct err err;

	for (int i = 0; i < 2000; i++) {
		if (!dkim_key_get(
			cache, record_number(arena, i % 7), &key, &err))
			return cache;
		dkim_key_release(key);
	}
	arena_free(arena);
	return NULL;
}

static void test_threads(void **state)
{
	struct dkim_key_cache *cache = dkim_key_cache_new(4);
	pthread_t threads[4];

	(void)state;
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(
		    pthread_create(&threads[i], NULL, use_cache, cache), 0);
	for (size_t i = 0; i < 4; i++) {
		void *result;

		pthread_join(threads[i], &result);
		assert_null(result);
	}
	dkim_key_cache_free(cache);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_records),
	    cmocka_unit_test(test_is_record),
	    cmocka_unit_test(test_rsa_der),
	    cmocka_unit_test(test_rsa_limit),
	    cmocka_unit_test(test_cache),
	    cmocka_unit_test(test_long_records),
	    cmocka_unit_test(test_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
