/* SPDX-License-Identifier: Apache-2.0 */
/* The libunbound backend, forwarding to a real name server with signed zones,
 * and to one that never answers. */
#include "dns/resolver.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#include "dns/resolver_private.h"
#include "dns/test_server.h"

enum { CAPACITY = 4096 }; /* with enough descriptors */

#define A50 "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeee"
#define A250 A50 A50 A50 A50 A50
#define TXT1000 "\"" A250 "\" \"" A250 "\" \"" A250 "\" \"" A250 "\" "

static const struct test_zone zones[] = {
    {.name = "agency.example",
	.text = "ns A 127.0.0.1\n"
		"@ MX 10 mx1\n@ MX 20 MX2.other.EXAMPLE.\n"
		"@ TXT \"v=spf1 \" \"mx -all\"\n"
		"mx1 A 192.0.2.25\n"
		"mx1 AAAA 2001:db8::25\n"
		"_25._tcp.mx1 TLSA 3 1 1 00112233445566778899aabbccddeeff"
		"00112233445566778899aabbccddeeff\n"
		"alias CNAME mx1\n"
		"away CNAME nothing\n"
		"loop CNAME loop2\nloop2 CNAME loop\n"
		"null MX 0 .\n"
		"a.b TXT here\n"
		"*.many A 192.0.2.7\n"
		"delegated NS ns.elsewhere.example.\n"
		"toreferral CNAME x.delegated\n"
		"joe\\032blow A 192.0.2.8\n"
		"longlived 1000000 A 192.0.2.9\n"
		"shortlived 0 A 192.0.2.10\n"
		"large TXT " TXT1000 TXT1000 TXT1000 TXT1000 "\n"},
    {.name = "mail.test", .text = "ns A 127.0.0.1\n@ TXT reserved\n"},
    {.name = "10.in-addr.arpa",
	.text = "@ TXT x\n5.0.0 PTR Host.Agency.Example.\n"},
    {.name = "signed.example",
	.sign = true,
	.text = "ns A 127.0.0.1\n@ MX 10 mx1\nmx1 A 192.0.2.25\n"
		"_25._tcp.mx1 TLSA 3 1 1 00112233445566778899aabbccddeeff"
		"00112233445566778899aabbccddeeff\n"
		"toinsecure CNAME mx1.agency.example.\n"},
    {.name = "broken.example",
	.sign = true,
	.find = "192.0.2.66",
	.put = "192.0.2.67",
	.text = "ns A 127.0.0.1\nforged A 192.0.2.66\n"
		"good A 192.0.2.68\n"},
};

struct world {
	struct test_server server;
	char anchors[80];
	int silent_fd;
	uint16_t silent_port;
	struct ip loopback;
	struct metrics *metrics;
};

static int64_t counted(const struct world *world, enum metric metric)
{
	return metrics_read(world->metrics, metric, 0);
}

/* A resolver's capacity is a quarter of the descriptors: 256 where the limit
 * is Debian's 1024, fewer than test_many_threads asks at one time. */
static void raise_descriptor_limit(void)
{
	struct rlimit limit;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	limit.rlim_cur = limit.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

static int start(void **state)
{
	struct world *world = test_calloc(1, sizeof(*world));

	raise_descriptor_limit();
	test_server_start(
	    &world->server, zones, sizeof(zones) / sizeof(zones[0]));
	world->silent_fd = test_server_silent(&world->silent_port);
	snprintf(world->anchors, sizeof(world->anchors), "%s/anchors",
	    world->server.folder);
	assert_true(ip_parse(SLICE("127.0.0.1"), &world->loopback));
	world->metrics = test_server_metrics();
	*state = world;
	return 0;
}

static int stop(void **state)
{
	struct world *world = *state;

	test_server_stop(&world->server);
	close(world->silent_fd);
	metrics_use(NULL);
	metrics_close(world->metrics);
	test_free(world);
	return 0;
}

static struct dns_settings settings_of(
    const struct world *world, const uint16_t *port)
{
	return (struct dns_settings){
	    .server_count = 1,
	    .servers = &world->loopback,
	    .server_ports = port,
	    .trust_anchor = slice_from(world->anchors),
	    .cache_bytes = 16 * 1024 * 1024,
	    .cache_min_ttl = 5,
	    .cache_max_ttl = 86400,
	    .cache_negative_ttl = 60,
	    .query_timeout_ms = 5000,
	};
}

static struct dns_resolver *open_resolver(const struct dns_settings *settings)
{
	struct dns_resolver *resolver = NULL;
	struct err err;

	if (!dns_resolver_open(settings, &resolver, &err))
		fail_msg("%s", err.text);
	return resolver;
}

static struct dns_resolver *open_forwarder(struct world *world)
{
	struct dns_settings settings = settings_of(world, &world->server.port);

	return open_resolver(&settings);
}

static struct dns_session *new_session(
    struct arena *arena, struct dns_resolver *resolver)
{
	return dns_session_new(
	    arena, resolver, &limits_default, DEADLINE_NEVER);
}

static const struct {
	const char *name;
	enum dns_type type;
	enum dns_status status;
	enum dns_security security;
	const char *rcode;
	size_t count;
	uint32_t ttl; /* at most, and at least a second less */
} answer_cases[] = {
    {"agency.example", DNS_MX, DNS_FOUND, DNS_INSECURE, "NOERROR", 2, 300},
    {"Alias.agency.example", DNS_A, DNS_FOUND, DNS_INSECURE, "NOERROR", 1, 300},
    {"longlived.agency.example", DNS_A, DNS_FOUND, DNS_INSECURE, "NOERROR", 1,
	86400},
    {"shortlived.agency.example", DNS_A, DNS_FOUND, DNS_INSECURE, "NOERROR", 1,
	5},
    {"large.agency.example", DNS_TXT, DNS_FOUND, DNS_INSECURE, "NOERROR", 1,
	300},
    {"joe blow.agency.example", DNS_A, DNS_FOUND, DNS_INSECURE, "NOERROR", 1,
	300},
    {"mx1.agency.example", DNS_TXT, DNS_NODATA, DNS_INSECURE, "NOERROR", 0, 60},
    {"b.agency.example", DNS_TXT, DNS_NODATA, DNS_INSECURE, "NOERROR", 0, 60},
    {"no.agency.example", DNS_A, DNS_NXDOMAIN, DNS_INSECURE, "NXDOMAIN", 0, 60},
    {"away.agency.example", DNS_A, DNS_NXDOMAIN, DNS_INSECURE, "NXDOMAIN", 0,
	60},
    {"a..example", DNS_A, DNS_NXDOMAIN, DNS_INSECURE, "NXDOMAIN", 0, 0},
    {"loop.agency.example", DNS_A, DNS_TEMPORARY_FAILURE, DNS_INSECURE,
	"SERVFAIL", 0, 0},
    {"refused.example.net", DNS_A, DNS_TEMPORARY_FAILURE, DNS_INSECURE,
	"SERVFAIL", 0, 0},
    /* nsd does not resolve what it delegates */
    {"x.delegated.agency.example", DNS_TXT, DNS_TEMPORARY_FAILURE, DNS_INSECURE,
	"SERVFAIL", 0, 0},
    {"delegated.agency.example", DNS_MX, DNS_TEMPORARY_FAILURE, DNS_INSECURE,
	"SERVFAIL", 0, 0},
    {"toreferral.agency.example", DNS_TXT, DNS_TEMPORARY_FAILURE, DNS_INSECURE,
	"SERVFAIL", 0, 0},
    {"mail.test", DNS_TXT, DNS_FOUND, DNS_INSECURE, "NOERROR", 1, 300},
    {"5.0.0.10.in-addr.arpa", DNS_PTR, DNS_FOUND, DNS_INSECURE, "NOERROR", 1,
	300},
    {"mx1.signed.example", DNS_A, DNS_FOUND, DNS_SECURE, "NOERROR", 1, 300},
    {"_25._tcp.mx1.signed.example", DNS_TLSA, DNS_FOUND, DNS_SECURE, "NOERROR",
	1, 300},
    {"mx1.signed.example", DNS_TLSA, DNS_NODATA, DNS_SECURE, "NOERROR", 0, 60},
    {"no.signed.example", DNS_A, DNS_NXDOMAIN, DNS_SECURE, "NXDOMAIN", 0, 60},
    {"toinsecure.signed.example", DNS_A, DNS_FOUND, DNS_INSECURE, "NOERROR", 1,
	300},
    {"good.broken.example", DNS_A, DNS_FOUND, DNS_SECURE, "NOERROR", 1, 300},
    {"forged.broken.example", DNS_A, DNS_TEMPORARY_FAILURE, DNS_BOGUS,
	"SERVFAIL", 0, 0},
};

static void test_answers(void **state)
{
	struct dns_resolver *resolver = open_forwarder(*state);
	struct arena *arena = arena_new(0);
	struct dns_session *session = new_session(arena, resolver);
	int64_t bogus = counted(*state, METRIC_DNS_BOGUS);

	for (size_t i = 0; i < sizeof(answer_cases) / sizeof(answer_cases[0]);
	     i++) {
		const struct dns_answer *answer = dns_ask(session,
		    slice_from(answer_cases[i].name), answer_cases[i].type);

		if (answer->status != answer_cases[i].status)
			fail_msg("%s: status %d, %s", answer_cases[i].name,
			    (int)answer->status, answer->problem);
		if (answer->security != answer_cases[i].security)
			fail_msg("%s: security %d", answer_cases[i].name,
			    (int)answer->security);
		assert_string_equal(answer->rcode, answer_cases[i].rcode);
		assert_int_equal(answer->count, answer_cases[i].count);
		assert_int_equal(answer->records != NULL, answer->count > 0);
		if (answer->ttl > answer_cases[i].ttl ||
		    answer->ttl + 2 < answer_cases[i].ttl)
			fail_msg(
			    "%s: ttl %u", answer_cases[i].name, answer->ttl);
		assert_int_equal(answer->problem[0] != '\0',
		    answer->status == DNS_TEMPORARY_FAILURE);
	}
	assert_int_equal(counted(*state, METRIC_DNS_BOGUS), bogus + 1);
	arena_free(arena);
	dns_resolver_release(resolver);
}

static const struct dns_record *only_record(
    struct dns_session *session, const char *name, enum dns_type type)
{
	const struct dns_answer *answer = dns_ask(
	    session, slice_from(name), type);

	assert_int_equal(answer->count, 1);
	return &answer->records[0];
}

static void test_records(void **state)
{
	struct dns_resolver *resolver = open_forwarder(*state);
	struct arena *arena = arena_new(0);
	struct dns_session *session = new_session(arena, resolver);
	const struct dns_answer *mx = dns_ask(
	    session, SLICE("agency.example"), DNS_MX);
	size_t second = 0;

	/* In any order. */
	while (second < mx->count && mx->records[second].preference != 20)
		second++;
	assert_in_range(second, 0, 1);
	assert_true(
	    slice_eq(mx->records[second].data, SLICE("mx2.other.example")));
	assert_true(
	    slice_eq(only_record(session, "null.agency.example", DNS_MX)->data,
		SLICE("")));
	assert_true(
	    slice_eq(only_record(session, "agency.example", DNS_TXT)->data,
		SLICE("v=spf1 mx -all")));
	assert_true(
	    slice_eq(only_record(session, "mx1.agency.example", DNS_A)->data,
		SLICE("\xc0\0\2\x19")));
	assert_int_equal(
	    only_record(session, "mx1.agency.example", DNS_AAAA)->data.len, 16);
	assert_int_equal(
	    only_record(session, "_25._tcp.mx1.agency.example", DNS_TLSA)
		->data.len,
	    35);
	assert_true(slice_eq(
	    only_record(session, "5.0.0.10.in-addr.arpa", DNS_PTR)->data,
	    SLICE("host.agency.example")));
	assert_true(slice_eq(
	    only_record(session, "alias.agency.example", DNS_CNAME)->data,
	    SLICE("mx1.agency.example")));
	assert_int_equal(
	    only_record(session, "large.agency.example", DNS_TXT)->data.len,
	    4000);
	arena_free(arena);
	dns_resolver_release(resolver);
}

/* The second session is answered from the cache; failures are not kept long,
 * and without a trust anchor nothing is secure, or bogus. */
static void test_cache_and_no_anchor(void **state)
{
	struct world *world = *state;
	struct dns_settings settings = settings_of(world, &world->server.port);
	struct arena *arena = arena_new(0);
	struct dns_resolver *resolver;
	int64_t hits = counted(world, METRIC_DNS_CACHE_HITS);

	settings.trust_anchor = SLICE("");
	resolver = open_resolver(&settings);
	for (int64_t i = 0; i < 3; i++) {
		struct dns_session *session = new_session(arena, resolver);
		const struct dns_answer *answer = dns_ask(
		    session, SLICE("forged.broken.example"), DNS_A);

		assert_int_equal(answer->status, DNS_FOUND);
		assert_int_equal(answer->security, DNS_INSECURE);
		dns_ask(session, SLICE("no.agency.example"), DNS_A);
		assert_int_equal(
		    counted(world, METRIC_DNS_CACHE_HITS), hits + 2 * i);
	}
	arena_free(arena);
	dns_resolver_release(resolver);
}

static void test_failures_are_injected(void **state)
{
	const struct dns_failure failure = {
	    .name = SLICE_INIT("agency.example"), .type = DNS_MX};
	struct world *world = *state;
	struct dns_settings settings = settings_of(world, &world->server.port);
	struct arena *arena = arena_new(0);
	struct dns_resolver *resolver;
	struct dns_session *session;

	settings.failure_count = 1;
	settings.failures = &failure;
	resolver = open_resolver(&settings);
	session = new_session(arena, resolver);
	assert_int_equal(
	    dns_ask(session, SLICE("agency.example"), DNS_MX)->status,
	    DNS_TEMPORARY_FAILURE);
	assert_int_equal(
	    dns_ask(session, SLICE("agency.example"), DNS_TXT)->status,
	    DNS_FOUND);
	arena_free(arena);
	dns_resolver_release(resolver);
}

/* Which time runs out first, and who says so. */
static void test_time_runs_out(void **state)
{
	static const struct {
		uint64_t query_ms, time_ms;
		int64_t deadline_ms;
		const char *limit;
		bool exhausted;
	} cases[] = {
	    {300, 10000, 10000, "limits.dns_query_timeout", false},
	    {10000, 300, 10000, "limits.dns_time", true},
	    {10000, 10000, 300, "deadline of the transaction", true},
	};
	struct world *world = *state;
	struct dns_settings settings = settings_of(world, &world->silent_port);

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct dns_resolver *resolver = open_resolver(&settings);
		struct arena *arena = arena_new(0);
		struct limits limits = limits_default;
		const struct dns_answer *answer;
		struct dns_session *session;
		int64_t start_ms = clock_monotonic_ms();

		limits.dns_query_timeout = cases[i].query_ms;
		limits.dns_time = cases[i].time_ms;
		session = dns_session_new(arena, resolver, &limits,
		    deadline_in(cases[i].deadline_ms));
		answer = dns_ask(session, SLICE("dead.example"), DNS_A);
		assert_in_range(clock_monotonic_ms() - start_ms, 290, 900);
		assert_int_equal(answer->status, DNS_TEMPORARY_FAILURE);
		assert_string_equal(answer->rcode, "TIMEOUT");
		assert_non_null(strstr(answer->problem, cases[i].limit));
		assert_int_equal(
		    dns_session_exhausted(session), cases[i].exhausted);
		/* Both go while the request is still under way. */
		arena_free(arena);
		dns_resolver_release(resolver);
	}
}

/* The times of a message's queries add up. */
static void test_time_adds_up(void **state)
{
	struct world *world = *state;
	struct dns_settings settings = settings_of(world, &world->silent_port);
	struct dns_resolver *resolver = open_resolver(&settings);
	struct arena *arena = arena_new(0);
	struct limits limits = limits_default;
	const struct dns_answer *answer;
	struct dns_session *session;
	int64_t start_ms = clock_monotonic_ms();

	limits.dns_query_timeout = 300;
	limits.dns_time = 400;
	session = dns_session_new(arena, resolver, &limits, DEADLINE_NEVER);
	dns_ask(session, SLICE("a.example"), DNS_A);
	answer = dns_ask(session, SLICE("b.example"), DNS_A);
	assert_non_null(strstr(answer->problem, "limits.dns_time"));
	answer = dns_ask(session, SLICE("c.example"), DNS_A);
	assert_non_null(strstr(answer->problem, "limits.dns_time"));
	assert_in_range(clock_monotonic_ms() - start_ms, 390, 599);
	arena_free(arena);
	dns_resolver_release(resolver);
}

/* For some seconds nobody else waits for a name that timed out; queries that
 * were started together wait together. */
static void test_silent_server_costs_once(void **state)
{
	struct world *world = *state;
	struct dns_settings settings = settings_of(world, &world->silent_port);
	struct arena *arena = arena_new(0);
	struct dns_resolver *resolver;
	int64_t hits = counted(world, METRIC_DNS_CACHE_HITS);
	int64_t start_ms = clock_monotonic_ms();

	settings.query_timeout_ms = 300;
	resolver = open_resolver(&settings);
	for (int i = 0; i < 10; i++) {
		struct dns_session *session = new_session(arena, resolver);

		dns_prefetch(session, SLICE("dead.example"), DNS_A);
		dns_prefetch(session, SLICE("dead.example"), DNS_AAAA);
		dns_prefetch(session, SLICE("dead.example"), DNS_TXT);
		dns_ask(session, SLICE("dead.example"), DNS_A);
		dns_ask(session, SLICE("dead.example"), DNS_AAAA);
		dns_ask(session, SLICE("dead.example"), DNS_TXT);
	}
	assert_in_range(clock_monotonic_ms() - start_ms, 290, 900);
	assert_int_equal(counted(world, METRIC_DNS_IN_FLIGHT), 3);
	assert_int_equal(counted(world, METRIC_DNS_CACHE_HITS), hits + 27);
	arena_free(arena);
	dns_resolver_release(resolver);
}

/* A place in the table of queries is for whoever asks in earnest: what is asked
 * ahead takes some, and none while few are left. */
static void test_places_for_questions(void **state)
{
	enum { NAMES = 100 };
	struct world *world = *state;
	struct dns_settings settings = settings_of(world, &world->silent_port);
	struct arena *arena = arena_new(0);
	struct dns_resolver *resolver;
	int64_t before;

	settings.query_timeout_ms = 300;
	resolver = open_resolver(&settings);
	before = counted(world, METRIC_DNS_IN_FLIGHT);
	for (int i = 0; i < 200; i++) {
		struct dns_session *session = new_session(arena, resolver);

		for (int n = 0; n < NAMES; n++)
			dns_prefetch(session,
			    arena_format_slice(arena, "n%d.s%d.example", n, i),
			    DNS_TXT);
		if (i > 0)
			continue;
		assert_in_range(
		    counted(world, METRIC_DNS_IN_FLIGHT) - before, 8, 32);
		dns_ask(session, SLICE("n99.s0.example"), DNS_TXT);
		assert_in_range(
		    counted(world, METRIC_DNS_IN_FLIGHT) - before, 9, 33);
	}
	assert_in_range(
	    counted(world, METRIC_DNS_IN_FLIGHT), 2900, CAPACITY * 3 / 4 + 1);
	/* It is asked, and in vain: no limit is named. */
	assert_false(dns_ask(
	    new_session(arena, resolver), SLICE("honest.example"), DNS_TXT)
			 ->over_limit);
	arena_free(arena);
	dns_resolver_release(resolver);
}

/* The answer comes between the end of the wait and what is told of it. */
static void test_answer_after_the_time(void **state)
{
	struct dns_resolver *resolver = open_forwarder(*state);
	struct arena *arena = arena_new(0);
	struct reply *reply, *failure;
	struct question question;
	struct request *request;

	assert_true(resolver_question(
	    resolver, arena, SLICE("agency.example"), DNS_MX, &question));
	resolver_post(resolver, &question, &reply, &request);
	assert_non_null(request);
	assert_true(resolver_wait(resolver, request, DEADLINE_NEVER, &reply));
	reply_release(reply);
	failure = reply_failure(DNS_INSECURE, "TIMEOUT", "too late");
	resolver_timed_out(resolver, request, failure);
	reply_release(failure);
	resolver_leave(resolver, request);
	resolver_post(resolver, &question, &reply, &request);
	assert_null(request);
	assert_int_equal(reply->answer.status, DNS_FOUND);
	reply_release(reply);
	dns_resolver_release(resolver);
	arena_free(arena);
}

enum { THREADS = 16, QUERIES = 500 };

struct job {
	struct dns_resolver *resolver;
	unsigned int failed;
	char problem[256]; /* of the last that failed */
	pthread_t thread;
};

static struct slice many_name(struct arena *arena, unsigned int i)
{
	return arena_format_slice(arena, "n%u.many.agency.example", i);
}

static void *ask_many(void *object)
{
	struct job *job = object;
	struct arena *arena = arena_new(0);
	struct limits limits = limits_default;
	struct dns_session *session;

	limits.dns_queries = QUERIES;
	session = dns_session_new(
	    arena, job->resolver, &limits, DEADLINE_NEVER);
	for (unsigned int i = 0; i < QUERIES; i++)
		dns_prefetch(session, many_name(arena, i), DNS_A);
	for (unsigned int i = 0; i < QUERIES; i++) {
		const struct dns_answer *answer = dns_ask(
		    session, many_name(arena, i), DNS_A);

		if (answer->status == DNS_FOUND)
			continue;
		job->failed++;
		snprintf(
		    job->problem, sizeof(job->problem), "%s", answer->problem);
	}
	arena_free(arena);
	return NULL;
}

/* The same 500 names by 16 threads, all at one time. */
static void test_many_threads(void **state)
{
	struct dns_resolver *resolver = open_forwarder(*state);
	struct job jobs[THREADS] = {0};

	for (int i = 0; i < THREADS; i++) {
		jobs[i].resolver = resolver;
		assert_int_equal(
		    pthread_create(&jobs[i].thread, NULL, ask_many, &jobs[i]),
		    0);
	}
	for (int i = 0; i < THREADS; i++)
		pthread_join(jobs[i].thread, NULL);
	for (int i = 0; i < THREADS; i++)
		if (jobs[i].failed)
			fail_msg(
			    "%u failed: %s", jobs[i].failed, jobs[i].problem);
	assert_int_equal(counted(*state, METRIC_DNS_IN_FLIGHT), 0);
	dns_resolver_release(resolver);
}

static void *ask_and_go(void *object)
{
	struct job *job = object;

	for (unsigned int i = 0; i < QUERIES / THREADS; i++) {
		struct arena *arena = arena_new(0);
		struct dns_session *session = new_session(arena, job->resolver);

		for (unsigned int n = 0; n < 8; n++)
			dns_prefetch(
			    session, many_name(arena, 8 * i + n), DNS_TXT);
		dns_ask(session, many_name(arena, 8 * i), DNS_TXT);
		arena_free(arena);
	}
	dns_resolver_release(job->resolver);
	return NULL;
}

/* Sessions end while their requests are under way, and the last thread takes
 * the resolver with it. */
static void test_sessions_end_early(void **state)
{
	struct dns_resolver *resolver = open_forwarder(*state);
	struct job jobs[THREADS] = {0};

	for (int i = 0; i < THREADS; i++) {
		jobs[i].resolver = dns_resolver_hold(resolver);
		assert_int_equal(
		    pthread_create(&jobs[i].thread, NULL, ask_and_go, &jobs[i]),
		    0);
	}
	dns_resolver_release(resolver);
	for (int i = 0; i < THREADS; i++)
		pthread_join(jobs[i].thread, NULL);
}

/* No list of keys; and what libunbound takes, to validate nothing from then on.
 */
static void test_bad_trust_anchor(void **state)
{
	static const char *const texts[] = {
	    "server:\n", "", "\n \n", "; no key\n"};
	struct world *world = *state;
	struct dns_settings settings = settings_of(world, &world->server.port);
	struct dns_resolver *resolver = NULL;
	char path[100];
	struct err err;

	snprintf(path, sizeof(path), "%s/bad", world->server.folder);
	settings.trust_anchor = slice_from(path);
	assert_false(dns_resolver_open(&settings, &resolver, &err));
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		FILE *file = fopen(path, "w");

		assert_non_null(file);
		fputs(texts[i], file);
		fclose(file);
		assert_false(dns_resolver_open(&settings, &resolver, &err));
		assert_int_equal(err.kind, E_CONFIG);
		assert_non_null(strstr(err.text, path));
		assert_null(resolver);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_answers),
	    cmocka_unit_test(test_records),
	    cmocka_unit_test(test_cache_and_no_anchor),
	    cmocka_unit_test(test_failures_are_injected),
	    cmocka_unit_test(test_time_runs_out),
	    cmocka_unit_test(test_time_adds_up),
	    cmocka_unit_test(test_silent_server_costs_once),
	    cmocka_unit_test(test_places_for_questions),
	    cmocka_unit_test(test_answer_after_the_time),
	    cmocka_unit_test(test_many_threads),
	    cmocka_unit_test(test_sessions_end_early),
	    cmocka_unit_test(test_bad_trust_anchor),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
