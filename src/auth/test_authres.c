/* SPDX-License-Identifier: Apache-2.0 */
/* Authentication-Results: what is written can be read again, whatever it is
 * about. */
#include "auth/authres.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/ascii.h"
#include "base/buf.h"

static struct authres_input example_input(struct spf_outcome *spf,
    struct dkim_outcome *dkim, struct dmarc_outcome *dmarc)
{
	struct authres_input input = {
	    .authserv_id = SLICE("mx1.agency.example"),
	    .mail_from = SLICE("a@b.example"),
	    .helo = SLICE("mx.b.example"),
	    .spf_mailfrom = spf,
	    .dkim_checked = true,
	    .dkim_count = 1,
	    .dkim = dkim,
	    .dmarc_count = 1,
	    .dmarc = dmarc,
	    .disposition = SLICE("reject"),
	};

	*spf = (struct spf_outcome){
	    .result = SPF_FAIL, .domain = SLICE("b.example")};
	*dkim = (struct dkim_outcome){
	    .result = DKIM_FAIL,
	    .domain = SLICE("b.example"),
	    .selector = SLICE("s1"),
	    .algorithm = SLICE("rsa-sha256"),
	    .identity = SLICE("@b.example"),
	    .reason = SLICE("the body hash differs"),
	    .signature_start = SLICE("dGVzdA+/xyz"),
	    .key_bits = 2048,
	};
	*dmarc = (struct dmarc_outcome){
	    .result = DMARC_FAIL,
	    .from_domain = SLICE("x.b.example"),
	    .reason = SLICE("nothing aligned"),
	    .discovery = {.status = DMARC_PASS,
		.policy_domain = SLICE("b.example"),
		.policy = DMARC_POLICY_REJECT,
		.applied_policy = DMARC_POLICY_REJECT},
	};
	ip_parse(SLICE("192.0.2.1"), &input.client_ip);
	return input;
}

static void test_write(void **state)
{
	struct arena *arena = arena_new(0);
	struct spf_outcome spf;
	struct dkim_outcome dkim;
	struct dmarc_outcome dmarc;
	struct authres_input input = example_input(&spf, &dkim, &dmarc);

	(void)state;
	assert_string_equal(arena_text(arena, authres_write(arena, &input)),
	    "mx1.agency.example;\r\n"
	    "\tspf=fail (sender IP is 192.0.2.1) smtp.mailfrom=a@b.example;"
	    "\r\n"
	    "\tdkim=fail (2048-bit key) reason=\"the body hash differs\"\r\n"
	    "\theader.d=b.example header.i=@b.example header.s=s1\r\n"
	    "\theader.a=rsa-sha256 header.b=\"dGVzdA+/\";\r\n"
	    "\tdmarc=fail (p=reject dis=reject) reason=\"nothing aligned\"\r\n"
	    "\theader.from=x.b.example policy.dmarc=reject "
	    "polrec.domain=b.example");
	arena_free(arena);
}

static void test_write_others(void **state)
{
	static const struct slice sealers[] = {
	    SLICE_INIT("b.example"), SLICE_INIT("c.example")};
	struct arena *arena = arena_new(0);
	struct arc_outcome arc = {.result = ARC_PASS,
	    .sets = 2,
	    .sealer_count = 2,
	    .sealers = sealers};
	struct own_domain_outcome own = {.result = OWN_DOMAIN_FAIL,
	    .identity = OWN_DOMAIN_HEADER_FROM,
	    .domain = SLICE("agency.example")};
	struct spf_outcome helo = {.result = SPF_PASS,
	    .identity = SPF_IDENTITY_HELO,
	    .domain = SLICE("mx.b.example")};
	struct authres_input input = {
	    .authserv_id = SLICE("mx1.agency.example"),
	    .spf_helo = &helo,
	    .dkim_checked = true,
	    .arc = &arc,
	    .own_domain = &own,
	};

	(void)state;
	ip_parse(SLICE("2001:db8::1"), &input.client_ip);
	assert_string_equal(arena_text(arena, authres_write(arena, &input)),
	    "mx1.agency.example;\r\n"
	    "\tspf=pass (sender IP is 2001:db8::1) smtp.helo=mx.b.example;\r\n"
	    "\tdkim=none;\r\n"
	    "\tarc=pass (i=2) smtp.remote-ip=\"2001:db8::1\" "
	    "header.oldest-pass=0\r\n"
	    "\tarc.chain=\"b.example:c.example\";\r\n"
	    "\tx-own-domain=fail policy.identity=from "
	    "policy.domain=agency.example");
	input = (struct authres_input){.authserv_id = SLICE("mx1.example")};
	assert_string_equal(arena_text(arena, authres_write(arena, &input)),
	    "mx1.example; none");
	arena_free(arena);
}

/* However many signatures a stranger makes up, and however long. */
static void test_crowded(void **state)
{
	enum { SIGNATURES = 101 };
	struct arena *arena = arena_new(0);
	struct dkim_outcome *dkim = ARENA_ARRAY(
	    arena, SIGNATURES, struct dkim_outcome);
	struct slice name = slice_of(arena_alloc(arena, 300), 300);
	struct dmarc_outcome dmarc = {
	    .result = DMARC_FAIL, .from_domain = SLICE("a.example")};
	struct arc_outcome arc = {.result = ARC_NONE};
	struct own_domain_outcome own = {
	    .result = OWN_DOMAIN_FAIL, .domain = SLICE("agency.example")};
	struct authres_input input = {
	    .authserv_id = SLICE("mx1.agency.example"),
	    .dkim_checked = true,
	    .dkim_count = SIGNATURES,
	    .dkim = dkim,
	    .arc = &arc,
	    .dmarc_count = 1,
	    .dmarc = &dmarc,
	    .own_domain = &own,
	};
	static const char *const wanted[] = {"arc=none;", "dmarc=fail",
	    "header.from=a.example;", "x-own-domain=fail"};
	struct slice text;

	(void)state;
	memset((char *)(uintptr_t)name.ptr, 'd', name.len);
	for (size_t i = 0; i < SIGNATURES; i++)
		dkim[i] = (struct dkim_outcome){.result = DKIM_PERMERROR,
		    .domain = slice_sub(name, 0, 250),
		    .selector = slice_sub(name, 0, 250),
		    .identity = name,
		    .reason = SLICE("no key for signature")};
	text = authres_write(arena, &input);
	assert_true(text.len < 65536);
	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
		if (slice_find_slice(text, slice_from(wanted[i])) == text.len)
			fail_msg("no %s", wanted[i]);
	text = authres_exchange_style(arena, &input);
	assert_true(slice_find_slice(text, SLICE("dmarc=fail")) < text.len);
	arena_free(arena);
}

/* What is shown only sometimes. */
static void test_write_details(void **state)
{
	static struct slice sealers[60];
	struct arena *arena = arena_new(0);
	struct spf_outcome spf = {.result = SPF_PERMERROR,
	    .domain = SLICE("mx.b.example"),
	    .problem = SLICE("two records")};
	struct dkim_outcome dkim = {.result = DKIM_PASS,
	    .domain = SLICE("b.example"),
	    .reason = SLICE("none is shown"),
	    .key_bits = 1024,
	    .testing = true};
	struct arc_outcome arc = {.result = ARC_FAIL,
	    .sets = 60,
	    .reason = SLICE("broken"),
	    .sealer_count = 60,
	    .sealers = sealers};
	struct dmarc_outcome dmarc[] = {
	    {.result = DMARC_TEMPERROR,
		.from_domain = SLICE("a.example"),
		.reason = SLICE("DNS")},
	    {.result = DMARC_FAIL,
		.from_domain = SLICE("b.example"),
		.reason = SLICE("nothing aligned"),
		.discovery = {.policy_domain = SLICE("b.example"),
		    .policy = DMARC_POLICY_REJECT,
		    .testing = true}},
	    {.result = DMARC_PASS,
		.from_domain = SLICE("c.example"),
		.reason = SLICE("none is shown"),
		.discovery = {.policy_domain = SLICE("c.example"),
		    .policy = DMARC_POLICY_NONE}},
	};
	struct own_domain_outcome own = {.result = OWN_DOMAIN_NONE};
	struct authres_input input = {
	    .authserv_id = SLICE("mx1.example"),
	    .helo = SLICE("MX.b.example"),
	    .spf_mailfrom = &spf,
	    .dkim_checked = true,
	    .dkim_count = 1,
	    .dkim = &dkim,
	    .arc = &arc,
	    .dmarc_count = 3,
	    .dmarc = dmarc,
	    .override = SLICE("trusted"),
	    .own_domain = &own,
	};

	(void)state;
	for (size_t i = 0; i < 60; i++)
		sealers[i] = SLICE("a.example");
	assert_string_equal(arena_text(arena, authres_write(arena, &input)),
	    "mx1.example;\r\n"
	    "\tspf=permerror reason=\"two records\" smtp.helo=MX.b.example;\r\n"
	    "\tdkim=pass (1024-bit key, testing) header.d=b.example;\r\n"
	    "\tarc=fail (i=60) reason=\"broken\";\r\n"
	    "\tdmarc=temperror reason=\"DNS\" header.from=a.example;\r\n"
	    "\tdmarc=fail (p=reject t=y dis=none) reason=\"trusted\"\r\n"
	    "\theader.from=b.example policy.dmarc=reject;\r\n"
	    "\tdmarc=pass (p=none dis=none) header.from=c.example "
	    "policy.dmarc=none");
	arc.result = ARC_NONE;
	input = (struct authres_input){
	    .authserv_id = SLICE("mx1.example"), .arc = &arc};
	assert_string_equal(arena_text(arena, authres_write(arena, &input)),
	    "mx1.example;\r\n\tarc=none");
	/* No registered result says that a chain could not be evaluated. */
	arc.result = ARC_TEMPERROR;
	assert_string_equal(arena_text(arena, authres_write(arena, &input)),
	    "mx1.example; none");
	input.dkim_checked = true;
	assert_string_equal(arena_text(arena, authres_write(arena, &input)),
	    "mx1.example;\r\n\tdkim=none");
	arena_free(arena);
}

static struct slice value_of(const struct authres *authres, size_t result,
    const char *ptype, const char *property)
{
	assert_true(result < authres->count);
	return authres_property(&authres->results[result], ptype, property);
}

static void check_lines(struct slice text)
{
	size_t line = 0;

	for (size_t i = 0; i < text.len; i++) {
		char c = text.ptr[i];

		if (c == '\r') {
			assert_true(i + 2 < text.len &&
				    text.ptr[i + 1] == '\n' &&
				    text.ptr[i + 2] == '\t');
			line = 0;
			i++;
			continue;
		}
		assert_true(c == '\t' || !ascii_is_control(c));
		assert_true(++line <= 998);
	}
}

/* What strangers choose comes back as one value of one property. */
static void test_hostile(void **state)
{
	static const struct {
		struct slice value;
		bool smtputf8;
		const char *read;
	} cases[] = {
	    {SLICE_INIT("a@b.example; dmarc=pass"), false,
		"a@b.example; dmarc=pass"},
	    {SLICE_INIT("a\r\nX-Injected: yes"), false, "a??X-Injected: yes"},
	    {SLICE_INIT("a\0b"), false, "a?b"},
	    {SLICE_INIT("a\"b\\c"), false, "a\"b\\c"},
	    {SLICE_INIT("(comment)@b.example"), false, "(comment)@b.example"},
	    {SLICE_INIT("\"a b\"@b.example"), false, "\"a b\"@b.example"},
	    {SLICE_INIT("\xc3\xbc@b.example"), false, "??@b.example"},
	    {SLICE_INIT("\xc3\xbc@b.example"), true, "\xc3\xbc@b.example"},
	    {SLICE_INIT("\xc3@b.example"), true, "?@b.example"},
	    {SLICE_INIT("a=b/c?d@b.example"), false, "a=b/c?d@b.example"},
	    {SLICE_INIT("a@b_c.example"), false, "a@b_c.example"},
	    {SLICE_INIT("a\tb"), false, "a?b"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct arena *arena = arena_new(0);
		struct spf_outcome spf;
		struct dkim_outcome dkim;
		struct dmarc_outcome dmarc;
		struct authres_input input = example_input(&spf, &dkim, &dmarc);
		struct authres read;
		struct slice text;
		struct err err;

		input.smtputf8 = cases[i].smtputf8;
		input.mail_from = cases[i].value;
		dkim.domain = cases[i].value;
		dkim.selector = cases[i].value;
		dkim.reason = cases[i].value;
		spf.problem = cases[i].value;
		dmarc.from_domain = cases[i].value;
		text = authres_write(arena, &input);
		check_lines(text);
		if (!authres_parse(arena, text, &read, &err))
			fail_msg("%zu: %s", i, err.text);
		assert_true(read.conforming);
		assert_int_equal(read.count, 3);
		assert_string_equal(
		    arena_text(arena, value_of(&read, 0, "smtp", "mailfrom")),
		    cases[i].read);
		assert_string_equal(
		    arena_text(arena, value_of(&read, 1, "header", "d")),
		    cases[i].read);
		assert_string_equal(
		    arena_text(arena, read.results[1].reason), cases[i].read);
		check_lines(authres_exchange_style(arena, &input));
		arena_free(arena);
	}
}

static void test_long(void **state)
{
	struct arena *arena = arena_new(0);
	struct spf_outcome spf;
	struct dkim_outcome many[300];
	struct dmarc_outcome dmarc;
	struct authres_input input = example_input(&spf, many, &dmarc);
	char *quotes = arena_alloc(arena, 4000);
	struct authres read;
	struct slice text;
	struct err err;

	(void)state;
	memset(quotes, '"', 4000);
	spf.problem = slice_of(quotes, 4000);
	input.mail_from = slice_of(quotes, 320);
	input.helo = slice_of(quotes, 4000);
	for (size_t i = 0; i < 300; i++) {
		many[i] = many[0];
		many[i].selector = slice_of(quotes, 320);
		many[i].domain = slice_of(quotes, 321);
	}
	input.dkim_count = 50;
	text = authres_write(arena, &input);
	check_lines(text);
	assert_true(authres_parse(arena, text, &read, &err));
	assert_int_equal(read.count, 52);
	assert_int_equal(value_of(&read, 1, "header", "d").len, 0);
	assert_int_equal(value_of(&read, 1, "header", "s").len, 320);
	assert_int_equal(read.results[0].reason.len, 200);
	/* more than the field may hold: cut between two words */
	for (size_t i = 0; i < 300; i++)
		many[i].domain = slice_of(quotes, 320);
	input.dkim_count = 300;
	text = authres_write(arena, &input);
	check_lines(text);
	assert_true(text.len <= 64 * 1024 && text.len > 60 * 1024);
	arena_free(arena);
}

/* clang-format off */
static const struct exchange_case {
	enum dmarc_result dmarc;
	enum dmarc_policy policy;
	const char *disposition;
	bool dkim_passes;
	enum own_domain_result own;
	const char *text;
} exchange_cases[] = {
    {DMARC_PASS, DMARC_POLICY_REJECT, "none", true, OWN_DOMAIN_NONE,
	"dkim=pass (signature was verified) header.d=b.example;dmarc=pass action=none header.from=b.example;compauth=pass reason=100"},
    {DMARC_FAIL, DMARC_POLICY_REJECT, "quarantine", false, OWN_DOMAIN_NONE,
	"dkim=fail (the body hash differs) header.d=b.example;dmarc=fail action=oreject header.from=b.example;compauth=fail reason=000"},
    {DMARC_FAIL, DMARC_POLICY_QUARANTINE, "quarantine", false, OWN_DOMAIN_FAIL,
	"dkim=fail (the body hash differs) header.d=b.example;dmarc=fail action=quarantine header.from=b.example;compauth=fail reason=010"},
    {DMARC_FAIL, DMARC_POLICY_NONE, "none", false, OWN_DOMAIN_NONE,
	"dkim=fail (the body hash differs) header.d=b.example;dmarc=fail action=none header.from=b.example;compauth=fail reason=001"},
    {DMARC_NONE, DMARC_POLICY_NONE, "none", true, OWN_DOMAIN_NONE,
	"dkim=pass (signature was verified) header.d=b.example;dmarc=bestguesspass action=none header.from=b.example;compauth=pass reason=109"},
    {DMARC_NONE, DMARC_POLICY_NONE, "none", false, OWN_DOMAIN_FAIL,
	"dkim=fail (the body hash differs) header.d=b.example;dmarc=none action=none header.from=b.example;compauth=fail reason=601"},
    {DMARC_TEMPERROR, DMARC_POLICY_NONE, "", false, OWN_DOMAIN_NONE,
	"dkim=fail (the body hash differs) header.d=b.example;dmarc=temperror action=temperror header.from=b.example;compauth=none reason=300"},
};
/* clang-format on */

static struct slice unfolded(struct arena *arena, struct slice text)
{
	struct buf *out = buf_in_arena(arena, text.len);
	bool after_semicolon = false;

	for (size_t i = 0; i < text.len; i++) {
		char c = text.ptr[i];

		if (c == '\r' || c == '\n')
			continue;
		if (c != '\t')
			buf_add_byte(out, c);
		else if (!after_semicolon)
			buf_add_byte(out, ' ');
		after_semicolon = c == ';';
	}
	return buf_slice(out);
}

static void test_exchange(void **state)
{
	static const char start[] =
	    "spf=fail (sender IP is 192.0.2.1) smtp.mailfrom=b.example;";

	(void)state;
	for (size_t i = 0; i < sizeof(exchange_cases) / sizeof(*exchange_cases);
	     i++) {
		const struct exchange_case *test = &exchange_cases[i];
		struct arena *arena = arena_new(0);
		struct spf_outcome spf;
		struct dkim_outcome dkim;
		struct dmarc_outcome dmarc;
		struct own_domain_outcome own = {.result = test->own};
		struct authres_input input = example_input(&spf, &dkim, &dmarc);

		if (test->dkim_passes)
			dkim.result = DKIM_PASS;
		dmarc.from_domain = SLICE("b.example");
		dmarc.result = test->dmarc;
		dmarc.discovery.policy = test->policy;
		dmarc.discovery.applied_policy = test->policy;
		input.disposition = slice_from(test->disposition);
		input.own_domain = &own;
		assert_string_equal(
		    arena_text(arena,
			unfolded(arena, authres_exchange_style(arena, &input))),
		    arena_format(arena, "%s%s", start, test->text));
		arena_free(arena);
	}
}

/* Of several domains in From: the worst is told, the first of equals. */
static void test_exchange_worst(void **state)
{
	static const enum dmarc_result ranked[] = {DMARC_PASS, DMARC_NONE,
	    DMARC_PERMERROR, DMARC_TEMPERROR, DMARC_FAIL};

	(void)state;
	for (size_t i = 0; i < 25; i++) {
		struct arena *arena = arena_new(0);
		size_t first = i / 5, second = i % 5;
		struct dmarc_outcome both[2] = {
		    {.result = ranked[first], .from_domain = SLICE("a")},
		    {.result = ranked[second], .from_domain = SLICE("b")},
		};
		struct authres_input input = {.dmarc_count = 2, .dmarc = both};
		const struct dmarc_outcome *worst = &both[second > first];
		struct authres read;

		assert_true(authres_parse(arena,
		    ARENA_JOIN(arena, SLICE("x; "),
			authres_exchange_style(arena, &input)),
		    &read, NULL));
		assert_true(slice_eq(read.results[2].result,
		    slice_from(dmarc_result_name(worst->result))));
		assert_true(slice_eq(
		    value_of(&read, 2, "header", "from"), worst->from_domain));
		arena_free(arena);
	}
}

static void expect_exchange(
    const struct authres_input *input, const char *expected)
{
	struct arena *arena = arena_new(0);

	assert_string_equal(
	    arena_text(
		arena, unfolded(arena, authres_exchange_style(arena, input))),
	    expected);
	arena_free(arena);
}

/* Nothing known; a bounce; no record, but identical domains that passed. */
static void test_exchange_identities(void **state)
{
	struct spf_outcome spf = {
	    .result = SPF_PASS, .domain = SLICE("A.example")};
	struct dkim_outcome dkim[] = {
	    {.result = DKIM_FAIL, .domain = SLICE("a.example")},
	    {.result = DKIM_PASS, .domain = SLICE("c.example")},
	    {.result = DKIM_PASS, .domain = SLICE("d.example")},
	};
	struct dmarc_outcome dmarc = {
	    .result = DMARC_NONE, .from_domain = SLICE("a.example")};
	struct authres_input input = {0};
	char long_name[321];

	(void)state;
	ip_parse(SLICE("192.0.2.1"), &input.client_ip);
	expect_exchange(&input,
	    "spf=none (sender IP is 192.0.2.1) smtp.mailfrom=none;"
	    "dkim=none (message not signed) header.d=none;"
	    "compauth=none reason=300");
	input.helo = SLICE("mx.b.example");
	input.dmarc_count = 1;
	input.dmarc = &dmarc;
	input.spf_mailfrom = &spf;
	expect_exchange(&input,
	    "spf=pass (sender IP is 192.0.2.1) smtp.mailfrom=mx.b.example;"
	    "dkim=none (message not signed) header.d=none;"
	    "dmarc=bestguesspass action=none header.from=a.example;"
	    "compauth=pass reason=109");
	spf.domain = SLICE("b.example");
	input.dkim_count = 3;
	input.dkim = dkim;
	expect_exchange(&input,
	    "spf=pass (sender IP is 192.0.2.1) smtp.mailfrom=mx.b.example;"
	    "dkim=pass (signature was verified) header.d=c.example;"
	    "dmarc=none action=none header.from=a.example;"
	    "compauth=fail reason=001");
	/* The first that passes. */
	input.dkim_count = 2;
	input.dkim = dkim + 1;
	expect_exchange(&input,
	    "spf=pass (sender IP is 192.0.2.1) smtp.mailfrom=mx.b.example;"
	    "dkim=pass (signature was verified) header.d=c.example;"
	    "dmarc=none action=none header.from=a.example;"
	    "compauth=fail reason=001");
	/* Longer than any domain is: left out. */
	dkim[1].domain = slice_of(memset(long_name, 'a', 321), 321);
	expect_exchange(&input,
	    "spf=pass (sender IP is 192.0.2.1) smtp.mailfrom=mx.b.example;"
	    "dkim=pass (signature was verified);"
	    "dmarc=none action=none header.from=a.example;"
	    "compauth=fail reason=001");
	dmarc.from_domain = spf.domain = dkim[1].domain = SLICE("");
	expect_exchange(&input,
	    "spf=pass (sender IP is 192.0.2.1) smtp.mailfrom=mx.b.example;"
	    "dkim=pass (signature was verified) header.d=none;"
	    "dmarc=none action=none header.from=none;"
	    "compauth=fail reason=001");
}

/* What became of a failure: RFC 8617's override, and the disposition. */
static void test_exchange_failure(void **state)
{
	static const struct {
		enum dmarc_result dmarc;
		enum dmarc_policy policy;
		const char *disposition, *override;
		enum arc_result arc;
		const char *action, *reason;
	} cases[] = {
	    {DMARC_FAIL, DMARC_POLICY_REJECT, "reject", "", ARC_PASS, "reject",
		"000"},
	    {DMARC_FAIL, DMARC_POLICY_REJECT, "none", "trusted", ARC_PASS,
		"oreject", "130"},
	    {DMARC_FAIL, DMARC_POLICY_REJECT, "none", "listed", ARC_FAIL,
		"oreject", "000"},
	    {DMARC_FAIL, DMARC_POLICY_QUARANTINE, "none", "", ARC_NONE, "none",
		"000"},
	    {DMARC_PERMERROR, DMARC_POLICY_REJECT, "none", "trusted", ARC_PASS,
		"permerror", "001"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct arena *arena = arena_new(0);
		struct spf_outcome spf;
		struct dkim_outcome dkim;
		struct dmarc_outcome dmarc;
		struct authres_input input = example_input(&spf, &dkim, &dmarc);
		struct arc_outcome arc = {.result = cases[i].arc};
		struct authres read;

		dmarc.result = cases[i].dmarc;
		dmarc.discovery.policy = cases[i].policy;
		dmarc.discovery.applied_policy = cases[i].policy;
		input.disposition = slice_from(cases[i].disposition);
		input.override = slice_from(cases[i].override);
		input.arc = &arc;
		assert_true(authres_parse(arena,
		    ARENA_JOIN(arena, SLICE("x; "),
			authres_exchange_style(arena, &input)),
		    &read, NULL));
		assert_string_equal(
		    arena_text(arena, value_of(&read, 2, "", "action")),
		    cases[i].action);
		assert_string_equal(
		    arena_text(arena, read.results[3].reason), cases[i].reason);
		/* The override alone, without ARC, vouches for nobody. */
		input.arc = NULL;
		assert_true(
		    slice_find_slice(
			authres_exchange_style(arena, &input), SLICE("130")) ==
		    authres_exchange_style(arena, &input).len);
		arena_free(arena);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_write),
	    cmocka_unit_test(test_write_others),
	    cmocka_unit_test(test_write_details),
	    cmocka_unit_test(test_crowded),
	    cmocka_unit_test(test_hostile),
	    cmocka_unit_test(test_long),
	    cmocka_unit_test(test_exchange),
	    cmocka_unit_test(test_exchange_worst),
	    cmocka_unit_test(test_exchange_identities),
	    cmocka_unit_test(test_exchange_failure),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
