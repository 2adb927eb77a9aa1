/* SPDX-License-Identifier: Apache-2.0 */
#include "mime/decode.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define S(text) SLICE_INIT(text)
#define B64 ENCODING_BASE64
#define QP ENCODING_QUOTED_PRINTABLE
#define UU ENCODING_UUENCODE

static const struct {
	enum mime_encoding encoding;
	struct slice body, decoded;
	bool broken;
} cases[] = {
    /* clang-format off */
    {ENCODING_IDENTITY, S("a=20\r\n"), S("a=20\r\n"), false},
    {ENCODING_UNKNOWN, S("a=20"), S("a=20"), false},
    /* RFC 4648 section 10. */
    {B64, S(""), S(""), false},
    {B64, S("Zg=="), S("f"), false},
    {B64, S("Zm8="), S("fo"), false},
    {B64, S("Zm9v"), S("foo"), false},
    {B64, S("Zm9vYg=="), S("foob"), false},
    {B64, S("Zm9vYmE="), S("fooba"), false},
    {B64, S("Zm9vYmFy"), S("foobar"), false},
    {B64, S("//+A\r\nAA==\r\n"), S("\xff\xff\x80\0"), false},
    {B64, S("Zm\r\n9\t v"), S("foo"), false},
    {B64, S("Zm\r\n9vYmFy"), S("foobar"), false},
    {B64, S("Zm*9v"), S("foo"), true},
    {B64, S("Zm9v\0"), S("foo"), true},
    {B64, S("Zg"), S("f"), true},		/* no pad */
    {B64, S("Zg="), S("f"), true},		/* half a pad */
    {B64, S("Z"), S(""), true},
    {B64, S("Zm9v="), S("foo"), true},		/* a pad too many */
    {B64, S("Zg==="), S("f"), true},
    {B64, S("Zg==Zm9v"), S("ffoo"), true},	/* others stop at the pad */
    {QP, S("a=3Db"), S("a=b"), false},
    {QP, S("a=3db"), S("a=b"), false},
    {QP, S("caf=C3=A9 \t\r\nx\r\n"), S("caf\xc3\xa9\r\nx\r\n"), false},
    {QP, S("soft=\r\nline= \nagain="), S("softlineagain"), false},
    {QP, S("a\nb"), S("a\nb"), false},
    {QP, S("\r\n\r\n"), S("\r\n\r\n"), false},
    {QP, S("end=20\r\n"), S("end \r\n"), false},
    {QP, S("a=00b"), S("a\0b"), false},
    {QP, S("1=2x=zz=4"), S("1=2x=zz=4"), true},
    {QP, S("=4\r\n1"), S("=4\r\n1"), true},
    {UU, S("junk\r\nbegin 644 f\r\n#0V%T\r\n`\r\nend\r\njunk"), S("Cat"), false},
    {UU, S("begin 644 f\n#0V%T\n \nend\n"), S("Cat"), false},
    {UU, S("begin 644 f\n+0V%T(&%N9\"!D;V< \n#0V%T\n`\nend\n"), S("Cat and dogCat"), false},
    {UU, S("begin 644 f\n#0V%T\n\nend\n"), S("Cat"), false},
    {UU, S("begin 644 f\n!    \n!````\nend\n"), S("\0\0"), false},
    {UU, S("begin 644 f\n#0V%T\n"), S("Cat"), true},	/* no end */
    {UU, S("#0V%T\n"), S(""), true},			/* no beginning */
    {UU, S("begin 644 f\n#0V%~\nend\n"), S("Ca^"), true},
    /* What comes after the body is no part of it. */
    {B64, {"Zm9v", 3}, S("fo"), true},
    {QP, {"=41", 2}, S("=4"), true},
    /* clang-format on */
};

static void test_cases(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct arena *arena = arena_new(0);
		bool broken;
		struct slice decoded = mime_decode(
		    arena, cases[i].encoding, cases[i].body, 1000, &broken);

		assert_int_equal(decoded.len, cases[i].decoded.len);
		assert_true(slice_eq(decoded, cases[i].decoded));
		assert_int_equal(broken, cases[i].broken);
		for (size_t max = 0; max < decoded.len; max++)
			assert_true(
			    slice_eq(mime_decode(arena, cases[i].encoding,
					 cases[i].body, max, NULL),
				slice_sub(decoded, 0, max)));
		arena_free(arena);
	}
}

static void test_q(void **state)
{
	struct arena *arena = arena_new(0);

	(void)state;
	assert_true(
	    slice_eq(mime_decode_q(arena, SLICE("a_=E9_")), SLICE("a \xe9 ")));
	assert_true(slice_eq(mime_decode_q(arena, SLICE("=5F=")), SLICE("_=")));
	arena_free(arena);
}

/* RFC 2045 section 6.1, and what uuencode goes by. */
static void test_names(void **state)
{
	static const struct {
		struct slice name;
		enum mime_encoding encoding;
	} rows[] = {
	    {S(""), ENCODING_IDENTITY},
	    {S("7bit"), ENCODING_IDENTITY},
	    {S("8bit"), ENCODING_IDENTITY},
	    {S("binary"), ENCODING_IDENTITY},
	    {S("base64"), B64},
	    {S(" BASE64 "), B64},
	    {S("Quoted-Printable"), QP},
	    {S("uuencode"), UU},
	    {S("x-uuencode"), UU},
	    {S("x-uue"), UU},
	    {S("8-bit"), ENCODING_UNKNOWN},
	    {S("base64 x"), ENCODING_UNKNOWN},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(
		    mime_encoding_of(rows[i].name), rows[i].encoding);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_cases),
	    cmocka_unit_test(test_q),
	    cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
