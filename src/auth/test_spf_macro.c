/* SPDX-License-Identifier: Apache-2.0 */
/* Macros: RFC 7208 section 7, its examples (7.4) among them. */
#include "auth/spf_macro.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static struct slice validated_name(void *context)
{
	++*(unsigned int *)context;
	return SLICE("mx.example.org");
}

static struct spf_macro_values values_of(
    const char *client, unsigned int *asked)
{
	struct spf_macro_values values = {
	    .local_part = SLICE("strong-bad"),
	    .sender_domain = SLICE("email.example.com"),
	    .domain = SLICE("email.example.com"),
	    .helo = SLICE("mx.helo.example"),
	    .receiver = SLICE("mx1.agency.example"),
	    .now = 1800000000,
	    .validated_name = validated_name,
	    .context = asked,
	};

	assert_true(ip_parse(slice_from(client), &values.client_ip));
	return values;
}

struct row {
	const char *client, *spec, *wanted;
};

/* clang-format off */
static const struct row domain_rows[] = {
	{"192.0.2.3", "%{s}", "strong-bad@email.example.com"},
	{"192.0.2.3", "%{o}", "email.example.com"},
	{"192.0.2.3", "%{d}", "email.example.com"},
	{"192.0.2.3", "%{d4}", "email.example.com"},
	{"192.0.2.3", "%{d3}", "email.example.com"},
	{"192.0.2.3", "%{d2}", "example.com"},
	{"192.0.2.3", "%{d1}", "com"},
	{"192.0.2.3", "%{dr}", "com.example.email"},
	{"192.0.2.3", "%{d2r}", "example.email"},
	{"192.0.2.3", "%{d99999999999999999999}", "email.example.com"},
	{"192.0.2.3", "%{l}", "strong-bad"},
	{"192.0.2.3", "%{l-}", "strong.bad"},
	{"192.0.2.3", "%{lr}", "strong-bad"},
	{"192.0.2.3", "%{lr-}", "bad.strong"},
	{"192.0.2.3", "%{l1r-}", "strong"},
	{"192.0.2.3", "%{h}", "mx.helo.example"},
	{"192.0.2.3", "%{p}", "mx.example.org"},
	{"192.0.2.3", "%{ir}.%{v}._spf.%{d2}",
	    "3.2.0.192.in-addr._spf.example.com"},
	{"192.0.2.3", "%{lr-}.lp._spf.%{d2}", "bad.strong.lp._spf.example.com"},
	{"192.0.2.3", "%{lr-}.lp.%{ir}.%{v}._spf.%{d2}",
	    "bad.strong.lp.3.2.0.192.in-addr._spf.example.com"},
	{"192.0.2.3", "%{ir}.%{v}.%{l1r-}.lp._spf.%{d2}",
	    "3.2.0.192.in-addr.strong.lp._spf.example.com"},
	{"192.0.2.3", "%{d2}.trusted-domains.example.net",
	    "example.com.trusted-domains.example.net"},
	{"2001:db8::cb01", "%{ir}.%{v}._spf.%{d2}",
	    "1.0.B.C.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.B.D.0.1.0.0.2."
	    "ip6._spf.example.com"},
	{"2001:db8::cb01", "%{i12}", "0.0.0.0.0.0.0.0.C.B.0.1"},
	{"192.0.2.3", "a%%b%_c%-d.example.com", "a%b c%20d.example.com"},
	{"192.0.2.3", "%{S}", "strong-bad%40email.example.com"},
	{"192.0.2.3", "example.com.", "example.com"},
	{"192.0.2.3", "%{v}", "in-addr"},
};

static const struct row text_rows[] = {
	{"192.0.2.3", "See %{c} at %{r}, %{t}.",
	    "See 192.0.2.3 at mx1.agency.example, 1800000000."},
	{"2001:db8::1", "%{c} %{i}", "2001:db8::1 2.0.0.1.0.D.B.8.0.0.0.0.0.0."
	    "0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.1"},
	{"192.0.2.3", "http://%{d}/why.html?s=%{S}&i=%{I}",
	    "http://email.example.com/why.html?s="
	    "strong-bad%40email.example.com&i=192.0.2.3"},
	{"192.0.2.3", "", ""},
	{"192.0.2.3", "%{x}", NULL},
	{"192.0.2.3", "%{d0}", NULL},
	{"192.0.2.3", "%{d2", NULL},
	{"192.0.2.3", "%{}", NULL},
	{"192.0.2.3", "100%", NULL},
	{"192.0.2.3", "two\r\nlines", NULL},
	{"192.0.2.3", "caf\xc3\xa9", NULL},
	{"192.0.2.3", "%{d:} is wrong", NULL},
};
/* clang-format on */

static void test_domains(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(domain_rows) / sizeof(*domain_rows);
	     i++) {
		const struct row *row = &domain_rows[i];
		struct arena *arena = arena_new(0);
		unsigned int asked = 0;
		struct spf_macro_values values = values_of(row->client, &asked);
		struct slice spec = slice_from(row->spec), name;

		assert_true(spf_macro_check_domain(spec, NULL));
		assert_true(
		    spf_macro_expand_domain(arena, spec, &values, &name));
		assert_string_equal(arena_text(arena, name), row->wanted);
		assert_int_equal(asked, strstr(row->spec, "{p}") ? 1 : 0);
		arena_free(arena);
	}
}

static void test_texts(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(text_rows) / sizeof(*text_rows); i++) {
		const struct row *row = &text_rows[i];
		struct arena *arena = arena_new(0);
		unsigned int asked = 0;
		struct spf_macro_values values = values_of(row->client, &asked);
		struct slice text = SLICE("untouched");
		struct err err = {0};
		bool fine = spf_macro_expand_text(
		    arena, slice_from(row->spec), &values, &text, &err);

		assert_int_equal(fine, row->wanted != NULL);
		if (!fine)
			assert_int_equal(err.kind, E_SYNTAX);
		assert_string_equal(
		    arena_text(arena, text), fine ? row->wanted : "untouched");
		arena_free(arena);
	}
}

/* Section 7.3: 253 octets, cut at the left by labels. */
static void test_truncation(void **state)
{
	struct arena *arena = arena_new(0);
	unsigned int asked = 0;
	struct spf_macro_values values = values_of("192.0.2.3", &asked);
	char *label = arena_alloc(arena, 61);
	struct slice name;

	(void)state;
	memset(label, 'x', 60);
	values.domain = arena_format_slice(
	    arena, "%s.%s.%s.%s", label, label, label, label);
	assert_int_equal(values.domain.len, 243);
	/* 9 + 1 + 243 = 253 fit ... */
	assert_true(spf_macro_expand_domain(
	    arena, SLICE("a.b.c.d.e.%{d}"), &values, &name));
	assert_int_equal(name.len, 253);
	assert_true(slice_starts(name, SLICE("a.b.c.d.e.x")));
	/* ... and one label more does not. */
	assert_true(spf_macro_expand_domain(
	    arena, SLICE("y.a.b.c.d.e.%{d}"), &values, &name));
	assert_true(slice_starts(name, SLICE("a.b.c.d.e.x")));
	/* Nor does one octet more. */
	assert_true(spf_macro_expand_domain(
	    arena, SLICE("aa.b.c.d.e.%{d}"), &values, &name));
	assert_true(slice_starts(name, SLICE("b.c.d.e.x")));
	assert_true(spf_macro_expand_domain(
	    arena, SLICE("%{d}.%{d}.%{d}.a.b.c.d.e.example"), &values, &name));
	assert_int_equal(name.len, 17 + 61 * 3);
	arena_free(arena);
}

static void test_escaping(void **state)
{
	struct arena *arena = arena_new(0);
	unsigned int asked = 0;
	struct spf_macro_values values = values_of("192.0.2.3", &asked);
	struct slice text;

	(void)state;
	values.local_part = SLICE("~jack&jill=up-a_b3.c/+");
	assert_true(spf_macro_expand_text(
	    arena, SLICE("%{L} %{l}"), &values, &text, NULL));
	assert_string_equal(arena_text(arena, text),
	    "~jack%26jill%3Dup-a_b3.c%2F%2B ~jack&jill=up-a_b3.c/+");
	arena_free(arena);
}

/* A delimiter at an end, and two in a row, stand beside an empty part. */
static void test_empty_parts(void **state)
{
	static const struct {
		const char *local_part, *text, *wanted;
	} cases[] = {
	    {"", "%{l-}", ""},
	    {"-a", "%{l-}", ".a"},
	    {"-a", "%{lr-}", "a."},
	    {"-a", "%{l1-}", "a"},
	    {"a-", "%{l1-}", ""},
	    {"a--b", "%{l2-}", ".b"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct arena *arena = arena_new(0);
		unsigned int asked = 0;
		struct spf_macro_values values = values_of("192.0.2.3", &asked);
		struct slice text;

		values.local_part = slice_from(cases[i].local_part);
		assert_true(spf_macro_expand_text(
		    arena, slice_from(cases[i].text), &values, &text, NULL));
		assert_string_equal(arena_text(arena, text), cases[i].wanted);
		arena_free(arena);
	}
}

/* Spaces are for explanations. */
static void test_check_string(void **state)
{
	(void)state;
	assert_true(spf_macro_check_string(SLICE(""), NULL));
	assert_true(spf_macro_check_string(SLICE("a%{d}%_"), NULL));
	assert_false(spf_macro_check_string(SLICE("a b"), NULL));
	/* What comes after the text makes no escape of its last octet. */
	assert_false(spf_macro_check_string(slice_of("a%%", 2), NULL));
	assert_false(spf_macro_check_domain(SLICE("a b.example"), NULL));
}

/* domain-end of section 7.1: a macro, or a name that ends like one. */
static void test_domain_ends(void **state)
{
	static const struct {
		const char *spec;
		bool good;
	} cases[] = {
	    {"x.a1", true},
	    {"x.1a", true},
	    {"x.a-b", true},
	    {"x.a.", true},
	    {"x.%{d}", true},
	    {"x.12", false},
	    {"x._a", false},
	    {"x.-a", false},
	    {"x.a-", false},
	    {"x..", false},
	    {"x%{c}", false},
	    {"%{d:}.a", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		if (spf_macro_check_domain(slice_from(cases[i].spec), NULL) !=
		    cases[i].good)
			fail_msg("%s", cases[i].spec);
}

/* RFC 8616 section 4, and what no DNS query can hold. */
static void test_unusable(void **state)
{
	struct arena *arena = arena_new(0);
	unsigned int asked = 0;
	struct spf_macro_values values = values_of("192.0.2.3", &asked);
	struct err err = {0};
	struct slice name;

	(void)state;
	values.local_part = SLICE("caf\xc3\xa9");
	assert_false(spf_macro_expand_domain(
	    arena, SLICE("%{l}.example.com"), &values, &name));
	assert_false(spf_macro_expand_domain(
	    arena, SLICE("%{S}.example.com"), &values, &name));
	assert_true(spf_macro_expand_domain(
	    arena, SLICE("%{o}.example.com"), &values, &name));
	values.local_part = SLICE("\xe9"
				  "a");
	assert_false(spf_macro_expand_domain(
	    arena, SLICE("%{l}.example.com"), &values, &name));
	assert_true(
	    spf_macro_matches_nothing(SLICE("%{l}.example.com"), &values));
	assert_false(
	    spf_macro_expand_text(arena, SLICE("%{l}"), &values, &name, &err));
	assert_int_equal(err.kind, E_SYNTAX);
	values.local_part = slice_of("a\xe9", 1);
	assert_true(spf_macro_expand_domain(
	    arena, SLICE("%{l}.example.com"), &values, &name));
	values.helo = SLICE("a\nb");
	assert_false(
	    spf_macro_expand_domain(arena, SLICE("%{h}"), &values, &name));
	values.helo = SLICE("a\x7f");
	assert_false(
	    spf_macro_expand_domain(arena, SLICE("%{h}"), &values, &name));
	values.helo = SLICE("");
	assert_false(
	    spf_macro_expand_domain(arena, SLICE("%{h}"), &values, &name));
	arena_free(arena);
}

/* An explanation has a maximum. */
static void test_long_text(void **state)
{
	struct arena *arena = arena_new(0);
	unsigned int asked = 0;
	struct spf_macro_values values = values_of("192.0.2.3", &asked);
	char *text = arena_alloc(arena, SPF_EXPLANATION_MAX + 2);
	struct err err = {0};
	struct slice ret;

	(void)state;
	memset(text, 'x', SPF_EXPLANATION_MAX + 1);
	assert_true(spf_macro_expand_text(
	    arena, slice_of(text, SPF_EXPLANATION_MAX), &values, &ret, &err));
	assert_false(spf_macro_expand_text(arena,
	    slice_of(text, SPF_EXPLANATION_MAX + 1), &values, &ret, &err));
	assert_int_equal(err.kind, E_LIMIT);
	values.receiver = (struct slice){NULL, 0};
	assert_true(
	    spf_macro_expand_text(arena, SLICE("%{r}"), &values, &ret, &err));
	assert_true(slice_eq(ret, SLICE("unknown")));
	arena_free(arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_domains),
	    cmocka_unit_test(test_texts),
	    cmocka_unit_test(test_truncation),
	    cmocka_unit_test(test_escaping),
	    cmocka_unit_test(test_empty_parts),
	    cmocka_unit_test(test_check_string),
	    cmocka_unit_test(test_domain_ends),
	    cmocka_unit_test(test_unusable),
	    cmocka_unit_test(test_long_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
