/* SPDX-License-Identifier: Apache-2.0 */
/* What strangers write, read. */
#include "auth/authres.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"

static struct slice value_of(const struct authres *authres, size_t result,
    const char *ptype, const char *property)
{
	assert_true(result < authres->count);
	return authres_property(&authres->results[result], ptype, property);
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
    {"x; spf=pass smtp.mailfrom=a", true, true, "x", 1},
    {"x; spf=pass smtp.mailfrom=\"a\r\n\tb\"", true, true, "x", 1},
    {"x; spf=pass smtp.mailfrom=", true, false, "x", 1},
    {"x;; spf=pass", true, false, "x", 1},
    {"x 1000; none", true, true, "x", 0},
    {"x ((((((((((((((((((((((((((((((((a)))))))))))))))))))))))))))))))); none", true, true, "x", 0},
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
    {"x 1001; none", false, false, "", 0},
    {"x; spf=pass reason=(a", false, false, "", 0},
    {"x; spf=pass smtp.mailfrom=(a", false, false, "", 0},
    {"x; spf=pass reason=\"a\\", false, false, "", 0},
    {"x; spf=pass smtp.mailfrom=\"a", false, false, "", 0},
    {"x (((((((((((((((((((((((((((((((((a))))))))))))))))))))))))))))))))); none", false, false, "", 0},
    {"x (((((((((((((((((((((((((((((((((1; none", false, false, "", 0},
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
	assert_int_equal(read.version, 1);
	assert_true(slice_eq(read.results[0].method, SLICE("DKIM")));
	assert_true(slice_eq(read.results[0].reason, SLICE("a \" b")));
	assert_true(slice_eq(
	    value_of(&read, 0, "header", "from"), SLICE("q@b.example")));
	assert_true(
	    slice_eq(value_of(&read, 1, "", "action"), SLICE("oreject")));
	assert_int_equal(value_of(&read, 1, "header", "from").len, 0);
	assert_true(authres_parse(arena, SLICE("x 7; none"), &read, NULL));
	assert_int_equal(read.version, 7);
	assert_true(authres_parse(arena, SLICE("x"), &read, NULL));
	assert_int_equal(read.version, 1);
	arena_free(arena);
}

/* A hundred results, of fifty properties each; no more. */
static void test_parse_limits(void **state)
{
	struct arena *arena = arena_new(0);
	struct buf *text = buf_in_arena(arena, 1 << 20);
	struct authres read;
	struct err err;

	(void)state;
	buf_add_text(text, "x");
	for (size_t i = 0; i < 100; i++)
		buf_add_text(text, "; a=b");
	for (size_t i = 0; i < 50; i++)
		buf_add_text(text, " c.d=e");
	assert_true(authres_parse(arena, buf_slice(text), &read, &err));
	assert_int_equal(read.count, 100);
	assert_int_equal(read.results[99].property_count, 50);
	assert_true(slice_eq(value_of(&read, 99, "c", "d"), SLICE("e")));
	assert_false(authres_parse(arena,
	    ARENA_JOIN(arena, buf_slice(text), SLICE("; a=b")), &read, &err));
	assert_int_equal(err.kind, E_LIMIT);
	assert_false(authres_parse(arena,
	    ARENA_JOIN(arena, buf_slice(text), SLICE(" c.d=e")), &read, &err));
	assert_int_equal(err.kind, E_LIMIT);
	arena_free(arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_parse),
	    cmocka_unit_test(test_parse_values),
	    cmocka_unit_test(test_parse_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
