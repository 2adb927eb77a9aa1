/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/dkim_canon.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const struct {
	const char *raw, *relaxed, *simple;
} cases[] = {
    /* RFC 6376 section 3.4.5 */
    {"A: X\r\n", "a:X\r\n", "A: X\r\n"},
    {"B : Y\t\r\n\tZ  \r\n", "b:Y Z\r\n", "B : Y\t\r\n\tZ  \r\n"},
    {"Subject:\r\n", "subject:\r\n", "Subject:\r\n"},
    {"Subject: \t \r\n", "subject:\r\n", "Subject: \t \r\n"},
    {"SUBJect: AbC\r\n", "subject:AbC\r\n", "SUBJect: AbC\r\n"},
    {"S:\r\n a\r\n \r\n b\r\n", "s:a b\r\n", "S:\r\n a\r\n \r\n b\r\n"},
    {"S: a : b\r\n", "s:a : b\r\n", "S: a : b\r\n"},
    /* No line end at the end of the message, or a bare LF. */
    {"S: a", "s:a\r\n", "S: a\r\n"},
    {"S: a\n", "s:a\r\n", "S: a\r\n"},
    /* A bare CR or LF inside is an octet like others. */
    {"S: a\rb \r c\r\n", "s:a\rb \r c\r\n", "S: a\rb \r c\r\n"},
    {"S: a\r  b\r\n", "s:a\r b\r\n", "S: a\r  b\r\n"},
    {"S: a\n b\r\n", "s:a\n b\r\n", "S: a\n b\r\n"},
    {"S\t:a\r\n", "s:a\r\n", "S\t:a\r\n"},
};

static void expect(struct buf *buf, const char *text)
{
	if (!slice_eq(buf_slice(buf), slice_from(text)))
		fail_msg(
		    "\"%.*s\" is not \"%s\"", SLICE_ARGS(buf_slice(buf)), text);
	buf_clear(buf);
}

static void test_fields(void **state)
{
	struct arena *arena = arena_new(0);
	struct buf *buf = buf_in_arena(arena, 1000);

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct slice raw = slice_from(cases[i].raw);

		dkim_canon_field(buf, CANON_RELAXED, raw);
		expect(buf, cases[i].relaxed);
		dkim_canon_field(buf, CANON_SIMPLE, raw);
		expect(buf, cases[i].simple);
	}
	arena_free(arena);
}

static void test_own_field(void **state)
{
	struct arena *arena = arena_new(0);
	struct buf *buf = buf_in_arena(arena, 1000);
	struct slice raw = SLICE("X:  a=1; b= c\r\n d ; e=2 \r\n");
	struct slice value = slice_sub(raw, 11, 7);

	(void)state;
	assert_true(slice_eq(value, SLICE(" c\r\n d ")));
	dkim_canon_own_field(buf, CANON_RELAXED, raw, value);
	expect(buf, "x:a=1; b=; e=2");
	dkim_canon_own_field(buf, CANON_SIMPLE, raw, value);
	expect(buf, "X:  a=1; b=; e=2 ");
	arena_free(arena);
}

/* RFC 6376 section 5.4.2: from the bottom; none left adds nothing. */
static void test_named_fields(void **state)
{
	static const struct {
		const char *names, *canonical;
	} named[] = {
	    {"b", "b:3\r\n"},
	    {"B:b", "b:3\r\nb:1\r\n"},
	    {"b:a:b:b:b", "b:3\r\na:2\r\nb:1\r\n"},
	    {"missing: a ::", "a:2\r\n"},
	    {"own", ""},
	    {"own:own", ""},
	};
	struct arena *arena = arena_new(0);
	struct buf *buf = buf_in_arena(arena, 1000);
	struct header_list list;
	struct err err;

	(void)state;
	assert_true(headers_parse(arena,
	    SLICE(":0\r\nb:1\r\nA:2\r\nown:x\r\nB:3\r\n\r\n"), &limits_default,
	    &list, &err));
	for (size_t i = 0; i < sizeof(named) / sizeof(named[0]); i++) {
		dkim_canon_named_fields(buf, CANON_RELAXED, &list,
		    slice_from(named[i].names), &list.fields[3]);
		expect(buf, named[i].canonical);
	}
	arena_free(arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_fields),
	    cmocka_unit_test(test_own_field),
	    cmocka_unit_test(test_named_fields),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
