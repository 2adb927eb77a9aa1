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
#include <string.h>
#include <unistd.h>

#include "smtp/tls_server.h"

struct pair {
	char folder[32], certificate[64], key[64];
};

static FILE *create(const char *path)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	return file;
}

static void write_certificate(const char *path, EVP_PKEY *key)
{
	X509 *certificate = X509_new();
	FILE *file = create(path);

	X509_set_version(certificate, 2);
	X509_gmtime_adj(X509_getm_notBefore(certificate), -60);
	X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
	X509_set_pubkey(certificate, key);
	assert_true(X509_sign(certificate, key, EVP_sha256()) > 0);
	assert_int_equal(PEM_write_X509(file, certificate), 1);
	X509_free(certificate);
	fclose(file);
}

/* passphrase: NULL for none. */
static void write_key(
    const char *path, EVP_PKEY *key, const char *passphrase, bool traditional)
{
	const EVP_CIPHER *cipher = passphrase ? EVP_aes_256_cbc() : NULL;
	char copy[16] = "";
	FILE *file = create(path);
	BIO *bio = BIO_new_fp(file, BIO_CLOSE);

	if (passphrase)
		snprintf(copy, sizeof(copy), "%s", passphrase);
	assert_int_equal(
	    traditional
		? PEM_write_bio_PrivateKey_traditional(bio, key, cipher,
		      (unsigned char *)copy, (int)strlen(copy), NULL, NULL)
		: PEM_write_bio_PKCS8PrivateKey(
		      bio, key, cipher, copy, (int)strlen(copy), NULL, NULL),
	    1);
	BIO_free(bio);
}

static void create_pair(struct pair *pair)
{
	snprintf(
	    pair->folder, sizeof(pair->folder), "/tmp/gatehouse-test-XXXXXX");
	assert_non_null(mkdtemp(pair->folder));
	snprintf(pair->certificate, sizeof(pair->certificate), "%s/c.pem",
	    pair->folder);
	snprintf(pair->key, sizeof(pair->key), "%s/k.pem", pair->folder);
}

static void remove_pair(const struct pair *pair)
{
	unlink(pair->certificate);
	unlink(pair->key);
	rmdir(pair->folder);
}

/* Nobody is there to type a passphrase: OpenSSL would ask at the terminal. */
static void test_key(void **state)
{
	static const struct {
		const char *passphrase;
		bool traditional, other;
		const char *error; /* NULL: it is good */
	} cases[] = {
	    {NULL, false, false, NULL},
	    {NULL, true, false, NULL},
	    {"secret", false, false, "the private key is encrypted"},
	    {"secret", true, false, "the private key is encrypted"},
	    {NULL, false, true, "not the key of the certificate in"},
	};
	EVP_PKEY *key = EVP_EC_gen("P-256"), *other = EVP_EC_gen("P-256");
	struct pair pair;

	(void)state;
	create_pair(&pair);
	write_certificate(pair.certificate, key);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		const struct conf_tls tls = {
		    .certificate = slice_from(pair.certificate),
		    .key = slice_from(pair.key)};
		struct ssl_ctx_st *context = NULL;
		struct err err = {0};
		bool ok;

		print_message("case %zu\n", i);
		write_key(pair.key, cases[i].other ? other : key,
		    cases[i].passphrase, cases[i].traditional);
		ok = tls_server_load(&tls, &context, &err);
		assert_int_equal(ok, !cases[i].error);
		if (!ok) {
			assert_int_equal(err.kind, E_CONFIG);
			assert_non_null(strstr(err.text, cases[i].error));
			assert_non_null(strstr(err.text, pair.key));
		}
		tls_server_free(context);
	}
	remove_pair(&pair);
	EVP_PKEY_free(key);
	EVP_PKEY_free(other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_key)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
