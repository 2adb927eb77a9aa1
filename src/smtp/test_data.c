/* SPDX-License-Identifier: Apache-2.0 */
#include "smtp/data.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"

struct data_case {
	struct slice wire;
	enum data_event end;  /* DATA_MORE: not ended */
	struct slice content; /* when it ends or wants more */
	size_t left;	      /* input behind the end */
};

#define CASE(wire, end, content, left)                                         \
	{                                                                      \
		SLICE_INIT(wire), end, SLICE_INIT(content), left               \
	}

/* RFC 5321, section 4.5.2, and what smugglers try. */
static const struct data_case cases[] = {
    /* clang-format off */
    CASE(".\r\n", DATA_END, "", 0),
    CASE("\r\n.\r\n", DATA_END, "\r\n", 0),
    CASE("a\r\n.\r\n", DATA_END, "a\r\n", 0),
    CASE("a\r\n.\r\nQUIT\r\n", DATA_END, "a\r\n", 6),
    CASE("..\r\n.\r\n", DATA_END, ".\r\n", 0),
    CASE(".a\r\n.\r\n", DATA_END, "a\r\n", 0),
    CASE("..a\r\n...\r\n.\r\n", DATA_END, ".a\r\n..\r\n", 0),
    CASE("a.b\r\nc.\r\n.\r\n", DATA_END, "a.b\r\nc.\r\n", 0),
    CASE("a\0b\r\n.\r\n", DATA_END, "a\0b\r\n", 0),
    CASE("a\r\n.", DATA_MORE, "a\r\n", 0),
    CASE("a\r\n.\r", DATA_MORE, "a\r\n", 0),
    CASE("a\r", DATA_MORE, "a\r", 0),
    CASE("a\n.\n", DATA_BARE_LF, "", 0),
    CASE("a\n.\r\n", DATA_BARE_LF, "", 0),
    CASE("a\r\n.\n", DATA_BARE_LF, "", 0),
    CASE("a\r.\r\n", DATA_BARE_CR, "", 0),
    CASE("a\r.\r", DATA_BARE_CR, "", 0),
    CASE("a\r\n.\rx", DATA_BARE_CR, "", 0),
    CASE("a\r\n.\r\r\n", DATA_BARE_CR, "", 0),
    CASE("a\r\r\n.\r\n", DATA_BARE_CR, "", 0),
    CASE("\n", DATA_BARE_LF, "", 0),
    CASE("\rx", DATA_BARE_CR, "", 0),
    CASE("a\r\0\n.\r\n", DATA_BARE_CR, "", 0),
    /* clang-format on */
};

static enum data_event feed(
    struct data_reader *reader, struct slice *input, struct buf *content)
{
	struct slice piece;
	enum data_event event;

	while ((event = data_next(reader, input, &piece)) == DATA_PIECE)
		assert_true(buf_add(content, piece));
	return event;
}

/* The same bytes, cut at two places, are the same message. */
static void check(const struct data_case *c, size_t first, size_t second)
{
	struct slice parts[3] = {slice_sub(c->wire, 0, first),
	    slice_sub(c->wire, first, second - first),
	    slice_from_pos(c->wire, second)};
	struct data_reader reader = {0};
	enum data_event event = DATA_MORE;
	struct buf content;
	size_t left = 0;

	buf_init(&content, 1000);
	for (int i = 0; i < 3; i++) {
		if (event == DATA_MORE)
			event = feed(&reader, &parts[i], &content);
		left += parts[i].len;
	}
	if (event != c->end)
		fail_msg("%.*s at %zu, %zu: %d", SLICE_ARGS(c->wire), first,
		    second, event);
	if (event == DATA_END || event == DATA_MORE) {
		assert_int_equal(left, c->left);
		assert_true(slice_eq(buf_slice(&content), c->content));
	}
	buf_release(&content);
}

static void test_every_split(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		for (size_t a = 0; a <= cases[i].wire.len; a++)
			for (size_t b = a; b <= cases[i].wire.len; b++)
				check(&cases[i], a, b);
}

static void test_chunks(void **state)
{
	struct data_reader reader = {.chunks = true};
	struct slice input = SLICE("a\r\n.\r\n..b\r\n");
	struct slice whole = input;
	struct buf content;

	(void)state;
	buf_init(&content, 100);
	assert_int_equal(feed(&reader, &input, &content), DATA_MORE);
	assert_true(slice_eq(buf_slice(&content), whole));
	assert_true(data_may_end(&reader));
	input = SLICE("x\r");
	assert_int_equal(feed(&reader, &input, &content), DATA_MORE);
	assert_false(data_may_end(&reader));
	input = SLICE("y");
	assert_int_equal(feed(&reader, &input, &content), DATA_BARE_CR);
	buf_release(&content);
}

/* The longest line, without CR LF and stuffed dots, over all pieces. */
static void test_line_length(void **state)
{
	struct data_reader reader = {0};
	struct slice input = SLICE("12345\r\n.678");
	struct buf content;

	(void)state;
	buf_init(&content, 100);
	feed(&reader, &input, &content);
	assert_int_equal(reader.longest_line, 5);
	input = SLICE("901\r\n1\r\n");
	feed(&reader, &input, &content);
	assert_int_equal(reader.longest_line, 6);
	buf_release(&content);
}

/* Mostly ordinary lines, here and there something odd. */
static void make_random(unsigned int *seed, char *text, size_t len)
{
	static const char odd[] = "\r\n.\0x";
	size_t line = (size_t)rand_r(seed) % 1100;
	size_t rareness = 20 + (size_t)rand_r(seed) % 20000;

	for (size_t i = 0; i < len; i++) {
		size_t place = i % (line + 2);

		text[i] = "x\r\n"[place < line ? 0 : place - line + 1];
		if (place == 0 && rand_r(seed) % 20 == 0)
			text[i] = '.';
		if ((size_t)rand_r(seed) % rareness == 0)
			text[i] = odd[(size_t)rand_r(seed) % 5];
	}
}

/* Octets one by one are what they are in large pieces. */
static void test_pieces(void **state)
{
	char text[3000];
	unsigned int seed = 1;

	(void)state;
	for (int round = 0; round < 3000; round++) {
		struct data_reader large = {.chunks = round % 4 == 0};
		struct data_reader small = large;
		enum data_event event, wanted = DATA_MORE;
		struct slice rest = slice_of(text, sizeof(text));
		struct buf content, octets;
		size_t at = 0;

		make_random(&seed, text, sizeof(text));
		buf_init(&content, sizeof(text));
		buf_init(&octets, sizeof(text));
		event = feed(&large, &rest, &content);
		while (at < sizeof(text) && wanted == DATA_MORE) {
			struct slice one = slice_of(text + at++, 1);

			wanted = feed(&small, &one, &octets);
		}
		assert_int_equal(event, wanted);
		if (event == DATA_END || event == DATA_MORE) {
			assert_int_equal(rest.len, sizeof(text) - at);
			assert_true(
			    slice_eq(buf_slice(&content), buf_slice(&octets)));
			assert_int_equal(large.state, small.state);
			assert_int_equal(large.line_length, small.line_length);
			if (small.longest_line > 998)
				assert_int_equal(
				    large.longest_line, small.longest_line);
			else
				assert_true(large.longest_line <= 998);
		}
		buf_release(&content);
		buf_release(&octets);
	}
}

/* A line of that many octets and the end of the data, in one piece: a dot at
 * the end of the line ends nothing, and the line's length is known. */
static void check_long_line(size_t length, bool dot)
{
	struct data_reader reader = {0};
	char text[2200];
	struct slice input = slice_of(text, length + 5);
	struct buf content;

	memset(text, 'x', length);
	memcpy(text + length, "\r\n.\r\n", 5);
	if (dot)
		text[length - 1] = '.';
	buf_init(&content, sizeof(text));
	assert_int_equal(feed(&reader, &input, &content), DATA_END);
	assert_true(slice_eq(buf_slice(&content), slice_of(text, length + 2)));
	if (length > 998)
		assert_int_equal(reader.longest_line, length);
	buf_release(&content);
}

static void test_long_lines(void **state)
{
	(void)state;
	for (size_t length = 2; length < 2100; length++) {
		check_long_line(length, false);
		check_long_line(length, true);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_every_split),
	    cmocka_unit_test(test_chunks),
	    cmocka_unit_test(test_line_length),
	    cmocka_unit_test(test_pieces),
	    cmocka_unit_test(test_long_lines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
