/* SPDX-License-Identifier: Apache-2.0 */
#include "mime/boundary.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define S(text) SLICE_INIT(text)

/* Open are, from the outermost: "a", "ab", "x" (closed), "a--", "a". */
static const struct {
	struct slice line;
	struct boundary_match match;
} cases[] = {
    /* clang-format off */
    {S("--a\r\n"), {BOUNDARY_DELIMITER, 4, false}},
    {S("--a \t\n"), {BOUNDARY_DELIMITER, 4, false}},
    {S("--a"), {BOUNDARY_DELIMITER, 4, false}},
    {S("--a--"), {BOUNDARY_CLOSE, 4, false}},
    {S("--a----"), {BOUNDARY_CLOSE, 3, true}},
    {S("--ab"), {BOUNDARY_DELIMITER, 1, true}}, /* or "a", going on */
    {S("--ab--\r\n"), {BOUNDARY_CLOSE, 1, true}},
    {S("--ac"), {BOUNDARY_NONE, 0, true}},
    {S("--a--c"), {BOUNDARY_NONE, 0, true}},
    {S("--x"), {BOUNDARY_NONE, 0, true}},
    {S("--x--"), {BOUNDARY_NONE, 0, true}},
    {S("--xy"), {BOUNDARY_NONE, 0, false}},
    {S("--A"), {BOUNDARY_NONE, 0, false}},
    {S("--"), {BOUNDARY_NONE, 0, false}},
    {S("--\r\n"), {BOUNDARY_NONE, 0, false}},
    {S("-- a"), {BOUNDARY_NONE, 0, false}},
    /* clang-format on */
};

static void test_match(void **state)
{
	struct arena *arena = arena_new(0);
	struct boundary_stack *stack = boundary_stack_new(arena);

	(void)state;
	assert_true(boundary_push(stack, SLICE("a")));
	assert_true(boundary_push(stack, SLICE("ab")));
	assert_true(boundary_push(stack, SLICE("x")));
	boundary_close(stack, 2);
	assert_true(boundary_push(stack, SLICE("a--")));
	assert_false(boundary_push(stack, SLICE("a")));
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct boundary_match match = boundary_match(
		    stack, cases[i].line);

		assert_int_equal(match.kind, cases[i].match.kind);
		assert_int_equal(match.number, cases[i].match.number);
		assert_int_equal(match.ambiguous, cases[i].match.ambiguous);
	}
	arena_free(arena);
}

/* Any number is open at a time. */
static void test_many(void **state)
{
	struct arena *arena = arena_new(0);
	struct boundary_stack *stack = boundary_stack_new(arena);

	(void)state;
	for (size_t i = 0; i < 100; i++)
		assert_true(boundary_push(
		    stack, arena_format_slice(arena, "b%zu.", i)));
	for (size_t i = 0; i < 100; i++) {
		struct boundary_match match = boundary_match(
		    stack, arena_format_slice(arena, "--b%zu.\r\n", i));

		assert_int_equal(match.kind, BOUNDARY_DELIMITER);
		assert_int_equal(match.number, i);
	}
	arena_free(arena);
}

static void test_pop(void **state)
{
	struct arena *arena = arena_new(0);
	struct boundary_stack *stack = boundary_stack_new(arena);

	(void)state;
	boundary_push(stack, SLICE("a"));
	boundary_push(stack, SLICE("b"));
	boundary_pop(stack);
	assert_int_equal(boundary_count(stack), 1);
	assert_int_equal(
	    boundary_match(stack, SLICE("--b")).kind, BOUNDARY_NONE);
	assert_int_equal(
	    boundary_match(stack, SLICE("--a")).kind, BOUNDARY_DELIMITER);
	boundary_pop(stack);
	assert_int_equal(
	    boundary_match(stack, SLICE("--a")).kind, BOUNDARY_NONE);
	arena_free(arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_match),
	    cmocka_unit_test(test_many),
	    cmocka_unit_test(test_pop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
