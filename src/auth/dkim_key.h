/* SPDX-License-Identifier: Apache-2.0 */
/* auth/dkim_key.h - key records: RFC 6376 section 3.6.1, RFC 8463; and a
 * bounded store of parsed ones.
 */
#ifndef AUTH_DKIM_KEY_H
#define AUTH_DKIM_KEY_H

#include "auth/crypto.h"
#include "base/err.h"
#include "base/slice.h"

/* A parsed record: immutable.  Who got one ends with dkim_key_release. */
struct dkim_key {
	enum crypto_key_type type; /* k= */
	struct crypto_key *key;	   /* NULL: revoked, p= is empty */
	bool testing;		   /* t=y */
	bool strict_identity;	   /* t=s: i= has exactly d=, no subdomain */
	bool for_email;		   /* s= has "*" or "email", or is not there */
	bool for_sha256;	   /* h= has "sha256", or is not there */
};

/* Is the text a key record at all?  One that starts with another v= than
 * DKIM1 must be discarded (section 3.6.1); so is one without v= and p=. */
bool dkim_key_is_record(struct slice text);

/* Keys by the text of their record, so that the same record is parsed once.
 * Any number of threads; the least recently used go first. */
struct dkim_key_cache;

struct dkim_key_cache *dkim_key_cache_new(size_t max);

/* No key that it gave out may be in use. */
void dkim_key_cache_free(struct dkim_key_cache *cache);

/* Keys that it holds now: for metrics. */
size_t dkim_key_cache_count(struct dkim_key_cache *cache);

enum { DKIM_KEY_CACHE_DEFAULT = 4096 };

/* The key of a record; cache may be NULL.  False: E_SYNTAX or E_LIMIT. */
bool dkim_key_get(struct dkim_key_cache *cache, struct slice record,
    struct dkim_key **ret, struct err *err);
void dkim_key_release(struct dkim_key *key);

#endif
