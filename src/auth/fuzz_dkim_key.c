/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/dkim_key.h"
#include "base/require.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct crypto_digest digest;
	struct slice text = slice_of((const char *)data, size);
	struct dkim_key_cache *cache = dkim_key_cache_new(1);
	struct dkim_key *key, *again;
	struct crypto_key *rsa;
	struct err err;

	dkim_key_is_record(text);
	if (dkim_key_get(cache, text, &key, &err)) {
		require(dkim_key_get(cache, text, &again, &err));
		/* Nobody signed 32 zeroes. */
		if (key->key)
			require(!crypto_verify(key->key, &digest, text));
		dkim_key_release(again);
		dkim_key_release(key);
	}
	dkim_key_cache_free(cache);
	/* The DER reader without base64 around it. */
	if (crypto_key_new(CRYPTO_RSA, text, &rsa, &err)) {
		require(crypto_key_bits(rsa) <= 8192);
		crypto_key_free(rsa);
	}
	return 0;
}
