/* SPDX-License-Identifier: Apache-2.0 */
#include "dns/rdata.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/clock.h"

static const struct {
	const char *given, *want; /* a letter is a record */
} unique_cases[] = {
    {"", ""},
    {"a", "a"},
    {"ab", "ab"},
    {"ba", "ba"},
    {"aa", "a"},
    {"cabacbd", "cabd"},
    {"bbbbab", "ba"},
};

static void test_unique(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(unique_cases) / sizeof(unique_cases[0]);
	     i++) {
		struct dns_record records[8] = {0};
		struct slice given = slice_from(unique_cases[i].given);
		struct slice want = slice_from(unique_cases[i].want);

		for (size_t n = 0; n < given.len; n++)
			records[n].data = slice_sub(given, n, 1);
		assert_int_equal(rdata_unique(records, given.len), want.len);
		for (size_t n = 0; n < want.len; n++)
			assert_true(
			    slice_eq(records[n].data, slice_sub(want, n, 1)));
	}
}

/* Another preference, or a part of another: other records. */
static void test_unique_differences(void **state)
{
	struct dns_record records[] = {
	    {.data = SLICE_INIT("a"), .preference = 10},
	    {.data = SLICE_INIT("a"), .preference = 20},
	    {.data = SLICE_INIT("a"), .preference = 10},
	    {.data = SLICE_INIT("")},
	    {.data = SLICE_INIT("ab"), .preference = 10},
	    {.data = {NULL, 0}},
	};

	(void)state;
	assert_int_equal(
	    rdata_unique(records, sizeof(records) / sizeof(records[0])), 4);
	assert_int_equal(records[1].preference, 20);
	assert_int_equal(records[2].data.len, 0);
	assert_int_equal(records[3].data.len, 2);
}

/* As many as a message of 64 KB has room for. */
static void test_unique_many(void **state)
{
	enum { COUNT = 5400 };
	struct arena *arena = arena_new(0);
	struct dns_record *records = ARENA_ARRAY(
	    arena, COUNT, struct dns_record);
	int64_t start_ms;

	(void)state;
	for (size_t i = 0; i < COUNT; i++)
		records[i].data = arena_format_slice(
		    arena, "%u", (unsigned int)(i * 7919 % COUNT));
	start_ms = clock_monotonic_ms();
	assert_int_equal(rdata_unique(records, COUNT), COUNT);
	assert_true(clock_monotonic_ms() - start_ms < 500);
	arena_free(arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_unique),
	    cmocka_unit_test(test_unique_differences),
	    cmocka_unit_test(test_unique_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
