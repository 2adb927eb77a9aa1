/* SPDX-License-Identifier: Apache-2.0 */
#include "conf/domain_index.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

static const struct domain_entry names[] = {
    {SLICE_INIT("b.example"), 3},
    {SLICE_INIT(".sub.example"), 4},
    {SLICE_INIT("b.example"), 1},
    {SLICE_INIT("a.sub.example"), 5},
    {SLICE_INIT(".example"), 9},
    {SLICE_INIT("a"), 7},
};

static const struct {
	const char *name;
	int find, cover; /* the number; -1: none */
} rows[] = {
    {"b.example", 1, 1},
    {"a", 7, 7},
    {"", -1, -1},
    {"aa", -1, -1},
    {"z", -1, -1},
    {"c.example", -1, 9},
    {"example", -1, -1},
    {"sub.example", -1, 9},
    {"b.sub.example", -1, 4},
    {"x.b.sub.example", -1, 4},
    {"a.sub.example", 5, 4},
    {"xsub.example", -1, 9},
    {"b.example.org", -1, -1},
};

static int number_of(const struct domain_entry *entry)
{
	return entry ? (int)entry->number : -1;
}

static void test_lookups(void **state)
{
	struct arena *arena = arena_new(0);
	struct domain_index index = domain_index_new(arena, COUNT(names) + 1);
	struct domain_index none = domain_index_new(arena, 0);

	(void)state;
	domain_index_sort(&none);
	assert_null(domain_index_cover(&none, SLICE("a")));
	for (size_t i = 0; i < COUNT(names); i++)
		domain_index_add(&index, names[i].name, names[i].number);
	domain_index_sort(&index);
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct slice name = slice_from(rows[i].name);

		if (number_of(domain_index_find(&index, name)) !=
			rows[i].find ||
		    number_of(domain_index_cover(&index, name)) !=
			rows[i].cover)
			fail_msg("%s", rows[i].name);
	}
	domain_index_add(&index, SLICE("*"), 8);
	domain_index_sort(&index);
	assert_int_equal(number_of(domain_index_cover(&index, SLICE("z"))), 8);
	assert_int_equal(
	    number_of(domain_index_cover(&index, SLICE("c.example"))), 8);
	arena_free(arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_lookups),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
