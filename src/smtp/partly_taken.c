/* SPDX-License-Identifier: Apache-2.0 */
#include "smtp/partly_taken.h"

#include <pthread.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/require.h"

#define uthash_malloc(size) memory_new(1, size)
#define uthash_free(memory, size) memory_free(memory)
#define uthash_bzero(memory, size) memset(memory, 0, size)
#include <uthash.h>

enum { KEPT_MS = 5 * 24 * 60 * 60 * 1000 };

struct copy {
	struct crypto_digest key;
	struct deadline end;
	UT_hash_handle hh; /* in the order in which they came */
};

struct partly_taken {
	pthread_mutex_t lock;
	struct copy *oldest;
};

static void lock(struct partly_taken *table)
{
	require(pthread_mutex_lock(&table->lock) == 0);
}

static void unlock(struct partly_taken *table)
{
	require(pthread_mutex_unlock(&table->lock) == 0);
}

static void remove_copy(struct partly_taken *table, struct copy *copy)
{
	HASH_DEL(table->oldest, copy);
	memory_free(copy);
}

struct partly_taken *partly_taken_new(void)
{
	struct partly_taken *table = MEMORY_NEW(struct partly_taken);

	require(pthread_mutex_init(&table->lock, NULL) == 0);
	return table;
}

void partly_taken_free(struct partly_taken *table)
{
	if (!table)
		return;
	while (table->oldest)
		remove_copy(table, table->oldest);
	pthread_mutex_destroy(&table->lock);
	memory_free(table);
}

/* None of the texts can have a NUL in it. */
static struct crypto_digest key_of(
    struct arena *arena, const struct taken_copy *copy)
{
	const struct slice nul = SLICE("\0");
	struct ip network = ip_mask(
	    &copy->client, copy->client.family == IP_V4 ? 24 : 64);
	char ip[IP_TEXT_MAX];
	struct slice texts[] = {
	    crypto_digest_slice(&copy->content),
	    slice_from(ip_format(&network, ip)),
	    nul,
	    copy->user,
	    nul,
	    copy->next_hop,
	    nul,
	    copy->sender,
	    nul,
	    copy->recipient,
	};

	return crypto_sha256(
	    arena_join(arena, texts, sizeof(texts) / sizeof(texts[0])));
}

static void drop_old(struct partly_taken *table)
{
	while (table->oldest && deadline_passed(table->oldest->end))
		remove_copy(table, table->oldest);
}

/* NULL: not there.  Under the lock. */
static struct copy *find(
    struct partly_taken *table, const struct crypto_digest *key)
{
	struct copy *copy;

	drop_old(table);
	HASH_FIND(hh, table->oldest, key, sizeof(*key), copy);
	return copy;
}

bool partly_taken_empty(struct partly_taken *table)
{
	bool empty;

	lock(table);
	drop_old(table);
	empty = !table->oldest;
	unlock(table);
	return empty;
}

static void remove_key(
    struct partly_taken *table, const struct crypto_digest *key)
{
	struct copy *copy = find(table, key);

	if (copy)
		remove_copy(table, copy);
}

void partly_taken_add(struct partly_taken *table, struct arena *arena,
    const struct taken_copy *taken)
{
	struct copy *copy = MEMORY_NEW(struct copy);

	copy->key = key_of(arena, taken);
	copy->end = deadline_in(KEPT_MS);
	lock(table);
	remove_key(table, &copy->key);
	while (HASH_COUNT(table->oldest) >= PARTLY_TAKEN_MAX)
		remove_copy(table, table->oldest);
	HASH_ADD(hh, table->oldest, key, sizeof(copy->key), copy);
	unlock(table);
}

bool partly_taken_has(struct partly_taken *table, struct arena *arena,
    const struct taken_copy *taken)
{
	struct crypto_digest key = key_of(arena, taken);
	bool has;

	lock(table);
	has = find(table, &key) != NULL;
	unlock(table);
	return has;
}

void partly_taken_forget(struct partly_taken *table, struct arena *arena,
    const struct taken_copy *taken)
{
	struct crypto_digest key = key_of(arena, taken);

	lock(table);
	remove_key(table, &key);
	unlock(table);
}
