/* SPDX-License-Identifier: Apache-2.0 */
#include "dns/cache.h"

#include "base/require.h"
#include "dns/hash.h"

/* The newest use is at the head of the list, the oldest at its tail. */
struct entry {
	struct entry *newer, *older;
	struct reply *reply;
	char *key;
	size_t key_len, size;
	UT_hash_handle hh;
};

struct cache {
	struct entry *table, *newest, *oldest;
	uint64_t max, size;
};

struct cache *cache_new(uint64_t max_bytes)
{
	struct cache *cache = MEMORY_NEW(struct cache);

	cache->max = max_bytes;
	return cache;
}

static void unlink_entry(struct cache *cache, struct entry *entry)
{
	if (entry->newer)
		entry->newer->older = entry->older;
	else
		cache->newest = entry->older;
	if (entry->older)
		entry->older->newer = entry->newer;
	else
		cache->oldest = entry->newer;
}

static void link_newest(struct cache *cache, struct entry *entry)
{
	entry->newer = NULL;
	entry->older = cache->newest;
	if (cache->newest)
		cache->newest->newer = entry;
	else
		cache->oldest = entry;
	cache->newest = entry;
}

static void drop(struct cache *cache, struct entry *entry)
{
	require(cache->table);
	HASH_DELETE(hh, cache->table, entry);
	unlink_entry(cache, entry);
	cache->size -= entry->size;
	reply_release(entry->reply);
	memory_free(entry->key);
	memory_free(entry);
}

void cache_free(struct cache *cache)
{
	while (cache->oldest)
		drop(cache, cache->oldest);
	memory_free(cache);
}

static struct entry *find(struct cache *cache, const struct question *question)
{
	struct entry *entry;

	HASH_FIND_BYHASHVALUE(hh, cache->table, question->key.ptr,
	    question->key.len, question->hash, entry);
	return entry;
}

struct reply *cache_find(
    struct cache *cache, const struct question *question, int64_t now_ms)
{
	struct entry *entry = find(cache, question);

	if (!entry)
		return NULL;
	if (entry->reply->expires_ms <= now_ms) {
		drop(cache, entry);
		return NULL;
	}
	unlink_entry(cache, entry);
	link_newest(cache, entry);
	return reply_hold(entry->reply);
}

void cache_put(
    struct cache *cache, const struct question *question, struct reply *reply)
{
	struct entry *entry = find(cache, question);
	size_t size = sizeof(*entry) + question->key.len + reply_size(reply);

	if (entry)
		drop(cache, entry);
	if (size > cache->max)
		return;
	entry = MEMORY_NEW(struct entry);
	entry->key = memory_copy_text(question->key.ptr, question->key.len);
	entry->key_len = question->key.len;
	entry->reply = reply_hold(reply);
	entry->size = size;
	HASH_ADD_KEYPTR_BYHASHVALUE(hh, cache->table, entry->key,
	    entry->key_len, question->hash, entry);
	link_newest(cache, entry);
	cache->size += size;
	while (cache->size > cache->max)
		drop(cache, cache->oldest);
}

uint64_t cache_size(const struct cache *cache)
{
	return cache->size;
}
