/* SPDX-License-Identifier: Apache-2.0 */
#include "mime/charset.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define S(text) SLICE_INIT(text)
#define REPLACED "\xef\xbf\xbd"

static const struct {
	struct slice charset, bytes, text;
} cases[] = {
    /* clang-format off */
    {S(""), S("caf\xc3\xa9"), S("caf\xc3\xa9")},
    {S(""), S("caf\xe9"), S("caf\xc3\xa9")},		/* not UTF-8 */
    {S("us-ascii"), S("\x80"), S("\xe2\x82\xac")},	/* windows-1252 */
    {S("UTF-8"), S("a\0b"), S("a" REPLACED "b")},
    {S("UTF-8"), S("caf\xc3\xa9 \xff"), S("caf\xc3\xa9 " REPLACED)},
    {S("utf8"), S("\xe9\xc3\xa9"), S(REPLACED "\xc3\xa9")},
    {S("ISO-8859-1"), S("\x93\xe9\x94"), S("\xe2\x80\x9c\xc3\xa9\xe2\x80\x9d")},
    {S(" koi8-r "), S("\xf0\xd2"), S("\xd0\x9f\xd1\x80")},
    {S("iso-2022-jp"), S("\x1b$B$\"\x1b(B."), S("\xe3\x81\x82.")},
    {S("gb2312"), S("\xc4\xe3"), S("\xe4\xbd\xa0")},
    {S("utf-7"), S("+AGE-b"), S("ab")},
    {S("utf-16be"), S("\0a\xd8"), S("a" REPLACED)},	/* cut */
    {S("x-unknown"), S("caf\xe9"), S("caf\xc3\xa9")},
    {S("x-unknown"), S("caf\xc3\xa9"), S("caf\xc3\xa9")},
    {S("utf-16//IGNORE"), S("a"), S("a")},
    {S("windows-1252"), S("\x81x"), S(REPLACED "x")},	/* undefined there */
    /* A character that iconv holds back till it is told of the end. */
    {S("big5-hkscs"), S("\x88\x62"), S("\xc3\x8a\xcc\x84")},
    {S("windows-1258"), S("Vi\xea\xf2t a"), S("Vi\xe1\xbb\x87t a")},
    /* clang-format on */
};

static void test_cases(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct arena *arena = arena_new(0);
		struct slice text = mime_to_utf8(
		    arena, cases[i].charset, cases[i].bytes);

		assert_int_equal(text.len, cases[i].text.len);
		assert_true(slice_eq(text, cases[i].text));
		arena_free(arena);
	}
}

/* More than one step of the converter. */
static void test_long(void **state)
{
	struct arena *arena = arena_new(0);
	char *bytes = arena_alloc(arena, 100000);
	struct slice text;

	(void)state;
	for (size_t i = 0; i < 100000; i++)
		bytes[i] = '\xe9';
	text = mime_to_utf8(
	    arena, SLICE("iso-8859-1"), slice_of(bytes, 100000));
	assert_int_equal(text.len, 200000);
	assert_true(slice_ends_nocase(text, SLICE("\xc3\xa9")));
	arena_free(arena);
}

/* The charset whose octets become most: 0x82 is a syllable of Tamil. */
static void test_expansion(void **state)
{
	struct arena *arena = arena_new(0);
	char *bytes = arena_alloc(arena, 100000);
	struct slice text;

	(void)state;
	memset(bytes, 0x82, 99999);
	bytes[99999] = '.';
	text = mime_to_utf8(arena, SLICE("tscii"), slice_of(bytes, 100000));
	assert_int_equal(text.len, 12 * 99999 + 1);
	arena_free(arena);
}

/* After many charsets others are read as unknown ones are. */
static void test_converters_are_bounded(void **state)
{
	struct mime_converters *converters = mime_converters_new();
	struct arena *arena = arena_new(0);
	const struct slice octets = SLICE("\xf0\xd2");

	(void)state;
	assert_true(
	    slice_eq(mime_convert(converters, arena, SLICE("koi8-r"), octets),
		SLICE("\xd0\x9f\xd1\x80")));
	for (unsigned int i = 1; i < 1200; i++)
		mime_convert(converters, arena,
		    arena_format_slice(arena, "cp%03u", i), octets);
	assert_true(
	    slice_eq(mime_convert(converters, arena, SLICE("KOI8-R"), octets),
		SLICE("\xd0\x9f\xd1\x80")));
	assert_true(
	    slice_eq(mime_convert(converters, arena, SLICE("koi8-u"), octets),
		SLICE("\xc3\xb0\xc3\x92")));
	mime_converters_free(converters);
	arena_free(arena);
}

/* Names of no charset leave room for those that are. */
static void test_unknown_charsets(void **state)
{
	struct mime_converters *converters = mime_converters_new();
	struct arena *arena = arena_new(0);
	const struct slice octets = SLICE("\xf0\xd2");

	(void)state;
	for (unsigned int i = 0; i < 1000; i++)
		mime_convert(converters, arena,
		    arena_format_slice(arena, "x-none-%u", i), octets);
	assert_true(
	    slice_eq(mime_convert(converters, arena, SLICE("koi8-r"), octets),
		SLICE("\xd0\x9f\xd1\x80")));
	mime_converters_free(converters);
	arena_free(arena);
}

static void test_words(void **state)
{
	(void)state;
	assert_int_equal(mime_count_words(SLICE("")), 0);
	assert_int_equal(mime_count_words(SLICE("  \r\n")), 0);
	assert_int_equal(mime_count_words(SLICE("one")), 1);
	assert_int_equal(mime_count_words(SLICE(" one\ttwo\r\nthree, 4 ")), 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_cases),
	    cmocka_unit_test(test_long),
	    cmocka_unit_test(test_expansion),
	    cmocka_unit_test(test_converters_are_bounded),
	    cmocka_unit_test(test_unknown_charsets),
	    cmocka_unit_test(test_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
