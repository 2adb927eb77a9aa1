/* SPDX-License-Identifier: Apache-2.0 */
#include "base/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define S(text) SLICE_INIT(text)
#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))
#define R "\xef\xbf\xbd"

/* The text, cleaned; the same if it is well-formed. */
static const struct {
	struct slice text, clean;
} utf8[] = {
    /* clang-format off */
    {S(""), S("")},
    {S("plain"), S("plain")},
    {S("\xc3\xa4"), S("\xc3\xa4")},
    {S("\xe2\x82\xac"), S("\xe2\x82\xac")},
    {S("\xf0\x9f\x98\x80"), S("\xf0\x9f\x98\x80")},
    {S("\xf4\x8f\xbf\xbf"), S("\xf4\x8f\xbf\xbf")},	/* U+10FFFF */
    {S("\xed\x9f\xbf"), S("\xed\x9f\xbf")},		/* U+D7FF */
    {S("\xee\x80\x80"), S("\xee\x80\x80")},		/* U+E000 */
    {S("\xef\xbf\xbf"), S("\xef\xbf\xbf")},		/* U+FFFF */
    {S("a\0b"), S("a" R "b")},
    {S("\x80"), S(R)},
    {S("\xbf\xbf"), S(R R)},
    {S("\xc0\x80"), S(R R)},				/* overlong NUL */
    {S("\xc1\xbf"), S(R R)},
    {S("\xe0\x80\xaf"), S(R R R)},			/* overlong '/' */
    {S("\xe0\x9f\xbf"), S(R R R)},
    {S("\xf0\x80\x80\xaf"), S(R R R R)},
    {S("\xf0\x8f\xbf\xbf"), S(R R R R)},
    {S("\xed\xa0\x80"), S(R R R)},			/* U+D800 */
    {S("\xed\xbf\xbf"), S(R R R)},			/* U+DFFF */
    {S("\xf4\x90\x80\x80"), S(R R R R)},		/* U+110000 */
    {S("\xf5\x80\x80\x80"), S(R R R R)},
    {S("\xfe\xff"), S(R R)},
    {S("\xc3"), S(R)},					/* cut short */
    {S("\xe2\x82"), S(R R)},
    {S("\xf0\x9f\x98"), S(R R R)},
    {S("\xc3" "a"), S(R "a")},
    {S("x\xe2\x82y\xc3\xa4"), S("x" R R "y\xc3\xa4")},
    /* clang-format on */
};

static void test_utf8(void **state)
{
	struct arena *arena = arena_new(0);

	(void)state;
	for (size_t i = 0; i < COUNT(utf8); i++) {
		struct slice text = utf8[i].text;
		struct slice clean = text_clean_utf8(arena, text);
		bool has_nul = slice_find(text, '\0') < text.len;

		if (!slice_eq(clean, utf8[i].clean))
			fail_msg("row %zu", i);
		assert_true(text_is_utf8(clean));
		assert_int_equal(
		    text_is_utf8(text), has_nul || slice_eq(clean, text));
	}
	arena_free(arena);
}

/* Every code point, and nothing between. */
static void test_cut(void **state)
{
	static const struct {
		struct slice text;
		size_t max;
		struct slice cut;
	} rows[] = {
	    {S("abc"), 3, S("abc")},
	    {S("abc"), 4, S("abc")},
	    {S("abc"), 2, S("ab")},
	    {S("abc"), 0, S("")},
	    {S("a\xc3\xa4"), 3, S("a\xc3\xa4")},
	    {S("a\xc3\xa4"), 2, S("a")},
	    {S("a\xc3\xa4z"), 3, S("a\xc3\xa4")},
	    {S("\xf0\x9f\x98\x80"), 3, S("")},
	    {S("x\xf0\x9f\x98\x80"), 4, S("x")},
	    {S("\x80\x80\x80\x80\x80\x80"), 5, S("\x80\x80\x80\x80\x80")},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		if (!slice_eq(text_cut(rows[i].text, rows[i].max), rows[i].cut))
			fail_msg("row %zu", i);
}

static void test_utf8_lengths(void **state)
{
	size_t counts[5] = {0};

	(void)state;
	for (uint32_t bits = 0; bits < 0x1000000; bits += 0x101) {
		char bytes[4] = {(char)(bits >> 16), (char)(bits >> 8),
		    (char)bits, (char)0x80};

		counts[text_utf8_length(slice_of(bytes, 4))]++;
	}
	/* 32768 steps of the first octet's upper half in 65281 rows. */
	assert_true(counts[0] && counts[1] && counts[2] && counts[3]);
	assert_int_equal(text_utf8_length(SLICE("")), 0);
	assert_int_equal(text_utf8_length(SLICE("\xf0\x9f\x98\x80xyz")), 4);
}

static const struct {
	struct slice text;
	bool ok;
	struct slice bytes;
	bool ok_unpadded; /* instead of ok, without all of the padding */
} base64[] = {
    /* RFC 4648 section 10 */
    {S(""), true, S("")},
    {S("Zg=="), true, S("f")},
    {S("Zm8="), true, S("fo")},
    {S("Zm9v"), true, S("foo")},
    {S("Zm9vYg=="), true, S("foob")},
    {S("Zm9vYmE="), true, S("fooba")},
    {S("Zm9vYmFy"), true, S("foobar")},
    {S("/+8="), true, S("\xff\xef")},
    {S("AAAA"), true, S("\0\0\0")},
    {S(" Z m\r\n\t9v "), true, S("foo")},
    {S("Zg =\r\n ="), true, S("f")},
    {S(" \r\n"), true, S("")},
    {S("Zg"), false, S("f"), true},
    {S("Zg="), false, S("f"), true},
    {S("Z g\r\n "), false, S("f"), true},
    {S("Zg==="), false, S("")},
    {S("Zm8"), false, S("fo"), true},
    {S("Zm9v="), false, S("")},
    {S("Zm9v===="), false, S("")},
    {S("Z"), false, S("")},
    {S("Zm9vY"), false, S("")},
    {S("Z==="), false, S("")},
    {S("Zg=x"), false, S("")},
    {S("Zh"), false, S("")},
    {S("Zm9"), false, S("")},
    {S("="), false, S("")},
    {S("===="), false, S("")},
    {S("Zg==Zg=="), false, S("")},
    {S("Zg==x"), false, S("")},
    {S("Zh=="), false, S("")}, /* trailing bits */
    {S("Zo=="), false, S("")},
    {S("Zm9="), false, S("")},
    {S("Zm+="), false, S("")},
    {S("Zm9-"), false, S("")}, /* the other alphabet */
    {S("Zm9_"), false, S("")},
    {S("Zm9\0"), false, S("")},
    {S("Zm9\xe4"), false, S("")},
    {S("Zm9v."), false, S("")},
};

static void test_base64(void **state)
{
	struct arena *arena = arena_new(0);

	(void)state;
	for (size_t i = 0; i < COUNT(base64); i++) {
		bool lax = base64[i].ok || base64[i].ok_unpadded;
		struct slice bytes = SLICE("untouched"), lax_bytes = bytes;

		if (text_base64_decode(arena, base64[i].text, &bytes) !=
			base64[i].ok ||
		    text_base64_decode_unpadded(
			arena, base64[i].text, &lax_bytes) != lax)
			fail_msg("row %zu", i);
		assert_true(slice_eq(bytes,
		    base64[i].ok ? base64[i].bytes : SLICE("untouched")));
		assert_true(slice_eq(
		    lax_bytes, lax ? base64[i].bytes : SLICE("untouched")));
		if (i < 9)
			assert_true(slice_eq(base64[i].text,
			    text_base64_encode(arena, base64[i].bytes)));
	}
	arena_free(arena);
}

static void test_hex(void **state)
{
	struct arena *arena = arena_new(0);

	(void)state;
	assert_true(slice_eq(
	    text_hex(arena, SLICE("\x00\x7f\x80\xff")), SLICE("007f80ff")));
	assert_int_equal(text_hex(arena, SLICE("")).len, 0);
	arena_free(arena);
}

static const struct {
	struct slice text;
	const char *json;
} strings[] = {
    /* clang-format off */
    {S(""), "\"\""},
    {S("a\"b\\c/"), "\"a\\\"b\\\\c/\""},
    {S("\b\f\n\r\t"), "\"\\b\\f\\n\\r\\t\""},
    {S("\0\x1f\x7f"), "\"\\u0000\\u001f\\u007f\""},
    {S("\xc3\xa4\xe4"), "\"\xc3\xa4" R "\""},
    /* what a terminal obeys, and its neighbours */
    {S("\xc2\x80\xc2\x9b\xc2\x9f\xc2\xa0"),
	"\"\\u0080\\u009b\\u009f\xc2\xa0\""},
    {S("\xd8\x9b\xd8\x9c\xd8\x9d"), "\"\xd8\x9b\\u061c\xd8\x9d\""},
    {S("\xe2\x80\x8d\xe2\x80\x8e\xe2\x80\x8f\xe2\x80\x90"),
	"\"\xe2\x80\x8d\\u200e\\u200f\xe2\x80\x90\""},
    {S("\xe2\x80\xa7\xe2\x80\xa8\xe2\x80\xae\xe2\x80\xaf"),
	"\"\xe2\x80\xa7\\u2028\\u202e\xe2\x80\xaf\""},
    {S("\xe2\x81\xa5\xe2\x81\xa6\xe2\x81\xa9\xe2\x81\xaa"),
	"\"\xe2\x81\xa5\\u2066\\u2069\xe2\x81\xaa\""},
    {S("\xf0\x9f\x98\x80"), "\"\xf0\x9f\x98\x80\""},
    /* clang-format on */
};

static void test_json(void **state)
{
	struct buf buf;

	(void)state;
	for (size_t i = 0; i < COUNT(strings); i++) {
		buf_init(&buf, 100);
		assert_true(text_add_json_string(&buf, strings[i].text));
		assert_string_equal(buf.ptr, strings[i].json);
		buf_release(&buf);
	}
	buf_init(&buf, 4);
	assert_false(text_add_json_string(&buf, SLICE("long")));
	buf_release(&buf);
}

static const struct {
	struct slice word;
	const char *nearest;
} words[] = {
    {S("hostname"), "hostname"},
    {S("hostnmae"), "hostname"},
    {S("HOSTNAME"), "hostname"},
    {S("host_name"), "hostname"},
    {S("lisetners"), "listeners"},
    {S("listener"), "listeners"},
    {S("dsn"), "dns"},
    {S("dnssec"), NULL},
    {S("hostages"), NULL},
    {S("xy"), NULL},
    {S(""), NULL},
    {S("x"), NULL},
    {S("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"),
	NULL},
};

static void test_nearest(void **state)
{
	static const char *const candidates[] = {
	    "hostname", "listeners", "dns", "routes"};

	(void)state;
	for (size_t i = 0; i < COUNT(words); i++) {
		const char *found = text_nearest(
		    words[i].word, candidates, COUNT(candidates));

		if (!words[i].nearest != !found)
			fail_msg("%.*s: %s", SLICE_ARGS(words[i].word),
			    found ? found : "nothing");
		if (found)
			assert_string_equal(found, words[i].nearest);
	}
	assert_null(text_nearest(SLICE("x"), NULL, 0));
}

/* Each octet in each place of a run is escaped as it is alone. */
static void test_json_places(void **state)
{
	(void)state;
	for (int octet = 0; octet < 256; octet++)
		for (size_t place = 0; place < 20; place++) {
			char text[20];
			struct buf whole, alone;

			buf_init(&whole, 100);
			buf_init(&alone, 100);
			memset(text, '~', sizeof(text));
			text[place] = (char)octet;
			assert_true(text_add_json_escaped(
			    &whole, slice_of(text, sizeof(text))));
			assert_true(text_add_json_escaped(
			    &alone, slice_of(text + place, 1)));
			assert_int_equal(whole.len, 19 + alone.len);
			assert_memory_equal(
			    whole.ptr + place, alone.ptr, alone.len);
			assert_int_equal(whole.ptr[whole.len - 1] == '~',
			    place < 19 || octet == '~');
			buf_release(&whole);
			buf_release(&alone);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_utf8),
	    cmocka_unit_test(test_cut),
	    cmocka_unit_test(test_utf8_lengths),
	    cmocka_unit_test(test_base64),
	    cmocka_unit_test(test_hex),
	    cmocka_unit_test(test_json),
	    cmocka_unit_test(test_nearest),
	    cmocka_unit_test(test_json_places),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
