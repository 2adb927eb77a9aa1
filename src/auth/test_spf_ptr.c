/* SPDX-License-Identifier: Apache-2.0 */
/* Names that lead back to the client: RFC 7208 sections 4.6.4, 5.5 and 7.3. */
#include "auth/spf_ptr.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/limits.h"
#include "dns/dns_test.h"
#include "dns/name.h"

/* clang-format off */
static const char zone[] =
"$TTL 300\n"
"1.2.0.192.in-addr.arpa. IN PTR mail.other.example.\n"
"1.2.0.192.in-addr.arpa. IN PTR x.p.example.\n"
"1.2.0.192.in-addr.arpa. IN PTR p.example.\n"
"2.2.0.192.in-addr.arpa. IN PTR x.q.example.\n"
"2.2.0.192.in-addr.arpa. IN PTR X.P.example.\n"
"3.2.0.192.in-addr.arpa. IN PTR mail.other.example.\n"
/* leads elsewhere, nowhere, to no answer, to another family */
"4.2.0.192.in-addr.arpa. IN PTR p.example.\n"
"5.2.0.192.in-addr.arpa. IN PTR gone.p.example.\n"
"6.2.0.192.in-addr.arpa. IN PTR down.p.example.\n"
"7.2.0.192.in-addr.arpa. IN PTR six.p.example.\n"
"8.2.0.192.in-addr.arpa. IN TXT \"no names\"\n"
"p.example.            IN A 192.0.2.1\n"
"x.p.example.          IN A 192.0.2.1\n"
"x.p.example.          IN A 192.0.2.2\n"
"x.q.example.          IN A 192.0.2.2\n"
"mail.other.example.   IN A 192.0.2.1\n"
"mail.other.example.   IN A 192.0.2.3\n"
"six.p.example.        IN AAAA 2001:db8::7\n"
"7.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa. IN PTR six.p.example.\n";

static const struct {
	const char *client;
	bool matches;		/* ptr:p.example */
	const char *best;	/* %{p} in a record of p.example */
	bool found_nothing;
	size_t queries;
} cases[] = {
    {"192.0.2.1", true, "p.example", false, 3},
    {"192.0.2.2", true, "x.p.example", false, 2},
    {"192.0.2.3", false, "mail.other.example", false, 2},
    {"192.0.2.4", false, "unknown", false, 2},
    {"192.0.2.5", false, "unknown", false, 2},
    {"192.0.2.6", false, "unknown", false, 2},
    {"192.0.2.7", false, "unknown", false, 2},
    {"192.0.2.8", false, "unknown", true, 1},
    {"192.0.2.9", false, "unknown", true, 1},
    {"192.0.2.10", false, "unknown", false, 1},
    {"2001:db8::7", true, "six.p.example", false, 2},
    /* see add_names */
    {"192.0.2.110", true, "last.p.example", false, 11},
    {"192.0.2.111", false, "unknown", false, 11},
};
/* clang-format on */

/* Ten names, of which the last is a valid one; and one more in front. */
static void add_names(struct buf *text)
{
	for (int client = 110; client <= 111; client++) {
		for (int i = 1; i < client - 100; i++)
			buf_add_format(text,
			    "%d.2.0.192.in-addr.arpa. IN PTR n%d.p.example.\n",
			    client, i);
		buf_add_format(text,
		    "%d.2.0.192.in-addr.arpa. IN PTR last.p.example.\n"
		    "last.p.example. IN A 192.0.2.%d\n",
		    client, client);
	}
}

static struct dns_resolver *open_zone(struct arena *arena)
{
	static const struct dns_failure failures[] = {
	    {.name = SLICE_INIT("down.p.example"), .any_type = true},
	    {.name = SLICE_INIT("10.2.0.192.in-addr.arpa"), .any_type = true},
	};
	struct buf *text = buf_in_arena(arena, 65536);

	buf_add_text(text, zone);
	add_names(text);
	return dns_test_open(buf_slice(text), 2, failures);
}

static void test_names(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct arena *arena = arena_new(0);
		struct dns_resolver *resolver = open_zone(arena);
		struct slice domain = SLICE("p.example"), best;
		const struct dns_query_record *queries;

		/* Whichever is asked first, nothing is asked twice. */
		for (int first = 0; first < 2; first++) {
			struct dns_session *dns = dns_test_session(
			    arena, resolver);
			struct spf_ptr ptr = {0};
			struct ip ip;
			bool matches = false;

			assert_true(ip_parse(slice_from(cases[i].client), &ip));
			spf_ptr_ask(&ptr, arena, dns, &ip);
			spf_ptr_ask(&ptr, arena, dns, &ip);
			if (first)
				matches = spf_ptr_matches(
				    &ptr, dns, &ip, domain);
			best = spf_ptr_best_name(&ptr, dns, &ip, domain);
			if (!first)
				matches = spf_ptr_matches(
				    &ptr, dns, &ip, domain);
			if (matches != cases[i].matches ||
			    !slice_eq(best, slice_from(cases[i].best)) ||
			    ptr.found_nothing != cases[i].found_nothing ||
			    dns_session_queries(dns, &queries) !=
				cases[i].queries)
				fail_msg("%s, %d: %d %.*s %d %zu",
				    cases[i].client, first, matches,
				    SLICE_ARGS(best), ptr.found_nothing,
				    dns_session_queries(dns, &queries));
		}
		arena_free(arena);
		dns_resolver_release(resolver);
	}
}

/* All that suit are asked for at once, those that do not are not. */
static void test_prefetch(void **state)
{
	static const struct {
		const char *domain;
		size_t count; /* of names that are asked for, in this order */
		const char *names[3];
	} rows[] = {
	    {"p.example", 2, {"x.p.example", "p.example"}},
	    {"example", 3, {"mail.other.example", "x.p.example", "p.example"}},
	    {"q.example", 0, {NULL}},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct arena *arena = arena_new(0);
		struct dns_resolver *resolver = open_zone(arena);
		struct dns_session *dns = dns_test_session(arena, resolver);
		const struct dns_query_record *queries;
		struct spf_ptr ptr = {0};
		struct ip ip;

		assert_true(ip_parse(SLICE("192.0.2.1"), &ip));
		spf_ptr_ask(&ptr, arena, dns, &ip);
		spf_ptr_ask(&ptr, arena, dns, &ip);
		assert_int_equal(ptr.count, 3);
		assert_int_equal(
		    spf_ptr_matches(&ptr, dns, &ip, slice_from(rows[i].domain)),
		    rows[i].count > 0);
		assert_int_equal(
		    dns_session_queries(dns, &queries), 1 + rows[i].count);
		for (size_t j = 0; j < rows[i].count; j++)
			assert_true(slice_eq_nocase(
			    queries[1 + j].name, slice_from(rows[i].names[j])));
		arena_free(arena);
		dns_resolver_release(resolver);
	}
}

/* A record may say %{p} as often as it likes: that takes memory once. */
static void test_asked_again(void **state)
{
	struct arena *arena = arena_new(0);
	struct dns_resolver *resolver = open_zone(arena);
	struct dns_session *dns = dns_test_session(arena, resolver);
	struct spf_ptr ptr = {0};
	struct ip ip;
	size_t size;

	(void)state;
	assert_true(ip_parse(SLICE("192.0.2.111"), &ip));
	spf_ptr_ask(&ptr, arena, dns, &ip);
	spf_ptr_best_name(&ptr, dns, &ip, SLICE("p.example"));
	size = arena_size(arena);
	for (int i = 0; i < 1000; i++)
		spf_ptr_best_name(&ptr, dns, &ip, SLICE("p.example"));
	assert_int_equal(arena_size(arena), size);
	arena_free(arena);
	dns_resolver_release(resolver);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_names),
	    cmocka_unit_test(test_prefetch),
	    cmocka_unit_test(test_asked_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
