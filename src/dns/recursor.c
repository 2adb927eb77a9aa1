/* SPDX-License-Identifier: Apache-2.0 */
#include "dns/recursor.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unbound.h>
#include <unistd.h>

#include "base/io.h"
#include "base/memory.h"
#include "base/require.h"
#include "dns/negative.h"
#include "dns/rdata.h"

enum {
	CLASS_IN = 1,
	RCODE_NXDOMAIN = 3,
	CAPACITY_MIN = 64,
	CAPACITY_MAX = 4096,
	ANCHOR_MAX = 1024 * 1024,
	LIBRARY_CACHE_MIN = 1024 * 1024,
};

struct recursor {
	struct ub_ctx *ctx;
	struct recursor_call first; /* nobody's */
	size_t capacity;
	bool forwards; /* to servers of the settings */
	int stop_fd;
	pthread_t thread;
};

struct option {
	const char *name, *value;
};

/* What is the same for everybody. */
static const struct option options[] = {
    {"infra-keep-probing:", "yes"},
    /* A burst of queries to a near server is answered later than its round
     * trip says: with the default of 50 ms, hundreds at one time were sent
     * again, and some given up as lost. */
    {"infra-cache-min-rtt:", "300"},
    /* Failures are kept for seconds, here as in the resolver. */
    {"val-bogus-ttl:", "5"},
    {"outgoing-num-tcp:", "64"},
};

/* A dead server costs seconds of a place in the table, not half a minute; it is
 * known as one soon, and tried again soon.  (Timings are those of a server and
 * a zone.) */
static const struct option recursing_options[] = {
    {"outbound-msg-retry:", "3"},
    {"infra-cache-max-rtt:", "4000"},
    {"infra-host-ttl:", "15"},
};

/* The timings of a server that is asked for everything are those of all names:
 * with the options above a few names of a stranger that get no answer made it
 * count as dead, and then nothing was asked any more that could have shown
 * otherwise.  With less than both of these (a longer time, or 4,000 ms at most)
 * it still happened. */
static const struct option shared_server_options[] = {
    {"infra-cache-max-rtt:", "120000"},
    {"infra-host-ttl:", "1"},
    /* Twelve seconds for a name that it has to find out; for dead ones, too. */
    {"outbound-msg-retry:", "5"},
};

/* Names that libunbound would answer itself, as in RFC 6761 and RFC 6303.
 * Whoever names the servers to ask wants their answers. */
static const struct option forwarding_options[] = {
    {"unblock-lan-zones:", "yes"},
    {"insecure-lan-zones:", "yes"},
    {"do-not-query-localhost:", "no"},
};

static const char *const forwarded_zones[] = {"test.", "invalid."};

static bool check(int code, const char *what, struct err *err)
{
	return code == 0 ||
	       err_set(err, E_CONFIG, "DNS: %s: %s", what, ub_strerror(code));
}

static bool set_options(struct ub_ctx *ctx, const struct option *list,
    size_t count, struct err *err)
{
	for (size_t i = 0; i < count; i++)
		if (!check(ub_ctx_set_option(ctx, list[i].name, list[i].value),
			list[i].name, err))
			return false;
	return true;
}

#define SET_OPTIONS(ctx, list, err)                                            \
	set_options(ctx, list, sizeof(list) / sizeof((list)[0]), err)

static bool set_number(
    struct ub_ctx *ctx, const char *name, uint64_t number, struct err *err)
{
	char value[24];

	snprintf(value, sizeof(value), "%llu", (unsigned long long)number);
	return check(ub_ctx_set_option(ctx, name, value), name, err);
}

/* Each query to a server has a socket: a quarter of what the process may open
 * is for DNS. */
static size_t capacity_of_process(void)
{
	struct rlimit limit;
	size_t capacity = CAPACITY_MAX;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 &&
	    limit.rlim_cur != RLIM_INFINITY && limit.rlim_cur / 4 < capacity)
		capacity = (size_t)limit.rlim_cur / 4;
	return capacity < CAPACITY_MIN ? CAPACITY_MIN : capacity;
}

/* What libunbound keeps it keeps no longer than the resolver; the resolver's
 * own cache takes a quarter of the bytes. */
static bool set_cache(struct recursor *recursor,
    const struct dns_settings *settings, struct err *err)
{
	struct ub_ctx *ctx = recursor->ctx;
	uint64_t bytes = settings->cache_bytes / 4;

	if (bytes < LIBRARY_CACHE_MIN)
		bytes = LIBRARY_CACHE_MIN;
	return set_number(ctx, "outgoing-range:", recursor->capacity, err) &&
	       set_number(
		   ctx, "num-queries-per-thread:", recursor->capacity, err) &&
	       set_number(ctx, "msg-cache-size:", bytes, err) &&
	       set_number(ctx, "rrset-cache-size:", 2 * bytes, err) &&
	       set_number(
		   ctx, "cache-max-ttl:", settings->cache_max_ttl, err) &&
	       set_number(ctx,
		   "cache-max-negative-ttl:", settings->cache_negative_ttl,
		   err);
}

static bool set_servers(
    struct ub_ctx *ctx, const struct dns_settings *settings, struct err *err)
{
	if (settings->server_count == 0)
		return SET_OPTIONS(ctx, recursing_options, err);
	for (size_t i = 0; i < settings->server_count; i++) {
		char ip[IP_TEXT_MAX], server[IP_TEXT_MAX + 8];
		uint16_t port = settings->server_ports
				    ? settings->server_ports[i]
				    : 0;

		snprintf(server, sizeof(server), "%s@%u",
		    ip_format(&settings->servers[i], ip), port ? port : 53U);
		if (!check(ub_ctx_set_fwd(ctx, server), server, err))
			return false;
	}
	return SET_OPTIONS(ctx, shared_server_options, err) &&
	       SET_OPTIONS(ctx, forwarding_options, err);
}

static bool has_keys(struct slice text)
{
	struct slice line;

	for (bool more = true; more;) {
		more = slice_split(text, '\n', &line, &text);
		line = slice_trim(line);
		if (line.len && line.ptr[0] != ';')
			return true;
	}
	return false;
}

/* libunbound takes a file without any, as one that was cut short, and then
 * validates nothing: that is said with "". */
static bool check_keys(const char *path, struct err *err)
{
	struct arena *arena = arena_new(0);
	struct slice text;
	bool fine = io_read_file(arena, path, ANCHOR_MAX, &text, err);

	if (fine && !has_keys(text))
		fine = err_set(err, E_CONFIG, "%s: no key in it", path);
	arena_free(arena);
	return fine || err_prefix(err, "DNS trust anchor");
}

static bool set_trust_anchor(
    struct ub_ctx *ctx, struct slice path, struct err *err)
{
	char text[4096];

	if (slice_empty(path))
		return check(
		    ub_ctx_set_option(ctx, "module-config:", "iterator"),
		    "module-config:", err);
	if (path.len >= sizeof(text))
		return err_set(
		    err, E_CONFIG, "DNS trust anchor: path too long");
	snprintf(text, sizeof(text), "%.*s", SLICE_ARGS(path));
	return check_keys(text, err) &&
	       check(ub_ctx_add_ta_file(ctx, text), text, err);
}

/* The first call that touches zones finishes the configuration: errors in it,
 * as in the trust anchor's file, are only found then. */
static bool finish(
    struct ub_ctx *ctx, const struct dns_settings *settings, struct err *err)
{
	size_t count = sizeof(forwarded_zones) / sizeof(forwarded_zones[0]);
	const struct slice anchor = settings->trust_anchor;
	char what[4200];

	snprintf(what, sizeof(what), "settings%s%.*s",
	    slice_empty(anchor) ? "" : ", or the content of the trust anchor ",
	    SLICE_ARGS(anchor));
	if (!check(ub_ctx_zone_remove(ctx, "unused.invalid."), what, err))
		return false;
	if (settings->server_count == 0)
		return true;
	for (size_t i = 0; i < count; i++)
		if (!check(
			ub_ctx_zone_add(ctx, forwarded_zones[i], "transparent"),
			forwarded_zones[i], err))
			return false;
	return true;
}

/* ub_ctx_async comes first: once the context is finished it would be refused,
 * and libunbound would fork a process instead of starting a thread. */
static bool configure(struct recursor *recursor,
    const struct dns_settings *settings, struct err *err)
{
	struct ub_ctx *ctx = recursor->ctx;

	return check(ub_ctx_debugout(ctx, NULL), "log", err) &&
	       check(ub_ctx_async(ctx, 1), "thread", err) &&
	       SET_OPTIONS(ctx, options, err) &&
	       set_cache(recursor, settings, err) &&
	       set_servers(ctx, settings, err) &&
	       set_trust_anchor(ctx, settings->trust_anchor, err) &&
	       finish(ctx, settings, err);
}

static struct reply *records_reply(const struct ub_result *result)
{
	struct reply *reply = reply_new();
	struct dns_record *records;
	struct err err;
	size_t count = 0;

	while (result->data[count])
		count++;
	records = ARENA_ARRAY(reply->arena, count, struct dns_record);
	for (size_t i = 0; i < count; i++) {
		struct slice rdata = slice_of(result->data[i],
		    result->len[i] > 0 ? (size_t)result->len[i] : 0);

		if (rdata_parse(reply->arena, (enum dns_type)result->qtype,
			rdata, &records[i], &err))
			continue;
		reply_release(reply);
		return reply_failure(DNS_INSECURE, "SERVFAIL", "%s", err.text);
	}
	reply->answer.status = DNS_FOUND;
	reply->answer.count = rdata_unique(records, count);
	reply->answer.records = records;
	return reply;
}

/* Without a message it is libunbound's own. */
static enum negative negative_of(const struct ub_result *result)
{
	if (result->havedata || !result->answer_packet ||
	    result->answer_len <= 0)
		return NEGATIVE_SOA;
	return negative_read(
	    slice_of(result->answer_packet, (size_t)result->answer_len));
}

/* Why a result is no answer; NULL: it is one.  A bogus result has rcode 0 and
 * the forged records: look at that first. */
static struct reply *failure_of(
    const struct ub_result *result, enum negative negative, bool forwarded)
{
	if (result->bogus)
		return reply_failure(DNS_BOGUS, "SERVFAIL", "DNSSEC: %s",
		    result->why_bogus ? result->why_bogus : "bogus");
	if (result->rcode != 0 && result->rcode != RCODE_NXDOMAIN)
		return reply_failure(DNS_INSECURE, "SERVFAIL",
		    "server failure, refusal, or no server answers");
	/* libunbound follows referrals of its own; those of a server that was
	 * to do so it takes for NODATA. */
	if (forwarded && negative == NEGATIVE_REFERRAL && !result->nxdomain &&
	    !result->secure)
		return reply_failure(DNS_INSECURE, "SERVFAIL",
		    "the server of dns.servers refers to others: it is no "
		    "resolver");
	return NULL;
}

static struct reply *reply_of(const struct ub_result *result, bool forwarded)
{
	enum negative negative = negative_of(result);
	struct reply *reply = failure_of(result, negative, forwarded);

	if (reply)
		return reply;
	reply = result->havedata ? records_reply(result) : reply_new();
	if (reply->answer.status == DNS_TEMPORARY_FAILURE)
		return reply;
	if (reply->answer.status == DNS_NODATA && result->nxdomain) {
		reply->answer.status = DNS_NXDOMAIN;
		reply->answer.rcode = "NXDOMAIN";
	}
	reply->answer.security = result->secure ? DNS_SECURE : DNS_INSECURE;
	/* RFC 2308, section 5: without an SOA it is not kept; the TTL is one of
	 * libunbound's own. */
	if (result->ttl > 0 && negative != NEGATIVE_BARE)
		reply->answer.ttl = (uint32_t)result->ttl;
	return reply;
}

static void on_result(void *object, int code, struct ub_result *result)
{
	struct recursor_call *call = object;
	struct reply *reply;

	if (code == 0 && result)
		reply = reply_of(result, call->forwarded);
	else
		reply = reply_failure(DNS_INSECURE, "SERVFAIL", "resolver: %s",
		    ub_strerror(code));
	ub_resolve_free(result);
	call->deliver(call, reply);
}

static bool post(struct recursor *recursor, const char *name, int type,
    struct recursor_call *call, struct err *err)
{
	int code;

	call->forwarded = recursor->forwards;
	code = ub_resolve_async(
	    recursor->ctx, name, type, CLASS_IN, call, on_result, NULL);

	return code == 0 ||
	       err_set(err, E_TEMP, "resolver: %s", ub_strerror(code));
}

bool recursor_post(struct recursor *recursor, const struct question *question,
    struct recursor_call *call, struct err *err)
{
	const char *name = slice_empty(question->name) ? "."
						       : question->name.ptr;

	return post(recursor, name, (int)question->type, call, err);
}

static void discard(struct recursor_call *call, struct reply *reply)
{
	(void)call;
	reply_release(reply);
}

static void *run(void *object)
{
	struct recursor *recursor = object;
	struct pollfd fds[2] = {
	    {.fd = ub_fd(recursor->ctx), .events = POLLIN},
	    {.fd = recursor->stop_fd, .events = POLLIN},
	};

	for (;;) {
		if (poll(fds, 2, -1) < 0)
			continue;
		if (fds[1].revents)
			return NULL;
		ub_process(recursor->ctx);
	}
}

/* Signals are for the threads of the program, not for these two.  The first
 * query makes libunbound start its own: "localhost" is never asked of others.
 */
static bool start(struct recursor *recursor, struct err *err)
{
	sigset_t all, before;
	bool fine;

	sigfillset(&all);
	require(pthread_sigmask(SIG_SETMASK, &all, &before) == 0);
	fine = post(recursor, "localhost.", DNS_A, &recursor->first, err);
	if (fine && pthread_create(&recursor->thread, NULL, run, recursor) != 0)
		fine = err_set(err, E_TEMP, "cannot start the DNS thread");
	require(pthread_sigmask(SIG_SETMASK, &before, NULL) == 0);
	return fine;
}

static void free_recursor(struct recursor *recursor)
{
	if (recursor->ctx)
		ub_ctx_delete(recursor->ctx);
	if (recursor->stop_fd >= 0)
		close(recursor->stop_fd);
	memory_free(recursor);
}

bool recursor_open(
    const struct dns_settings *settings, struct recursor **ret, struct err *err)
{
	struct recursor *recursor = MEMORY_NEW(struct recursor);
	bool fine;

	recursor->first.deliver = discard;
	recursor->capacity = capacity_of_process();
	recursor->forwards = settings->server_count > 0;
	recursor->stop_fd = eventfd(0, EFD_CLOEXEC);
	recursor->ctx = ub_ctx_create();
	if (recursor->stop_fd < 0 || !recursor->ctx)
		fine = err_set_errno(err, "cannot create a resolver");
	else
		fine = configure(recursor, settings, err) &&
		       start(recursor, err);
	if (fine)
		*ret = recursor;
	else
		free_recursor(recursor);
	return fine;
}

void recursor_close(struct recursor *recursor)
{
	const uint64_t one = 1;

	require(write(recursor->stop_fd, &one, sizeof(one)) == sizeof(one));
	require(pthread_join(recursor->thread, NULL) == 0);
	free_recursor(recursor);
}

size_t recursor_capacity(const struct recursor *recursor)
{
	return recursor->capacity;
}
