/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/intermediary.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define PASSED "mx.lists.example; dmarc=pass header.from=a.example"
#define FAILED "mx.lists.example; dmarc=fail header.from=a.example"

/* clang-format off */
static const struct seal_case {
	enum arc_result result;
	const char *sealers[3], *results[3];
	bool matched;
} seal_cases[] = {
    {ARC_PASS, {"lists.example"}, {PASSED}, true},
    {ARC_PASS, {"lists.example"}, {FAILED}, false},
    {ARC_FAIL, {"lists.example"}, {PASSED}, false},
    {ARC_TEMPERROR, {"lists.example"}, {PASSED}, false},
    {ARC_PASS, {"LISTS.example"}, {PASSED}, true},
    {ARC_PASS, {"x.lists.example"}, {PASSED}, false},
    {ARC_PASS, {"stranger.example"}, {PASSED}, false},
    {ARC_PASS, {"lists.example", "stranger.example"}, {PASSED, PASSED}, false},
    /* what a stranger sealed first is not the trusted sealer's word */
    {ARC_PASS, {"stranger.example", "lists.example"}, {PASSED, FAILED}, false},
    {ARC_PASS, {"stranger.example", "lists.example"}, {FAILED, PASSED}, true},
    {ARC_PASS, {"lists.example", "stranger.example", "lists.example"}, {PASSED, PASSED, FAILED}, false},
    /* two trusted ones: the first hop's word */
    {ARC_PASS, {"other.example", "lists.example"}, {PASSED, FAILED}, true},
    {ARC_PASS, {"other.example", "lists.example"}, {FAILED, PASSED}, false},
    /* what it must say */
    {ARC_PASS, {"lists.example"}, {"x; dmarc=pass header.from=b.example"}, false},
    {ARC_PASS, {"lists.example"}, {"x; dmarc=pass header.from=x.a.example"}, false},
    {ARC_PASS, {"lists.example"}, {"x; dkim=pass header.d=a.example"}, true},
    {ARC_PASS, {"lists.example"}, {"x; dkim=pass header.i=@mail.a.example"}, true},
    {ARC_PASS, {"lists.example"}, {"x; dkim=pass header.d=b.example"}, false},
    {ARC_PASS, {"lists.example"}, {"x; dkim=pass header.d=example"}, false},
    /* it knows the author's strictness and public suffixes, we do not */
    {ARC_PASS, {"lists.example"}, {"x; dkim=pass header.d=evil.a.example; dmarc=fail header.from=a.example"}, false},
    {ARC_PASS, {"lists.example"}, {"x; dmarc=fail (p=REJECT) header.from=A.example; spf=pass smtp.mailfrom=evil.a.example"}, false},
    {ARC_PASS, {"lists.example"}, {"x; dmarc=fail header.from=b.example; dkim=pass header.d=mail.a.example"}, true},
    {ARC_PASS, {"lists.example"}, {"x; dmarc=none header.from=a.example; dkim=pass header.d=mail.a.example"}, true},
    {ARC_PASS, {"lists.example"}, {"x; dmarc=temperror header.from=a.example; dkim=pass header.d=mail.a.example"}, true},
    {ARC_PASS, {"lists.example"}, {"x; dkim=fail header.d=a.example"}, false},
    {ARC_PASS, {"lists.example"}, {"x; spf=pass smtp.mailfrom=u@a.example"}, true},
    {ARC_PASS, {"lists.example"}, {"x; spf=pass smtp.mailfrom=a.example"}, true},
    {ARC_PASS, {"lists.example"}, {"x; spf=pass smtp.helo=a.example"}, false},
    {ARC_PASS, {"lists.example"}, {"x; arc=pass header.from=a.example"}, false},
    {ARC_PASS, {"lists.example"}, {"x; none"}, false},
    {ARC_PASS, {"lists.example"}, {"x (dmarc=pass header.from=a.example); none"}, false},
    {ARC_PASS, {"lists.example"}, {"x; spf=fail reason=\"; dmarc=pass header.from=a.example\""}, false},
    {ARC_PASS, {"lists.example"}, {""}, false},
    {ARC_PASS, {"lists.example"}, {"mx.google.com; dkim=pass header.i=@a.example header.s=x header.b=A/+=; dmarc=pass (p=NONE sp=QUARANTINE dis=NONE) header.from=a.example"}, true},
    {ARC_PASS, {"lists.example"}, {"mx.microsoft.com 1; spf=pass smtp.mailfrom=a.example; dmarc=pass action=none header.from=a.example; dkim=pass header.d=a.example; arc=none"}, true},
};
/* clang-format on */

static const struct conf_intermediary sealers[] = {
    {.arc_sealer = SLICE_INIT("other.example")},
    {.arc_sealer = SLICE_INIT("lists.example"),
	.reason = SLICE_INIT("our lists")},
};

static void test_seals(void **state)
{
	static const struct slice from = SLICE_INIT("a.example");

	(void)state;
	for (size_t i = 0; i < sizeof(seal_cases) / sizeof(*seal_cases); i++) {
		const struct seal_case *test = &seal_cases[i];
		struct arena *arena = arena_new(0);
		struct slice names[3], results[3];
		struct arc_outcome arc = {
		    .result = test->result, .from_signed = true};
		struct intermediary_input input = {
		    .count = 2,
		    .list = sealers,
		    .arc = &arc,
		    .from_count = 1,
		    .from = &from,
		};
		struct intermediary_outcome outcome;

		for (; arc.sealer_count < 3 && test->sealers[arc.sealer_count];
		     arc.sealer_count++) {
			names[arc.sealer_count] = slice_from(
			    test->sealers[arc.sealer_count]);
			results[arc.sealer_count] = slice_from(
			    test->results[arc.sealer_count]);
		}
		arc.sealer = names[arc.sealer_count - 1];
		arc.sealers = names;
		arc.results = results;
		outcome = intermediary_find(arena, &input);
		/* The same chain, but nobody signed From. */
		arc.from_signed = false;
		assert_false(intermediary_find(arena, &input).matched);
		if (outcome.matched != test->matched)
			fail_msg("%zu: %s: %.*s", i, test->results[0],
			    SLICE_ARGS(outcome.reason));
		assert_int_equal(outcome.entry != NULL, outcome.matched);
		assert_true(outcome.reason.len > 0);
		arena_free(arena);
	}
}

static void test_every_from_domain(void **state)
{
	static const struct slice from[] = {
	    SLICE_INIT("a.example"), SLICE_INIT("b.example")};
	static const struct slice sealer = SLICE_INIT("lists.example");
	static const struct slice results = SLICE_INIT(PASSED);
	struct arena *arena = arena_new(0);
	struct arc_outcome arc = {.result = ARC_PASS,
	    .from_signed = true,
	    .sealer = sealer,
	    .sealer_count = 1,
	    .sealers = &sealer,
	    .results = &results};
	struct intermediary_input input = {.count = 2,
	    .list = sealers,
	    .arc = &arc,
	    .from_count = 2,
	    .from = from};
	struct intermediary_outcome outcome;

	(void)state;
	assert_false(intermediary_find(arena, &input).matched);
	input.from_count = 0;
	assert_false(intermediary_find(arena, &input).matched);
	input.from_count = 1;
	outcome = intermediary_find(arena, &input);
	assert_true(outcome.matched);
	assert_string_equal(arena_text(arena, outcome.reason),
	    "ARC chain sealed by lists.example passes, and its first hop saw "
	    "dmarc pass for a.example (our lists)");
	arena_free(arena);
}

static void test_others(void **state)
{
	static const struct {
		struct conf_intermediary entry;
		const char *client, *name, *dkim_domain;
		enum dkim_result dkim;
		bool matched;
	} few[] = {
	    {{.host = SLICE_INIT("r.p.example")}, "", "R.P.example", "", 0,
		true},
	    {{.host = SLICE_INIT("r.p.example")}, "", "x.r.p.example", "", 0,
		false},
	    {{.host = SLICE_INIT("*.p.example")}, "", "x.r.p.example", "", 0,
		true},
	    {{.host = SLICE_INIT("*.p.example")}, "", "p.example", "", 0,
		false},
	    {{.host = SLICE_INIT("*.p.example")}, "", "xp.example", "", 0,
		false},
	    {{.host = SLICE_INIT("*.p.example")}, "", "", "", 0, false},
	    {{.dkim_domain = SLICE_INIT("p.example")}, "", "", "p.example",
		DKIM_PASS, true},
	    {{.dkim_domain = SLICE_INIT("p.example")}, "", "", "p.example",
		DKIM_FAIL, false},
	    {{.dkim_domain = SLICE_INIT("p.example")}, "", "", "x.p.example",
		DKIM_PASS, false},
	    {{.reason = SLICE_INIT("nothing set")}, "192.0.2.1", "", "", 0,
		false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(few) / sizeof(*few); i++) {
		struct arena *arena = arena_new(0);
		struct dkim_outcome dkim = {.result = few[i].dkim,
		    .domain = slice_from(few[i].dkim_domain)};
		struct intermediary_input input = {
		    .count = 1,
		    .list = &few[i].entry,
		    .client_name = slice_from(few[i].name),
		    .dkim_count = 1,
		    .dkim = &dkim,
		};

		ip_parse(slice_from(few[i].client), &input.client_ip);
		if (intermediary_find(arena, &input).matched != few[i].matched)
			fail_msg("%zu", i);
		arena_free(arena);
	}
}

static void test_networks(void **state)
{
	struct ip_network networks[2];
	struct conf_intermediary entry = {
	    .networks = {.count = 2, .items = networks}};
	struct intermediary_input input = {.count = 1, .list = &entry};
	struct arena *arena = arena_new(0);

	(void)state;
	assert_true(
	    ip_network_parse(SLICE("192.0.2.0/28"), &networks[0], NULL));
	assert_true(
	    ip_network_parse(SLICE("2001:db8::/32"), &networks[1], NULL));
	assert_false(intermediary_find(arena, &input).matched);
	ip_parse(SLICE("192.0.2.15"), &input.client_ip);
	assert_true(intermediary_find(arena, &input).matched);
	ip_parse(SLICE("192.0.2.16"), &input.client_ip);
	assert_false(intermediary_find(arena, &input).matched);
	ip_parse(SLICE("2001:db8::1"), &input.client_ip);
	assert_true(intermediary_find(arena, &input).matched);
	arena_free(arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_seals),
	    cmocka_unit_test(test_every_from_domain),
	    cmocka_unit_test(test_others),
	    cmocka_unit_test(test_networks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
