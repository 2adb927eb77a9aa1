/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define S(text) SLICE_INIT(text)
#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

static const struct {
	struct slice text;
	int64_t seconds;
} good[] = {
    {S("1970-01-01T00:00:00Z"), 0}, {S("1970-01-01"), 0},
    {S("2027-01-31T10:00:00Z"), 1801389600},
    {S("2027-01-31t10:00:00z"), 1801389600},
    {S("2027-01-31 10:00:00Z"), 1801389600},
    {S("2027-01-31T10:00:00.123456Z"), 1801389600},
    {S("2027-01-31T20:00:00+10:00"), 1801389600},
    {S("2027-01-31T00:30:00-09:30"), 1801389600}, {S("2027-01-31"), 1801353600},
    {S("2024-02-29"), 1709164800}, {S("2000-02-29"), 951782400},
    {S("1969-12-31T23:59:59Z"), -1}, {S("9999-12-31T23:59:59Z"), 253402300799},
    {S("2016-12-31T23:59:60Z"), 1483228800}, /* a leap second */
};

static const struct slice bad[] = {
    S(""),
    S("2027"),
    S("2027-1-31"),
    S("2027-13-01"),
    S("2027-00-01"),
    S("2027-01-00"),
    S("2027-01-32"),
    S("2027-02-29"),
    S("2100-02-29"),
    S("2027-04-31"),
    S("2027-01-31T"),
    S("2027-01-31T10:00"),
    S("2027-01-31T10:00:00"),
    S("2027-01-31T24:00:00Z"),
    S("2027-01-31T10:60:00Z"),
    S("2027-01-31T10:00:61Z"),
    S("2027-01-31T10:00:00.Z"),
    S("2027-01-31T10:00:00+1000"),
    S("2027-01-31T10:00:00+24:00"),
    S("2027-01-31T10:00:00+10:60"),
    S("2027-01-31T10:00:00ZZ"),
    S(" 2027-01-31"),
    S("2027-01-31\n"),
    S("+027-01-31"),
    S("31 Jan 2027"),
};

static void test_parse(void **state)
{
	struct err err;

	(void)state;
	for (size_t i = 0; i < COUNT(good); i++) {
		int64_t seconds = -4711;

		if (!clock_parse_rfc3339(good[i].text, &seconds, &err))
			fail_msg("%s", err.text);
		assert_true(seconds == good[i].seconds);
	}
	for (size_t i = 0; i < COUNT(bad); i++) {
		int64_t seconds = -4711;

		if (clock_parse_rfc3339(bad[i], &seconds, &err))
			fail_msg("\"%.*s\" is a time", SLICE_ARGS(bad[i]));
		assert_true(seconds == -4711);
		assert_int_equal(err.kind, E_SYNTAX);
	}
}

static const struct {
	int64_t seconds;
	struct slice rfc3339, rfc5322;
} formats[] = {
    {0, S("1970-01-01T00:00:00Z"), S("Thu, 1 Jan 1970 00:00:00 +0000")},
    {1801389600, S("2027-01-31T10:00:00Z"),
	S("Sun, 31 Jan 2027 10:00:00 +0000")},
    {951782399, S("2000-02-28T23:59:59Z"),
	S("Mon, 28 Feb 2000 23:59:59 +0000")},
    {-1, S("1969-12-31T23:59:59Z"), S("Wed, 31 Dec 1969 23:59:59 +0000")},
};

static void test_format(void **state)
{
	struct arena *arena = arena_new(0);

	(void)state;
	for (size_t i = 0; i < COUNT(formats); i++) {
		int64_t seconds = formats[i].seconds;

		assert_true(slice_eq(
		    clock_format_rfc3339(arena, seconds), formats[i].rfc3339));
		assert_true(slice_eq(
		    clock_format_rfc5322(arena, seconds), formats[i].rfc5322));
	}
	/* Nothing makes them fail. */
	assert_true(clock_format_rfc3339(arena, INT64_MAX).len > 0);
	assert_true(clock_format_rfc5322(arena, INT64_MIN).len > 0);
	arena_free(arena);
}

static void test_fixed(void **state)
{
	const struct clock clock = {.fixed = true, .fixed_at = 1801389600};

	(void)state;
	assert_true(clock_now(&clock) == 1801389600);
	assert_true(clock_now_ms(&clock) == 1801389600000);
	assert_true(clock_now(NULL) > 1700000000);
	assert_true(clock_now(&(struct clock){0}) > 1700000000);
}

static void test_deadlines(void **state)
{
	struct deadline soon = deadline_in(60000), past = deadline_in(-1);

	(void)state;
	assert_true(deadline_passed(past));
	assert_true(deadline_passed(deadline_in(0)));
	assert_false(deadline_passed(soon));
	assert_false(deadline_passed(DEADLINE_NEVER));
	assert_int_equal(deadline_poll_ms(past), 0);
	assert_int_equal(deadline_poll_ms(DEADLINE_NEVER), -1);
	assert_in_range(deadline_poll_ms(soon), 1, 60000);
	assert_int_equal(
	    deadline_poll_ms(deadline_in(INT64_MAX / 2)), INT32_MAX);
	assert_true(deadline_in(INT64_MAX).at_ms == DEADLINE_NEVER.at_ms);
	assert_true(deadline_min(soon, past).at_ms == past.at_ms);
	assert_true(deadline_min(soon, DEADLINE_NEVER).at_ms == soon.at_ms);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_parse),
	    cmocka_unit_test(test_format),
	    cmocka_unit_test(test_fixed),
	    cmocka_unit_test(test_deadlines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
