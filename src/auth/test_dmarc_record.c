/* SPDX-License-Identifier: Apache-2.0 */
/* Policy records: RFC 9989 sections 4.7, 4.8 and 4.10.1. */
#include "auth/dmarc_record.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void test_version(void **state)
{
	static const struct {
		const char *text;
		bool is_record;
	} cases[] = {
	    {"v=DMARC1", true},
	    {"v=DMARC1;", true},
	    {"v=DMARC1; p=none", true},
	    {"v = DMARC1 ;p=none", true},
	    {"V=DMARC1;p=none", true},
	    {"v=DMARC1 p=none", false},
	    {"v=dmarc1; p=none", false},
	    {"v=DMARC1x; p=none", false},
	    {"v=DMARC2; p=none", false},
	    {" v=DMARC1; p=none", false},
	    {"p=none; v=DMARC1", false},
	    {"\"v=DMARC1\"; p=none", false},
	    {"v=spf1 -all", false},
	    {"v", false},
	    {"", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		if (dmarc_record_is(slice_from(cases[i].text)) !=
		    cases[i].is_record)
			fail_msg("%s", cases[i].text);
}

#define N DMARC_POLICY_NONE
#define Q DMARC_POLICY_QUARANTINE
#define R DMARC_POLICY_REJECT

/* clang-format off */
static const struct policy_case {
	const char *tags;
	bool usable;
	enum dmarc_policy p, sp, np;
} policy_cases[] = {
    {"p=none", true, N, N, N},
    {"p=quarantine", true, Q, Q, Q},
    {"p=reject", true, R, R, R},
    {"p = Reject ; SP=None", true, R, N, N},
    {"p=reject;sp=quarantine;np=none", true, R, Q, N},
    {"p=none;np=reject", true, N, N, R},
    {"p=reject;;; sp=none;", true, R, N, N},
    {"unknown=1;p=reject;x", true, R, R, R},
    {"p=reject;p=none", true, R, R, R},
    {"rua=mailto:a@b.example;p=reject", true, R, R, R},
    {"pct=0;p=reject;ri=1;rf=x", true, R, R, R},
    /* 4.10.1: no valid policy, and something to report to */
    {"rua=mailto:a@b.example", true, N, N, N},
    {"p=block;rua=mailto:a@b.example", true, N, N, N},
    {"p=;rua=mailto:a@b.example", true, N, N, N},
    {"p=rej\xc3\xa9;rua=mailto:a@b.example", true, N, N, N},
    {"p=reject;sp=bounce;rua=mailto:a@b.example", true, N, N, N},
    {"p=reject;np=;rua=mailto:a@b.example!10m", true, N, N, N},
    {"p=x;rua=bogus, https://r.example/d", true, N, N, N},
    {"p=x;rua=mailto:d%2Cm@b.example", true, N, N, N},
    {"p=x;rua=mailto:d%2C", true, N, N, N},
    {"p=x;rua=mailto:~d@b.example", true, N, N, N},
    {"p=x;rua=a+b-c.d2:e", true, N, N, N},
    {"p;rua=mailto:a@b.example", true, N, N, N},
    /* and nothing to report to */
    {"", false, N, N, N},
    {"adkim=s", false, N, N, N},
    {"p=block", false, N, N, N},
    {"p=reject;sp=bounce", false, N, N, N},
    {"p=reject;np=bounce;rua=a@b.example", false, N, N, N},
    {"p=x;rua=", false, N, N, N},
    {"p=x;rua=nothing", false, N, N, N},
    {"p=x;rua=:a", false, N, N, N},
    {"p=x;rua=<mailto:a@b.example>", false, N, N, N},
    {"p=x;rua=mailto:a b@b.example", false, N, N, N},
    {"p=x;rua=mailto:a%4@b.example", false, N, N, N},
    {"p=x;rua=mailto:a%4", false, N, N, N},
    {"p=x;rua=mailto:a%g0", false, N, N, N},
    {"p=x;rua=mailto:a%0g", false, N, N, N},
    {"p=x;rua=1a:b", false, N, N, N},
    {"p=x;rua=a_b:c", false, N, N, N},
    {"p=x;rua=mailto:a@b.example,\x01", false, N, N, N},
    {"p=x;rua=mailto:a@b.example,\x7f", false, N, N, N},
};
/* clang-format on */

static struct dmarc_record parse(struct arena *arena, const char *tags)
{
	struct slice text = arena_format_slice(arena, "v=DMARC1; %s", tags);

	assert_true(dmarc_record_is(text));
	return dmarc_record_parse(arena, text);
}

static void test_policies(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(policy_cases) / sizeof(*policy_cases);
	     i++) {
		const struct policy_case *test = &policy_cases[i];
		struct arena *arena = arena_new(0);
		struct dmarc_record record = parse(arena, test->tags);

		if (record.usable != test->usable || record.policy != test->p ||
		    record.subdomain_policy != test->sp ||
		    record.nonexistent_policy != test->np)
			fail_msg("%s: %d %s %s %s", test->tags, record.usable,
			    dmarc_policy_name(record.policy),
			    dmarc_policy_name(record.subdomain_policy),
			    dmarc_policy_name(record.nonexistent_policy));
		arena_free(arena);
	}
}

static void test_flags(void **state)
{
	static const struct {
		const char *tags;
		bool testing, strict_spf, strict_dkim;
		enum dmarc_psd psd;
	} cases[] = {
	    {"", false, false, false, DMARC_PSD_UNKNOWN},
	    {"t=y;aspf=s;adkim=s;psd=y", true, true, true, DMARC_PSD_YES},
	    {"t=Y;aspf=S;adkim=S;psd=N", true, true, true, DMARC_PSD_NO},
	    {"t=n;aspf=r;adkim=r;psd=u", false, false, false,
		DMARC_PSD_UNKNOWN},
	    {"t=yes;aspf=x;adkim=strict;psd=maybe", false, false, false,
		DMARC_PSD_UNKNOWN},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct arena *arena = arena_new(0);
		struct dmarc_record record = parse(arena, cases[i].tags);

		if (record.testing != cases[i].testing ||
		    record.strict_spf != cases[i].strict_spf ||
		    record.strict_dkim != cases[i].strict_dkim ||
		    record.psd != cases[i].psd)
			fail_msg("%s", cases[i].tags);
		arena_free(arena);
	}
}

static void test_problems(void **state)
{
	static const struct {
		const char *tags, *problem;
	} cases[] = {
	    {"p=none", ""},
	    {"p=none; pct=100", ""},
	    {"p=none; unknown=1", ""},
	    {"p=none; fo=1:d:s", ""},
	    {"p=none; fo=d:0", ""},
	    {"p=none; fo= 1 : d ", ""},
	    {"p=none; fo=1:x", "fo= is malformed: 0 counts"},
	    {"p=none; fo=0:1", "fo= is malformed: 0 counts"},
	    {"p=none; fo=d:d", "fo= is malformed: 0 counts"},
	    {"p=none; fo=x", "fo= is malformed: 0 counts"},
	    {"p=none; pct=50", "pct= no longer exists and is not applied"},
	    {"p=none; t=maybe", "t= has an unknown value: the default counts"},
	    {"p=none; p=none", "p= is repeated: the first one counts"},
	    {"t=y", "p= is missing: without a valid rua= the record is not "
		    "used"},
	    {"p=x;rua=mailto:",
		"p= is not none, quarantine or reject: treated as p=none "
		"because there is a rua="},
	    {"p=none;ruf=x", "ruf= holds something that is not a URI"},
	    {"p=none;rua=", "rua= holds something that is not a URI"},
	    {"p=none;rua=mailto:a@b.example, x",
		"rua= holds something that is not a URI"},
	    {"p=none;rua=mailto:a@b.example , mailto:c@b.example", ""},
	    {"p=none; psd=u", ""},
	    {"p=none; psd=x", "psd= has an unknown value: u counts"},
	    {"p=none; ri=1; rf=afrf",
		"ri= no longer exists and is not applied; "
		"rf= no longer exists and is not applied"},
	    {"p=none; sp=x; np=y",
		"sp= is not none, quarantine or reject; "
		"np= is not none, quarantine or reject: without a valid rua= "
		"the record is not used"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct arena *arena = arena_new(0);
		struct dmarc_record record = parse(arena, cases[i].tags);

		assert_string_equal(
		    arena_text(arena, record.problem), cases[i].problem);
		arena_free(arena);
	}
}

static void test_values(void **state)
{
	struct arena *arena = arena_new(0);
	struct dmarc_record record = parse(
	    arena, "p=none; rua=mailto:a@b.example,x; ruf=a:b");

	(void)state;
	assert_true(slice_eq(record.rua, SLICE("mailto:a@b.example,x")));
	assert_true(slice_eq(record.ruf, SLICE("a:b")));
	record = parse(arena, "p=none; ruf=x");
	assert_true(slice_empty(record.ruf));
	arena_free(arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_version),
	    cmocka_unit_test(test_policies),
	    cmocka_unit_test(test_flags),
	    cmocka_unit_test(test_problems),
	    cmocka_unit_test(test_values),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
