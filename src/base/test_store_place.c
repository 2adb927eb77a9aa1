/* SPDX-License-Identifier: Apache-2.0 */
#include "base/store_place.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static const struct {
	const char *text;
	const char *problem; /* NULL: none */
	uint64_t max_size;
} rows[] = {
    {"/p/o.db", NULL, 0},
    {"o.db", NULL, 0},
    {"/p/o.db?max_size=1000000", NULL, 1000000},
    {"/p/o.db?max_size=7", NULL, 7},
    {"/p/o.db?max_size=2K", NULL, 2048},
    {"/p/o.db?max_size=20G", NULL, UINT64_C(20) << 30},
    {"/p/o.db?max_size=3T", NULL, UINT64_C(3) << 40},
    {"", "needs a path", 0},
    {"?max_size=20G", "needs a path", 0},
    {":memory:", "needs a path", 0},
    {"/p/o.db?", "\"?\" is not known", 0},
    {"/p/o.db?maxsize=20G", "\"?maxsize=20G\" is not known", 0},
    {"/p/o.db?mode=ro", "there is ?max_size=20G", 0},
    {"/p/o.db?max_size=", "\"\" is not a size", 0},
    {"/p/o.db?max_size=G", "\"G\" is not a size", 0},
    {"/p/o.db?max_size=20X", "\"20X\" is not a size", 0},
    {"/p/o.db?max_size=20GB", "\"20GB\" is not a size", 0},
    {"/p/o.db?max_size=-1", "\"-1\" is not a size", 0},
    {"/p/o.db?max_size=1G&max_size=2G", "is not a size", 0},
    {"/p/o.db?max_size=99999999999999T", "is not a size", 0},
};

static void test_places(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct slice text = slice_from(rows[i].text);
		struct store_place place = {.max_size = 99};
		struct err err = {.kind = E_NONE};

		if (store_place_parse(text, &place, &err) !=
		    (rows[i].problem == NULL))
			fail_msg("%s: %s", rows[i].text, err.text);
		if (!rows[i].problem) {
			assert_true(slice_starts(text, place.path));
			assert_int_equal(place.max_size, rows[i].max_size);
			continue;
		}
		assert_int_equal(err.kind, E_CONFIG);
		assert_int_equal(place.max_size, 99);
		if (!strstr(err.text, rows[i].problem))
			fail_msg("%s: %s", rows[i].text, err.text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_places),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
