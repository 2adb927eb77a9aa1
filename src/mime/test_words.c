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
	    "=?koi8-r?b?8A==?= =?utf-8?q?a?=", "=?a?q?", "=?", "=? "};

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
		print_message(
		    "\"%s\": %lld ms\n", pieces[i], (long long)before);
		assert_true(before < 1000);
		arena_free(arena);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_cases),
	    cmocka_unit_test(test_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
