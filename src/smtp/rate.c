/* SPDX-License-Identifier: Apache-2.0 */
#include "smtp/rate.h"

#include <pthread.h>
#include <stdatomic.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/memory.h"

#define uthash_malloc(size) memory_new(1, size)
#define uthash_free(memory, size) memory_free(memory)
#define uthash_bzero(memory, size) memset(memory, 0, size)
#include <uthash.h>

enum { MINUTE_MS = 60 * 1000 };

struct network {
	struct ip address; /* the key */
	uint64_t open, working;
	uint64_t share;		    /* of the threads; a reload may change it */
	struct work *first, **last; /* in line */
	int64_t minute;		    /* that the counts below are of */
	uint64_t connections, messages, failed_logins;
	UT_hash_handle hh;
};

struct rate_table {
	pthread_mutex_t lock;
	struct hash_secret secret;
	struct network *networks;
	int64_t started_ms; /* its minutes begin here */
	int64_t swept_minute;
	bool without_lines;
	atomic_size_t in_line;
};

struct rate_table *rate_new(void)
{
	struct rate_table *table = MEMORY_NEW(struct rate_table);

	table->secret = hash_secret_new();
	pthread_mutex_init(&table->lock, NULL);
	table->started_ms = clock_monotonic_ms();
	return table;
}

static void forget(struct rate_table *table, struct network *network)
{
	HASH_DEL(table->networks, network);
	memory_free(network);
}

void rate_free(struct rate_table *table)
{
	struct network *network, *next;

	if (!table)
		return;
	HASH_ITER (hh, table->networks, network, next)
		forget(table, network);
	pthread_mutex_destroy(&table->lock);
	memory_free(table);
}

/* Once a minute: networks that are quiet are forgotten. */
static void sweep(struct rate_table *table, int64_t minute)
{
	struct network *network, *next;

	if (table->swept_minute == minute)
		return;
	table->swept_minute = minute;
	HASH_ITER (hh, table->networks, network, next)
		if (!network->open && !network->working &&
		    network->minute != minute)
			forget(table, network);
}

/* Made if it is not there yet; with the counts of this minute. */
static struct network *look_up(struct rate_table *table, const struct ip *ip)
{
	struct ip key = ip_mask(ip, ip->family == IP_V4 ? 24 : 64);
	int64_t minute = (clock_monotonic_ms() - table->started_ms) / MINUTE_MS;
	unsigned int hash = hash_bytes(
	    &table->secret, slice_of((const char *)&key, sizeof(key)));
	struct network *network;

	sweep(table, minute);
	HASH_FIND_BYHASHVALUE(
	    hh, table->networks, &key, sizeof(key), hash, network);
	if (!network) {
		network = MEMORY_NEW(struct network);
		network->address = key;
		network->last = &network->first;
		HASH_ADD_BYHASHVALUE(
		    hh, table->networks, address, sizeof(key), hash, network);
	}
	if (network->minute != minute) {
		network->minute = minute;
		network->connections = network->messages = 0;
		network->failed_logins = 0;
	}
	return network;
}

const char *rate_connect(
    struct rate_table *table, const struct ip *ip, const struct limits *limits)
{
	const char *setting = NULL;
	struct network *network;

	if (ip->family == IP_NONE)
		return NULL;
	pthread_mutex_lock(&table->lock);
	network = look_up(table, ip);
	if (network->open >= limits->connections_per_network)
		setting = "limits.connections_per_network";
	else if (network->connections >= limits->connection_rate)
		setting = "limits.connection_rate";
	network->connections++;
	if (!setting)
		network->open++;
	pthread_mutex_unlock(&table->lock);
	return setting;
}

void rate_disconnect(struct rate_table *table, const struct ip *ip)
{
	struct network *network;

	if (ip->family == IP_NONE)
		return;
	pthread_mutex_lock(&table->lock);
	network = look_up(table, ip);
	if (network->open)
		network->open--;
	pthread_mutex_unlock(&table->lock);
}

const char *rate_message(
    struct rate_table *table, const struct ip *ip, const struct limits *limits)
{
	const char *setting = NULL;
	struct network *network;

	if (ip->family == IP_NONE)
		return NULL;
	pthread_mutex_lock(&table->lock);
	network = look_up(table, ip);
	if (network->messages >= limits->message_rate)
		setting = "limits.message_rate";
	else
		network->messages++;
	pthread_mutex_unlock(&table->lock);
	return setting;
}

const char *rate_login(
    struct rate_table *table, const struct ip *ip, const struct limits *limits)
{
	bool is_over;

	if (ip->family == IP_NONE)
		return NULL;
	pthread_mutex_lock(&table->lock);
	is_over = look_up(table, ip)->failed_logins >= limits->failed_logins;
	pthread_mutex_unlock(&table->lock);
	return is_over ? "limits.failed_logins" : NULL;
}

void rate_login_failed(struct rate_table *table, const struct ip *ip)
{
	if (ip->family == IP_NONE)
		return;
	pthread_mutex_lock(&table->lock);
	look_up(table, ip)->failed_logins++;
	pthread_mutex_unlock(&table->lock);
}

static void stand_in_line(
    struct rate_table *table, struct network *network, struct work *work)
{
	work->next = NULL;
	*network->last = work;
	network->last = &work->next;
	atomic_fetch_add(&table->in_line, 1);
}

static struct work *take_from_line(
    struct rate_table *table, struct network *network)
{
	struct work *work = network->first;

	if (!work)
		return NULL;
	network->first = work->next;
	if (!network->first)
		network->last = &network->first;
	atomic_fetch_sub(&table->in_line, 1);
	return work;
}

/* Appends to a list, whose end is last, who may run if working_max may. */
static struct work **call_line(struct rate_table *table,
    struct network *network, uint64_t working_max, struct work **last)
{
	struct work *work;

	while (network->working < working_max &&
	       (work = take_from_line(table, network))) {
		network->working++;
		*last = work;
		last = &work->next;
	}
	*last = NULL;
	return last;
}

bool rate_begin_work(struct rate_table *table, const struct ip *ip,
    const struct limits *limits, struct work *work)
{
	struct network *network;
	bool may;

	if (ip->family == IP_NONE)
		return true;
	pthread_mutex_lock(&table->lock);
	network = look_up(table, ip);
	network->share = (limits->threads + 1) / 2;
	/* Where a reload has made room, it is for who stands in line. */
	may = table->without_lines ||
	      (!network->first && network->working < network->share);
	if (may)
		network->working++;
	else if (work)
		stand_in_line(table, network, work);
	pthread_mutex_unlock(&table->lock);
	return may;
}

struct work *rate_end_work(struct rate_table *table, const struct ip *ip)
{
	struct network *network;
	struct work *all;

	if (ip->family == IP_NONE)
		return NULL;
	pthread_mutex_lock(&table->lock);
	network = look_up(table, ip);
	network->working--;
	call_line(table, network, network->share, &all);
	pthread_mutex_unlock(&table->lock);
	return all;
}

bool rate_has_line(struct rate_table *table, const struct ip *ip)
{
	bool has;

	if (!atomic_load(&table->in_line) || ip->family == IP_NONE)
		return false;
	pthread_mutex_lock(&table->lock);
	has = look_up(table, ip)->first != NULL;
	pthread_mutex_unlock(&table->lock);
	return has;
}

struct work *rate_end_lines(struct rate_table *table)
{
	struct work *all = NULL, **last = &all;

	pthread_mutex_lock(&table->lock);
	table->without_lines = true;
	for (struct network *network = table->networks; network;
	     network = network->hh.next)
		last = call_line(table, network, UINT64_MAX, last);
	pthread_mutex_unlock(&table->lock);
	return all;
}

size_t rate_in_line(struct rate_table *table)
{
	return atomic_load(&table->in_line);
}

size_t rate_size(struct rate_table *table)
{
	size_t count;

	pthread_mutex_lock(&table->lock);
	count = HASH_COUNT(table->networks);
	pthread_mutex_unlock(&table->lock);
	return count;
}
