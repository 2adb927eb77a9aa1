/* SPDX-License-Identifier: Apache-2.0 */
#include "smtp/next_hop_pool.h"

#include <pthread.h>
#include <stdatomic.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/metrics.h"
#include "base/require.h"
#include "smtp/client.h"
#include "smtp/client_tls.h"
#include "smtp/targets.h"

enum {
	IDLE_MS = 30 * 1000, /* RFC 5321 section 4.5.3.2.7 lets a server
			      * close after five minutes */
	IDLE_MAX = 100,
	ASIDE_MS = 30 * 1000,
	ASIDE_MAX = 256,
	/* One that is not tried any more (a standby, an address that DNS no
	 * longer gives) is away for so long; less than the 15 minutes of the
	 * alert GatehouseNextHopAway. */
	AWAY_MS = 10 * 60 * 1000,
	TELL_EVERY_MS = 5 * 60 * 1000, /* of one that comes and goes */
	ALL_MS = 120 * 1000, /* for all targets: RFC 5321 section 4.5.3.2.3
			      * gives a client five minutes for RCPT */
	/* Strangers' wrong addresses.  Postfix slows down after ten errors and
	 * closes after twenty (smtpd_soft_error_limit, _hard_), for whoever
	 * comes next. */
	REFUSALS_MAX = 8,
};

/* An endpoint that could not be reached.  The hash stands for its key: a
 * collision costs a detour. */
struct aside {
	uint64_t hash;
	int64_t until_ms;   /* so long others are tried first */
	int64_t tell_at_ms; /* no warning before */
	int64_t tell_plain_at_ms;
	bool told;    /* of a failure, and not of its end */
	bool counted; /* in METRIC_NEXT_HOPS_AWAY */
};

struct next_hop_pool {
	atomic_uint references;
	struct config *config;
	struct dns_resolver *resolver;
	struct client_tls *tls;
	struct smtp_client_settings settings;
	pthread_mutex_t lock; /* of what follows */
	bool retired;
	struct smtp_client *idle; /* newest first */
	uint64_t waiting;	  /* see the header; oldest first */
	struct next_hop_waiter *oldest_waiter, **newest_waiter;
	struct aside aside[ASIDE_MAX];
	size_t aside_next;
	int64_t tell_lack_at_ms; /* no error log before */
	struct next_hop_statistics statistics;
};

static void lock(struct next_hop_pool *pool)
{
	require(pthread_mutex_lock(&pool->lock) == 0);
}

static void unlock(struct next_hop_pool *pool)
{
	require(pthread_mutex_unlock(&pool->lock) == 0);
}

struct next_hop_pool *next_hop_pool_new(
    struct config *config, struct dns_resolver *resolver)
{
	struct next_hop_pool *pool = MEMORY_NEW(struct next_hop_pool);

	atomic_init(&pool->references, 1);
	pool->config = config_hold(config);
	pool->resolver = resolver ? dns_resolver_hold(resolver) : NULL;
	pool->newest_waiter = &pool->oldest_waiter;
	pool->tls = client_tls_new();
	pool->settings = (struct smtp_client_settings){
	    .hostname = config->hostname,
	    .limits = &config->limits,
	    .tls = pool->tls,
	};
	require(pthread_mutex_init(&pool->lock, NULL) == 0);
	return pool;
}

static bool load_authorities(
    struct next_hop_pool *pool, size_t route, struct err *err)
{
	return client_tls_prepare(
		   pool->tls, &pool->config->routes[route], err) ||
	       err_prefix(err, "routes[%zu].tls_ca", route);
}

bool next_hop_pool_load_authorities(struct next_hop_pool *pool, struct err *err)
{
	for (size_t i = 0; i < pool->config->route_count; i++)
		if (!load_authorities(pool, i, err))
			return false;
	return true;
}

bool next_hop_pool_renew_authorities(struct next_hop_pool *pool,
    struct next_hop_pool *old, void (*tell)(const struct err *err))
{
	bool all = true;

	for (size_t i = 0; i < pool->config->route_count; i++) {
		struct err err = {0};

		if (load_authorities(pool, i, &err))
			continue;
		client_tls_keep(pool->tls, old->tls, &pool->config->routes[i]);
		tell(&err);
		all = false;
	}
	return all;
}

struct next_hop_pool *next_hop_pool_hold(struct next_hop_pool *pool)
{
	atomic_fetch_add(&pool->references, 1);
	return pool;
}

static void quit_all(struct smtp_client *list)
{
	while (list) {
		struct smtp_client *client = list;

		list = smtp_client_state(client)->next;
		smtp_client_quit(client);
	}
}

static void count_away(struct aside *aside, bool is_away)
{
	if (aside->counted != is_away)
		metrics_add(METRIC_NEXT_HOPS_AWAY, is_away ? 1 : -1);
	aside->counted = is_away;
}

void next_hop_pool_release(struct next_hop_pool *pool)
{
	if (!pool || atomic_fetch_sub(&pool->references, 1) != 1)
		return;
	quit_all(pool->idle);
	for (size_t i = 0; i < ASIDE_MAX; i++)
		count_away(&pool->aside[i], false);
	client_tls_free(pool->tls);
	if (pool->resolver)
		dns_resolver_release(pool->resolver);
	config_release(pool->config);
	pthread_mutex_destroy(&pool->lock);
	memory_free(pool);
}

const struct config *next_hop_pool_config(const struct next_hop_pool *pool)
{
	return pool->config;
}

struct dns_resolver *next_hop_pool_resolver(struct next_hop_pool *pool)
{
	return pool->resolver;
}

struct next_hop_statistics next_hop_pool_statistics(struct next_hop_pool *pool)
{
	struct next_hop_statistics copy;

	lock(pool);
	copy = pool->statistics;
	unlock(pool);
	return copy;
}

/* FNV-1a. */
static uint64_t hash_of(struct slice key)
{
	uint64_t hash = 0xcbf29ce484222325u;

	for (size_t i = 0; i < key.len; i++)
		hash = (hash ^ (unsigned char)key.ptr[i]) * 0x100000001b3u;
	return hash;
}

/* Locked. */
static struct aside *find_aside(struct next_hop_pool *pool, struct slice key)
{
	uint64_t hash = hash_of(key);

	for (size_t i = 0; i < ASIDE_MAX; i++)
		if (pool->aside[i].hash == hash)
			return &pool->aside[i];
	return NULL;
}

static bool is_aside(struct next_hop_pool *pool, struct slice key)
{
	const struct aside *aside;
	bool found;

	lock(pool);
	aside = find_aside(pool, key);
	found = aside && aside->until_ms > clock_monotonic_ms();
	unlock(pool);
	return found;
}

/* Locked.  The one of this target, or the oldest in its place. */
static struct aside *find_or_add_aside(
    struct next_hop_pool *pool, struct slice key)
{
	struct aside *aside = find_aside(pool, key);

	if (aside)
		return aside;
	aside = &pool->aside[pool->aside_next++ % ASIDE_MAX];
	count_away(aside, false);
	*aside = (struct aside){.hash = hash_of(key)};
	return aside;
}

/* Locked.  Once in TELL_EVERY_MS. */
static bool may_tell(int64_t *tell_at_ms, int64_t now_ms)
{
	if (now_ms < *tell_at_ms)
		return false;
	*tell_at_ms = now_ms + TELL_EVERY_MS;
	return true;
}

/* The servers of strangers are theirs to mend: no warning, and no alert. */
static bool is_configured(const struct next_hop_request *request)
{
	return request->route->kind != NEXT_HOP_MX;
}

static void note_failure(struct next_hop_pool *pool,
    const struct next_hop_request *request, struct slice key,
    const struct err *err)
{
	int64_t now = clock_monotonic_ms();
	struct aside *aside;
	bool tell;

	lock(pool);
	pool->statistics.failed++;
	aside = find_or_add_aside(pool, key);
	aside->until_ms = now + ASIDE_MS;
	count_away(aside, is_configured(request) && !pool->retired);
	tell = may_tell(&aside->tell_at_ms, now);
	aside->told = aside->told || tell;
	unlock(pool);
	if (tell)
		log_event(is_configured(request) ? LOG_WARNING : LOG_INFO,
		    "next-hop.away", LOG_S("target", key), LOG_ERR(err));
}

/* It took the connection, but could not do the TLS that it offers. */
static void note_plain(struct next_hop_pool *pool,
    const struct next_hop_request *request, struct slice key,
    const struct err *err)
{
	bool tell;

	lock(pool);
	tell = may_tell(&find_or_add_aside(pool, key)->tell_plain_at_ms,
	    clock_monotonic_ms());
	unlock(pool);
	if (tell)
		log_event(is_configured(request) ? LOG_WARNING : LOG_INFO,
		    "next-hop.plain", LOG_S("target", key), LOG_ERR(err));
}

static void note_success(
    struct next_hop_pool *pool, const struct smtp_client *client)
{
	struct slice key = smtp_client_endpoint(client)->key;
	struct aside *aside;
	bool tell = false;

	lock(pool);
	pool->statistics.opened++;
	pool->statistics.tls += smtp_client_is_tls(client);
	aside = find_aside(pool, key);
	if (aside) {
		tell = aside->told;
		aside->told = false;
		aside->until_ms = 0;
		count_away(aside, false);
	}
	unlock(pool);
	if (tell)
		log_notice("next-hop.back", LOG_S("target", key));
}

/* Locked.  Unlinks and returns those that were idle too long, or are too
 * many. */
static struct smtp_client *take_expired(
    struct next_hop_pool *pool, int64_t now_ms)
{
	int64_t oldest = now_ms - IDLE_MS;
	struct smtp_client **at = &pool->idle, *expired;
	size_t kept = 0, max = pool->retired ? 0 : IDLE_MAX;

	while (*at && kept < max &&
	       smtp_client_state(*at)->idle_since_ms > oldest) {
		at = &smtp_client_state(*at)->next;
		kept++;
	}
	expired = *at;
	*at = NULL;
	pool->statistics.idle = kept;
	return expired;
}

static struct smtp_client *take_idle(
    struct next_hop_pool *pool, struct slice key)
{
	struct smtp_client *expired, **at, *found = NULL;

	lock(pool);
	expired = take_expired(pool, clock_monotonic_ms());
	for (at = &pool->idle; *at; at = &smtp_client_state(*at)->next)
		if (slice_eq(smtp_client_endpoint(*at)->key, key))
			break;
	if (*at) {
		found = *at;
		*at = smtp_client_state(found)->next;
		smtp_client_state(found)->next = NULL;
		pool->statistics.idle--;
	}
	unlock(pool);
	quit_all(expired);
	return found;
}

static struct smtp_client *reuse(
    struct next_hop_pool *pool, const struct smtp_endpoint *endpoint)
{
	struct smtp_client *client;

	while ((client = take_idle(pool, endpoint->key))) {
		if (smtp_client_is_idle(client)) {
			lock(pool);
			pool->statistics.reused++;
			unlock(pool);
			return client;
		}
		smtp_client_drop(client);
	}
	return NULL;
}

void next_hop_pool_put(struct next_hop_pool *pool, struct smtp_client *client)
{
	struct smtp_client_state *state;
	struct smtp_client *expired;

	if (!client)
		return;
	state = smtp_client_state(client);
	smtp_client_set_end(client, DEADLINE_NEVER);
	if (state->proxied || state->authenticated ||
	    state->refusals >= REFUSALS_MAX) {
		smtp_client_quit(client);
		return;
	}
	if (state->in_transaction && !smtp_client_is_broken(client))
		smtp_client_reset(client, NULL);
	if (smtp_client_is_broken(client)) {
		smtp_client_drop(client);
		return;
	}
	smtp_client_shrink(client);
	state->reused = true;
	state->idle_since_ms = clock_monotonic_ms();
	lock(pool);
	state->next = pool->idle;
	pool->idle = client;
	expired = take_expired(pool, state->idle_since_ms);
	unlock(pool);
	quit_all(expired);
}

/* Locked. */
static void unlink_waiter(
    struct next_hop_pool *pool, struct next_hop_waiter *waiter)
{
	*waiter->back = waiter->next;
	if (waiter->next)
		waiter->next->back = waiter->back;
	else
		pool->newest_waiter = waiter->back;
	pool->waiting--;
	metrics_add(METRIC_NEXT_HOPS_WAITING, -1);
}

/* Locked.  Those who have waited longest, as many as are over max. */
static struct smtp_client *take_too_many(
    struct next_hop_pool *pool, uint64_t max)
{
	struct smtp_client *taken = NULL;

	while (pool->waiting > max) {
		struct next_hop_waiter *oldest = pool->oldest_waiter;

		unlink_waiter(pool, oldest);
		smtp_client_state(oldest->client)->next = taken;
		taken = oldest->client;
		oldest->client = NULL;
		metrics_add(METRIC_NEXT_HOPS_GIVEN_BACK, 1);
	}
	return taken;
}

static void put_all(struct next_hop_pool *pool, struct smtp_client *list)
{
	while (list) {
		struct smtp_client *client = list;

		list = smtp_client_state(client)->next;
		smtp_client_state(client)->next = NULL;
		next_hop_pool_put(pool, client);
	}
}

void next_hop_pool_wait(struct next_hop_pool *pool,
    struct next_hop_waiter *waiter, struct smtp_client *client)
{
	struct smtp_client *too_many;

	require(!waiter->client);
	lock(pool);
	*waiter = (struct next_hop_waiter){client, NULL, pool->newest_waiter};
	*waiter->back = waiter;
	pool->newest_waiter = &waiter->next;
	pool->waiting++;
	metrics_add(METRIC_NEXT_HOPS_WAITING, 1);
	too_many = take_too_many(pool, pool->config->limits.next_hop_waiting);
	unlock(pool);
	put_all(pool, too_many);
}

struct smtp_client *next_hop_pool_wait_over(
    struct next_hop_pool *pool, struct next_hop_waiter *waiter)
{
	struct smtp_client *client;

	lock(pool);
	client = waiter->client;
	if (client)
		unlink_waiter(pool, waiter);
	waiter->client = NULL;
	unlock(pool);
	return client;
}

/* Locked. */
static void forget_untried(struct next_hop_pool *pool, int64_t now_ms)
{
	for (size_t i = 0; i < ASIDE_MAX; i++)
		if (now_ms - pool->aside[i].until_ms >= AWAY_MS)
			count_away(&pool->aside[i], false);
}

void next_hop_pool_tidy(struct next_hop_pool *pool, int64_t now_ms)
{
	struct smtp_client *expired;

	lock(pool);
	expired = take_expired(pool, now_ms);
	forget_untried(pool, now_ms);
	unlock(pool);
	quit_all(expired);
}

void next_hop_pool_retire(struct next_hop_pool *pool)
{
	struct smtp_client *idle, *waiting;

	lock(pool);
	pool->retired = true;
	idle = take_expired(pool, clock_monotonic_ms());
	waiting = take_too_many(pool, 0);
	for (size_t i = 0; i < ASIDE_MAX; i++)
		count_away(&pool->aside[i], false);
	unlock(pool);
	quit_all(idle);
	/* Without RSET: a reload waits for no next hop. */
	quit_all(waiting);
}

/* Those that are not set aside first; order is kept otherwise. */
static void order(struct next_hop_pool *pool, const struct target_list *list,
    const struct smtp_endpoint *ret[static TARGETS_MAX])
{
	bool aside[TARGETS_MAX];
	size_t count = 0;

	for (size_t i = 0; i < list->count; i++)
		aside[i] = is_aside(pool, list->endpoints[i].key);
	for (size_t i = 0; i < list->count; i++)
		if (!aside[i])
			ret[count++] = &list->endpoints[i];
	for (size_t i = 0; i < list->count; i++)
		if (aside[i])
			ret[count++] = &list->endpoints[i];
}

/* For the metric.  E_TEMP: a reply says no. */
static const char *failure_word(
    enum smtp_client_stage stage, enum err_kind kind)
{
	if (stage == STAGE_TLS)
		return "tls";
	switch (kind) {
	case E_TIMEOUT: return "timeout";
	case E_CLOSED: return "closed";
	case E_IO:
	case E_TEMP: return "refused";
	case E_SYNTAX:
	case E_LIMIT: return "protocol";
	default: return "other";
	}
}

static void count_failure(const char *word)
{
	metrics_count(METRIC_NEXT_HOP_FAILURES, slice_from(word));
}

void next_hop_pool_blame(struct next_hop_pool *pool,
    const struct next_hop_request *request, const struct smtp_client *client,
    const struct err *err)
{
	note_failure(pool, request, smtp_client_endpoint(client)->key, err);
	count_failure(failure_word(STAGE_GREETING, err->kind));
}

/* A lack of descriptors or memory here says nothing about a next hop. */
static bool is_lack(enum smtp_client_stage stage, const struct err *err)
{
	return stage == STAGE_CONNECT && err->kind == E_TEMP;
}

static void note_lack(struct next_hop_pool *pool, const struct err *err)
{
	bool tell;

	lock(pool);
	pool->statistics.failed++;
	tell = may_tell(&pool->tell_lack_at_ms, clock_monotonic_ms());
	unlock(pool);
	if (tell)
		log_error("next-hop.lack", LOG_ERR(err));
}

static void note_not_opened(struct next_hop_pool *pool,
    const struct next_hop_request *request, struct slice key,
    enum smtp_client_stage stage, const struct err *err)
{
	bool lack = is_lack(stage, err);

	if (lack)
		note_lack(pool, err);
	else
		note_failure(pool, request, key, err);
	count_failure(lack ? "lack" : failure_word(stage, err->kind));
	log_trace(LOG_TOPIC_NEXT_HOP, "next-hop.failed", LOG_S("target", key),
	    LOG_ERR(err));
}

/* False: *ret_lack: as in is_lack. */
static bool open_one(struct next_hop_pool *pool,
    const struct next_hop_request *request,
    const struct smtp_endpoint *endpoint, struct deadline end,
    struct smtp_client **ret, bool *ret_lack, struct err *err)
{
	enum smtp_client_stage stage;
	struct smtp_client *client;

	if (!request->fresh && (client = reuse(pool, endpoint))) {
		*ret = client;
		return true;
	}
	if (!smtp_client_open(&pool->settings, endpoint, request->client, end,
		&client, &stage, err)) {
		note_not_opened(pool, request, endpoint->key, stage, err);
		*ret_lack = is_lack(stage, err);
		return false;
	}
	note_success(pool, client);
	if (smtp_client_state(client)->tls_failed)
		note_plain(pool, request, endpoint->key, err);
	*ret = client;
	return true;
}

/* The reason in few words: names and addresses behind us are nobody's
 * business. */
static struct smtp_reply_text unreachable(
    struct arena *arena, const struct err *err)
{
	const char *why = "it refuses or fails";

	if (err->kind == E_TIMEOUT)
		why = "timed out";
	else if (err->kind == E_CLOSED)
		why = "it closed the connection";
	return (struct smtp_reply_text){
	    .code = 451,
	    .enhanced = SLICE("4.4.1"),
	    .text = arena_format_slice(
		arena, "the next hop is not available now: %s", why),
	};
}

static const struct smtp_reply_text lacking = {451, SLICE_INIT("4.3.0"),
    SLICE_INIT("no connection to the next hop can be opened now")};

bool next_hop_pool_get(struct next_hop_pool *pool, struct arena *arena,
    const struct next_hop_request *request, struct smtp_client **ret,
    struct smtp_reply_text *ret_reply)
{
	const struct smtp_endpoint *endpoints[TARGETS_MAX];
	struct target_list list;
	struct deadline end = deadline_min(request->until, deadline_in(ALL_MS));
	struct err err = {0};
	bool lack = false;

	if (!targets_find(arena, pool->config, pool->resolver, request, &list,
		ret_reply)) {
		/* A domain that takes no mail (5xx) is no failure. */
		if (ret_reply->code < 500)
			count_failure("dns");
		return false;
	}
	order(pool, &list, endpoints);
	for (size_t i = 0; i < list.count; i++) {
		if (slice_eq(endpoints[i]->key, request->avoid))
			continue;
		if (i && deadline_passed(end))
			break;
		if (open_one(
			pool, request, endpoints[i], end, ret, &lack, &err))
			return true;
		/* The next would lack it too. */
		if (lack)
			break;
	}
	*ret_reply = lack ? lacking : unreachable(arena, &err);
	return false;
}
