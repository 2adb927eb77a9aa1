/* SPDX-License-Identifier: Apache-2.0 */
#include "mime/field.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/buf.h"

#define S(text) SLICE_INIT(text)

/* The word, then the parameter "n" as text. */
static const struct {
	struct slice value;
	const char *word, *n;
	bool valid, repeated;
} cases[] = {
    /* clang-format off */
    {S(" text/plain"), "text/plain", "", true, false},
    {S("TEXT/Plain; N=\"A b\""), "text/plain", "A b", true, false},
    {S("text / plain (c) ; (d) n = (e) x (f)"), "text/plain", "x", true, false},
    {S("a/b (c (d) \\) e); n=x"), "a/b", "x", true, false},
    {S("attachment;\r\n n=x;\r\n m=y"), "attachment", "x", true, false},
    {S("a/b; n=\"\\\"q\\\\\""), "a/b", "\"q\\", true, false},
    {S("a/b; n=\"fol\r\n ded\""), "a/b", "fol ded", true, false},
    {S("a/b; n=\"\""), "a/b", "", true, false},
    {S("a/b;n=x;m=y"), "a/b", "x", true, false},
    {S("a/b;"), "a/b", "", true, false},
    {S("a/b;; n=x;"), "a/b", "x", true, false},
    /* Against the grammar; taken as readers take it. */
    {S(""), "", "", false, false},
    {S("/b; n=x"), "/b", "x", false, false},
    {S("a/; n=x"), "a/", "x", false, false},
    {S("a/b/c; n=x"), "a/b", "x", false, false},
    {S("a/b; n=x y.z"), "a/b", "x y.z", false, false},
    {S("a/b; n=x:y; m=z"), "a/b", "x:y", false, false},
    {S("a/b; n=x/y"), "a/b", "x/y", false, false},
    {S("a/b n=x"), "a/b", "x", false, false},
    {S("a/b; m=y\r\n n=x"), "a/b", "x", false, false},
    {S("a/b; n=\"x"), "a/b", "x", false, false},
    {S("a/b; n=\"x\\\""), "a/b", "x\"", false, false},
    {S("a/b; n=\"x\" y; m=z"), "a/b", "x", false, false},
    {S("a/b; n"), "a/b", "", false, false},
    {S("a/b; n xy; m=z"), "a/b", "", false, false},
    {S("a/b; n=x (c"), "a/b", "x", false, false},
    {S("a/b; n=(x"), "a/b", "", false, false},
    {S("a/b; =y; n=x"), "a/b", "x", false, false},
    {S("a/b; n=; m=y"), "a/b", "", false, false},
    {S("a/b (c; n=x"), "a/b", "", false, false},
    {S("a/b; n=x\0y"), "a/b", "x\xef\xbf\xbdy", false, false},
    /* Repeated, or in two forms. */
    {S("a/b; n=x; N=y"), "a/b", "x", true, true},
    {S("a/b; n=x; n*=''y"), "a/b", "y", true, true},
    {S("a/b; n*0=x; n*1=y; n=z"), "a/b", "xy", true, true},
    {S("a/b; n*0=x; n*0=y"), "a/b", "x", true, true},
    {S("a/b; n*0=x; n*0*=''y"), "a/b", "y", true, true},
    /* RFC 2231. */
    {S("a/b; n*=us-ascii'en-us'This%20is%20%2A%2A%2Afun%2A%2A%2A"), "a/b",
	"This is ***fun***", true, false},
    {S("a/b; n*0*=us-ascii'en'This%20is%20even%20more%20;\r\n"
	" n*1*=%2A%2A%2Afun%2A%2A%2A%20;\r\n n*2=\"isn't it!\""), "a/b",
	"This is even more ***fun*** isn't it!", true, false},
    {S("a/b; n*1=y; n*0=x"), "a/b", "xy", true, false},
    {S("a/b; n*0=x; n*2=z"), "a/b", "x", true, false},
    {S("a/b; n*=iso-8859-1''%e9%E"), "a/b", "\xc3\xa9%E", true, false},
    {S("a/b; n*=x%41"), "a/b", "xA", true, false},	/* no charset */
    {S("a/b; n*=''a12b"), "a/b", "a12b", true, false},
    {S("a/b; n*=%4g%g4%09"), "a/b", "%4g%g4\t", true, false},
    {S("a/b; n*=%%41%4"), "a/b", "%A%4", true, false},
    /* Encoded words: against RFC 2047 section 5, but everywhere. */
    {S("a/b; n=\"=?utf-8?q?=C3=A9?=.txt\""), "a/b", "\xc3\xa9.txt", true, false},
    {S("a/b; n==?utf-8?q?=C3=A9?=.txt"), "a/b", "\xc3\xa9.txt", false, false},
    {S("a/b; n*0=\"=?utf-8?q?=C3=\"; n*1=\"A9?=\""), "a/b", "\xc3\xa9", true,
	false},
    {S("a/b; n=caf\xe9"), "a/b", "caf\xc3\xa9", true, false},
    /* clang-format on */
};

static void test_cases(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct arena *arena = arena_new(0);
		struct mime_field field;
		struct slice n;

		mime_field_parse(arena, cases[i].value, &field);
		n = mime_field_text(arena, &field, SLICE("n"));
		assert_string_equal(
		    arena_text(arena, field.word), cases[i].word);
		assert_string_equal(arena_text(arena, n), cases[i].n);
		assert_int_equal(field.valid, cases[i].valid);
		assert_int_equal(field.repeated, cases[i].repeated);
		arena_free(arena);
	}
}

static void test_limits(void **state)
{
	struct arena *arena = arena_new(0);
	struct buf *text = buf_in_arena(
	    arena, MIME_PARAMETERS_MAX * (MIME_PARAMETER_SIZE_MAX + 10));
	struct mime_field field;

	(void)state;
	buf_add_text(text, "a/b");
	for (int i = 0; i < MIME_PARAMETERS_MAX; i++)
		buf_add_format(text, "; p%d=%d", i, i);
	mime_field_parse(arena, buf_slice(text), &field);
	assert_true(field.valid);
	assert_int_equal(field.count, MIME_PARAMETERS_MAX);
	buf_add_text(text, "; n=");
	mime_field_parse(arena, buf_slice(text), &field);
	assert_false(field.valid);
	assert_int_equal(field.count, MIME_PARAMETERS_MAX);

	buf_clear(text);
	buf_add_text(text, "a/b; n=");
	while (text->len < MIME_PARAMETER_SIZE_MAX + 8)
		buf_add_byte(text, 'x');
	mime_field_parse(arena, buf_slice(text), &field);
	assert_false(field.valid);
	assert_int_equal(
	    field.parameters[0].value.len, MIME_PARAMETER_SIZE_MAX);

	buf_clear(text);
	buf_add_text(text, "a/b");
	for (int i = 0; i < MIME_PARAMETERS_MAX; i++) {
		buf_add_format(text, "; n*%d=", i);
		for (int j = 0; j < MIME_PARAMETER_SIZE_MAX; j++)
			buf_add_byte(text, 'x');
	}
	mime_field_parse(arena, buf_slice(text), &field);
	assert_int_equal(mime_field_text(arena, &field, SLICE("n")).len,
	    MIME_PARAMETERS_MAX * MIME_PARAMETER_SIZE_MAX);
	arena_free(arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_cases),
	    cmocka_unit_test(test_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
