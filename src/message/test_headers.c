/* SPDX-License-Identifier: Apache-2.0 */
#include "message/headers.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"

#define S(text) SLICE_INIT(text)

static const struct {
	struct slice message;
	size_t count, body_offset;
	const char *names[4], *values[4];
} cases[] = {
    /* clang-format off */
    {S("From: a\r\nTo: b\r\n\r\nbody"), 2, 18, {"From", "To"}, {" a", " b"}},
    {S("A: 1\r\n 2\r\nB:\r\n\r\n"), 2, 16, {"A", "B"}, {" 1\r\n 2", ""}},
    {S("A: 1\n\nx"), 1, 6, {"A"}, {" 1"}},	/* LF alone, as in files */
    {S("A : 1\r\n\r\n"), 1, 9, {"A"}, {" 1"}},	/* RFC 5322, 4.5 */
    {S("A: 1\r\n \r\nB: 2\r\n\r\n"), 2, 17, {"A", "B"}, {" 1\r\n ", " 2"}},
    {S("no colon\r\nA: 1\r\n\r\n"), 2, 18, {"", "A"}, {"no colon", " 1"}},
    {S(" folded first\r\nA: 1\r\n\r\n"), 2, 23, {"", "A"},
	{" folded first", " 1"}},
    {S("A: 1"), 1, 4, {"A"}, {" 1"}},		/* no end at all */
    {S("\r\nbody"), 0, 2, {NULL}, {NULL}},
    {S(""), 0, 0, {NULL}, {NULL}},
    {S("A\r\n : 1\r\n\r\n"), 1, 11, {"A"}, {" 1"}},
    {S(" \r\n : 1\r\n\r\n"), 1, 11, {""}, {" 1"}},
    {S("A: x\ry\r\n\r\n"), 1, 10, {"A"}, {" x\ry"}},
    {S("A: x\0y\r\n\r\n"), 1, 10, {"A"}, {NULL}},
    /* clang-format on */
};

static void test_cases(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct arena *arena = arena_new(0);
		struct header_list list;

		assert_true(headers_parse(
		    arena, cases[i].message, &limits_default, &list, NULL));
		assert_int_equal(list.count, cases[i].count);
		assert_int_equal(list.body_offset, cases[i].body_offset);
		assert_ptr_equal(list.block.ptr, cases[i].message.ptr);
		for (size_t f = 0; f < list.count; f++) {
			assert_true(slice_eq(list.fields[f].name,
			    slice_from(cases[i].names[f])));
			if (cases[i].values[f])
				assert_true(slice_eq(list.fields[f].value,
				    slice_from(cases[i].values[f])));
		}
		arena_free(arena);
	}
}

/* A name that is none, and what lenient readers take it for. */
static void test_names(void **state)
{
	static const struct {
		struct slice field;
		bool valid;
		const char *lenient;
	} names[] = {
	    {S("From: a\r\n"), true, "From"},
	    {S("From : a\r\n"), true, "From"},
	    {S("From\t \t: a\r\n"), true, "From"},
	    {S("A: a\r\n"), true, "A"},
	    {S("A : a\r\n"), true, "A"},
	    {S("From\r\n : a\r\n"), false, "From"},
	    {S("\x01"
	       "From: a\r\n"),
		false, "From"},
	    {S("Fr\0om: a\r\n"), false, "From"},
	    {S("Fr om: a\r\n"), false, "From"},
	    {S("From\xc2\xa0: a\r\n"), false, "From"},
	    {S("\xe2\x80\x8b: a\r\n"), false, ""},
	    {S(": a\r\n"), false, ""},
	    {S("no colon\r\n"), false, ""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct arena *arena = arena_new(0);
		struct header_list list;

		assert_true(headers_parse(
		    arena, names[i].field, &limits_default, &list, NULL));
		assert_int_equal(list.count, 1);
		if (list.fields[0].valid != names[i].valid ||
		    !slice_eq(headers_lenient_name(arena, &list.fields[0]),
			slice_from(names[i].lenient)))
			fail_msg("%.*s", SLICE_ARGS(names[i].field));
		arena_free(arena);
	}
}

static void test_limits(void **state)
{
	struct arena *arena = arena_new(0);
	struct limits limits = limits_default;
	struct header_list list;
	struct err err;

	(void)state;
	limits.header_count = 2;
	assert_true(headers_parse(
	    arena, SLICE("A: 1\r\nB: 2\r\n\r\n"), &limits, &list, &err));
	assert_false(headers_parse(arena, SLICE("A: 1\r\nB: 2\r\nC: 3\r\n\r\n"),
	    &limits, &list, &err));
	assert_int_equal(err.kind, E_LIMIT);
	assert_non_null(strstr(err.text, "limits.header_count"));
	limits = limits_default;
	limits.header_size = 10;
	assert_false(headers_parse(
	    arena, SLICE("A: 1\r\nB: 2\r\n\r\n"), &limits, &list, &err));
	assert_non_null(strstr(err.text, "limits.header_size"));
	limits.header_size = 12;
	assert_true(headers_parse(
	    arena, SLICE("A: 1\r\nB: 2\r\n\r\n"), &limits, &list, &err));
	limits.header_size = 11;
	assert_false(headers_parse(
	    arena, SLICE("A: 1\r\nB: 2\r\n\r\n"), &limits, &list, &err));
	limits = limits_default;
	limits.header_field_size = 8;
	assert_false(headers_parse(
	    arena, SLICE("A: 1\r\n 234\r\n\r\n"), &limits, &list, &err));
	assert_non_null(strstr(err.text, "limits.header_field_size"));
	limits.header_field_size = 12;
	assert_true(headers_parse(
	    arena, SLICE("A: 1\r\n 234\r\n\r\n"), &limits, &list, &err));
	arena_free(arena);
}

static void test_find(void **state)
{
	struct arena *arena = arena_new(0);
	struct header_list list;

	(void)state;
	assert_true(headers_parse(arena,
	    SLICE("Received: 1\r\nX: a\r\nRECEIVED: 2\r\n\r\n"),
	    &limits_default, &list, NULL));
	assert_int_equal(headers_count(&list, SLICE("received")), 2);
	assert_ptr_equal(
	    headers_find(&list, SLICE("received"), 1), &list.fields[2]);
	assert_null(headers_find(&list, SLICE("received"), 2));
	assert_int_equal(headers_count(&list, SLICE("none")), 0);
	assert_null(headers_find(&list, SLICE("none"), 0));
	assert_true(slice_eq(
	    headers_unfold(arena, SLICE(" a\r\n b\n\tc ")), SLICE("a b\tc")));
	arena_free(arena);
}

/* As if each were compared with each; octets that no name has, too. */
static void test_named(void **state)
{
	static const struct slice names[] = {
	    SLICE_INIT("A"),
	    SLICE_INIT("a"),
	    SLICE_INIT("B"),
	    SLICE_INIT("a\0b"),
	    SLICE_INIT("A\0C"),
	    SLICE_INIT("\xc3\xa9"),
	    SLICE_INIT("\xc3\x89"),
	    SLICE_INIT("Subject"),
	    SLICE_INIT("subjecT"),
	    SLICE_INIT("["),
	    SLICE_INIT("{"),
	    SLICE_INIT("no field"),
	};
	enum { NAMES = sizeof(names) / sizeof(names[0]), FIELDS = 200 };
	struct arena *arena = arena_new(0);
	struct buf *text = buf_in_arena(arena, 10000);
	struct header_list list;

	(void)state;
	for (size_t i = 0; i < FIELDS; i++) {
		buf_add(text, names[i * i % (NAMES - 1)]);
		buf_add_text(text, i % 7 ? ": x\r\n" : "\r\n");
	}
	assert_true(headers_parse(
	    arena, buf_slice(text), &limits_default, &list, NULL));
	assert_int_equal(list.count, FIELDS);
	for (size_t n = 0; n < NAMES; n++) {
		struct header_positions found = headers_named(&list, names[n]);
		size_t count = 0;

		for (size_t i = 0; i < FIELDS; i++) {
			if (!slice_eq_nocase(list.fields[i].name, names[n]))
				continue;
			assert_in_range(count, 0, found.count - 1);
			assert_int_equal(found.items[count++], i);
		}
		assert_int_equal(count, found.count);
	}
	arena_free(arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_cases),
	    cmocka_unit_test(test_names),
	    cmocka_unit_test(test_limits),
	    cmocka_unit_test(test_find),
	    cmocka_unit_test(test_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
