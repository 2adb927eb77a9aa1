/* SPDX-License-Identifier: Apache-2.0 */
#include "message/decision.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* The strongest verdict stands, and of equal ones the first. */
static void test_verdicts(void **state)
{
	static const struct {
		struct decision_step step;
		int code;	     /* of its reply; 0: it has none */
		enum verdict wanted; /* so far, and whose */
		const char *policy;
		int wanted_code;
	} rows[] = {
	    {{SLICE_INIT("off"), true, false, VERDICT_REJECT, SLICE_INIT("1")},
		550, VERDICT_ACCEPT, "", 0},
	    {{SLICE_INIT("not"), false, true, VERDICT_REJECT, SLICE_INIT("2")},
		550, VERDICT_ACCEPT, "", 0},
	    {{SLICE_INIT("mild"), true, true, VERDICT_DEFER, SLICE_INIT("3")},
		451, VERDICT_DEFER, "mild", 451},
	    {{SLICE_INIT("held"), true, true, VERDICT_HOLD, SLICE_INIT("4")}, 0,
		VERDICT_DEFER, "mild", 451},
	    {{SLICE_INIT("same"), true, true, VERDICT_DEFER, SLICE_INIT("5")},
		452, VERDICT_DEFER, "mild", 451},
	    {{SLICE_INIT("hard"), true, true, VERDICT_REJECT, SLICE_INIT("6")},
		0, VERDICT_REJECT, "hard", 0},
	};
	struct arena *arena = arena_new(0);
	struct decision decision = {0};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		const struct smtp_reply_text reply = {.code = rows[i].code};

		decision_apply(arena, &decision, &rows[i].step,
		    rows[i].code ? &reply : NULL);
		assert_int_equal(decision.verdict, rows[i].wanted);
		assert_true(
		    slice_eq(decision.policy, slice_from(rows[i].policy)));
		assert_int_equal(decision.reply.code, rows[i].wanted_code);
		assert_int_equal(decision.step_count, i + 1);
		assert_true(
		    slice_eq(decision.steps[i].policy, rows[i].step.policy));
	}
	assert_true(slice_eq(decision.reason, SLICE("6")));
	assert_string_equal(verdict_name(decision.verdict), "reject");
	arena_free(arena);
}

static void test_reply_lines(void **state)
{
	static const struct {
		struct smtp_reply_text reply;
		const char *line;
	} rows[] = {
	    {{550, SLICE_INIT("5.7.1"), SLICE_INIT("no")}, "550 5.7.1 no"},
	    {{421, SLICE_INIT(""), SLICE_INIT("bye bye")}, "421 bye bye"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct arena *arena = arena_new(0);

		assert_true(slice_eq(decision_reply_line(arena, &rows[i].reply),
		    slice_from(rows[i].line)));
		arena_free(arena);
	}
}

static void test_bodies(void **state)
{
	enum { MAX = 20 };
	static const struct {
		struct slice original, body;
		bool taken, replaces;
		enum err_kind error;
	} rows[] = {
	    {SLICE_INIT("a\r\n"), SLICE_INIT("b\r\n"), true, true, E_NONE},
	    {SLICE_INIT("a\r\n"), SLICE_INIT("a\r\n"), true, false, E_NONE},
	    {SLICE_INIT("a\r\n"), SLICE_INIT(""), true, true, E_NONE},
	    {SLICE_INIT(""), SLICE_INIT(""), true, false, E_NONE},
	    {SLICE_INIT(""), SLICE_INIT("a\r\n"), true, true, E_NONE},
	    {SLICE_INIT("a\r\n"), SLICE_INIT("b"), false, false, E_SYNTAX},
	    {SLICE_INIT("a\r\n"), SLICE_INIT("b\n"), false, false, E_SYNTAX},
	    {SLICE_INIT("a\r\n"), SLICE_INIT("b\r"), false, false, E_SYNTAX},
	    {SLICE_INIT("a\r\n"), SLICE_INIT("\n.\r\n"), false, false,
		E_SYNTAX},
	    {SLICE_INIT("a\r\n"), SLICE_INIT("b\rc\r\n"), false, false,
		E_SYNTAX},
	    {SLICE_INIT("a\r\n"), SLICE_INIT("123456789012345678\r\n"), true,
		true, E_NONE},
	    {SLICE_INIT("a\r\n"), SLICE_INIT("1234567890123456789\r\n"), false,
		false, E_LIMIT},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct decision decision = {0};
		struct err err = {0};

		assert_int_equal(
		    decision_replace_body(
			&decision, &rows[i].original, rows[i].body, MAX, &err),
		    rows[i].taken);
		assert_int_equal(decision.replaces_body, rows[i].replaces);
		if (!rows[i].taken)
			assert_int_equal(err.kind, rows[i].error);
	}
}

/* A later one counts, be it the original again. */
static void test_body_twice(void **state)
{
	const struct slice original = SLICE("a\r\n");
	struct decision decision = {0};

	(void)state;
	assert_true(decision_replace_body(
	    &decision, &original, SLICE("b\r\n"), 9, NULL));
	assert_true(decision_replace_body(
	    &decision, &original, SLICE("c\r\n"), 9, NULL));
	assert_true(slice_eq(decision.body, SLICE("c\r\n")));
	assert_true(
	    decision_replace_body(&decision, &original, original, 9, NULL));
	assert_false(decision.replaces_body);
}

/* Nothing is the same as what nobody has kept, not even nothing. */
static void test_body_not_kept(void **state)
{
	static const struct slice bodies[] = {
	    SLICE_INIT(""), SLICE_INIT("a\r\n")};

	(void)state;
	for (size_t i = 0; i < sizeof(bodies) / sizeof(*bodies); i++) {
		struct decision decision = {0};

		assert_true(
		    decision_replace_body(&decision, NULL, bodies[i], 9, NULL));
		assert_true(decision.replaces_body);
		assert_true(slice_eq(decision.body, bodies[i]));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_verdicts),
	    cmocka_unit_test(test_reply_lines),
	    cmocka_unit_test(test_bodies),
	    cmocka_unit_test(test_body_twice),
	    cmocka_unit_test(test_body_not_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
