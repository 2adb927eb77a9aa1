/* SPDX-License-Identifier: Apache-2.0 */
#include "conf/number.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

static const struct {
	enum field_type type;
	const char *text;
	bool ok;
	uint64_t number;
	const char *shown;
} cases[] = {
    {TYPE_SECONDS, "90d", true, 90 * 86400, "90d"},
    {TYPE_SECONDS, "2w", true, 14 * 86400, "2w"},
    {TYPE_SECONDS, "120s", true, 120, "2m"},
    {TYPE_SECONDS, "0", true, 0, "0s"},
    {TYPE_SECONDS, "10", false, 0, NULL},
    {TYPE_SECONDS, "10ms", false, 0, NULL},
    {TYPE_SECONDS, "-1s", false, 0, NULL},
    {TYPE_SECONDS, "1.5h", false, 0, NULL},
    {TYPE_SECONDS, "s", false, 0, NULL},
    {TYPE_SECONDS, "1 s", false, 0, NULL},
    {TYPE_SECONDS, "18446744073709551615s", true, UINT64_MAX,
	"18446744073709551615s"},
    {TYPE_SECONDS, "18446744073709551615m", false, 0, NULL},
    {TYPE_SECONDS, "18446744073709551616s", false, 0, NULL},
    {TYPE_MILLISECONDS, "500ms", true, 500, "500ms"},
    {TYPE_MILLISECONDS, "300s", true, 300000, "5m"},
    {TYPE_MILLISECONDS, "0", true, 0, "0s"},
    {TYPE_MILLISECONDS, "5", false, 0, NULL},
    {TYPE_SIZE, "512", true, 512, "512"},
    {TYPE_SIZE, "64K", true, 65536, "64K"},
    {TYPE_SIZE, "150M", true, 157286400, "150M"},
    {TYPE_SIZE, "1G", true, 1 << 30, "1G"},
    {TYPE_SIZE, "1025", true, 1025, "1025"},
    {TYPE_SIZE, "150k", false, 0, NULL},
    {TYPE_SIZE, "150MB", false, 0, NULL},
    {TYPE_NUMBER, "007", true, 7, "7"},
    {TYPE_NUMBER, "7K", false, 0, NULL},
    {TYPE_NUMBER, "", false, 0, NULL},
    {TYPE_NUMBER, "0x10", false, 0, NULL},
};

static void test_cases(void **state)
{
	struct arena *arena = arena_new(0);

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint64_t number = 77;
		bool ok = number_parse(
		    cases[i].type, slice_from(cases[i].text), &number);

		if (ok != cases[i].ok)
			fail_msg("%s: %d", cases[i].text, ok);
		if (!ok)
			continue;
		assert_int_equal(number, cases[i].number);
		assert_string_equal(
		    number_format(arena, cases[i].type, number).ptr,
		    cases[i].shown);
	}
	arena_free(arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_cases)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
