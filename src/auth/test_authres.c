/* SPDX-License-Identifier: Apache-2.0 */
/* Authentication-Results: what is written can be read again, whatever it is
 * about; and who is meant by what strangers write. */
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
	/* more than the field may hold: cut between two words */
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

/* clang-format off */
static const struct parse_case {
	const char *value;
	bool ok, conforming;
	const char *id;
	size_t count;
} parse_cases[] = {
    /* RFC 8601, appendix B */
    {"example.org 1; none", true, true, "example.org", 0},
    {"example.com;\r\n\tspf=pass smtp.mailfrom=example.net", true, true, "example.com", 1},
    {"example.com;\r\n auth=pass (cleartext) smtp.auth=sender@example.net;\r\n spf=pass smtp.mailfrom=example.net", true, true, "example.com", 2},
    {"foo.example.net (foobar) 1 (baz);\r\n dkim (Because I like it) / 1 (One yay) = (wait for it) fail\r\n policy (A dot can go here) . (like that) expired\r\n (this surprised me) = (as I wasn't expecting it) 1362471462", true, true, "foo.example.net", 1},
    {"example.com; dkim=pass reason=\"good; signature\" header.i=@mail-router.example.net; dkim=fail reason=\"bad\" header.i=@newyork.example.com", true, true, "example.com", 2},
    /* tolerated */
    {"x; dkim=pass header.b=A/+=", true, false, "x", 1},
    {"x; arc=pass smtp.remote-ip=2001:db8::1", true, false, "x", 1},
    {"x; dmarc=pass action=none header.from=a.example", true, false, "x", 1},
    {"x; spf=pass smtp.mailfrom=;", true, false, "x", 1},
    {"x", true, false, "x", 0},
    {"\"x y\"; none", true, true, "x y", 0},
    {"x; none (really)", true, true, "x", 0},
    /* refused */
    {"", false, false, "", 0},
    {"; none", false, false, "", 0},
    {"spf=pass (sender IP is 192.0.2.1) smtp.mailfrom=a.example; dkim=none", false, false, "", 0},
    {"x y; none", false, false, "", 0},
    {"x; spf", false, false, "", 0},
    {"x; spf=", false, false, "", 0},
    {"x; spf=pass smtp", false, false, "", 0},
    {"x; spf=pass smtp.", false, false, "", 0},
    {"x; spf=pass smtp.mailfrom", false, false, "", 0},
    {"x; spf=pass \"a", false, false, "", 0},
    {"x (; none", false, false, "", 0},
    {"x; spf=pass smtp.mailfrom=\"a\x01\"", false, false, "", 0},
    {"x; spf=pass smtp.mailfrom=a\x01", false, false, "", 0},
    {"x; none; spf=pass", false, false, "", 0},
    {"x; spf/=pass", false, false, "", 0},
    {"x ((((((((((((((((((((((((((((((((((a))))))))))))))))))))))))))))))))))); none", false, false, "", 0},
};
/* clang-format on */

static void test_parse(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(parse_cases) / sizeof(*parse_cases);
	     i++) {
		const struct parse_case *test = &parse_cases[i];
		struct arena *arena = arena_new(0);
		struct authres read = {0};
		struct err err = {0};
		bool ok = authres_parse(
		    arena, slice_from(test->value), &read, &err);

		if (ok != test->ok || read.conforming != test->conforming ||
		    read.count != test->count ||
		    !slice_eq(read.authserv_id, slice_from(test->id)))
			fail_msg("%s: %d %d %.*s %zu %s", test->value, ok,
			    read.conforming, SLICE_ARGS(read.authserv_id),
			    read.count, err.text);
		arena_free(arena);
	}
}

static void test_parse_values(void **state)
{
	struct arena *arena = arena_new(0);
	struct authres read;

	(void)state;
	assert_true(authres_parse(arena,
	    SLICE("x 1; DKIM=Pass reason=\"a \\\" b\" header.d=a.example "
		  "Header.From=\"q\"@b.example; dmarc=fail action=oreject"),
	    &read, NULL));
	assert_true(slice_eq(read.results[0].method, SLICE("DKIM")));
	assert_true(slice_eq(read.results[0].reason, SLICE("a \" b")));
	assert_true(slice_eq(
	    value_of(&read, 0, "header", "from"), SLICE("q@b.example")));
	assert_true(
	    slice_eq(value_of(&read, 1, "", "action"), SLICE("oreject")));
	assert_int_equal(value_of(&read, 1, "header", "from").len, 0);
	arena_free(arena);
}

/* clang-format off */
static const struct claim_case {
	const char *value;
	bool ours;
} claim_cases[] = {
    {"mx1.agency.example; spf=pass", true},
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
    {"(a\\\\); mx1.agency.example", false},
    {"a); mx1.agency.example", false},
    {"\"(\"; mx1.agency.example", false},
    /* quotes and comments inside the name, dropped as they are understood */
    {"mx1.agency.(x)example; none", true},
    {"mx1.agency(a(b)c).example; none", true},
    {"mx1.\"agency\".example; none", true},
    {"mx1(\"a).agency.example; none", true},
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
			SLICE("mx1.agency.example")) != claim_cases[i].ours)
			fail_msg("%s", claim_cases[i].value);
		/* Nobody has the name "". */
		assert_false(authres_claims(
		    arena, slice_from(claim_cases[i].value), SLICE("")));
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
	    cmocka_unit_test(test_write),
	    cmocka_unit_test(test_write_others),
	    cmocka_unit_test(test_hostile),
	    cmocka_unit_test(test_long),
	    cmocka_unit_test(test_exchange),
	    cmocka_unit_test(test_exchange_worst),
	    cmocka_unit_test(test_exchange_identities),
	    cmocka_unit_test(test_exchange_failure),
	    cmocka_unit_test(test_parse),
	    cmocka_unit_test(test_parse_values),
	    cmocka_unit_test(test_claims),
	    cmocka_unit_test(test_anonymous),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
