/* SPDX-License-Identifier: Apache-2.0 */
#include "base/slice.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/ascii.h"

#define S(text) SLICE_INIT(text)
#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

static const struct {
	struct slice a, b;
	int order;
	bool same, same_nocase, starts, starts_nocase, ends_nocase;
} pairs[] = {
    /* clang-format off */
    {S(""), S(""), 0, true, true, true, true, true},
    {{NULL, 0}, S(""), 0, true, true, true, true, true},
    {S("a"), S(""), 1, false, false, true, true, true},
    {S("abc"), S("abc"), 0, true, true, true, true, true},
    {S("abc"), S("ABC"), 1, false, true, false, true, true},
    {S("ab"), S("abc"), -1, false, false, false, false, false},
    {S("abc"), S("ab"), 1, false, false, true, true, false},
    {S("xBC"), S("bc"), 1, false, false, false, false, true},
    {S("\xff"), S("a"), 1, false, false, false, false, false},
    {S("a\0b"), S("a\0c"), -1, false, false, false, false, false},
    {S("[{"), S("{["), -1, false, false, false, false, false},
    {S("\xe4"), S("\xc4"), 1, false, false, false, false, false},
    /* clang-format on */
};

static void test_compare(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(pairs); i++) {
		struct slice a = pairs[i].a, b = pairs[i].b;

		assert_int_equal(slice_compare(a, b), pairs[i].order);
		assert_int_equal(slice_compare(b, a), -pairs[i].order);
		assert_int_equal(slice_eq(a, b), pairs[i].same);
		assert_int_equal(slice_eq_nocase(a, b), pairs[i].same_nocase);
		assert_int_equal(slice_starts(a, b), pairs[i].starts);
		assert_int_equal(
		    slice_starts_nocase(a, b), pairs[i].starts_nocase);
		assert_int_equal(slice_ends_nocase(a, b), pairs[i].ends_nocase);
	}
}

static void test_parts(void **state)
{
	struct slice s = SLICE("key=value=more"), head, rest;

	(void)state;
	assert_int_equal(slice_find(s, '='), 3);
	assert_int_equal(slice_find(s, '!'), s.len);
	assert_int_equal(slice_find((struct slice){NULL, 0}, 'x'), 0);
	assert_int_equal(slice_find_slice(s, SLICE("=m")), 9);
	assert_int_equal(slice_find_slice(s, SLICE("none")), s.len);
	assert_int_equal(slice_find_slice(s, SLICE("")), 0);
	assert_int_equal(slice_find_slice(SLICE("a"), SLICE("ab")), 1);
	assert_true(slice_eq(slice_sub(s, 4, 5), SLICE("value")));
	assert_true(slice_eq(slice_sub(s, 10, 99), SLICE("more")));
	assert_true(slice_empty(slice_sub(s, 99, 1)));
	assert_true(slice_empty(slice_from_pos(s, SIZE_MAX)));
	assert_true(slice_split(s, '=', &head, &rest));
	assert_true(slice_eq(head, SLICE("key")));
	assert_true(slice_eq(rest, SLICE("value=more")));
	/* Both may be the slice itself. */
	assert_true(slice_split(rest, '=', &head, &rest));
	assert_true(slice_eq(rest, SLICE("more")));
	assert_false(slice_split(rest, '=', &rest, &head));
	assert_true(slice_eq(rest, SLICE("more")));
	assert_int_equal(head.len, 0);
	assert_true(slice_split(SLICE("x="), '=', &head, &rest));
	assert_int_equal(rest.len, 0);
	assert_true(
	    slice_eq(slice_trim(SLICE(" \t\r\n a b \n")), SLICE("a b")));
	assert_int_equal(slice_trim(SLICE(" \r\n")).len, 0);
	assert_true(slice_all(SLICE("0123"), ascii_is_digit));
	assert_false(slice_all(SLICE("01 3"), ascii_is_digit));
	assert_true(slice_all(SLICE(""), ascii_is_digit));
}

static const struct {
	struct slice text;
	uint64_t max;
	bool ok;
	uint64_t value;
} numbers[] = {
    {S("0"), 0, true, 0},
    {S("007"), 7, true, 7},
    {S("8"), 7, false, 0},
    {S("18446744073709551615"), UINT64_MAX, true, UINT64_MAX},
    {S("18446744073709551616"), UINT64_MAX, false, 0},
    {S("99999999999999999999"), UINT64_MAX, false, 0},
    {S(""), 9, false, 0},
    {S("+1"), 9, false, 0},
    {S("-1"), 9, false, 0},
    {S(" 1"), 9, false, 0},
    {S("1 "), 9, false, 0},
    {S("0x1"), 99, false, 0},
};

static void test_numbers(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(numbers); i++) {
		uint64_t value = 4711;

		assert_int_equal(
		    slice_to_u64(numbers[i].text, numbers[i].max, &value),
		    numbers[i].ok);
		assert_true(value == (numbers[i].ok ? numbers[i].value : 4711));
	}
}

static void test_ascii(void **state)
{
	(void)state;
	for (int c = 0; c < 256; c++) {
		char byte = (char)c;
		bool upper = c >= 'A' && c <= 'Z', lower = c >= 'a' && c <= 'z';

		assert_int_equal(ascii_is_alpha(byte), upper || lower);
		assert_int_equal(ascii_is_8bit(byte), c > 127);
		assert_int_equal(ascii_is_visible(byte), c > 32 && c < 127);
		assert_int_equal(ascii_is_control(byte), c < 32 || c == 127);
		assert_int_equal(
		    (unsigned char)ascii_lower(byte), upper ? c + 32 : c);
		assert_int_equal(
		    ascii_hex_value(byte) >= 0, ascii_is_xdigit(byte));
	}
	assert_int_equal(ascii_hex_value('f'), 15);
	assert_int_equal(ascii_hex_value('A'), 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_compare),
	    cmocka_unit_test(test_parts),
	    cmocka_unit_test(test_numbers),
	    cmocka_unit_test(test_ascii),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
