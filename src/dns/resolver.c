/* SPDX-License-Identifier: Apache-2.0 */
/* One lock guards the cache and the table of requests under way.  It is held
 * for look-ups only: never while libunbound is called, since its thread takes
 * the lock to deliver. */
#include "dns/resolver.h"

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include "base/metrics.h"
#include "base/require.h"
#include "dns/cache.h"
#include "dns/hash.h"
#include "dns/recursor.h"
#include "dns/resolver_private.h"
#include "dns/wire.h"
#include "dns/zone.h"

/* RFC 2308, section 7.1, allows up to five minutes for failures; a sender
 * that tries again must not meet a failure that is long over. */
enum { FAILURE_TTL_MS = 5000 };

/* Sessions that started a query hold what comes until they end, and no limit
 * of theirs counts it before they ask: larger replies do not wait for them. */
enum { UNCLAIMED_MAX = 8 * 1024 };

struct request {
	struct recursor_call call; /* first: deliver gets back from it */
	struct dns_resolver *resolver;
	struct question question; /* its key is our own copy */
	/* guarded by the resolver's lock: */
	struct reply *reply; /* NULL until delivered, or let go since */
	bool is_delivered;
	unsigned int holders, waiting;
	bool in_table;
	pthread_cond_t delivered;
	UT_hash_handle hh;
};

struct failure {
	struct slice name; /* canonical text */
	const struct dns_failure *settings;
};

struct dns_resolver {
	_Atomic unsigned int holders;
	struct arena *arena; /* holds the resolver itself */
	struct dns_settings settings;
	struct hash_secret secret;
	struct failure *failures;
	struct zone *zone; /* or */
	struct recursor *recursor;
	pthread_mutex_t lock;
	/* guarded by lock: */
	struct cache *cache;
	struct request *requests;
};

static const struct {
	enum dns_type type;
	const char *name;
} type_names[] = {
    {DNS_A, "A"},
    {DNS_NS, "NS"},
    {DNS_CNAME, "CNAME"},
    {DNS_SOA, "SOA"},
    {DNS_PTR, "PTR"},
    {DNS_MX, "MX"},
    {DNS_TXT, "TXT"},
    {DNS_AAAA, "AAAA"},
    {DNS_TLSA, "TLSA"},
};

enum { TYPE_NAMES = sizeof(type_names) / sizeof(type_names[0]) };

const char *dns_type_name(enum dns_type type)
{
	for (size_t i = 0; i < TYPE_NAMES; i++)
		if (type_names[i].type == type)
			return type_names[i].name;
	return "TYPE";
}

bool dns_type_from_name(struct slice name, enum dns_type *ret)
{
	for (size_t i = 0; i < TYPE_NAMES; i++) {
		if (!slice_eq_nocase(name, slice_from(type_names[i].name)))
			continue;
		*ret = type_names[i].type;
		return true;
	}
	return false;
}

bool resolver_question(const struct dns_resolver *resolver, struct arena *arena,
    struct slice name, enum dns_type type, struct question *ret)
{
	const char digits[2] = {(char)(type >> 8), (char)type};
	struct wire_name wire;
	struct slice text;

	if (!wire_from_text(name, &wire))
		return false;
	text = wire_text(arena, &wire);
	ret->type = type;
	ret->key = ARENA_JOIN(arena, slice_of(digits, sizeof(digits)), text);
	ret->name = slice_from_pos(ret->key, ret->key.len - text.len);
	ret->hash = hash_bytes(&resolver->secret, ret->key);
	return true;
}

/* The lock is held. */
static void release_request(struct request *request)
{
	if (--request->holders > 0)
		return;
	reply_release(request->reply);
	pthread_cond_destroy(&request->delivered);
	/* The key was copied to be owned here. */
	memory_free((char *)(uintptr_t)request->question.key.ptr);
	memory_free(request);
}

/* Held by the table and by the caller.  The lock is held. */
static struct request *new_request(
    struct dns_resolver *resolver, const struct question *question)
{
	struct request *request = MEMORY_NEW(struct request);
	struct question *own = &request->question;
	pthread_condattr_t attributes;

	*own = *question;
	own->key.ptr = memory_copy_text(question->key.ptr, question->key.len);
	own->name = slice_from_pos(own->key, own->key.len - question->name.len);
	request->resolver = resolver;
	request->holders = 2;
	request->in_table = true;
	require(pthread_condattr_init(&attributes) == 0 &&
		pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC) == 0 &&
		pthread_cond_init(&request->delivered, &attributes) == 0);
	pthread_condattr_destroy(&attributes);
	HASH_ADD_KEYPTR_BYHASHVALUE(hh, resolver->requests, own->key.ptr,
	    own->key.len, own->hash, request);
	metrics_add(METRIC_DNS_IN_FLIGHT, 1);
	return request;
}

/* The lock is held. */
static void take_from_table(struct request *request)
{
	if (!request->in_table)
		return;
	request->in_table = false;
	HASH_DELETE(hh, request->resolver->requests, request);
	metrics_add(METRIC_DNS_IN_FLIGHT, -1);
	release_request(request);
}

/* Clamps the TTL, and says until when it may be used.  RFC 2308, section 5:
 * negative answers have a bound of their own. */
static void set_lifetime(
    const struct dns_settings *settings, struct reply *reply)
{
	struct dns_answer *answer = &reply->answer;
	int64_t now = clock_monotonic_ms();

	if (answer->status == DNS_TEMPORARY_FAILURE) {
		answer->ttl = 0;
		reply->expires_ms = now + FAILURE_TTL_MS;
		return;
	}
	if (answer->status == DNS_FOUND &&
	    answer->ttl < settings->cache_min_ttl)
		answer->ttl = settings->cache_min_ttl;
	if (answer->ttl > settings->cache_max_ttl)
		answer->ttl = settings->cache_max_ttl;
	if (answer->status != DNS_FOUND &&
	    answer->ttl > settings->cache_negative_ttl)
		answer->ttl = settings->cache_negative_ttl;
	reply->expires_ms = now + (int64_t)answer->ttl * 1000;
}

/* Who waits gets it; others find it in the cache, or ask again.  The lock is
 * held. */
static void let_go_unclaimed(struct request *request)
{
	if (request->waiting > 0 || !request->reply ||
	    reply_size(request->reply) <= UNCLAIMED_MAX)
		return;
	reply_release(request->reply);
	request->reply = NULL;
}

/* On the recursor's thread. */
static void deliver(struct recursor_call *call, struct reply *reply)
{
	struct request *request = (struct request *)call;
	struct dns_resolver *resolver = request->resolver;

	set_lifetime(&resolver->settings, reply);
	if (reply->answer.security == DNS_BOGUS)
		metrics_add(METRIC_DNS_BOGUS, 1);
	pthread_mutex_lock(&resolver->lock);
	cache_put(resolver->cache, &request->question, reply);
	request->reply = reply;
	request->is_delivered = true;
	let_go_unclaimed(request);
	pthread_cond_broadcast(&request->delivered);
	take_from_table(request);
	pthread_mutex_unlock(&resolver->lock);
}

static struct reply *injected_failure(
    const struct dns_resolver *resolver, const struct question *question)
{
	for (size_t i = 0; i < resolver->settings.failure_count; i++) {
		const struct failure *failure = &resolver->failures[i];

		if (!slice_eq(failure->name, question->name) ||
		    (!failure->settings->any_type &&
			failure->settings->type != question->type))
			continue;
		if (failure->settings->timeout)
			return reply_failure(DNS_INSECURE, "TIMEOUT",
			    "no answer (injected failure)");
		return reply_failure(DNS_INSECURE, "SERVFAIL",
		    "server failure (injected failure)");
	}
	return NULL;
}

static struct reply *zone_reply(
    const struct dns_resolver *resolver, const struct question *question)
{
	struct zone_answer found = zone_find(
	    resolver->zone, question->name, question->type);
	struct reply *reply;

	if (found.status == DNS_TEMPORARY_FAILURE)
		return reply_failure(
		    DNS_INSECURE, "SERVFAIL", "%s", found.problem);
	reply = reply_new();
	reply->answer.status = found.status;
	if (found.status == DNS_NXDOMAIN)
		reply->answer.rcode = "NXDOMAIN";
	reply->answer.ttl = found.ttl;
	reply->answer.count = found.count;
	reply->answer.records = found.records;
	set_lifetime(&resolver->settings, reply);
	return reply;
}

/* Joins the request for this question or makes one; *ret_new says which.
 * NULL: too many are under way.  The lock is held. */
static struct request *join_request(struct dns_resolver *resolver,
    const struct question *question, bool *ret_new)
{
	struct request *request;

	*ret_new = false;
	HASH_FIND_BYHASHVALUE(hh, resolver->requests, question->key.ptr,
	    question->key.len, question->hash, request);
	if (request) {
		request->holders++;
		return request;
	}
	if (HASH_COUNT(resolver->requests) >=
	    recursor_capacity(resolver->recursor))
		return NULL;
	*ret_new = true;
	return new_request(resolver, question);
}

static void start_request(
    struct dns_resolver *resolver, struct request *request)
{
	struct err err;

	request->call.deliver = deliver;
	if (!recursor_post(
		resolver->recursor, &request->question, &request->call, &err))
		deliver(&request->call,
		    reply_failure(DNS_INSECURE, "SERVFAIL", "%s", err.text));
}

static void post_to_recursor(struct dns_resolver *resolver,
    const struct question *question, struct reply **ret_reply,
    struct request **ret_request)
{
	struct request *request = NULL;
	struct reply *reply;
	bool is_new = false;

	pthread_mutex_lock(&resolver->lock);
	reply = cache_find(resolver->cache, question, clock_monotonic_ms());
	if (!reply)
		request = join_request(resolver, question, &is_new);
	pthread_mutex_unlock(&resolver->lock);
	if (reply)
		metrics_add(METRIC_DNS_CACHE_HITS, 1);
	if (!reply && !request)
		reply = reply_over_limit(
		    "SERVFAIL", "too many DNS queries under way");
	*ret_reply = reply;
	*ret_request = request;
	if (request && is_new)
		start_request(resolver, request);
}

void resolver_post(struct dns_resolver *resolver,
    const struct question *question, struct reply **ret_reply,
    struct request **ret_request)
{
	struct reply *reply = injected_failure(resolver, question);

	if (!reply && resolver->recursor) {
		post_to_recursor(resolver, question, ret_reply, ret_request);
		return;
	}
	if (!reply)
		reply = zone_reply(resolver, question);
	*ret_reply = reply;
	*ret_request = NULL;
}

bool resolver_is_busy(struct dns_resolver *resolver)
{
	bool is_busy;

	if (!resolver->recursor)
		return false;
	pthread_mutex_lock(&resolver->lock);
	is_busy = HASH_COUNT(resolver->requests) >=
		  recursor_capacity(resolver->recursor) / 4 * 3;
	pthread_mutex_unlock(&resolver->lock);
	return is_busy;
}

bool resolver_wait(struct dns_resolver *resolver, struct request *request,
    struct deadline deadline, struct reply **ret)
{
	/* Far enough in the future for pthread_cond_timedwait, always. */
	int64_t at_ms = deadline_min(deadline, deadline_in(86400 * 1000)).at_ms;
	const struct timespec at = {
	    .tv_sec = at_ms / 1000, .tv_nsec = at_ms % 1000 * 1000000};
	bool was_let_go;
	int code = 0;

	pthread_mutex_lock(&resolver->lock);
	request->waiting++;
	while (!request->is_delivered && code == 0)
		code = pthread_cond_timedwait(
		    &request->delivered, &resolver->lock, &at);
	was_let_go = request->is_delivered && !request->reply;
	if (!was_let_go)
		*ret = request->reply ? reply_hold(request->reply) : NULL;
	request->waiting--;
	let_go_unclaimed(request);
	pthread_mutex_unlock(&resolver->lock);
	return !was_let_go;
}

struct reply *resolver_peek(
    struct dns_resolver *resolver, struct request *request)
{
	struct reply *reply = NULL;

	pthread_mutex_lock(&resolver->lock);
	if (request->reply)
		reply = reply_hold(request->reply);
	else if (request->is_delivered)
		reply = cache_find(
		    resolver->cache, &request->question, clock_monotonic_ms());
	pthread_mutex_unlock(&resolver->lock);
	return reply;
}

void resolver_leave(struct dns_resolver *resolver, struct request *request)
{
	pthread_mutex_lock(&resolver->lock);
	release_request(request);
	pthread_mutex_unlock(&resolver->lock);
}

void resolver_timed_out(struct dns_resolver *resolver,
    const struct request *request, struct reply *failure)
{
	set_lifetime(&resolver->settings, failure);
	pthread_mutex_lock(&resolver->lock);
	if (!request->is_delivered)
		cache_put(resolver->cache, &request->question, failure);
	pthread_mutex_unlock(&resolver->lock);
}

uint64_t resolver_query_timeout(const struct dns_resolver *resolver)
{
	return resolver->settings.query_timeout_ms;
}

static bool copy_failures(struct dns_resolver *resolver,
    const struct dns_settings *settings, struct err *err)
{
	struct arena *arena = resolver->arena;
	size_t failure_count = settings->failure_count;
	struct dns_failure *copies = ARENA_ARRAY(
	    arena, failure_count, struct dns_failure);

	resolver->failures = ARENA_ARRAY(arena, failure_count, struct failure);
	for (size_t i = 0; i < failure_count; i++) {
		struct wire_name wire;

		copies[i] = settings->failures[i];
		if (!wire_from_text(copies[i].name, &wire))
			return err_set(err, E_CONFIG,
			    "injected DNS failure: '%.*s' is not a domain name",
			    SLICE_ARGS(slice_sub(copies[i].name, 0, 100)));
		resolver->failures[i].name = wire_text(arena, &wire);
		resolver->failures[i].settings = &copies[i];
	}
	resolver->settings.failures = copies;
	return true;
}

static void copy_settings(
    struct dns_resolver *resolver, const struct dns_settings *settings)
{
	struct dns_settings *own = &resolver->settings;

	*own = *settings;
	own->zone_file = arena_slice(resolver->arena, settings->zone_file);
	own->trust_anchor = arena_slice(
	    resolver->arena, settings->trust_anchor);
	/* Of use while the recursor is opened only. */
	own->zone_text = SLICE("");
	own->servers = NULL;
	own->server_ports = NULL;
	own->server_count = 0;
}

static void free_resolver(struct dns_resolver *resolver)
{
	struct request *request, *next;

	/* No session is left: what is under way, nobody waits for. */
	if (resolver->recursor)
		recursor_close(resolver->recursor);
	HASH_ITER (hh, resolver->requests, request, next)
		take_from_table(request);
	cache_free(resolver->cache);
	pthread_mutex_destroy(&resolver->lock);
	arena_free(resolver->arena);
}

bool dns_resolver_open(const struct dns_settings *settings,
    struct dns_resolver **ret, struct err *err)
{
	struct arena *arena = arena_new(0);
	struct dns_resolver *resolver = ARENA_NEW(arena, struct dns_resolver);
	bool fine;

	atomic_init(&resolver->holders, 1);
	resolver->arena = arena;
	resolver->secret = hash_secret_new();
	require(pthread_mutex_init(&resolver->lock, NULL) == 0);
	resolver->cache = cache_new(settings->cache_bytes / 4);
	copy_settings(resolver, settings);
	fine = copy_failures(resolver, settings, err);
	if (fine && !slice_empty(settings->zone_file))
		fine = zone_read(arena, resolver->settings.zone_file.ptr,
		    &resolver->zone, err);
	else if (fine && !slice_empty(settings->zone_text))
		fine = zone_parse(
		    arena, settings->zone_text, "zone", &resolver->zone, err);
	else if (fine)
		fine = recursor_open(settings, &resolver->recursor, err);
	if (fine)
		*ret = resolver;
	else
		free_resolver(resolver);
	return fine;
}

struct dns_resolver *dns_resolver_hold(struct dns_resolver *resolver)
{
	atomic_fetch_add_explicit(&resolver->holders, 1, memory_order_relaxed);
	return resolver;
}

void dns_resolver_release(struct dns_resolver *resolver)
{
	if (!resolver)
		return;
	if (atomic_fetch_sub_explicit(
		&resolver->holders, 1, memory_order_acq_rel) == 1)
		free_resolver(resolver);
}
