/* SPDX-License-Identifier: Apache-2.0 */
/* When a session waits, from a real name server and one that is silent: not
 * amid a peek, and not unobserved. */
#include "dns/resolver.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include "dns/test_server.h"

static const struct test_zone zone = {.name = "agency.example",
    .text = "ns A 127.0.0.1\n@ MX 10 mx1\n@ TXT here\n"};

struct world {
	struct test_server server;
	int silent_fd;
	uint16_t silent_port;
};

static int start(void **state)
{
	struct world *world = test_calloc(1, sizeof(*world));

	test_server_start(&world->server, &zone, 1);
	world->silent_fd = test_server_silent(&world->silent_port);
	*state = world;
	return 0;
}

static int stop(void **state)
{
	struct world *world = *state;

	test_server_stop(&world->server);
	close(world->silent_fd);
	test_free(world);
	return 0;
}

static struct dns_resolver *open_forwarder(
    const uint16_t *port, uint64_t query_timeout_ms)
{
	struct ip loopback;
	const struct dns_settings settings = {
	    .server_count = 1,
	    .servers = &loopback,
	    .server_ports = port,
	    .cache_bytes = 1024 * 1024,
	    .cache_max_ttl = 86400,
	    .cache_negative_ttl = 60,
	    .query_timeout_ms = query_timeout_ms,
	};
	struct dns_resolver *resolver = NULL;
	struct err err;

	assert_true(ip_parse(SLICE("127.0.0.1"), &loopback));
	if (!dns_resolver_open(&settings, &resolver, &err))
		fail_msg("%s", err.text);
	return resolver;
}

static struct dns_session *new_session(
    struct arena *arena, struct dns_resolver *resolver)
{
	return dns_session_new(
	    arena, resolver, &limits_default, DEADLINE_NEVER);
}

/* What is not there yet is missed, at once, and not remembered as a failure;
 * what is there is what everybody gets. */
static void test_peek(void **state)
{
	struct world *world = *state;
	struct dns_resolver *resolver = open_forwarder(
	    &world->server.port, 5000);
	struct arena *arena = arena_new(0);
	struct dns_session *session = new_session(arena, resolver);
	const struct slice name = SLICE("agency.example");
	const struct dns_answer *early, *answer;
	bool complete;

	/* On a busy machine the answer may be there at once. */
	dns_peek_begin(session);
	early = dns_ask(session, name, DNS_TXT);
	complete = dns_peek_end(session);
	assert_int_equal(
	    early->status, complete ? DNS_FOUND : DNS_TEMPORARY_FAILURE);
	for (int i = 0; i < 500; i++) {
		dns_peek_begin(session);
		early = dns_ask(session, name, DNS_TXT);
		if (dns_peek_end(session))
			break;
		usleep(10 * 1000);
	}
	assert_int_equal(early->status, DNS_FOUND);
	answer = dns_ask(session, name, DNS_TXT);
	assert_ptr_equal(answer, early);
	/* Missed in a peek, waited for after it. */
	dns_peek_begin(session);
	dns_ask(session, name, DNS_MX);
	(void)dns_peek_end(session);
	assert_int_equal(dns_ask(session, name, DNS_MX)->status, DNS_FOUND);
	/* A name that cannot be one needs no waiting. */
	dns_peek_begin(session);
	dns_ask(session, SLICE("a..b"), DNS_A);
	assert_true(dns_peek_end(session));
	arena_free(arena);
	dns_resolver_release(resolver);
}

struct waits {
	int begun, ended;
};

static void note_begin(void *context)
{
	struct waits *waits = context;

	assert_int_equal(waits->begun++, waits->ended);
}

static void note_end(void *context)
{
	struct waits *waits = context;

	assert_int_equal(waits->begun, ++waits->ended);
}

static void observe(struct dns_session *session, struct waits *waits)
{
	const struct dns_wait_observer observer = {note_begin, note_end, waits};

	dns_session_observe_waits(session, &observer);
}

/* Who holds something is told each time that an answer is not there. */
static void test_waits_are_observed(void **state)
{
	struct world *world = *state;
	struct dns_resolver *resolver = open_forwarder(
	    &world->silent_port, 100);
	struct arena *arena = arena_new(0);
	struct dns_session *session = new_session(arena, resolver);
	struct waits waits = {0};

	observe(session, &waits);
	dns_peek_begin(session);
	dns_ask(session, SLICE("dead.example"), DNS_A);
	assert_false(dns_peek_end(session));
	assert_int_equal(waits.begun, 0);
	dns_ask(session, SLICE("dead.example"), DNS_A);
	dns_ask(session, SLICE("dead.example"), DNS_MX);
	assert_int_equal(waits.begun, 2);
	assert_int_equal(waits.ended, 2);
	/* The answer that there is none. */
	dns_ask(session, SLICE("dead.example"), DNS_A);
	assert_int_equal(waits.begun, 2);
	arena_free(arena);
	dns_resolver_release(resolver);
}

/* And is not where it has come meanwhile: that has to cost nothing. */
static void test_no_wait_is_observed(void **state)
{
	struct world *world = *state;
	struct dns_resolver *resolver = open_forwarder(
	    &world->server.port, 5000);
	struct arena *arena = arena_new(0);
	struct dns_session *session = new_session(arena, resolver);
	struct dns_session *other = new_session(arena, resolver);
	const struct slice name = SLICE("agency.example");
	struct waits waits = {0};

	observe(session, &waits);
	dns_prefetch(session, name, DNS_TXT);
	dns_ask(other, name, DNS_TXT);
	dns_ask(other, name, DNS_MX);
	assert_int_equal(dns_ask(session, name, DNS_TXT)->status, DNS_FOUND);
	assert_int_equal(dns_ask(session, name, DNS_MX)->status, DNS_FOUND);
	dns_ask(session, SLICE("a..b"), DNS_A);
	assert_int_equal(waits.begun, 0);
	arena_free(arena);
	dns_resolver_release(resolver);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_peek),
	    cmocka_unit_test(test_waits_are_observed),
	    cmocka_unit_test(test_no_wait_is_observed),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
