/* SPDX-License-Identifier: Apache-2.0 */
/* Whom a field, however disguised, could be taken for. */
#include "auth/authres.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* clang-format off */
static const struct claim_case {
	const char *value;
	bool ours;
} claim_cases[] = {
    {"mx1.agency.example; spf=pass", true},
    {"; mx1.agency.example; spf=pass", true},
    {"(x) ;; mx1.agency.example", true},
    {";\r\n\t(x;y) mx1.agency.example; spf=pass", true},
    {"; mx.bank.example; spf=pass smtp.helo=mx1.agency.example", false},
    {" MX1.Agency.Example 1; none", true},
    {"\r\n\tmx1.agency.example;\r\n\tspf=pass", true},
    {"(hello) mx1.agency.example (x) 1; none", true},
    {"(a;b) mx1.agency.example; none", true},
    {"\"mx1.agency.example\"; none", true},
    {"\"mx1\\.agency.example\"; none", true},
    {"mx1.agency.example.; none", true},
    {"mx1.agency.example/1; none", true},
    {"mx1.agency.example", true},
    {"mx1.agency.example spf=pass", true},
    {"mx1.agency.example=; spf=pass", true},
    {"mx1.agency.\r\n example; none", true},
    {"mx1.agency.\r\n example 1; none", true},
    {"mx1.agency\x01.example; none", true},
    {"x mx1.agency.example; none", true},
    {"<mx1.agency.example>; none", true},
    {"(unclosed mx1.agency.example; none", true},
    {"\"unclosed; mx1.agency.example; none", true},
    /* the first semicolon, as the most cautious reader finds it */
    {"(a\\);b) mx1.agency.example; none", true},
    {"\"a\\\";b\" mx1.agency.example; none", true},
    {"\\\"a;\" mx1.agency.example; none", true},
    {"a\\; mx1.agency.example; none", false},
    {"\"a\\\\\"; mx1.agency.example", false},
    {"(a\\\\); mx1.agency.example", true},
    {"a); mx1.agency.example", false},
    {"\"(\"; mx1.agency.example", false},
    /* quotes and comments inside the name, dropped as they are understood */
    {"mx1.agency.(x)example; none", true},
    {"mx1.agency(a(b)c).example; none", true},
    {"mx1.\"agency\".example; none", true},
    {"mx1(\"a).agency.example; none", true},
    {"mx1(\"a).agency(b).example; none", true},
    {"\"(\"mx1.\"agency\".example; none", true},
    {"a)mx1.\"agency\".example; none", true},
    {"(mx1.agency.\r\n example) b; none", true},
    {"mx1.(agency.)example; none", false},
    {"mx2.agency.example; none", false},
    {"agency.example; none", false},
    {"xmx1.agency.example; none", false},
    {"a.mx1.agency.example; none", false},
    {"mx1.agency.example.net; none", false},
    {"mx1.agency.example.a; none", false},
    {"mx.b.example; spf=pass smtp.helo=mx1.agency.example", false},
    {"mx.b.example; reason=\"mx1.agency.example\"", false},
    {"", false},
};
/* clang-format on */

static void test_claims(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(claim_cases) / sizeof(*claim_cases);
	     i++) {
		struct arena *arena = arena_new(0);

		if (authres_claims(arena, slice_from(claim_cases[i].value),
			SLICE("mx1.agency.example"),
			SLICE("")) != claim_cases[i].ours)
			fail_msg("%s", claim_cases[i].value);
		/* Nobody has the name "". */
		assert_false(authres_claims(arena,
		    slice_from(claim_cases[i].value), SLICE(""), SLICE("")));
		arena_free(arena);
	}
}

/* Hosts of agency.example. */
static void test_claims_of_a_domain(void **state)
{
	static const struct {
		const char *value;
		bool ours;
	} rows[] = {
	    {"agency.example; spf=pass", true},
	    {"mx2.AGENCY.example.; spf=pass", true},
	    {"a.b.agency.example 1; spf=pass", true},
	    {"mx2.agency.example1; spf=pass", true},
	    {"(x) \"mx2.agency\".example; spf=pass", true},
	    {"mx2.agency.example.net; spf=pass", false},
	    {"mx2.notagency.example; spf=pass", false},
	    {"example; spf=pass", false},
	    {"mx.b.example; spf=pass smtp.helo=agency.example", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct arena *arena = arena_new(0);

		if (authres_claims(arena, slice_from(rows[i].value),
			SLICE("id.example"),
			SLICE("agency.example")) != rows[i].ours)
			fail_msg("%s", rows[i].value);
		arena_free(arena);
	}
}

static void test_anonymous(void **state)
{
	static const struct {
		const char *value;
		bool anonymous;
	} cases[] = {
	    {" spf=pass (x) a.b=c", true},
	    {"\r\n\tdkim = none", true},
	    {"spf/1=pass", true},
	    {"x-own-domain=pass", true},
	    {"; spf=pass", true},
	    {"a=b", true},
	    {"spf=", true},
	    {"(ab) spf (a) = pass", true},
	    {"(abc)spf=pass", true},
	    {"((a)b) spf=pass", true},
	    {"(a\\)b) spf=pass", true},
	    {"mx.example; spf=pass", false},
	    {"mx spf=pass", false},
	    {"spf", false},
	    {"=pass", false},
	    {"@=pass", false},
	    {"\\spf=pass", false},
	    {") spf=pass", false},
	    {"(spf=pass", false},
	    {"", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		if (authres_is_anonymous(slice_from(cases[i].value)) !=
		    cases[i].anonymous)
			fail_msg("%s", cases[i].value);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_claims),
	    cmocka_unit_test(test_claims_of_a_domain),
	    cmocka_unit_test(test_anonymous),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
