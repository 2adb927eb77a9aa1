/* SPDX-License-Identifier: Apache-2.0 */
/* Discovery, alignment and results against a zone: RFC 9989 sections 4.10 and
 * 5.3, and the examples of appendix B. */
#include "auth/dmarc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "auth/dmarc_walk.h"
#include "base/limits.h"
#include "dns/dns_test.h"

/* clang-format off */
static const char zone[] =
"$TTL 300\n"
/* B.4.1, B.4.2 */
"_dmarc.example.com.           IN TXT \"v=DMARC1; p=reject; sp=quarantine\"\n"
"_dmarc.signing.example.com.   IN TXT \"v=DMARC1; p=none\"\n"
/* B.4.3 */
"_dmarc.bank.example.          IN TXT \"v=DMARC1; p=reject; sp=quarantine; psd=y\"\n"
"_dmarc.giant.bank.example.    IN TXT \"v=DMARC1; p=quarantine\"\n"
/* 4.10.2: rules 1 and 3 */
"_dmarc.n.rule.example.        IN TXT \"v=DMARC1; p=quarantine; psd=n\"\n"
"_dmarc.rule.example.          IN TXT \"v=DMARC1; p=reject\"\n"
"_dmarc.mid.rule.example.      IN TXT \"v=DMARC1; p=none\"\n"
/* 4.10.1: sp, np, existence */
"_dmarc.np.example.            IN TXT \"v=DMARC1; p=reject; sp=none; np=quarantine\"\n"
"a.np.example.                 IN A 192.0.2.1\n"
"mx.np.example.                IN MX 10 mail.np.example.\n"
"alias.np.example.             IN CNAME gone.example.net.\n"
"x.empty.np.example.           IN A 192.0.2.1\n"
"_dmarc.txt.np.example.        IN TXT \"some other text\"\n"
"_dmarc.nodata.np.example.     IN A 192.0.2.1\n"
"_dmarc.full.example.          IN TXT \"v=DMARC1; p=reject; t=y; aspf=s; rua=mailto:a@b.example; ruf=mailto:c@b.example\"\n"
"_dmarc.npsp.example.          IN TXT \"v=DMARC1; p=none; sp=reject\"\n"
/* t=y */
"_dmarc.tr.example.            IN TXT \"v=DMARC1; p=reject; t=y\"\n"
"_dmarc.tq.example.            IN TXT \"v=DMARC1; p=quarantine; t=y\"\n"
"_dmarc.tn.example.            IN TXT \"v=DMARC1; p=none; t=y\"\n"
/* several, none, unusable, other text, pieces */
"_dmarc.sub.several.example.   IN TXT \"v=DMARC1; p=none; psd=n\"\n"
"_dmarc.sub.several.example.   IN TXT \"v=DMARC1; p=none\"\n"
"_dmarc.several.example.       IN TXT \"v=DMARC1; p=quarantine\"\n"
"_dmarc.several.example.       IN TXT \"some other text\"\n"
"_dmarc.unusable.example.      IN TXT \"v=DMARC1; p=block\"\n"
"_dmarc.sub.unusable.example.  IN TXT \"v=DMARC1; adkim=s\"\n"
"_dmarc.rua.example.           IN TXT \"v=DMARC1; p=block; rua=mailto:a@rua.example\"\n"
"_dmarc.pieces.example.        IN TXT \"v=DMARC1; p=re\" \"ject\"\n"
"_dmarc.xn--bcher-kva.example. IN TXT \"v=DMARC1; p=reject\"\n"
/* alignment */
"_dmarc.strict.example.        IN TXT \"v=DMARC1; p=reject; adkim=s; aspf=s\"\n"
"_dmarc.only.deep.example.     IN TXT \"v=DMARC1; p=reject\"\n"
/* temporary failures */
"_dmarc.broken-up.broken.      IN TXT \"v=DMARC1; p=reject\"\n"
"_dmarc.servfail.example.      IN TXT \"v=DMARC1; p=reject\"\n"
"_dmarc.ex.example.            IN TXT \"v=DMARC1; p=reject; sp=none; np=quarantine\"\n";

static const struct dns_failure failures[] = {
    {SLICE_INIT("_dmarc.broken"), true, 0, true},
    {SLICE_INIT("_dmarc.x.servfail.example"), true, 0, false},
    {SLICE_INIT("_dmarc.sign.example.com"), true, 0, false},
    {SLICE_INIT("unknown.ex.example"), true, 0, true},
};
/* clang-format on */

static int open_zone(void **state)
{
	*state = dns_test_open(
	    slice_from(zone), sizeof(failures) / sizeof(*failures), failures);
	return 0;
}

static int close_zone(void **state)
{
	dns_resolver_release(*state);
	return 0;
}

/* clang-format off */
static const struct discovery_case {
	const char *domain;
	enum dmarc_result status;
	const char *at, *organizational, *policy, *applied;
	size_t walk;	/* TXT queries */
} discovery_cases[] = {
    {"example.com", DMARC_PASS, "example.com", "example.com", "reject", "reject", 2},
    {"EXAMPLE.com.", DMARC_PASS, "example.com", "example.com", "reject", "reject", 2},
    {"signing.example.com", DMARC_PASS, "signing.example.com", "example.com", "none", "none", 3},
    {"a.b.c.d.e.f.g.h.i.j.k.example.com", DMARC_PASS, "example.com", "example.com", "quarantine", "quarantine", 8},
    {"c.d.e.f.g.h.example.com", DMARC_PASS, "example.com", "example.com", "quarantine", "quarantine", 8},
    {"b.c.d.e.f.g.h.example.com", DMARC_PASS, "example.com", "example.com", "quarantine", "quarantine", 8},
    {"d.e.f.g.h.example.com", DMARC_PASS, "example.com", "example.com", "quarantine", "quarantine", 7},
    {"giant.bank.example", DMARC_PASS, "giant.bank.example", "giant.bank.example", "quarantine", "quarantine", 2},
    {"mail.giant.bank.example", DMARC_PASS, "giant.bank.example", "giant.bank.example", "quarantine", "quarantine", 3},
    {"mail.mega.bank.example", DMARC_PASS, "bank.example", "mega.bank.example", "quarantine", "quarantine", 3},
    {"bank.example", DMARC_PASS, "bank.example", "bank.example", "reject", "reject", 1},
    {"a.n.rule.example", DMARC_PASS, "n.rule.example", "n.rule.example", "quarantine", "quarantine", 2},
    {"n.rule.example", DMARC_PASS, "n.rule.example", "n.rule.example", "quarantine", "quarantine", 1},
    {"a.mid.rule.example", DMARC_PASS, "rule.example", "rule.example", "reject", "reject", 4},
    {"np.example", DMARC_PASS, "np.example", "np.example", "reject", "reject", 2},
    {"a.np.example", DMARC_PASS, "np.example", "np.example", "none", "none", 3},
    {"mx.np.example", DMARC_PASS, "np.example", "np.example", "none", "none", 3},
    {"alias.np.example", DMARC_PASS, "np.example", "np.example", "none", "none", 3},
    {"empty.np.example", DMARC_PASS, "np.example", "np.example", "none", "none", 3},
    {"gone.np.example", DMARC_PASS, "np.example", "np.example", "quarantine", "quarantine", 3},
    {"gone.npsp.example", DMARC_PASS, "npsp.example", "npsp.example", "reject", "reject", 3},
    {"tr.example", DMARC_PASS, "tr.example", "tr.example", "reject", "quarantine", 2},
    {"tq.example", DMARC_PASS, "tq.example", "tq.example", "quarantine", "none", 2},
    {"tn.example", DMARC_PASS, "tn.example", "tn.example", "none", "none", 2},
    {"sub.several.example", DMARC_PASS, "several.example", "several.example", "quarantine", "quarantine", 3},
    {"unusable.example", DMARC_NONE, "", "unusable.example", "none", "none", 2},
    {"sub.unusable.example", DMARC_NONE, "", "unusable.example", "none", "none", 3},
    {"x.unusable.example", DMARC_NONE, "", "unusable.example", "none", "none", 3},
    {"rua.example", DMARC_PASS, "rua.example", "rua.example", "none", "none", 2},
    {"pieces.example", DMARC_PASS, "pieces.example", "pieces.example", "reject", "reject", 2},
    {"b\xc3\xbc" "cher.example", DMARC_PASS, "xn--bcher-kva.example", "xn--bcher-kva.example", "reject", "reject", 2},
    {"nothing.example", DMARC_NONE, "", "nothing.example", "none", "none", 2},
    {"localhost", DMARC_NONE, "", "localhost", "none", "none", 1},
    {"[192.0.2.1]", DMARC_PERMERROR, "", "", "none", "none", 0},
    {"a..example", DMARC_PERMERROR, "", "", "none", "none", 0},
    {"", DMARC_PERMERROR, "", "", "none", "none", 0},
    /* temporary failures: above the record, below it, on existence */
    {"broken-up.broken", DMARC_PASS, "broken-up.broken", "", "reject", "reject", 2},
    {"x.broken-up.broken", DMARC_TEMPERROR, "", "", "none", "none", 3},
    {"x.servfail.example", DMARC_TEMPERROR, "", "", "none", "none", 1},
    {"unknown.ex.example", DMARC_TEMPERROR, "ex.example", "ex.example", "quarantine", "quarantine", 3},
};
/* clang-format on */

static size_t txt_queries(const struct dns_session *session)
{
	const struct dns_query_record *queries;
	size_t count = dns_session_queries(session, &queries), txt = 0;

	for (size_t i = 0; i < count; i++)
		txt += queries[i].type == DNS_TXT;
	return txt;
}

static void test_discovery(void **state)
{
	for (size_t i = 0;
	     i < sizeof(discovery_cases) / sizeof(*discovery_cases); i++) {
		const struct discovery_case *test = &discovery_cases[i];
		struct arena *arena = arena_new(0);
		struct dns_session *session = dns_test_session(arena, *state);
		struct dmarc_discovery found = dmarc_discover(
		    arena, session, slice_from(test->domain));

		if (found.status != test->status ||
		    !slice_eq(found.policy_domain, slice_from(test->at)) ||
		    !slice_eq(found.organizational_domain,
			slice_from(test->organizational)) ||
		    strcmp(dmarc_policy_name(found.policy), test->policy) ||
		    strcmp(dmarc_policy_name(found.applied_policy),
			test->applied) ||
		    txt_queries(session) != test->walk)
			fail_msg("%s: %s at=%.*s org=%.*s p=%s/%s %zu %.*s",
			    test->domain, dmarc_result_name(found.status),
			    SLICE_ARGS(found.policy_domain),
			    SLICE_ARGS(found.organizational_domain),
			    dmarc_policy_name(found.policy),
			    dmarc_policy_name(found.applied_policy),
			    txt_queries(session), SLICE_ARGS(found.problem));
		arena_free(arena);
	}
}

static size_t all_queries(const struct dns_session *session)
{
	const struct dns_query_record *queries;

	return dns_session_queries(session, &queries);
}

/* What np= asks: an A record, then an alias; nothing if more is known. */
static void test_existence(void **state)
{
	static const struct {
		const char *domain;
		bool exists;
		size_t others; /* queries but for TXT */
	} cases[] = {
	    {"a.np.example", true, 1},
	    {"alias.np.example", true, 2},
	    {"gone.np.example", false, 2},
	    /* the name for the record exists, so does what is above it */
	    {"txt.np.example", true, 0},
	    {"nodata.np.example", true, 0},
	    /* it makes no difference */
	    {"np.example", true, 0},
	    {"gone.npsp.example", true, 0},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct arena *arena = arena_new(0);
		struct dns_session *session = dns_test_session(arena, *state);
		struct dmarc_discovery found = dmarc_discover(
		    arena, session, slice_from(cases[i].domain));
		size_t others = all_queries(session) - txt_queries(session);

		if (found.author_domain_exists != cases[i].exists ||
		    others != cases[i].others)
			fail_msg("%s: %d, %zu", cases[i].domain,
			    found.author_domain_exists, others);
		arena_free(arena);
	}
}

/* What reports need, and what is told of faults. */
static void test_details(void **state)
{
	static const struct {
		const char *domain, *problem;
	} problems[] = {
	    {"example.com", ""},
	    {"sub.several.example",
		"several policy records at _dmarc.sub.several.example: all "
		"are ignored"},
	    {"x.sub.several.example",
		"several policy records at _dmarc.sub.several.example: all "
		"are ignored"},
	    {"unusable.example",
		"p= is not none, quarantine or reject: without a valid rua= "
		"the record is not used"},
	    {"x.servfail.example",
		"_dmarc.x.servfail.example could not be asked: "
		"server failure (injected failure)"},
	    {"broken-up.broken", "_dmarc.broken could not be asked: "
				 "no answer (injected failure)"},
	    {"unknown.ex.example",
		"whether unknown.ex.example exists could not be asked"},
	    {"a..example", "empty label in a domain name"},
	};
	struct arena *arena = arena_new(0);
	struct dmarc_discovery found = dmarc_discover(
	    arena, dns_test_session(arena, *state), SLICE("sub.full.example"));

	assert_true(slice_starts(found.record, SLICE("v=DMARC1; p=reject;")));
	assert_true(slice_eq(found.rua, SLICE("mailto:a@b.example")));
	assert_true(slice_eq(found.ruf, SLICE("mailto:c@b.example")));
	assert_true(found.testing);
	assert_true(found.strict_spf);
	assert_false(found.strict_dkim);
	for (size_t i = 0; i < sizeof(problems) / sizeof(*problems); i++) {
		struct slice wanted = slice_from(problems[i].problem);

		found = dmarc_discover(arena, dns_test_session(arena, *state),
		    slice_from(problems[i].domain));
		if (!slice_eq(found.problem, wanted))
			fail_msg("%s: %.*s", problems[i].domain,
			    SLICE_ARGS(found.problem));
	}
	arena_free(arena);
}

/* The eight names of section 4.10, in their order. */
static void test_walk_order(void **state)
{
	static const char *const names[] = {
	    "_dmarc.a.b.c.d.e.f.g.h.i.j.mail.example.com",
	    "_dmarc.g.h.i.j.mail.example.com",
	    "_dmarc.h.i.j.mail.example.com",
	    "_dmarc.i.j.mail.example.com",
	    "_dmarc.j.mail.example.com",
	    "_dmarc.mail.example.com",
	    "_dmarc.example.com",
	    "_dmarc.com",
	};
	struct slice author = SLICE("a.b.c.d.e.f.g.h.i.j.mail.example.com");
	struct arena *arena = arena_new(0);
	struct dns_session *session = dns_test_session(arena, *state);
	const struct dns_query_record *queries;

	dmarc_prefetch(session, author);
	assert_int_equal(all_queries(session), 8);
	dmarc_discover(arena, session, author);
	assert_int_equal(dns_session_queries(session, &queries), 8);
	for (size_t i = 0; i < 8; i++)
		assert_true(slice_eq(queries[i].name, slice_from(names[i])));
	arena_free(arena);
}

/* No name twice, whatever the length. */
static void test_walk_count(void **state)
{
	static const struct {
		const char *start;
		size_t count;
	} cases[] = {
	    {"example", 1},
	    {"b.example", 2},
	    {"g.f.e.d.c.b.example", 7},
	    {"h.g.f.e.d.c.b.example", 8},
	    {"i.h.g.f.e.d.c.b.example", 8},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct slice names[DMARC_WALK_MAX];
		size_t count = dmarc_walk_names(
		    slice_from(cases[i].start), names);

		assert_int_equal(count, cases[i].count);
		assert_true(slice_eq(names[0], slice_from(cases[i].start)));
		assert_true(slice_eq(names[count - 1], SLICE("example")));
	}
}

/* clang-format off */
static const struct evaluation_case {
	const char *from;
	enum spf_result spf;
	const char *spf_domain;
	enum dkim_result dkim;
	const char *dkim_domain;
	enum dmarc_result result;
	bool spf_aligned, dkim_aligned;
} evaluation_cases[] = {
    /* B.1.1, B.1.2, B.3.1, B.4 */
    {"example.com", SPF_PASS, "example.com", DKIM_NONE, "", DMARC_PASS, true, false},
    {"example.com", SPF_PASS, "child.example.com", DKIM_NONE, "", DMARC_PASS, true, false},
    {"child.example.com", SPF_PASS, "example.net", DKIM_NONE, "", DMARC_FAIL, false, false},
    {"example.com", SPF_NONE, "", DKIM_PASS, "example.com", DMARC_PASS, false, true},
    {"child.example.com", SPF_NONE, "", DKIM_PASS, "example.com", DMARC_PASS, false, true},
    {"child.example.com", SPF_NONE, "", DKIM_PASS, "example.net", DMARC_FAIL, false, false},
    {"example.com", SPF_PASS, "mail.example.com", DKIM_PASS, "example.com", DMARC_PASS, true, true},
    {"example.com", SPF_PASS, "example.com", DKIM_PASS, "signing.example.com", DMARC_PASS, true, true},
    {"a.b.c.d.e.f.g.h.i.j.k.example.com", SPF_PASS, "example.com", DKIM_PASS, "signing.example.com", DMARC_PASS, true, true},
    {"giant.bank.example", SPF_PASS, "mail.giant.bank.example", DKIM_PASS, "mail.mega.bank.example", DMARC_PASS, true, false},
    {"giant.bank.example", SPF_PASS, "bank.example", DKIM_PASS, "mega.bank.example", DMARC_FAIL, false, false},
    /* nothing passed */
    {"example.com", SPF_FAIL, "example.com", DKIM_FAIL, "example.com", DMARC_FAIL, false, false},
    {"example.com", SPF_SOFTFAIL, "example.com", DKIM_POLICY, "example.com", DMARC_FAIL, false, false},
    {"example.com", SPF_PERMERROR, "example.com", DKIM_PERMERROR, "example.com", DMARC_FAIL, false, false},
    {"EXAMPLE.COM", SPF_PASS, "Example.Com", DKIM_NONE, "", DMARC_PASS, true, false},
    /* no names at all */
    {"example.com", SPF_PASS, "a..example.com", DKIM_PASS, "", DMARC_FAIL, false, false},
    /* not a suffix of the text */
    {"example.com", SPF_PASS, "notexample.com", DKIM_PASS, "example.com.example.net", DMARC_FAIL, false, false},
    /* strict */
    {"strict.example", SPF_PASS, "a.strict.example", DKIM_PASS, "a.strict.example", DMARC_FAIL, false, false},
    {"a.strict.example", SPF_PASS, "strict.example", DKIM_PASS, "strict.example", DMARC_FAIL, false, false},
    {"strict.example", SPF_PASS, "strict.example", DKIM_PASS, "strict.example", DMARC_PASS, true, true},
    /* the record stands below the registered domain only */
    {"only.deep.example", SPF_PASS, "deep.example", DKIM_PASS, "a.only.deep.example", DMARC_PASS, false, true},
    {"only.deep.example", SPF_PASS, "deep.example", DKIM_NONE, "", DMARC_FAIL, false, false},
    /* psd=n cuts the tree */
    {"rule.example", SPF_PASS, "n.rule.example", DKIM_NONE, "", DMARC_FAIL, false, false},
    /* no record, unusable record */
    {"nothing.example", SPF_PASS, "nothing.example", DKIM_PASS, "nothing.example", DMARC_NONE, false, false},
    {"unusable.example", SPF_PASS, "unusable.example", DKIM_NONE, "", DMARC_NONE, false, false},
    {"[192.0.2.1]", SPF_PASS, "a.example", DKIM_NONE, "", DMARC_PERMERROR, false, false},
    /* temporary errors count where a pass was possible, and only there */
    {"example.com", SPF_TEMPERROR, "example.com", DKIM_NONE, "", DMARC_TEMPERROR, false, false},
    {"example.com", SPF_TEMPERROR, "example.net", DKIM_NONE, "", DMARC_FAIL, false, false},
    {"example.com", SPF_FAIL, "example.com", DKIM_TEMPERROR, "a.example.com", DMARC_TEMPERROR, false, false},
    {"example.com", SPF_FAIL, "example.com", DKIM_TEMPERROR, "example.net", DMARC_FAIL, false, false},
    {"example.com", SPF_TEMPERROR, "example.com", DKIM_PASS, "example.com", DMARC_PASS, false, true},
    {"strict.example", SPF_TEMPERROR, "a.strict.example", DKIM_NONE, "", DMARC_FAIL, false, false},
    {"example.com", SPF_NONE, "", DKIM_PASS, "sign.example.com", DMARC_TEMPERROR, false, false},
    {"example.com", SPF_PASS, "example.com", DKIM_PASS, "sign.example.com", DMARC_PASS, true, false},
    /* no record could be asked for: whatever it says, the very domain is aligned */
    {"x.servfail.example", SPF_PASS, "x.servfail.example", DKIM_NONE, "", DMARC_TEMPERROR, true, false},
    {"x.servfail.example", SPF_NONE, "", DKIM_PASS, "X.servfail.example", DMARC_TEMPERROR, false, true},
    {"x.servfail.example", SPF_PASS, "servfail.example", DKIM_PASS, "a.x.servfail.example", DMARC_TEMPERROR, false, false},
    {"x.servfail.example", SPF_TEMPERROR, "x.servfail.example", DKIM_TEMPERROR, "x.servfail.example", DMARC_TEMPERROR, false, false},
    {"broken-up.broken", SPF_PASS, "broken-up.broken", DKIM_NONE, "", DMARC_PASS, true, false},
    {"broken-up.broken", SPF_PASS, "a.broken-up.broken", DKIM_NONE, "", DMARC_TEMPERROR, false, false},
    {"broken-up.broken", SPF_PASS, "a.example", DKIM_NONE, "", DMARC_FAIL, false, false},
    {"unknown.ex.example", SPF_PASS, "ex.example", DKIM_NONE, "", DMARC_PASS, true, false},
    {"unknown.ex.example", SPF_FAIL, "ex.example", DKIM_NONE, "", DMARC_TEMPERROR, false, false},
};
/* clang-format on */

static void test_evaluation(void **state)
{
	for (size_t i = 0;
	     i < sizeof(evaluation_cases) / sizeof(*evaluation_cases); i++) {
		const struct evaluation_case *test = &evaluation_cases[i];
		struct arena *arena = arena_new(0);
		struct spf_outcome spf = {
		    .result = test->spf,
		    .domain = slice_from(test->spf_domain),
		};
		struct dkim_outcome dkim = {
		    .result = test->dkim,
		    .domain = slice_from(test->dkim_domain),
		};
		struct dmarc_outcome outcome = dmarc_evaluate(arena,
		    dns_test_session(arena, *state), slice_from(test->from),
		    &spf, 1, &dkim);

		if (outcome.result != test->result ||
		    outcome.spf_aligned != test->spf_aligned ||
		    outcome.dkim_aligned != test->dkim_aligned)
			fail_msg("%s spf=%s dkim=%s: %s %d %d (%.*s)",
			    test->from, test->spf_domain, test->dkim_domain,
			    dmarc_result_name(outcome.result),
			    outcome.spf_aligned, outcome.dkim_aligned,
			    SLICE_ARGS(outcome.reason));
		assert_true(outcome.reason.len > 0);
		if (outcome.result != DMARC_PERMERROR)
			assert_true(slice_eq_nocase(
			    outcome.from_domain, slice_from(test->from)));
		arena_free(arena);
	}
}

/* In words; of several temporary failures the first is told. */
static void test_reasons(void **state)
{
	static const struct {
		const char *from;
		enum spf_result spf;
		enum dkim_result dkim;
		const char *domain, *reason;
	} cases[] = {
	    {"example.com", SPF_PASS, DKIM_FAIL, "example.com",
		"SPF passed and aligned with example.com"},
	    {"example.com", SPF_FAIL, DKIM_PASS, "example.com",
		"DKIM passed and aligned with example.com"},
	    {"example.com", SPF_PASS, DKIM_PASS, "example.com",
		"SPF and DKIM passed and aligned with example.com"},
	    {"example.com", SPF_FAIL, DKIM_FAIL, "example.com",
		"neither SPF nor DKIM passed for a domain aligned with "
		"example.com"},
	    {"example.com", SPF_TEMPERROR, DKIM_TEMPERROR, "example.com",
		"SPF of an aligned domain failed temporarily"},
	    {"example.com", SPF_FAIL, DKIM_TEMPERROR, "example.com",
		"an aligned DKIM signature failed temporarily"},
	    {"example.com", SPF_PASS, DKIM_FAIL, "sign.example.com",
		"a domain passed, but DNS could not tell whether it is "
		"aligned"},
	    {"nothing.example", SPF_PASS, DKIM_PASS, "nothing.example",
		"no DMARC record applies to nothing.example"},
	    {"a..example", SPF_PASS, DKIM_PASS, "nothing.example",
		"empty label in a domain name"},
	    {"unusable.example", SPF_PASS, DKIM_PASS, "unusable.example",
		"p= is not none, quarantine or reject: without a valid rua= "
		"the record is not used"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct arena *arena = arena_new(0);
		struct spf_outcome spf = {
		    .result = cases[i].spf,
		    .domain = slice_from(cases[i].domain),
		};
		struct dkim_outcome dkim = {
		    .result = cases[i].dkim,
		    .domain = slice_from(cases[i].domain),
		};

		assert_string_equal(
		    arena_text(arena,
			dmarc_evaluate(arena, dns_test_session(arena, *state),
			    slice_from(cases[i].from), &spf, 1, &dkim)
			    .reason),
		    cases[i].reason);
		arena_free(arena);
	}
}

static void test_nothing_checked(void **state)
{
	struct arena *arena = arena_new(0);
	struct dmarc_outcome outcome = dmarc_evaluate(arena,
	    dns_test_session(arena, *state), SLICE("example.com"), NULL, 0,
	    NULL);

	assert_int_equal(outcome.result, DMARC_FAIL);
	assert_int_equal(outcome.discovery.applied_policy, DMARC_POLICY_REJECT);
	arena_free(arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_discovery),
	    cmocka_unit_test(test_existence),
	    cmocka_unit_test(test_details),
	    cmocka_unit_test(test_walk_order),
	    cmocka_unit_test(test_walk_count),
	    cmocka_unit_test(test_evaluation),
	    cmocka_unit_test(test_reasons),
	    cmocka_unit_test(test_nothing_checked),
	};

	return cmocka_run_group_tests(tests, open_zone, close_zone);
}
