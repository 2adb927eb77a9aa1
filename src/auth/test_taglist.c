/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/taglist.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const struct {
	const char *text;
	size_t count; /* 0: an error */
	const char *last_name, *last_value;
} cases[] = {
    {"v=1", 1, "v", "1"},
    {"v=1;", 1, "v", "1"},
    {" v = 1 ; d = example.com ; ", 2, "d", "example.com"},
    {"v=1;\r\n\td=example\r\n .com", 2, "d", "example\r\n .com"},
    {"d=", 1, "d", ""},
    {"b=a=b==", 1, "b", "a=b=="},
    {"a_1=x", 1, "a_1", "x"},
    {"n=\xc3\xa9", 1, "n", "\xc3\xa9"}, /* RFC 8616 */
    {"v=1; V=2", 2, "V", "2"},		/* names have a case */
    {"", 0, NULL, NULL},
    {";", 0, NULL, NULL},
    {"v=1;;", 0, NULL, NULL},
    {"v=1; ;d=a", 0, NULL, NULL},
    {"v", 0, NULL, NULL},
    {"=1", 0, NULL, NULL},
    {"1v=1", 0, NULL, NULL},
    {"_v=1", 0, NULL, NULL},
    {"v w=1", 0, NULL, NULL},
    {"d=a; d=b", 0, NULL, NULL},
    {"d=a\x01", 0, NULL, NULL},
    {"d=a\x7f", 0, NULL, NULL},
};

static void test_parse(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct taglist list = {.count = 0};
		struct err err;
		bool good = taglist_parse(
		    slice_from(cases[i].text), &list, &err);

		if (good != (cases[i].count > 0))
			fail_msg("%s", cases[i].text);
		if (!good)
			continue;
		assert_int_equal(list.count, cases[i].count);
		assert_true(slice_eq(list.tags[list.count - 1].name,
		    slice_from(cases[i].last_name)));
		assert_true(slice_eq(list.tags[list.count - 1].value,
		    slice_from(cases[i].last_value)));
	}
}

static void test_whole(void **state)
{
	static const char text[] = "a=1; b = \r\n x y ; c=2";
	struct taglist list;
	struct err err;

	(void)state;
	assert_true(taglist_parse(slice_from(text), &list, &err));
	assert_true(slice_eq(
	    taglist_find(&list, SLICE("b"))->whole, SLICE(" \r\n x y ")));
	assert_null(taglist_find(&list, SLICE("B")));
	assert_ptr_equal(taglist_find(&list, SLICE("c")), &list.tags[2]);
}

static void test_too_many(void **state)
{
	char text[4 * (TAGLIST_MAX + 1) + 1];
	struct taglist list;
	struct err err;
	size_t len = 0;

	(void)state;
	for (int i = 0; i < TAGLIST_MAX + 1; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len,
		    "%c%c=;", 'a' + i % 26, 'a' + i / 26);
	assert_false(taglist_parse(slice_of(text, len), &list, &err));
	assert_int_equal(err.kind, E_LIMIT);
	assert_true(taglist_parse(slice_of(text, len - 4), &list, &err));
}

static void test_words(void **state)
{
	struct slice rest = SLICE("a: b\r\n :: c:"), word;
	static const char *const expected[] = {"a", "b", "", "c"};

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		assert_true(taglist_next_word(&rest, &word));
		assert_true(slice_eq(word, slice_from(expected[i])));
	}
	assert_false(taglist_next_word(&rest, &word));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_parse),
	    cmocka_unit_test(test_whole),
	    cmocka_unit_test(test_too_many),
	    cmocka_unit_test(test_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
