/* SPDX-License-Identifier: Apache-2.0 */
#include "dns/resolver.h"

#include <string.h>

#include "base/log.h"
#include "dns/resolver_private.h"

enum { FIRST_SIZE = 16, UNANSWERED_MAX = 32 };

/* The private side of one dns_query_record; same index. */
struct pending {
	struct question question; /* key empty: the name cannot be one */
	struct reply *reply;	  /* held */
	struct request *request;  /* held */
	int64_t posted_ms;
};

struct dns_session {
	struct arena *arena;
	struct dns_resolver *resolver;
	const struct limits *limits;
	struct deadline deadline;
	uint64_t waited_ms, memory; /* so far */
	size_t count, size;
	struct dns_query_record *records;
	struct pending *pending;
	struct dns_answer *refused; /* over limits.dns_queries */
	size_t refused_count;
	bool peeking, missed; /* see dns_peek_begin */
	bool exhausted;	      /* see dns_session_exhausted */
	struct dns_wait_observer observer;
};

static const struct dns_answer impossible_name = {
    .status = DNS_NXDOMAIN,
    .problem = "",
    .rcode = "NXDOMAIN",
};

/* Nobody is told of it: see dns_peek_begin. */
static const struct dns_answer not_yet = {
    .status = DNS_TEMPORARY_FAILURE,
    .problem = "no answer yet",
    .rcode = "TIMEOUT",
};

/* Requests go on without us: others may wait for them, and the cache. */
static void release_session(void *object)
{
	struct dns_session *session = object;

	for (size_t i = 0; i < session->count; i++) {
		struct pending *pending = &session->pending[i];

		if (pending->request)
			resolver_leave(session->resolver, pending->request);
		reply_release(pending->reply);
	}
	dns_resolver_release(session->resolver);
}

struct dns_session *dns_session_new(struct arena *arena,
    struct dns_resolver *resolver, const struct limits *limits,
    struct deadline deadline)
{
	struct dns_session *session = ARENA_NEW(arena, struct dns_session);

	session->arena = arena;
	session->resolver = dns_resolver_hold(resolver);
	session->limits = limits;
	session->deadline = deadline;
	arena_defer(arena, release_session, session);
	return session;
}

void dns_session_observe_waits(
    struct dns_session *session, const struct dns_wait_observer *observer)
{
	session->observer = *observer;
}

static void grow(struct dns_session *session)
{
	size_t size = session->size ? 2 * session->size : FIRST_SIZE;
	struct dns_query_record *records = ARENA_ARRAY(
	    session->arena, size, struct dns_query_record);
	struct pending *pending = ARENA_ARRAY(
	    session->arena, size, struct pending);

	if (session->count > 0) {
		memcpy(records, session->records,
		    session->count * sizeof(*records));
		memcpy(pending, session->pending,
		    session->count * sizeof(*pending));
	}
	session->records = records;
	session->pending = pending;
	session->size = size;
}

static bool is_same(const struct dns_session *session, size_t i,
    const struct question *question)
{
	const struct question *known = &session->pending[i].question;

	if (slice_empty(question->key))
		return slice_empty(known->key) &&
		       session->records[i].type == question->type &&
		       slice_eq(session->records[i].name, question->name);
	return known->hash == question->hash &&
	       slice_eq(known->key, question->key);
}

/* The reply, if there is room for it. */
static struct reply *admit(struct dns_session *session, struct reply *reply)
{
	uint64_t max = session->limits->dns_memory;
	size_t size = reply_size(reply);

	if (size <= max - session->memory) {
		session->memory += size;
		return reply;
	}
	reply_release(reply);
	return reply_over_limit("SERVFAIL",
	    "over %llu octets of DNS answers for one message "
	    "(limits.dns_memory)",
	    (unsigned long long)max);
}

static void post(struct dns_session *session, struct pending *pending)
{
	pending->posted_ms = clock_monotonic_ms();
	resolver_post(session->resolver, &pending->question, &pending->reply,
	    &pending->request);
	if (pending->reply)
		pending->reply = admit(session, pending->reply);
}

static void add(struct dns_session *session, const struct question *question)
{
	struct dns_query_record *record;
	struct pending *pending;

	if (session->count == session->size)
		grow(session);
	record = &session->records[session->count];
	pending = &session->pending[session->count++];
	*record = (struct dns_query_record){question->name, question->type};
	*pending = (struct pending){.question = *question};
	if (slice_empty(question->key)) {
		record->answer = &impossible_name;
		return;
	}
	post(session, pending);
}

/* The index of the question, started if it is new.  False: over the limit. */
static bool find_or_start(struct dns_session *session, struct slice name,
    enum dns_type type, size_t *ret)
{
	struct question question = {.type = type};

	if (!resolver_question(
		session->resolver, session->arena, name, type, &question))
		question.name = arena_lower(session->arena, name);
	for (size_t i = 0; i < session->count; i++) {
		if (is_same(session, i, &question)) {
			*ret = i;
			return true;
		}
	}
	if (session->count >= session->limits->dns_queries)
		return false;
	add(session, &question);
	*ret = session->count - 1;
	return true;
}

static bool has_arrived(struct dns_session *session, struct pending *pending)
{
	struct reply *reply;

	if (pending->reply)
		return true;
	reply = resolver_peek(session->resolver, pending->request);
	if (reply)
		pending->reply = admit(session, reply);
	return reply != NULL;
}

/* What one message may ask ahead, and the whole program: a stranger can name
 * hundreds of names that get no answer. */
static bool may_prefetch(struct dns_session *session)
{
	size_t unanswered = 0;

	if (resolver_is_busy(session->resolver))
		return false;
	if (session->count < UNANSWERED_MAX)
		return true;
	for (size_t i = 0; i < session->count; i++)
		unanswered += session->pending[i].request &&
			      !has_arrived(session, &session->pending[i]);
	return unanswered < UNANSWERED_MAX;
}

void dns_prefetch(
    struct dns_session *session, struct slice name, enum dns_type type)
{
	size_t i;

	/* Over the limit: whoever asks in earnest will be told. */
	if (may_prefetch(session))
		find_or_start(session, name, type, &i);
}

/* What ends the wait first, and how to say it. */
struct bound {
	struct deadline deadline;
	const char *problem;
	uint64_t ms; /* for the text; 0: none */
	bool is_query_timeout;
};

static void tighten(struct bound *bound, const struct bound *other)
{
	if (other->deadline.at_ms < bound->deadline.at_ms)
		*bound = *other;
}

static struct deadline after(int64_t start_ms, uint64_t ms)
{
	if (ms > (uint64_t)(INT64_MAX - start_ms))
		return DEADLINE_NEVER;
	return (struct deadline){start_ms + (int64_t)ms};
}

static struct bound wait_bound(
    const struct dns_session *session, const struct pending *pending)
{
	uint64_t query_ms = session->limits->dns_query_timeout;
	uint64_t resolver_ms = resolver_query_timeout(session->resolver);
	uint64_t left_ms = session->limits->dns_time;
	struct bound bound = {session->deadline,
	    "no DNS answer before the deadline of the transaction", 0, false};

	if (resolver_ms > 0 && resolver_ms < query_ms)
		query_ms = resolver_ms;
	left_ms -= session->waited_ms < left_ms ? session->waited_ms : left_ms;
	tighten(
	    &bound, &(struct bound){after(clock_monotonic_ms(), left_ms),
			"the DNS time of one message (limits.dns_time) is over",
			session->limits->dns_time, false});
	tighten(&bound, &(struct bound){after(pending->posted_ms, query_ms),
			    "no DNS answer in the time of one query "
			    "(limits.dns_query_timeout)",
			    query_ms, true});
	return bound;
}

static struct reply *timeout_reply(struct dns_session *session,
    const struct pending *pending, const struct bound *bound)
{
	struct reply *reply;

	if (bound->ms == 0)
		return reply_over_limit("TIMEOUT", "%s", bound->problem);
	if (!bound->is_query_timeout)
		return reply_over_limit("TIMEOUT", "%s: %llu ms",
		    bound->problem, (unsigned long long)bound->ms);
	reply = reply_failure(DNS_INSECURE, "TIMEOUT", "%s: %llu ms",
	    bound->problem, (unsigned long long)bound->ms);
	resolver_timed_out(session->resolver, pending->request, reply);
	return reply;
}

void dns_peek_begin(struct dns_session *session)
{
	session->peeking = true;
	session->missed = false;
}

bool dns_peek_end(struct dns_session *session)
{
	session->peeking = false;
	return !session->missed;
}

static void wait_until_there(
    struct dns_session *session, struct pending *pending)
{
	int64_t start_ms = clock_monotonic_ms();
	struct reply *reply = NULL;
	struct bound bound;

	for (;;) {
		bound = wait_bound(session, pending);
		if (resolver_wait(session->resolver, pending->request,
			bound.deadline, &reply))
			break;
		resolver_leave(session->resolver, pending->request);
		post(session, pending);
		if (pending->reply)
			return;
	}
	session->waited_ms += (uint64_t)(clock_monotonic_ms() - start_ms);
	pending->reply = reply ? admit(session, reply)
			       : timeout_reply(session, pending, &bound);
	resolver_leave(session->resolver, pending->request);
	pending->request = NULL;
}

static void wait_for(struct dns_session *session, struct pending *pending)
{
	const struct dns_wait_observer *observer = &session->observer;

	if (observer->begin)
		observer->begin(observer->context);
	wait_until_there(session, pending);
	if (observer->end)
		observer->end(observer->context);
}

/* A copy whose TTL is what is left of it. */
static const struct dns_answer *own_answer(
    struct dns_session *session, const struct reply *reply)
{
	struct dns_answer *answer = ARENA_NEW(
	    session->arena, struct dns_answer);
	int64_t left_ms = reply->expires_ms - clock_monotonic_ms();

	*answer = reply->answer;
	if (left_ms <= 0)
		answer->ttl = 0;
	else if (left_ms / 1000 < answer->ttl)
		answer->ttl = (uint32_t)(left_ms / 1000);
	return answer;
}

static const struct dns_answer *refuse(struct dns_session *session)
{
	session->exhausted = true;
	session->refused_count++;
	if (session->refused)
		return session->refused;
	session->refused = ARENA_NEW(session->arena, struct dns_answer);
	*session->refused = (struct dns_answer){
	    .status = DNS_TEMPORARY_FAILURE,
	    .rcode = "SERVFAIL",
	    .over_limit = true,
	    .problem = arena_format(session->arena,
		"over %llu DNS queries for one message (limits.dns_queries)",
		(unsigned long long)session->limits->dns_queries),
	};
	return session->refused;
}

const struct dns_answer *dns_ask(
    struct dns_session *session, struct slice name, enum dns_type type)
{
	struct dns_query_record *record;
	struct pending *pending;
	size_t i;

	if (!find_or_start(session, name, type, &i))
		return refuse(session);
	record = &session->records[i];
	pending = &session->pending[i];
	if (record->answer)
		return record->answer;
	if (!has_arrived(session, pending)) {
		if (session->peeking) {
			session->missed = true;
			return &not_yet;
		}
		wait_for(session, pending);
	}
	record->answer = own_answer(session, pending->reply);
	session->exhausted |= record->answer->over_limit;
	log_trace(LOG_TOPIC_DNS, "dns.answer", LOG_S("name", record->name),
	    LOG_T("type", dns_type_name(type)),
	    LOG_T("rcode", record->answer->rcode),
	    LOG_I("records", (int64_t)record->answer->count),
	    LOG_T("problem", record->answer->problem));
	return record->answer;
}

bool dns_session_exhausted(const struct dns_session *session)
{
	return session->exhausted;
}

size_t dns_session_queries(
    const struct dns_session *session, const struct dns_query_record **ret)
{
	*ret = session->records;
	return session->count;
}

size_t dns_session_refused(const struct dns_session *session)
{
	return session->refused_count;
}
