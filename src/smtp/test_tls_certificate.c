/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "smtp/tls_certificate.h"

/* A file with a certificate for each time. */
static void write_chain(const char *path, size_t count, const int64_t *ends)
{
	FILE *file = fopen(path, "w");
	EVP_PKEY *key = EVP_EC_gen("P-256");

	assert_non_null(file);
	assert_non_null(key);
	for (size_t i = 0; i < count; i++) {
		X509 *one = X509_new();

		X509_set_version(one, 2);
		ASN1_TIME_set(X509_getm_notBefore(one), 0);
		ASN1_TIME_set(X509_getm_notAfter(one), (time_t)ends[i]);
		X509_set_pubkey(one, key);
		assert_true(X509_sign(one, key, EVP_sha256()) > 0);
		assert_int_equal(PEM_write_X509(file, one), 1);
		X509_free(one);
	}
	EVP_PKEY_free(key);
	fclose(file);
}

static void test_expires(void **state)
{
	static const struct {
		size_t count;
		int64_t ends[3];
		int64_t expect; /* -1: there is no certificate */
	} cases[] = {
	    {1, {1800000000}, 1800000000},
	    {2, {1800000000, 1900000000}, 1800000000},
	    {3, {2600000000, 2500000000, 2700000000}, 2500000000},
	    {0, {0}, -1},
	};
	char path[] = "/tmp/gatehouse-test-XXXXXX";
	struct arena *arena = arena_new(0);
	struct err err = {0};
	int64_t at = 0;
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	close(fd);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		bool ok;

		print_message("case %zu\n", i);
		write_chain(path, cases[i].count, cases[i].ends);
		ok = tls_certificate_expires(
		    arena, slice_from(path), &at, &err);
		assert_int_equal(ok, cases[i].expect >= 0);
		if (ok)
			assert_int_equal(at, cases[i].expect);
		else
			assert_int_equal(err.kind, E_CONFIG);
	}
	unlink(path);
	assert_false(
	    tls_certificate_expires(arena, slice_from(path), &at, &err));
	assert_int_equal(err.kind, E_NOT_FOUND);
	arena_free(arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_expires)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
