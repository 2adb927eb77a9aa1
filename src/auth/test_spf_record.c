/* SPDX-License-Identifier: Apache-2.0 */
/* The grammar of SPF records: RFC 7208 sections 4.5, 4.6.1, 5, 6, 7.1, 12. */
#include "auth/spf_record.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"

struct row {
	const char *text;
	int terms; /* -1: a syntax error */
};

/* clang-format off */
static const struct row rows[] = {
	{"v=spf1", 0},
	{"V=SPF1", 0},
	{"v=spf1 ", 0},
	{"v=spf1  -all  ", 1},
	{"v=spf1 +a ?mx ~ptr -all", 4},
	{"v=spf1 A MX:EXAMPLE.COM PTR:example.com ALL", 4},
	{"v=spf1 \tall", -1},			/* 4.6.1: SP only */
	{"v=spf1 all\t", -1},
	{"v=spf1 all moo", -1},			/* 4.6: anywhere */
	{"v=spf1 +-all", -1},
	{"v=spf1 +", -1},
	{"v=spf1 !all", -1},
	{"v=spf1 4all", -1},
	/* 5.1 */
	{"v=spf1 all:", -1},
	{"v=spf1 all/0", -1},
	{"v=spf1 all.", -1},
	/* 5.2 and 5.7 */
	{"v=spf1 include:example.com", 1},
	{"v=spf1 include", -1},
	{"v=spf1 include:", -1},
	{"v=spf1 include:example.com/24", -1},
	{"v=spf1 include/24", -1},
	{"v=spf1 include/x.example.com", -1},
	{"v=spf1 exists:%{i}.example.com", 1},
	{"v=spf1 exists", -1},
	/* 5.3 and 5.4: prefix lengths */
	{"v=spf1 a/0 a/32 a//0 a//128 a/24//64", 5},
	{"v=spf1 a/33", -1},
	{"v=spf1 a//129", -1},
	{"v=spf1 a/024", -1},
	{"v=spf1 a/00", -1},
	{"v=spf1 a/", -1},
	{"v=spf1 a//", -1},
	{"v=spf1 a///64", -1},
	{"v=spf1 a/24/64", -1},
	{"v=spf1 a/24//64/1", -1},
	{"v=spf1 a/-1", -1},
	{"v=spf1 a/99999999999999999999", -1},
	{"v=spf1 mx:example.com/24//64", 1},
	{"v=spf1 mx:foo:bar/baz.example.com", 1},
	{"v=spf1 a:%{d2}/24", 1},
	{"v=spf1 a:", -1},
	{"v=spf1 a:/24", -1},
	{"v=spf1 a/x.example.com", -1},
	/* 5.5 */
	{"v=spf1 ptr/0", -1},
	{"v=spf1 ptr:", -1},
	{"v=spf1 ptr/x.example.com", -1},
	/* 5.6 */
	{"v=spf1 ip4:192.0.2.1 ip4:192.0.2.0/24 ip4:0.0.0.0/0", 3},
	{"v=spf1 ip4", -1},
	{"v=spf1 ip4:", -1},
	{"v=spf1 ip4/24", -1},
	{"v=spf1 ip4/192.0.2.1", -1},
	{"v=spf1 ip4:192.0.2", -1},
	{"v=spf1 ip4:192.0.2.01", -1},
	{"v=spf1 ip4:192.0.2.256", -1},
	{"v=spf1 ip4:192.0.2.1:25", -1},
	{"v=spf1 ip4:192.0.2.1/", -1},
	{"v=spf1 ip4:192.0.2.1/33", -1},
	{"v=spf1 ip4:192.0.2.1//24", -1},
	{"v=spf1 ip4:2001:db8::1", -1},
	{"v=spf1 ip4:example.com", -1},
	{"v=spf1 ip6:2001:db8::1 ip6:2001:db8::/32 ip6:::/0", 3},
	{"v=spf1 ip6:::ffff:192.0.2.1/128", 1},
	{"v=spf1 ip6:192.0.2.1", -1},
	{"v=spf1 ip6:2001:db8::1/129", -1},
	{"v=spf1 ip6:2001:db8::1::2", -1},
	{"v=spf1 ip6:[2001:db8::1]", -1},
	{"v=spf1 ip6:", -1},
	{"v=spf1 ip6:/64", -1},
	{"v=spf1 ip6/2001:db8::1", -1},
	/* longer than any address is: 45 octets, 46 and more */
	{"v=spf1 ip6:0000:0000:0000:0000:0000:0000:255.255.255.255", 1},
	{"v=spf1 ip6:0000:0000:0000:0000:0000:0000:0255.255.255.255", -1},
	{"v=spf1 ip6:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000", -1},
	/* 6 */
	{"v=spf1 redirect=example.com", 0},
	{"v=spf1 REDIRECT=example.com Exp=example.net", 0},
	{"v=spf1 redirect=", -1},
	{"v=spf1 redirect=a.example redirect=b.example", -1},
	{"v=spf1 exp=a.example exp=b.example", -1},
	{"v=spf1 exp=", -1},
	{"v=spf1 redirect=example.com/24", -1},
	{"v=spf1 redirect:example.com", -1},
	{"v=spf1 foo=", 0},
	{"v=spf1 foo=bar foo=baz", 0},
	{"v=spf1 f-o_o.1=%{d}%%%_%-", 0},
	{"v=spf1 foo=%", -1},
	{"v=spf1 foo=%{c}", -1},
	{"v=spf1 1foo=bar", -1},
	{"v=spf1 1=bar", -1},
	{"v=spf1 -foo=bar", -1},
	{"v=spf1 =bar", -1},
	{"v=spf1 a=b", 0},
	/* 7.1: domain-spec */
	{"v=spf1 a:example.com.", 1},
	{"v=spf1 a:com", -1},
	{"v=spf1 a:com.", -1},
	{"v=spf1 a:.com", 1},
	{"v=spf1 a:example.123", -1},
	{"v=spf1 a:example.1a3", 1},
	{"v=spf1 a:example.xn--p1ai", 1},
	{"v=spf1 a:example.-com", -1},
	{"v=spf1 a:example.com-", -1},
	{"v=spf1 a:example.c_m", -1},
	{"v=spf1 a:example.com..", -1},
	{"v=spf1 a:_spf.example.com", 1},
	{"v=spf1 a:%{d}", 1},
	{"v=spf1 a:%{d}.", -1},
	{"v=spf1 a:%{d}com", -1},
	{"v=spf1 a:foo.%{d}com", -1},
	{"v=spf1 a:%{d}.com", 1},
	{"v=spf1 a:x%%", 1},
	{"v=spf1 a:%{d", -1},
	{"v=spf1 a:%{}", -1},
	{"v=spf1 a:%{a}", -1},
	{"v=spf1 a:%{d0}", -1},
	{"v=spf1 a:%{d00}", -1},
	{"v=spf1 a:%{d127r.-+,/_=}", 1},
	{"v=spf1 a:%{D1R}", 1},
	{"v=spf1 a:%{dr1}", -1},
	{"v=spf1 a:%{d:}", -1},
	{"v=spf1 a:%{c}", -1},
	{"v=spf1 a:%{r}", -1},
	{"v=spf1 a:%{t}", -1},
	{"v=spf1 a:%d.example.com", -1},
	{"v=spf1 a:ex\xc3\xa4mple.com", -1},
	{"v=spf1 a:example\x7f.com", -1},
};
/* clang-format on */

static void test_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct arena *arena = arena_new(0);
		struct spf_record record = {.count = 99};
		struct err err = {0};
		bool fine = spf_record_parse(
		    arena, slice_from(rows[i].text), &record, &err);

		if (fine != (rows[i].terms >= 0) ||
		    (fine && record.count != (size_t)rows[i].terms))
			fail_msg("%s: %s, %zu terms", rows[i].text,
			    fine ? "fine" : err.text, record.count);
		if (!fine)
			assert_int_equal(record.count, 99);
		if (!fine)
			assert_int_equal(err.kind, E_SYNTAX);
		arena_free(arena);
	}
}

/* What comes after the record in memory makes no modifier of its last term. */
static void test_end(void **state)
{
	static const char text[] = "v=spf1 mx=";
	struct arena *arena = arena_new(0);
	struct spf_record record = {.count = 99};

	(void)state;
	assert_true(spf_record_parse(
	    arena, slice_of(text, sizeof(text) - 2), &record, NULL));
	assert_int_equal(record.count, 1);
	arena_free(arena);
}

/* Section 4.5: which TXT records are SPF records. */
static void test_is_spf(void **state)
{
	(void)state;
	assert_true(spf_record_is_spf(SLICE("v=spf1")));
	assert_true(spf_record_is_spf(SLICE("V=Spf1 -all")));
	assert_false(spf_record_is_spf(SLICE("v=spf10")));
	assert_false(spf_record_is_spf(SLICE("v=spf1\t-all")));
	assert_false(spf_record_is_spf(SLICE("v=spf1-all")));
	assert_false(spf_record_is_spf(SLICE(" v=spf1 -all")));
	assert_false(spf_record_is_spf(SLICE("v=spf")));
	assert_false(spf_record_is_spf(SLICE("")));
}

/* The term, cut and printable, and what is wrong with it. */
static void test_problems(void **state)
{
	static const struct {
		const char *text, *problem;
	} problems[] = {
	    {"v=spf1 -moo", "\"-moo\": unknown mechanism"},
	    {"v=spf1 ip4:x", "\"ip4:x\": not an IPv4 address"},
	    {"v=spf1 ip6:x", "\"ip6:x\": not an IPv6 address"},
	    {"v=spf1 ip4:", "\"ip4:\": not an IP address"},
	    {"v=spf1 a/33",
		"\"a/33\": the prefix length is not a number from 0 to 32"},
	    {"v=spf1 \xff\t", "\"?"
			      "?\": has bytes that are not visible US-ASCII"},
	    {"v=spf1 0123456789abcdef0123456789abcdef0123456789abcdef"
	     "0123456789abcdef0",
		"\"0123456789abcdef0123456789abcdef0123456789abcdef"
		"0123456789abcdef\": unknown mechanism"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(problems) / sizeof(*problems); i++) {
		struct arena *arena = arena_new(0);
		struct spf_record record;
		struct err err;

		assert_false(spf_record_parse(
		    arena, slice_from(problems[i].text), &record, &err));
		assert_string_equal(err.text, problems[i].problem);
		arena_free(arena);
	}
}

static void test_terms(void **state)
{
	static const struct slice text = SLICE_INIT(
	    "v=spf1 a:x.example/24//64 ~ip4:192.0.2.0/25 ?mx exists:y.example "
	    "redirect=%{d}.r.example exp=e.example");
	struct arena *arena = arena_new(0);
	struct spf_record record;

	(void)state;
	assert_true(spf_record_parse(arena, text, &record, NULL));
	assert_int_equal(record.count, 4);
	assert_int_equal(record.terms[0].mechanism, SPF_A);
	assert_int_equal(record.terms[0].qualifier, SPF_PASS);
	assert_true(slice_eq(record.terms[0].domain, SLICE("x.example")));
	assert_int_equal(record.terms[0].prefix4, 24);
	assert_int_equal(record.terms[0].prefix6, 64);
	assert_int_equal(record.terms[1].qualifier, SPF_SOFTFAIL);
	assert_true(slice_eq(record.terms[1].text, SLICE("ip4:192.0.2.0/25")));
	assert_int_equal(record.terms[1].network.prefix, 25);
	assert_int_equal(record.terms[2].qualifier, SPF_NEUTRAL);
	assert_true(slice_empty(record.terms[2].domain));
	assert_int_equal(record.terms[2].prefix4, 32);
	assert_int_equal(record.terms[2].prefix6, 128);
	assert_int_equal(record.terms[3].mechanism, SPF_EXISTS);
	assert_true(slice_eq(record.redirect, SLICE("%{d}.r.example")));
	assert_true(slice_eq(record.explanation, SLICE("e.example")));
	arena_free(arena);
}

/* "v=spf1" and count times the term. */
static struct slice record_of(
    struct arena *arena, const char *term, size_t count)
{
	struct buf *text = buf_in_arena(arena, 100000);

	buf_add_text(text, "v=spf1");
	for (size_t i = 0; i < count; i++)
		buf_add_text(text, term);
	return buf_slice(text);
}

/* A record takes no more memory than the limit on terms allows, whatever its
 * length. */
static void test_limit(void **state)
{
	static const struct {
		const char *term;
		size_t count;
		bool fine;
	} cases[] = {
	    {" a", SPF_TERMS_MAX, true},
	    {" a", SPF_TERMS_MAX + 1, false},
	    {" a", 31000, false},
	    {" x=", SPF_TERMS_MAX + 1, false},
	    {" ", 60000, true},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct arena *texts = arena_new(0), *arena = arena_new(0);
		struct slice text = record_of(
		    texts, cases[i].term, cases[i].count);
		struct spf_record record = {.count = 99};
		struct err err = {0};
		bool fine = spf_record_parse(arena, text, &record, &err);

		if (fine != cases[i].fine)
			fail_msg("%zu times \"%s\": %s", cases[i].count,
			    cases[i].term, fine ? "fine" : err.text);
		if (!fine)
			assert_int_equal(err.kind, E_LIMIT);
		assert_true(arena_size(arena) < 100000);
		arena_free(arena);
		arena_free(texts);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_rows),
	    cmocka_unit_test(test_end),
	    cmocka_unit_test(test_limit),
	    cmocka_unit_test(test_is_spf),
	    cmocka_unit_test(test_problems),
	    cmocka_unit_test(test_terms),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
