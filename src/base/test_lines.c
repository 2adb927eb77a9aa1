/* SPDX-License-Identifier: Apache-2.0 */
#include "base/lines.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

/* What ends in less than a block may stop the run at the block. */
enum { ROOM = 4096, BLOCK = 128 };

/* Text whose lines are so long; *ret is inside text. */
static struct slice make_lines(char *text, size_t len, size_t line)
{
	for (size_t i = 0; i < len; i++) {
		size_t place = i % (line + 2);

		text[i] = "x\r\n"[place < line ? 0 : place - line + 1];
	}
	return slice_of(text, len);
}

static void test_ordinary(void **state)
{
	char text[ROOM];

	(void)state;
	for (size_t line = 1; line < 200; line++) {
		struct slice s = make_lines(text, ROOM, line);

		assert_true(lines_ordinary(s) >= ROOM - BLOCK);
		assert_true(lines_ordinary(s) < ROOM);
		for (size_t len = 1; len < 3 * BLOCK; len++)
			assert_true(lines_ordinary(slice_sub(s, 0, len)) < len);
	}
	assert_int_equal(lines_ordinary(SLICE("")), 0);
}

/* Whatever is odd, wherever it is, ends the run before it. */
static void test_odd(void **state)
{
	static const struct slice odd[] = {SLICE_INIT("\r"), SLICE_INIT("\n"),
	    SLICE_INIT("\0"), SLICE_INIT("\r\r\n"), SLICE_INIT("\n\r\n"),
	    SLICE_INIT("\r\n."), SLICE_INIT("\n.")};
	char text[ROOM];

	(void)state;
	for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++)
		for (size_t at = 1; at < 300; at++) {
			struct slice s;

			memset(text, 'x', sizeof(text));
			memcpy(text + at, odd[i].ptr, odd[i].len);
			s = slice_of(text, sizeof(text));
			assert_true(lines_ordinary(s) <= at + 1);
			assert_true(lines_ordinary(s) + BLOCK + 2 > at);
		}
}

/* The same by the book. */
static size_t measure(struct slice s, size_t before, size_t *ret_longest)
{
	for (size_t i = 0; i < s.len; i++) {
		if (s.ptr[i] == '\n') {
			if (before > LINES_SHORT && before > *ret_longest)
				*ret_longest = before;
			before = 0;
		} else if (s.ptr[i] != '\r') {
			before++;
		}
	}
	return before;
}

static void check_measure(struct slice s, size_t before)
{
	size_t longest = 0, wanted = 0;
	size_t rest = lines_measure(s, before, &longest);

	assert_int_equal(rest, measure(s, before, &wanted));
	assert_int_equal(longest, wanted);
}

static void test_measure(void **state)
{
	static const size_t lines[] = {
	    0, 1, 76, 499, 500, 997, 998, 999, 1000, 1001, 1500, 2500, 5000};
	static const size_t befores[] = {0, 1, 900, 998, 999, 1000, 1001, 3000};
	char text[ROOM];

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		for (size_t b = 0; b < sizeof(befores) / sizeof(befores[0]);
		     b++)
			for (size_t from = 0; from < 1100; from++) {
				struct slice s = make_lines(
				    text, ROOM, lines[i]);

				s = slice_from_pos(s, from);
				check_measure(s, befores[b]);
				check_measure(
				    slice_sub(s, 0, from), befores[b]);
			}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_ordinary),
	    cmocka_unit_test(test_odd),
	    cmocka_unit_test(test_measure),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
