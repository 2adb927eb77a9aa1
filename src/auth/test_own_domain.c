/* SPDX-License-Identifier: Apache-2.0 */
/* Who may send as us, and the cross-check with the Public Suffix List. */
#include "auth/own_domain.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "auth/psl.h"

static const struct slice accepted[] = {
    SLICE_INIT("agency.example"),
    SLICE_INIT("hr.agency.example"),
    SLICE_INIT("other.example"),
};

static const struct slice exempt[] = {SLICE_INIT("hr.agency.example")};

/* clang-format off */
static const struct own_case {
	const char *mail_from, *from;
	enum spf_result spf;
	const char *spf_domain;
	enum dkim_result dkim;
	const char *dkim_domain;
	enum own_domain_result result;
	enum own_domain_identity identity;
	const char *domain;
} cases[] = {
    /* not ours */
    {"a.example", "b.example", SPF_FAIL, "a.example", DKIM_FAIL, "b.example", OWN_DOMAIN_NONE, 0, ""},
    {"", "", SPF_NONE, "", DKIM_NONE, "", OWN_DOMAIN_NONE, 0, ""},
    {"notagency.example", "agency.example.net", SPF_NONE, "", DKIM_NONE, "", OWN_DOMAIN_NONE, 0, ""},
    /* envelope */
    {"agency.example", "b.example", SPF_PASS, "agency.example", DKIM_NONE, "", OWN_DOMAIN_PASS, OWN_DOMAIN_MAIL_FROM, "agency.example"},
    {"agency.example", "b.example", SPF_FAIL, "agency.example", DKIM_NONE, "", OWN_DOMAIN_FAIL, OWN_DOMAIN_MAIL_FROM, "agency.example"},
    {"agency.example", "b.example", SPF_NONE, "agency.example", DKIM_NONE, "", OWN_DOMAIN_FAIL, OWN_DOMAIN_MAIL_FROM, "agency.example"},
    {"agency.example", "b.example", SPF_NEUTRAL, "agency.example", DKIM_PASS, "agency.example", OWN_DOMAIN_PASS, OWN_DOMAIN_MAIL_FROM, "agency.example"},
    {"agency.example", "b.example", SPF_FAIL, "agency.example", DKIM_PASS, "b.example", OWN_DOMAIN_FAIL, OWN_DOMAIN_MAIL_FROM, "agency.example"},
    {"x.agency.example", "b.example", SPF_FAIL, "x.agency.example", DKIM_NONE, "", OWN_DOMAIN_FAIL, OWN_DOMAIN_MAIL_FROM, "x.agency.example"},
    /* From: */
    {"b.example", "agency.example", SPF_PASS, "b.example", DKIM_NONE, "", OWN_DOMAIN_FAIL, OWN_DOMAIN_HEADER_FROM, "agency.example"},
    {"b.example", "agency.example", SPF_PASS, "b.example", DKIM_PASS, "agency.example", OWN_DOMAIN_PASS, OWN_DOMAIN_HEADER_FROM, "agency.example"},
    {"b.example", "agency.example", SPF_PASS, "b.example", DKIM_PASS, "mail.agency.example", OWN_DOMAIN_PASS, OWN_DOMAIN_HEADER_FROM, "agency.example"},
    {"b.example", "x.y.agency.example", SPF_PASS, "b.example", DKIM_PASS, "agency.example", OWN_DOMAIN_PASS, OWN_DOMAIN_HEADER_FROM, "x.y.agency.example"},
    {"b.example", "agency.example", SPF_PASS, "b.example", DKIM_PASS, "example", OWN_DOMAIN_FAIL, OWN_DOMAIN_HEADER_FROM, "agency.example"},
    {"b.example", "agency.example", SPF_PASS, "b.example", DKIM_POLICY, "agency.example", OWN_DOMAIN_FAIL, OWN_DOMAIN_HEADER_FROM, "agency.example"},
    {"b.example", "agency.example", SPF_PASS, "b.example", DKIM_PASS, "other.example", OWN_DOMAIN_FAIL, OWN_DOMAIN_HEADER_FROM, "agency.example"},
    /* a null sender's SPF domain is HELO's */
    {"", "agency.example", SPF_PASS, "mx1.agency.example", DKIM_NONE, "", OWN_DOMAIN_PASS, OWN_DOMAIN_HEADER_FROM, "agency.example"},
    {"", "agency.example", SPF_PASS, "mx.b.example", DKIM_NONE, "", OWN_DOMAIN_FAIL, OWN_DOMAIN_HEADER_FROM, "agency.example"},
    /* both: the worse one */
    {"agency.example", "other.example", SPF_PASS, "agency.example", DKIM_NONE, "", OWN_DOMAIN_FAIL, OWN_DOMAIN_HEADER_FROM, "other.example"},
    {"agency.example", "agency.example", SPF_FAIL, "agency.example", DKIM_NONE, "", OWN_DOMAIN_FAIL, OWN_DOMAIN_MAIL_FROM, "agency.example"},
    /* temporary errors, where a pass was possible */
    {"agency.example", "b.example", SPF_TEMPERROR, "agency.example", DKIM_NONE, "", OWN_DOMAIN_TEMPERROR, OWN_DOMAIN_MAIL_FROM, "agency.example"},
    {"b.example", "agency.example", SPF_TEMPERROR, "b.example", DKIM_NONE, "", OWN_DOMAIN_FAIL, OWN_DOMAIN_HEADER_FROM, "agency.example"},
    {"b.example", "agency.example", SPF_PASS, "b.example", DKIM_TEMPERROR, "agency.example", OWN_DOMAIN_TEMPERROR, OWN_DOMAIN_HEADER_FROM, "agency.example"},
    {"agency.example", "agency.example", SPF_PASS, "agency.example", DKIM_TEMPERROR, "agency.example", OWN_DOMAIN_PASS, OWN_DOMAIN_MAIL_FROM, "agency.example"},
    /* exempt by a connector, but better authenticated */
    {"hr.agency.example", "b.example", SPF_FAIL, "hr.agency.example", DKIM_NONE, "", OWN_DOMAIN_EXEMPT, OWN_DOMAIN_MAIL_FROM, "hr.agency.example"},
    {"x.hr.agency.example", "b.example", SPF_NONE, "", DKIM_NONE, "", OWN_DOMAIN_EXEMPT, OWN_DOMAIN_MAIL_FROM, "x.hr.agency.example"},
    {"hr.agency.example", "b.example", SPF_PASS, "hr.agency.example", DKIM_NONE, "", OWN_DOMAIN_PASS, OWN_DOMAIN_MAIL_FROM, "hr.agency.example"},
    {"hr.agency.example", "agency.example", SPF_NONE, "", DKIM_NONE, "", OWN_DOMAIN_FAIL, OWN_DOMAIN_HEADER_FROM, "agency.example"},
};
/* clang-format on */

static struct own_domain_outcome check(struct arena *arena,
    const struct own_case *test, struct spf_outcome *spf,
    struct dkim_outcome *dkim, bool subdomains)
{
	struct slice from = slice_from(test->from);
	struct own_domain_input input = {
	    .accepted_count = 3,
	    .accepted = accepted,
	    .subdomains = subdomains,
	    .mail_from = slice_from(test->mail_from),
	    .from_count = from.len > 0,
	    .from = &from,
	    .spf = spf,
	    .dkim_count = 1,
	    .dkim = dkim,
	    .exempt_count = 1,
	    .exempt = exempt,
	};

	spf->result = test->spf;
	spf->domain = slice_from(test->spf_domain);
	dkim->result = test->dkim;
	dkim->domain = slice_from(test->dkim_domain);
	return own_domain_check(arena, &input);
}

static void test_cases(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		const struct own_case *test = &cases[i];
		struct arena *arena = arena_new(0);
		struct spf_outcome spf = {0};
		struct dkim_outcome dkim = {0};
		struct own_domain_outcome outcome = check(
		    arena, test, &spf, &dkim, true);

		if (outcome.result != test->result ||
		    !slice_eq(outcome.domain, slice_from(test->domain)) ||
		    (outcome.domain.len && outcome.identity != test->identity))
			fail_msg("%zu: %s %s: %s %.*s", i, test->mail_from,
			    test->from, own_domain_result_name(outcome.result),
			    SLICE_ARGS(outcome.reason));
		assert_int_equal(
		    outcome.reason.len > 0, outcome.result != OWN_DOMAIN_NONE);
		arena_free(arena);
	}
}

static void test_without_subdomains(void **state)
{
	static const struct {
		struct own_case test;
		enum own_domain_result result;
	} few[] = {
	    {{"x.agency.example", "", SPF_FAIL, "", DKIM_NONE, ""},
		OWN_DOMAIN_NONE},
	    {{"agency.example", "", SPF_FAIL, "", DKIM_NONE, ""},
		OWN_DOMAIN_FAIL},
	    {{"", "agency.example", SPF_NONE, "", DKIM_PASS,
		 "m.agency.example"},
		OWN_DOMAIN_PASS},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(few) / sizeof(*few); i++) {
		struct arena *arena = arena_new(0);
		struct spf_outcome spf = {0};
		struct dkim_outcome dkim = {0};
		struct own_domain_outcome outcome = check(
		    arena, &few[i].test, &spf, &dkim, false);

		assert_int_equal(outcome.result, few[i].result);
		arena_free(arena);
	}
}

/* In words; a record that lets everybody pass proves nothing. */
static void test_reasons(void **state)
{
	static const struct {
		const char *mail_from, *from;
		enum spf_result spf;
		bool everybody;
		enum own_domain_result result;
		const char *reason;
	} reasons[] = {
	    {"agency.example", "", SPF_PASS, false, OWN_DOMAIN_PASS,
		"agency.example in MAIL FROM is authenticated"},
	    {"", "agency.example", SPF_FAIL, false, OWN_DOMAIN_FAIL,
		"agency.example in From: is ours, but neither SPF nor DKIM "
		"passes"},
	    {"agency.example", "", SPF_PASS, true, OWN_DOMAIN_FAIL,
		"agency.example in MAIL FROM is ours, but neither SPF nor "
		"DKIM passes (its SPF record lets everybody pass)"},
	    {"hr.agency.example", "", SPF_PASS, true, OWN_DOMAIN_EXEMPT,
		"hr.agency.example in MAIL FROM may be used by this "
		"connector"},
	    {"agency.example", "", SPF_TEMPERROR, false, OWN_DOMAIN_TEMPERROR,
		"agency.example in MAIL FROM could not be authenticated for a "
		"temporary reason"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(reasons) / sizeof(*reasons); i++) {
		struct arena *arena = arena_new(0);
		struct own_case test = {.mail_from = reasons[i].mail_from,
		    .from = reasons[i].from,
		    .spf = reasons[i].spf,
		    .spf_domain = "agency.example"};
		struct spf_outcome spf = {.everybody = reasons[i].everybody};
		struct dkim_outcome dkim = {0};
		struct own_domain_outcome outcome = check(
		    arena, &test, &spf, &dkim, true);

		assert_int_equal(outcome.result, reasons[i].result);
		assert_string_equal(
		    arena_text(arena, outcome.reason), reasons[i].reason);
		arena_free(arena);
	}
}

/* The longest counts, wherever it stands in the list. */
static void test_longest(void **state)
{
	static const struct slice backwards[] = {
	    SLICE_INIT("x.agency.example"),
	    SLICE_INIT("hr.agency.example"),
	    SLICE_INIT("agency.example"),
	};
	struct own_domain_input input = {
	    .accepted_count = 3, .accepted = backwards, .subdomains = true};

	(void)state;
	assert_true(
	    slice_eq(own_domain_match(&input, SLICE("a.hr.agency.example")),
		SLICE("hr.agency.example")));
	assert_true(slice_eq(own_domain_match(&input, SLICE("agency.example")),
	    SLICE("agency.example")));
}

static void test_names(void **state)
{
	struct own_domain_input input = {
	    .accepted_count = 3, .accepted = accepted, .subdomains = true};

	(void)state;
	assert_true(slice_eq(own_domain_match(&input, SLICE("a.hr.agency."
							    "example")),
	    SLICE("hr.agency.example")));
	assert_true(slice_eq(own_domain_match(&input, SLICE("b.agency."
							    "example")),
	    SLICE("agency.example")));
	assert_string_equal(
	    own_domain_result_name(OWN_DOMAIN_TEMPERROR), "temperror");
	assert_string_equal(
	    own_domain_identity_name(OWN_DOMAIN_HEADER_FROM), "from");
}

static void test_suffix_list(void **state)
{
	static const struct {
		const char *domain, *organizational;
	} list[] = {
	    {"a.b.CO.UK", "b.co.uk"},
	    {"a.b.com.", "b.com"},
	    {"co.uk", ""},
	    {"192.0.2.1", ""},
	    {"2001:db8::1", ""},
	    {"[192.0.2.1]", ""},
	    {"", ""},
	    {"b\xc3\xbc"
	     "cher.example.com",
		"example.com"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(list) / sizeof(*list); i++) {
		struct arena *arena = arena_new(0);
		struct slice found = psl_organizational_domain(
		    arena, slice_from(list[i].domain));

		if (!slice_eq(found, slice_from(list[i].organizational)))
			fail_msg("%s: %.*s", list[i].domain, SLICE_ARGS(found));
		arena_free(arena);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_cases),
	    cmocka_unit_test(test_without_subdomains),
	    cmocka_unit_test(test_reasons),
	    cmocka_unit_test(test_longest),
	    cmocka_unit_test(test_names),
	    cmocka_unit_test(test_suffix_list),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
