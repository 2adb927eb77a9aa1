/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/crypto.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>
#include <pthread.h>
#include <sodium.h>
#include <stdatomic.h>

#include "auth/rsa_der.h"
#include "base/memory.h"
#include "base/require.h"

enum {
	ED25519_KEY_SIZE = crypto_sign_PUBLICKEYBYTES,
	ED25519_SIGNATURE_SIZE = crypto_sign_BYTES,
};

/* A call of EVP_DigestUpdate costs as much as hashing 50 octets: small pieces
 * are gathered, large ones hashed where they are. */
enum { GATHER_SIZE = 1024, GATHER_MAX = 128 };

struct crypto_hash {
	EVP_MD_CTX *context;
	size_t gathered;
	char gather[GATHER_SIZE];
};

struct crypto_key {
	enum crypto_key_type type;
	unsigned int bits;
	EVP_PKEY *rsa; /* or NULL */
	struct spare *spare;
	unsigned char ed25519[ED25519_KEY_SIZE];
};

/* A context that is ready for the next check with its key: making one takes
 * half as long as the check.  NULL while a thread has it. */
struct spare {
	_Atomic(EVP_PKEY_CTX *) context;
};

static const unsigned char *octets(struct slice s)
{
	return (const unsigned char *)s.ptr;
}

/* Found once: EVP_sha256() is looked up by its name at each use. */
static EVP_MD *sha256;
static pthread_once_t sha256_once = PTHREAD_ONCE_INIT;

static void find_sha256(void)
{
	sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
	require(sha256);
}

static const EVP_MD *get_sha256(void)
{
	pthread_once(&sha256_once, find_sha256);
	return sha256;
}

struct crypto_digest crypto_sha256(struct slice bytes)
{
	struct crypto_digest digest;

	require(EVP_Digest(
	    bytes.ptr, bytes.len, digest.bytes, NULL, get_sha256(), NULL));
	return digest;
}

struct slice crypto_digest_slice(const struct crypto_digest *digest)
{
	return slice_of((const char *)digest->bytes, sizeof(digest->bytes));
}

static void release_hash(void *object)
{
	struct crypto_hash *hash = object;

	EVP_MD_CTX_free(hash->context);
}

struct crypto_hash *crypto_hash_new(struct arena *arena)
{
	struct crypto_hash *hash = ARENA_NEW(arena, struct crypto_hash);

	hash->context = EVP_MD_CTX_new();
	require(hash->context);
	arena_defer(arena, release_hash, hash);
	require(EVP_DigestInit_ex(hash->context, get_sha256(), NULL));
	return hash;
}

void crypto_hash_add(struct crypto_hash *hash, struct slice bytes)
{
	if (hash->gathered + bytes.len > GATHER_SIZE ||
	    bytes.len > GATHER_MAX) {
		require(EVP_DigestUpdate(
		    hash->context, hash->gather, hash->gathered));
		hash->gathered = 0;
	}
	if (bytes.len > GATHER_MAX) {
		require(EVP_DigestUpdate(hash->context, bytes.ptr, bytes.len));
	} else if (bytes.len) {
		memcpy(hash->gather + hash->gathered, bytes.ptr, bytes.len);
		hash->gathered += bytes.len;
	}
}

struct crypto_digest crypto_hash_digest(
    const struct crypto_hash *hash, struct slice tail)
{
	struct crypto_digest digest;
	EVP_MD_CTX *copy = EVP_MD_CTX_new();

	require(copy && EVP_MD_CTX_copy_ex(copy, hash->context));
	require(EVP_DigestUpdate(copy, hash->gather, hash->gathered));
	require(EVP_DigestUpdate(copy, tail.ptr, tail.len));
	require(EVP_DigestFinal_ex(copy, digest.bytes, NULL));
	EVP_MD_CTX_free(copy);
	return digest;
}

static EVP_PKEY *rsa_from_params(OSSL_PARAM *params)
{
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
	EVP_PKEY *key = NULL;

	require(context && params);
	if (EVP_PKEY_fromdata_init(context) != 1 ||
	    EVP_PKEY_fromdata(context, &key, EVP_PKEY_PUBLIC_KEY, params) != 1)
		key = NULL;
	EVP_PKEY_CTX_free(context);
	return key;
}

/* By its numbers: 20 times as fast as d2i_PUBKEY, and no other parser sees
 * what a stranger published. */
static EVP_PKEY *rsa_from_numbers(const struct rsa_numbers *numbers)
{
	BIGNUM *modulus = BN_bin2bn(
	    octets(numbers->modulus), (int)numbers->modulus.len, NULL);
	BIGNUM *exponent = BN_bin2bn(
	    octets(numbers->exponent), (int)numbers->exponent.len, NULL);
	OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
	OSSL_PARAM *params;
	EVP_PKEY *key;

	require(build && modulus && exponent);
	require(OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, modulus));
	require(OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, exponent));
	params = OSSL_PARAM_BLD_to_param(build);
	key = rsa_from_params(params);
	OSSL_PARAM_free(params);
	OSSL_PARAM_BLD_free(build);
	BN_free(exponent);
	BN_free(modulus);
	return key;
}

static EVP_PKEY *new_rsa(
    struct slice der, unsigned int *ret_bits, struct err *err)
{
	struct rsa_numbers numbers;

	if (!rsa_der_parse(der, &numbers, err))
		return NULL;
	*ret_bits = numbers.bits;
	return rsa_from_numbers(&numbers);
}

static bool take_ed25519(
    struct crypto_key *key, struct slice data, struct err *err)
{
	if (data.len != ED25519_KEY_SIZE)
		return err_set(err, E_SYNTAX,
		    "Ed25519 key of %zu octets, not %d", data.len,
		    ED25519_KEY_SIZE);
	memcpy(key->ed25519, data.ptr, data.len);
	key->bits = ED25519_KEY_SIZE * 8;
	return true;
}

static bool take_rsa(struct crypto_key *key, struct slice data, struct err *err)
{
	key->rsa = new_rsa(data, &key->bits, err);
	if (!key->rsa)
		return false;
	key->spare = MEMORY_NEW(struct spare);
	return true;
}

bool crypto_key_new(enum crypto_key_type type, struct slice data,
    struct crypto_key **ret, struct err *err)
{
	struct crypto_key key = {.type = type};
	bool ok;

	err_set(err, E_SYNTAX, "the key is not usable");
	ok = type == CRYPTO_RSA ? take_rsa(&key, data, err)
				: take_ed25519(&key, data, err);
	ERR_clear_error();
	if (!ok)
		return false;
	*ret = MEMORY_NEW(struct crypto_key);
	**ret = key;
	return true;
}

void crypto_key_free(struct crypto_key *key)
{
	if (!key)
		return;
	if (key->spare)
		EVP_PKEY_CTX_free(atomic_load(&key->spare->context));
	memory_free(key->spare);
	EVP_PKEY_free(key->rsa);
	memory_free(key);
}

enum crypto_key_type crypto_key_type(const struct crypto_key *key)
{
	return key->type;
}

unsigned int crypto_key_bits(const struct crypto_key *key)
{
	return key->bits;
}

static EVP_PKEY_CTX *new_context(EVP_PKEY *key)
{
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL);

	require(context && EVP_PKEY_verify_init(context) == 1);
	require(EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PADDING) == 1);
	require(EVP_PKEY_CTX_set_signature_md(context, get_sha256()) == 1);
	return context;
}

static bool verify_rsa(const struct crypto_key *key,
    const struct crypto_digest *digest, struct slice signature)
{
	EVP_PKEY_CTX *none = NULL;
	EVP_PKEY_CTX *context = atomic_exchange(&key->spare->context, NULL);
	bool good;

	if (!context)
		context = new_context(key->rsa);
	good = EVP_PKEY_verify(context, octets(signature), signature.len,
		   digest->bytes, sizeof(digest->bytes)) == 1;
	if (!atomic_compare_exchange_strong(
		&key->spare->context, &none, context))
		EVP_PKEY_CTX_free(context);
	return good;
}

/* RFC 8463: the signed text is the digest.  libsodium takes half the time of
 * libcrypto, and no memory. */
static bool verify_ed25519(const struct crypto_key *key,
    const struct crypto_digest *digest, struct slice signature)
{
	return signature.len == ED25519_SIGNATURE_SIZE &&
	       crypto_sign_verify_detached(octets(signature), digest->bytes,
		   sizeof(digest->bytes), key->ed25519) == 0;
}

bool crypto_verify(const struct crypto_key *key,
    const struct crypto_digest *digest, struct slice signature)
{
	bool good = key->type == CRYPTO_RSA
			? verify_rsa(key, digest, signature)
			: verify_ed25519(key, digest, signature);

	ERR_clear_error();
	return good;
}
