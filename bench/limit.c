/* SPDX-License-Identifier: Apache-2.0 */
/* The work that nobody can avoid: SHA-256 of every body and one signature
 * check each, with parsed keys and contexts that are reused, and Ed25519 by
 * libsodium where that is installed: it needs half the time of OpenSSL 3.0.
 * No canonicalization, no header, no DNS, no socket.
 *
 *	limit --corpus FOLDER [KIND]      prints CPU seconds as JSON
 */
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#ifdef HAVE_SODIUM
#include <sodium.h>
#endif

#include "base/require.h"
#include "corpus.h"

enum { SIGNATURE_MAX = 256, DIGEST = 32 };

/* One of our own: checking costs the same whoever signed. */
struct signer {
	EVP_PKEY *key;
	EVP_PKEY_CTX *verify; /* RSA */
	unsigned char signature[SIGNATURE_MAX];
	size_t size;
};

static const unsigned char some_digest[DIGEST] = {1, 2, 3};

static void prepare_rsa(struct signer *signer)
{
	EVP_PKEY_CTX *context;

	signer->key = EVP_RSA_gen(2048);
	context = EVP_PKEY_CTX_new(signer->key, NULL);
	signer->size = SIGNATURE_MAX;
	require(EVP_PKEY_sign_init(context) == 1 &&
		EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PADDING) == 1 &&
		EVP_PKEY_CTX_set_signature_md(context, EVP_sha256()) == 1 &&
		EVP_PKEY_sign(context, signer->signature, &signer->size,
		    some_digest, DIGEST) == 1);
	EVP_PKEY_CTX_free(context);
	signer->verify = EVP_PKEY_CTX_new(signer->key, NULL);
	require(
	    EVP_PKEY_verify_init(signer->verify) == 1 &&
	    EVP_PKEY_CTX_set_rsa_padding(signer->verify, RSA_PKCS1_PADDING) ==
		1 &&
	    EVP_PKEY_CTX_set_signature_md(signer->verify, EVP_sha256()) == 1);
}

#ifdef HAVE_SODIUM
static const char ed25519_by[] = "libsodium";
static unsigned char ed25519_public[crypto_sign_PUBLICKEYBYTES];

static void prepare_ed25519(struct signer *signer)
{
	unsigned char secret[crypto_sign_SECRETKEYBYTES];

	require(sodium_init() >= 0);
	crypto_sign_keypair(ed25519_public, secret);
	crypto_sign_detached(
	    signer->signature, NULL, some_digest, DIGEST, secret);
}

static void check_ed25519(const struct signer *signer)
{
	require(crypto_sign_verify_detached(signer->signature, some_digest,
		    DIGEST, ed25519_public) == 0);
}
#else
static const char ed25519_by[] = "OpenSSL";

static void prepare_ed25519(struct signer *signer)
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();

	signer->key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	signer->size = SIGNATURE_MAX;
	require(
	    EVP_DigestSignInit(context, NULL, NULL, NULL, signer->key) == 1 &&
	    EVP_DigestSign(context, signer->signature, &signer->size,
		some_digest, DIGEST) == 1);
	EVP_MD_CTX_free(context);
}

static void check_ed25519(const struct signer *signer)
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();

	require(
	    EVP_DigestVerifyInit(context, NULL, NULL, NULL, signer->key) == 1 &&
	    EVP_DigestVerify(context, signer->signature, signer->size,
		some_digest, DIGEST) == 1);
	EVP_MD_CTX_free(context);
}
#endif

static void check_rsa(const struct signer *signer)
{
	require(EVP_PKEY_verify(signer->verify, signer->signature, signer->size,
		    some_digest, DIGEST) == 1);
}

static double cpu_seconds(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
	       (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static double measure(const struct corpus *corpus, const struct signer *rsa,
    const struct signer *ed25519)
{
	EVP_MD_CTX *digest = EVP_MD_CTX_new();
	EVP_MD *sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
	unsigned char result[DIGEST];
	double before = cpu_seconds();

	for (size_t i = 0; i < corpus->count; i++) {
		const struct corpus_message *message = &corpus->messages[i];
		struct slice body = corpus_body(message->octets);

		EVP_DigestInit_ex2(digest, sha256, NULL);
		EVP_DigestUpdate(digest, body.ptr, body.len);
		EVP_DigestFinal_ex(digest, result, NULL);
		if (message->is_rsa)
			check_rsa(rsa);
		else
			check_ed25519(ed25519);
	}
	before = cpu_seconds() - before;
	EVP_MD_CTX_free(digest);
	EVP_MD_free(sha256);
	return before;
}

int main(int argc, char **argv)
{
	struct arena *arena = arena_new(0);
	struct signer rsa = {0}, ed25519 = {0};
	struct corpus corpus;
	struct err err;
	double seconds;

	if (argc < 3 || strcmp(argv[1], "--corpus") != 0) {
		fputs("usage: limit --corpus FOLDER [KIND]\n", stderr);
		return 2;
	}
	if (!corpus_open(arena, argv[2], slice_from(argv[3]), &corpus, &err)) {
		fprintf(stderr, "limit: %s\n", err.text);
		return 2;
	}
	prepare_rsa(&rsa);
	prepare_ed25519(&ed25519);
	seconds = measure(&corpus, &rsa, &ed25519); /* warms the caches */
	seconds = measure(&corpus, &rsa, &ed25519);
	printf("{\"messages\":%zu,\"cpu\":%.6f,\"cpu_per_1000\":%.5f,"
	       "\"ed25519\":\"%s\"}\n",
	    corpus.count, seconds, seconds * 1000 / (double)corpus.count,
	    ed25519_by);
	EVP_PKEY_CTX_free(rsa.verify);
	EVP_PKEY_free(rsa.key);
	EVP_PKEY_free(ed25519.key);
	arena_free(arena);
	return 0;
}
