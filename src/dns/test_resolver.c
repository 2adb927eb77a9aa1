/* SPDX-License-Identifier: Apache-2.0 */
#include "dns/resolver.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const char zone_text[] = "$TTL 300\n"
				"$ORIGIN agency.example.\n"
				"@ MX 10 mx1\n"
				"  TXT \"v=spf1 mx -all\"\n"
				"mx1 A 192.0.2.25\n"
				"long 1000000 A 192.0.2.26\n"
				"short 1 A 192.0.2.27\n"
				"down A 192.0.2.28\n"
				"loop CNAME loop\n"
				"xn--bcher-kva A 192.0.2.29\n";

struct world {
	struct arena *arena;
	struct dns_resolver *resolver;
	struct limits limits;
};

static const struct dns_failure failures[] = {
    {.name = SLICE_INIT("DOWN.agency.example."),
	.type = DNS_A,
	.timeout = true},
    {.name = SLICE_INIT("broken.agency.example"), .any_type = true},
};

static struct dns_settings settings(void)
{
	return (struct dns_settings){
	    .zone_text = slice_from(zone_text),
	    .failure_count = 2,
	    .failures = failures,
	    .cache_bytes = 1024 * 1024,
	    .cache_min_ttl = 5,
	    .cache_max_ttl = 86400,
	    .cache_negative_ttl = 60,
	};
}

static int setup(void **state)
{
	struct arena *arena = arena_new(0);
	struct world *world = ARENA_NEW(arena, struct world);
	const struct dns_settings given = settings();
	struct err err;

	world->arena = arena;
	world->limits = limits_default;
	if (!dns_resolver_open(&given, &world->resolver, &err))
		fail_msg("%s", err.text);
	*state = world;
	return 0;
}

static int teardown(void **state)
{
	struct world *world = *state;

	dns_resolver_release(world->resolver);
	arena_free(world->arena);
	return 0;
}

static struct dns_session *session_of(struct world *world)
{
	return dns_session_new(
	    world->arena, world->resolver, &world->limits, DEADLINE_NEVER);
}

static void test_answers(void **state)
{
	static const struct {
		const char *name;
		enum dns_type type;
		enum dns_status status;
		const char *rcode;
		uint32_t ttl;
		bool has_problem;
	} cases[] = {
	    {"Agency.Example.", DNS_TXT, DNS_FOUND, "NOERROR", 300, false},
	    {"mx1.agency.example", DNS_A, DNS_FOUND, "NOERROR", 300, false},
	    {"mx1.agency.example", DNS_AAAA, DNS_NODATA, "NOERROR", 60, false},
	    {"no.agency.example", DNS_A, DNS_NXDOMAIN, "NXDOMAIN", 60, false},
	    {"long.agency.example", DNS_A, DNS_FOUND, "NOERROR", 86400, false},
	    {"short.agency.example", DNS_A, DNS_FOUND, "NOERROR", 5, false},
	    {"down.agency.example", DNS_A, DNS_TEMPORARY_FAILURE, "TIMEOUT", 0,
		true},
	    {"down.agency.example", DNS_AAAA, DNS_NODATA, "NOERROR", 60, false},
	    {"broken.agency.example", DNS_MX, DNS_TEMPORARY_FAILURE, "SERVFAIL",
		0, true},
	    {"loop.agency.example", DNS_A, DNS_TEMPORARY_FAILURE, "SERVFAIL", 0,
		true},
	    {"b\xc3\xbc"
	     "cher.agency.example",
		DNS_A, DNS_FOUND, "NOERROR", 300, false},
	    {"a..example", DNS_A, DNS_NXDOMAIN, "NXDOMAIN", 0, false},
	    {"", DNS_A, DNS_NXDOMAIN, "NXDOMAIN", 0, false},
	    {"joe blow.example", DNS_A, DNS_NXDOMAIN, "NXDOMAIN", 60, false},
	};
	struct world *world = *state;
	struct dns_session *session = session_of(world);

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct dns_answer *answer = dns_ask(
		    session, slice_from(cases[i].name), cases[i].type);

		if (answer->status != cases[i].status)
			fail_msg("%s: status %d", cases[i].name,
			    (int)answer->status);
		assert_string_equal(answer->rcode, cases[i].rcode);
		assert_int_equal(answer->security, DNS_INSECURE);
		/* A second may pass under us. */
		assert_in_range(answer->ttl,
		    cases[i].ttl ? cases[i].ttl - 1 : 0, cases[i].ttl);
		assert_int_equal(
		    answer->problem[0] != '\0', cases[i].has_problem);
		assert_int_equal(
		    answer->count > 0, answer->status == DNS_FOUND);
	}
}

/* No settings of the cache: nothing is kept, rather than for ever. */
static void test_no_lifetimes(void **state)
{
	struct dns_settings given = {.zone_text = slice_from(zone_text)};
	struct arena *arena = arena_new(0);
	struct dns_resolver *resolver;
	struct dns_session *session;
	struct err err;

	(void)state;
	assert_true(dns_resolver_open(&given, &resolver, &err));
	session = dns_session_new(
	    arena, resolver, &limits_default, DEADLINE_NEVER);
	assert_int_equal(
	    dns_ask(session, SLICE("agency.example"), DNS_TXT)->ttl, 0);
	assert_int_equal(
	    dns_ask(session, SLICE("no.agency.example"), DNS_TXT)->ttl, 0);
	dns_resolver_release(resolver);
	arena_free(arena);
}

static void test_records(void **state)
{
	struct dns_session *session = session_of(*state);
	const struct dns_answer *answer = dns_ask(
	    session, SLICE("agency.example"), DNS_MX);

	assert_int_equal(answer->count, 1);
	assert_int_equal(answer->records[0].preference, 10);
	assert_true(
	    slice_eq(answer->records[0].data, SLICE("mx1.agency.example")));
	answer = dns_ask(session, answer->records[0].data, DNS_A);
	assert_int_equal(answer->count, 1);
	assert_true(slice_eq(answer->records[0].data, SLICE("\xc0\0\2\x19")));
}

static void test_queries_are_recorded_once(void **state)
{
	struct world *world = *state;
	struct dns_session *session = session_of(world);
	const struct dns_query_record *records;
	const struct dns_answer *answer;

	dns_prefetch(session, SLICE("mx1.agency.example"), DNS_A);
	answer = dns_ask(session, SLICE("agency.example"), DNS_MX);
	assert_ptr_equal(
	    answer, dns_ask(session, SLICE("AGENCY.example."), DNS_MX));
	dns_ask(session, SLICE("a..B"), DNS_A);
	dns_ask(session, SLICE("a..b"), DNS_A);
	assert_int_equal(dns_session_queries(session, &records), 3);
	assert_true(slice_eq(records[0].name, SLICE("mx1.agency.example")));
	assert_int_equal(records[0].type, DNS_A);
	assert_null(records[0].answer);
	assert_true(slice_eq(records[1].name, SLICE("agency.example")));
	assert_ptr_equal(records[1].answer, answer);
	assert_true(slice_eq(records[2].name, SLICE("a..b")));
}

static void test_query_ceiling(void **state)
{
	struct world *world = *state;
	const struct dns_query_record *records;
	const struct dns_answer *answer;
	struct dns_session *session;

	world->limits.dns_queries = 2;
	session = session_of(world);
	dns_ask(session, SLICE("a.example"), DNS_A);
	dns_ask(session, SLICE("b.example"), DNS_A);
	dns_prefetch(session, SLICE("c.example"), DNS_A);
	assert_false(dns_session_exhausted(session));
	answer = dns_ask(session, SLICE("c.example"), DNS_A);
	assert_true(dns_session_exhausted(session));
	assert_int_equal(answer->status, DNS_TEMPORARY_FAILURE);
	assert_string_equal(answer->problem,
	    "over 2 DNS queries for one message (limits.dns_queries)");
	/* What was asked before is still answered. */
	answer = dns_ask(session, SLICE("b.example"), DNS_A);
	assert_int_equal(answer->status, DNS_NXDOMAIN);
	assert_int_equal(dns_session_queries(session, &records), 2);
	assert_int_equal(dns_session_refused(session), 1);
}

static void test_many_queries(void **state)
{
	struct world *world = *state;
	struct dns_session *session = session_of(world);
	const struct dns_query_record *records;

	for (int i = 0; i < 100; i++)
		dns_ask(session,
		    arena_format_slice(world->arena, "n%d.example", i), DNS_A);
	assert_int_equal(dns_session_queries(session, &records), 100);
	for (int i = 0; i < 100; i++) {
		assert_true(slice_eq(records[i].name,
		    arena_format_slice(world->arena, "n%d.example", i)));
		assert_non_null(records[i].answer);
	}
}

/* The session's arena keeps the resolver alive. */
static void test_release_before_session(void **state)
{
	const struct dns_settings given = settings();
	struct arena *arena = arena_new(0);
	struct dns_resolver *resolver;
	struct dns_session *session;
	struct err err;

	(void)state;
	assert_true(dns_resolver_open(&given, &resolver, &err));
	session = dns_session_new(
	    arena, resolver, &limits_default, DEADLINE_NEVER);
	dns_resolver_release(resolver);
	assert_int_equal(
	    dns_ask(session, SLICE("agency.example"), DNS_TXT)->status,
	    DNS_FOUND);
	arena_free(arena);
}

static void test_bad_settings(void **state)
{
	const struct dns_failure bad = {.name = SLICE_INIT("a..b")};
	struct dns_settings given = settings();
	struct dns_resolver *resolver = NULL;
	struct err err;

	(void)state;
	given.zone_text = SLICE("a A 1\n");
	assert_false(dns_resolver_open(&given, &resolver, &err));
	assert_int_equal(err.kind, E_CONFIG);
	given = settings();
	given.failures = &bad;
	given.failure_count = 1;
	assert_false(dns_resolver_open(&given, &resolver, &err));
	assert_int_equal(err.kind, E_CONFIG);
	given.failure_count = 0;
	given.zone_file = SLICE("/nonexistent/zone");
	assert_false(dns_resolver_open(&given, &resolver, &err));
	assert_int_equal(err.kind, E_NOT_FOUND);
	assert_null(resolver);
}

static void test_type_names(void **state)
{
	enum dns_type type = DNS_A;

	(void)state;
	assert_string_equal(dns_type_name(DNS_TLSA), "TLSA");
	assert_true(dns_type_from_name(SLICE("txt"), &type));
	assert_int_equal(type, DNS_TXT);
	assert_false(dns_type_from_name(SLICE("NAPTR"), &type));
}

#define WITH_WORLD(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    WITH_WORLD(test_answers),
	    cmocka_unit_test(test_no_lifetimes),
	    WITH_WORLD(test_records),
	    WITH_WORLD(test_queries_are_recorded_once),
	    WITH_WORLD(test_query_ceiling),
	    WITH_WORLD(test_many_queries),
	    cmocka_unit_test(test_release_before_session),
	    cmocka_unit_test(test_bad_settings),
	    cmocka_unit_test(test_type_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
