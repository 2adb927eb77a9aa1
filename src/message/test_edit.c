/* SPDX-License-Identifier: Apache-2.0 */
#include "message/edit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"

#define REST "\r\n\r\nbody"

static const struct slice message = SLICE_INIT(
    "A: 1\r\nB: 2\r\nC: 3\r\nD: 4" REST);

static const struct {
	const char *removed; /* positions, in the order of the calls */
	const char *added[3];
	const char *want;
	size_t pieces;
} rows[] = {
    {"", {NULL}, "A: 1\r\nB: 2\r\nC: 3\r\nD: 4" REST, 1},
    {"", {"X: x", "Y: y\r\n y"},
	"Y: y\r\n y\r\nX: x\r\nA: 1\r\nB: 2\r\nC: 3\r\nD: 4" REST, 3},
    {"1", {"X: x"}, "X: x\r\nA: 1\r\nC: 3\r\nD: 4" REST, 3},
    {"11", {NULL}, "A: 1\r\nC: 3\r\nD: 4" REST, 2},
    {"0", {NULL}, "B: 2\r\nC: 3\r\nD: 4" REST, 1},
    {"3", {NULL}, "A: 1\r\nB: 2\r\nC: 3\r\n\r\nbody", 2},
    {"20", {NULL}, "B: 2\r\nD: 4" REST, 2},
    {"13", {NULL}, "A: 1\r\nC: 3\r\n\r\nbody", 3},
    {"1221", {NULL}, "A: 1\r\nD: 4" REST, 2},
    {"3210", {NULL}, "\r\nbody", 1},
    {"0123", {"X: x"}, "X: x\r\n\r\nbody", 2},
};

static bool is_in(const char *digits, size_t position)
{
	for (; *digits; digits++)
		if ((size_t)(*digits - '0') == position)
			return true;
	return false;
}

static void test_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct arena *arena = arena_new(0);
		struct buf *text = buf_in_arena(arena, 1000);
		struct header_edits edits = {0};
		struct header_list list;
		struct message_pieces pieces;
		size_t different = 0;

		assert_true(headers_parse(
		    arena, message, &limits_default, &list, NULL));
		for (size_t j = 0; rows[i].added[j]; j++)
			edit_add_on_top(
			    arena, &edits, slice_from(rows[i].added[j]));
		for (const char *digit = rows[i].removed; *digit; digit++)
			edit_remove(arena, &edits, (size_t)(*digit - '0'));
		for (size_t j = 0; j <= list.count; j++) {
			assert_int_equal(
			    edit_removes(&edits, j), is_in(rows[i].removed, j));
			different += edit_removes(&edits, j);
		}
		assert_int_equal(edits.removed_count, different);
		pieces = edit_apply(arena, message, &list, &edits);
		for (size_t j = 0; j < pieces.count; j++)
			buf_add(text, pieces.pieces[j]);
		if (!slice_eq(buf_slice(text), slice_from(rows[i].want)))
			fail_msg(
			    "row %zu: %.*s", i, SLICE_ARGS(buf_slice(text)));
		assert_int_equal(pieces.size, text->len);
		assert_int_equal(pieces.count, rows[i].pieces);
		arena_free(arena);
	}
}

/* What is left out to the last octet. */
static void test_nothing_left(void **state)
{
	struct arena *arena = arena_new(0);
	struct slice only = SLICE("A: 1\r\n");
	struct header_edits edits = {0};
	struct header_list list;
	struct message_pieces pieces;

	(void)state;
	assert_true(headers_parse(arena, only, &limits_default, &list, NULL));
	edit_remove(arena, &edits, 0);
	pieces = edit_apply(arena, only, &list, &edits);
	assert_int_equal(pieces.count, 0);
	assert_int_equal(pieces.size, 0);
	arena_free(arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_rows),
	    cmocka_unit_test(test_nothing_left),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
