/* SPDX-License-Identifier: Apache-2.0 */
/* How much sessions hold of large answers, from a real name server. */
#include "dns/resolver.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include "dns/resolver_private.h"
#include "dns/test_server.h"

#define A50 "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeee"
#define A250 A50 A50 A50 A50 A50
#define TXT1000 "\"" A250 "\" \"" A250 "\" \"" A250 "\" \"" A250 "\" "
#define TXT4000 TXT1000 TXT1000 TXT1000 TXT1000 "\n"

static const struct test_zone zone = {.name = "agency.example",
    .text = "ns A 127.0.0.1\nmx1 A 192.0.2.25\n*.big TXT " TXT4000
	    "huge TXT 1 " TXT4000 "huge TXT 2 " TXT4000 "huge TXT 3 " TXT4000};

struct world {
	struct test_server server;
	struct metrics *metrics;
};

static int start(void **state)
{
	struct world *world = test_calloc(1, sizeof(*world));

	test_server_start(&world->server, &zone, 1);
	world->metrics = test_server_metrics();
	*state = world;
	return 0;
}

static int stop(void **state)
{
	struct world *world = *state;

	test_server_stop(&world->server);
	metrics_use(NULL);
	metrics_close(world->metrics);
	test_free(world);
	return 0;
}

static struct dns_resolver *open_forwarder(
    const struct world *world, uint64_t cache_bytes)
{
	struct ip loopback;
	const struct dns_settings settings = {
	    .server_count = 1,
	    .servers = &loopback,
	    .server_ports = &world->server.port,
	    .cache_bytes = cache_bytes,
	    .cache_max_ttl = 86400,
	    .cache_negative_ttl = 60,
	    .query_timeout_ms = 5000,
	};
	struct dns_resolver *resolver = NULL;
	struct err err;

	assert_true(ip_parse(SLICE("127.0.0.1"), &loopback));
	if (!dns_resolver_open(&settings, &resolver, &err))
		fail_msg("%s", err.text);
	return resolver;
}

static struct slice big_name(struct arena *arena, unsigned int i)
{
	return arena_format_slice(arena, "n%u.big.agency.example", i);
}

/* Answers of 4 KB in a session that may hold 64 KB.  Those that were asked for
 * before count too when they are used. */
static void test_memory_of_answers(void **state)
{
	struct dns_resolver *resolver = open_forwarder(*state, 1024 * 1024);
	struct limits limits = limits_default;

	limits.dns_memory = 64 * 1024;
	for (unsigned int cached = 0; cached < 2; cached++) {
		struct arena *arena = arena_new(0);
		struct dns_session *session = dns_session_new(
		    arena, resolver, &limits, DEADLINE_NEVER);
		const struct dns_answer *answer = NULL;
		unsigned int i = 0;

		for (; i < 30; i++) {
			dns_prefetch(session, big_name(arena, i + 1), DNS_TXT);
			answer = dns_ask(session, big_name(arena, i), DNS_TXT);
			if (answer->status != DNS_FOUND)
				break;
			assert_int_equal(answer->records[0].data.len, 4000);
			assert_false(dns_session_exhausted(session));
		}
		assert_in_range(i, 6, 16);
		assert_true(answer->over_limit);
		assert_true(dns_session_exhausted(session));
		assert_string_equal(answer->problem,
		    "over 65536 octets of DNS answers for one message "
		    "(limits.dns_memory)");
		/* What is small still has room; what was there stays. */
		assert_int_equal(
		    dns_ask(session, SLICE("mx1.agency.example"), DNS_A)
			->status,
		    DNS_FOUND);
		assert_int_equal(
		    dns_ask(session, big_name(arena, 0), DNS_TXT)->status,
		    DNS_FOUND);
		arena_free(arena);
	}
	dns_resolver_release(resolver);
}

/* Nobody waits for a large answer as it comes: it is let go, and found again
 * when it is asked for, where the cache cannot keep it too. */
static void test_large_answers_wait_for_nobody(void **state)
{
	const struct world *world = *state;

	for (unsigned int cached = 0; cached < 2; cached++) {
		struct arena *arena = arena_new(0);
		struct dns_resolver *resolver = open_forwarder(
		    world, cached ? 1024 * 1024 : 0);
		struct dns_session *session = dns_session_new(
		    arena, resolver, &limits_default, DEADLINE_NEVER);
		struct question question;
		struct request *request;
		struct reply *reply;

		assert_true(resolver_question(resolver, arena,
		    SLICE("huge.agency.example"), DNS_TXT, &question));
		resolver_post(resolver, &question, &reply, &request);
		assert_non_null(request);
		while (metrics_read(world->metrics, METRIC_DNS_IN_FLIGHT, 0))
			usleep(1000);
		reply = resolver_peek(resolver, request);
		assert_int_equal(reply != NULL, cached);
		reply_release(reply);
		assert_false(
		    resolver_wait(resolver, request, DEADLINE_NEVER, &reply));
		resolver_leave(resolver, request);
		assert_int_equal(
		    dns_ask(session, SLICE("huge.agency.example"), DNS_TXT)
			->count,
		    3);
		arena_free(arena);
		dns_resolver_release(resolver);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_memory_of_answers),
	    cmocka_unit_test(test_large_answers_wait_for_nobody),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
