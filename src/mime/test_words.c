/* SPDX-License-Identifier: Apache-2.0 */
#include "mime/words.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/clock.h"

#define S(text) SLICE_INIT(text)

static const struct {
	struct slice text, decoded;
} cases[] = {
    /* clang-format off */
    {S(""), S("")},
    {S("plain = text?"), S("plain = text?")},
    {S("caf\xe9"), S("caf\xc3\xa9")},
    /* RFC 2047 section 8. */
    {S("=?ISO-8859-1?Q?a?="), S("a")},
    {S("=?ISO-8859-1?Q?a?= b"), S("a b")},
    {S("=?ISO-8859-1?Q?a?= =?ISO-8859-1?Q?b?="), S("ab")},
    {S("=?ISO-8859-1?Q?a?=  =?ISO-8859-1?Q?b?="), S("ab")},
    {S("=?ISO-8859-1?Q?a?=\r\n    =?ISO-8859-1?Q?b?="), S("ab")},
    {S("=?ISO-8859-1?Q?a_b?="), S("a b")},
    {S("=?ISO-8859-1?Q?a?= =?ISO-8859-2?Q?_b?="), S("a b")},
    {S("=?US-ASCII*en?q?x?="), S("x")},		/* RFC 2231 section 5 */
    {S("=?utf-8?b?w6k=?="), S("\xc3\xa9")},
    {S("=?utf-8?B?ww==?= =?UTF-8?Q?=A9?="), S("\xc3\xa9")},	/* split */
    {S("=?iso-8859-1?Q?=E9?= =?utf-8?Q?=C3=A9?="), S("\xc3\xa9\xc3\xa9")},
    {S("x=?utf-8?Q?=41?=y"), S("xAy")},
    {S("=?utf-8?Q?this is?="), S("this is")},
    {S("=?utf-8?Q?\?= x"), S(" x")},
    {S("\xc3\xa9 =?utf-8?Q?=41?="), S("\xc3\xa9 A")},
    {S(" =?utf-8?Q?a?="), S(" a")},
    {S("=?utf-8?Qx?a?="), S("=?utf-8?Qx?a?=")},
    {S("=?utf-8?X?a?="), S("=?utf-8?X?a?=")},
    {S("=?utf-8?Q?a"), S("=?utf-8?Q?a")},
    {S("=?utf-8?Q"), S("=?utf-8?Q")},
    {S("=?utf-8?"), S("=?utf-8?")},
    {S("=?utf-8"), S("=?utf-8")},
    {S("=??Q?a?="), S("=??Q?a?=")},
    {S("=?"), S("=?")},
    {S("=?=?utf-8?Q?a?="), S("=?a")},
    {S("=?utf-8?Q?a?= = =?utf-8?Q?b?="), S("a = b")},
    {S("=?utf-8?Q?a?= "), S("a ")},
    {S("=?utf-8?Q?=00?="), S("\xef\xbf\xbd")},
    /* clang-format on */
};

static void test_cases(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct arena *arena = arena_new(0);
		struct slice decoded = mime_decode_words(arena, cases[i].text);

		assert_int_equal(decoded.len, cases[i].decoded.len);
		assert_true(slice_eq(decoded, cases[i].decoded));
		arena_free(arena);
	}
}

/* The longest field of nothing but words, or of their beginnings, takes no
 * noticeable time. */
static void test_many(void **state)
{
	static const char *const pieces[] = {"=?iso-8859-6?q?=E5?= ",
	    "=?koi8-r?b?8A==?= =?utf-8?q?a?=", "=?a?q?", "=?", "=? ",
	    "=?big5?q?a?==?cp949?q?a?==?sjis?q?a?==?euc-tw?q?a?==?gbk?q?a?="
	    "=?johab?q?a?==?cp932?q?a?==?koi8-u?q?a?==?cp874?q?a?=="
	    "?cp437?q?a?==?cp850?q?a?==?utf-7?q?a?==?hz?q?a?==?ibm037?q?a?="
	    "=?tscii?q?a?==?iso-8859-6?q?a?==?iso-8859-7?q?a?="};

	(void)state;
	for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
		struct arena *arena = arena_new(0);
		struct buf *text = buf_in_arena(arena, 100 * 1024);
		int64_t before;

		while (buf_add_text(text, pieces[i]))
			;
		before = clock_monotonic_ms();
		mime_decode_words(arena, buf_slice(text));
		before = clock_monotonic_ms() - before;
		print_message("\"%s\": %lld ms, %zu octets\n", pieces[i],
		    (long long)before, arena_size(arena));
		assert_true(before < 1000);
		assert_in_range(arena_size(arena), 0, 3 * 100 * 1024);
		arena_free(arena);
	}
}

/* A field in more charsets than anybody uses. */
static void test_many_charsets(void **state)
{
	struct arena *arena = arena_new(0);
	struct buf *text = buf_in_arena(arena, 100 * 1024);
	struct slice decoded;

	(void)state;
	for (unsigned int i = 0; i < 60; i++)
		buf_add_format(text, "=?iso-8859-%u?q?=%02X?= ", i % 10 + 1,
		    0x41 + i / 10);
	buf_add_text(text, "=?koi8-r?q?=F0?= =?x-unknown?q?=E9?=");
	decoded = mime_decode_words(arena, buf_slice(text));
	assert_int_equal(decoded.len, 64);
	assert_true(slice_ends_nocase(decoded, SLICE("FF\xd0\x9f\xc3\xa9")));
	arena_free(arena);
}

/* The most that one octet may become. */
static void test_expansion(void **state)
{
	struct arena *arena = arena_new(0);
	struct buf *text = buf_in_arena(arena, 100 * 1024);
	struct slice decoded;

	(void)state;
	while (buf_add_text(text, "=?tscii?b?goKCgoKC?= "))
		;
	buf_add_text(text, "end");
	decoded = mime_decode_words(arena, buf_slice(text));
	assert_true(decoded.len > 300 * 1024);
	assert_true(slice_ends_nocase(decoded, SLICE("end")));
	arena_free(arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_cases),
	    cmocka_unit_test(test_many),
	    cmocka_unit_test(test_many_charsets),
	    cmocka_unit_test(test_expansion),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
