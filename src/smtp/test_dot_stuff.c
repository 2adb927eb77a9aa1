/* SPDX-License-Identifier: Apache-2.0 */
#include "smtp/dot_stuff.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"

static const struct {
	const char *message, *sent;
} cases[] = {
    {"", ".\r\n"},
    {".", "..\r\n.\r\n"},
    {"\r\n", "\r\n.\r\n"},
    {"a", "a\r\n.\r\n"},
    {"a\r\n", "a\r\n.\r\n"},
    {"a\r", "a\r\n.\r\n"},
    {"a\n", "a\n\r\n.\r\n"},
    {".\r\n", "..\r\n.\r\n"},
    {"..\r\n", "...\r\n.\r\n"},
    {"a.b\r\n", "a.b\r\n.\r\n"},
    {"a\r\n.\r\nb", "a\r\n..\r\nb\r\n.\r\n"},
    {"a\r\n.\r\n.\r\n", "a\r\n..\r\n..\r\n.\r\n"},
    {"a\r\n.b\r\n\r\n..c\r\n", "a\r\n..b\r\n\r\n...c\r\n.\r\n"},
    {"a\n.\nb\r\n", "a\n..\nb\r\n.\r\n"},
    {"a\r.\r\nb\r\n", "a\r.\r\nb\r\n.\r\n"},
};

/* Pieces do not lie side by side. */
static void put(struct buf *buf, struct dot_stuff *state, struct slice text)
{
	char memory[64] = "?";
	struct slice piece = slice_of(memory + 1, text.len);

	assert_true(text.len < sizeof(memory));
	if (text.len)
		memcpy(memory + 1, text.ptr, text.len);
	while (piece.len) {
		bool dot;
		struct slice part = dot_stuff_next(state, &piece, &dot);

		if (dot)
			buf_add_byte(buf, '.');
		else
			assert_true(part.len > 0);
		buf_add(buf, part);
	}
}

static void expect(
    const char *message, size_t first, size_t second, const char *sent)
{
	struct slice all = slice_from(message);
	struct dot_stuff state = {0};
	struct buf buf;

	buf_init(&buf, 1000);
	put(&buf, &state, slice_sub(all, 0, first));
	put(&buf, &state, slice_sub(all, first, second - first));
	put(&buf, &state, slice_from_pos(all, second));
	buf_add(&buf, dot_stuff_end(&state));
	if (!slice_eq(buf_slice(&buf), slice_from(sent)))
		fail_msg("\"%s\" in pieces at %zu and %zu: \"%.*s\"", message,
		    first, second, SLICE_ARGS(buf_slice(&buf)));
	buf_release(&buf);
}

static void test_every_split(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		size_t len = strlen(cases[i].message);

		for (size_t a = 0; a <= len; a++)
			for (size_t b = a; b <= len; b++)
				expect(cases[i].message, a, b, cases[i].sent);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_every_split),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
