/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/dkim_key.h"

#include <pthread.h>
#include <stdatomic.h>

#include "auth/taglist.h"
#include "base/memory.h"
#include "base/require.h"
#include "base/text.h"

/* The default one does not compile without warnings everywhere. */
#define HASH_FUNCTION(key, len, hash) HASH_FNV(key, len, hash)
#define uthash_malloc(size) memory_new(1, size)
#define uthash_free(memory, size) memory_free(memory)
#include <uthash.h>

/* Longer records (RSA of 8192 bits has 1,400 octets) are parsed each time. */
enum { RECORD_CACHED_MAX = 4096 };

/* A key with its count of users; what dkim_key_get gives is its first
 * member. */
struct held_key {
	struct dkim_key key;
	atomic_uint users;
};

struct entry {
	UT_hash_handle hh;
	struct held_key *held;
	size_t len;
	char record[];
};

struct dkim_key_cache {
	pthread_mutex_t mutex;
	struct entry *entries; /* least recently used first */
	size_t max;
};

/* Without v=, what has no p= is a text of somebody else, such as a proof that
 * the domain is theirs. */
bool dkim_key_is_record(struct slice text)
{
	struct slice tag, name, value;
	bool first = true;

	for (; text.len; first = false) {
		slice_split(text, ';', &tag, &text);
		if (!slice_split(tag, '=', &name, &value))
			continue;
		name = slice_trim(name);
		if (first && slice_eq(name, SLICE("v")))
			return slice_eq(slice_trim(value), SLICE("DKIM1"));
		if (slice_eq(name, SLICE("p")))
			return true;
	}
	return false;
}

/* Is one of the words in a list like h=?  True if there is no list. */
static bool lists(const struct taglist *list, struct slice name,
    struct slice word, struct slice other)
{
	const struct tag *tag = taglist_find(list, name);
	struct slice rest, item;

	if (!tag)
		return true;
	rest = tag->value;
	while (taglist_next_word(&rest, &item))
		if (slice_eq_nocase(item, word) || slice_eq_nocase(item, other))
			return true;
	return false;
}

static bool has_flag(const struct taglist *list, struct slice flag)
{
	return taglist_find(list, SLICE("t")) &&
	       lists(list, SLICE("t"), flag, flag);
}

/* It has to be the first (section 3.6.1), and is not in some records: they say
 * nothing else by that, and every other verifier takes them. */
static bool read_version(const struct taglist *list, struct err *err)
{
	const struct tag *version = taglist_find(list, SLICE("v"));

	if (version && !slice_eq(version->value, SLICE("DKIM1")))
		return err_set(err, E_SYNTAX, "v= of the key is not DKIM1");
	return true;
}

static bool read_type(
    const struct taglist *list, enum crypto_key_type *ret, struct err *err)
{
	const struct tag *type = taglist_find(list, SLICE("k"));

	if (!type || slice_eq_nocase(type->value, SLICE("rsa")))
		*ret = CRYPTO_RSA;
	else if (slice_eq_nocase(type->value, SLICE("ed25519")))
		*ret = CRYPTO_ED25519;
	else
		return err_set(err, E_SYNTAX, "k= of the key is unknown");
	return true;
}

/* Revoked: p= is there, and empty. */
static bool read_data(struct arena *arena, const struct taglist *list,
    struct dkim_key *key, struct err *err)
{
	const struct tag *data = taglist_find(list, SLICE("p"));
	struct slice bytes;

	if (!data)
		return err_set(err, E_SYNTAX, "the key has no p=");
	if (slice_empty(data->value))
		return true;
	if (!text_base64_decode_unpadded(arena, data->value, &bytes))
		return err_set(err, E_SYNTAX, "p= of the key is not base64");
	return crypto_key_new(key->type, bytes, &key->key, err);
}

static bool parse_record(struct arena *arena, struct slice record,
    struct dkim_key *ret, struct err *err)
{
	struct dkim_key key = {0};
	struct taglist list;

	if (!taglist_parse(record, &list, err))
		return err_prefix(err, "key record");
	if (!read_version(&list, err) || !read_type(&list, &key.type, err))
		return false;
	key.testing = has_flag(&list, SLICE("y"));
	key.strict_identity = has_flag(&list, SLICE("s"));
	key.for_email = lists(&list, SLICE("s"), SLICE("*"), SLICE("email"));
	key.for_sha256 = lists(
	    &list, SLICE("h"), SLICE("sha256"), SLICE("sha256"));
	if (!read_data(arena, &list, &key, err))
		return false;
	*ret = key;
	return true;
}

static bool parse(struct slice record, struct held_key **ret, struct err *err)
{
	struct arena *arena = arena_new(0);
	struct dkim_key key;
	bool good = parse_record(arena, record, &key, err);

	arena_free(arena);
	if (!good)
		return false;
	*ret = MEMORY_NEW(struct held_key);
	(*ret)->key = key;
	atomic_init(&(*ret)->users, 1);
	return true;
}

static struct held_key *hold(struct held_key *held)
{
	atomic_fetch_add(&held->users, 1);
	return held;
}

void dkim_key_release(struct dkim_key *key)
{
	struct held_key *held = (struct held_key *)key;

	if (!held || atomic_fetch_sub(&held->users, 1) != 1)
		return;
	crypto_key_free(held->key.key);
	memory_free(held);
}

struct dkim_key_cache *dkim_key_cache_new(size_t max)
{
	struct dkim_key_cache *cache = MEMORY_NEW(struct dkim_key_cache);

	require(max > 0 && pthread_mutex_init(&cache->mutex, NULL) == 0);
	cache->max = max;
	return cache;
}

static void drop(struct dkim_key_cache *cache, struct entry *entry)
{
	HASH_DEL(cache->entries, entry);
	dkim_key_release(&entry->held->key);
	memory_free(entry);
}

void dkim_key_cache_free(struct dkim_key_cache *cache)
{
	if (!cache)
		return;
	while (cache->entries)
		drop(cache, cache->entries);
	pthread_mutex_destroy(&cache->mutex);
	memory_free(cache);
}

size_t dkim_key_cache_count(struct dkim_key_cache *cache)
{
	size_t count;

	pthread_mutex_lock(&cache->mutex);
	count = HASH_COUNT(cache->entries);
	pthread_mutex_unlock(&cache->mutex);
	return count;
}

/* Moves the entry to the end of the order; NULL if there is none. */
static struct entry *find(struct dkim_key_cache *cache, struct slice record)
{
	struct entry *entry;

	HASH_FIND(hh, cache->entries, record.ptr, record.len, entry);
	if (!entry || !entry->hh.next)
		return entry;
	HASH_DEL(cache->entries, entry);
	HASH_ADD_KEYPTR(hh, cache->entries, entry->record, entry->len, entry);
	return entry;
}

static struct held_key *look_up(
    struct dkim_key_cache *cache, struct slice record)
{
	struct held_key *held = NULL;
	struct entry *entry;

	pthread_mutex_lock(&cache->mutex);
	entry = find(cache, record);
	if (entry)
		held = hold(entry->held);
	pthread_mutex_unlock(&cache->mutex);
	return held;
}

static void keep(
    struct dkim_key_cache *cache, struct slice record, struct held_key *held)
{
	struct entry *entry = memory_new(1, sizeof(*entry) + record.len);

	memcpy(entry->record, record.ptr, record.len);
	entry->len = record.len;
	entry->held = hold(held);
	pthread_mutex_lock(&cache->mutex);
	/* Another thread may have been faster. */
	if (find(cache, record)) {
		dkim_key_release(&held->key);
		memory_free(entry);
	} else {
		if (HASH_COUNT(cache->entries) >= cache->max)
			drop(cache, cache->entries);
		HASH_ADD_KEYPTR(
		    hh, cache->entries, entry->record, entry->len, entry);
	}
	pthread_mutex_unlock(&cache->mutex);
}

bool dkim_key_get(struct dkim_key_cache *cache, struct slice record,
    struct dkim_key **ret, struct err *err)
{
	bool cached = cache && record.len <= RECORD_CACHED_MAX;
	struct held_key *held = cached ? look_up(cache, record) : NULL;

	if (!held) {
		if (!parse(record, &held, err))
			return false;
		if (cached)
			keep(cache, record, held);
	}
	*ret = &held->key;
	return true;
}
