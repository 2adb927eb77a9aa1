/* SPDX-License-Identifier: Apache-2.0 */
#include "message/cfws.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define EIGHT(text) text text text text text text text text
#define DEEPEST(text) EIGHT(text) EIGHT(text) EIGHT(text) EIGHT(text)

static const struct {
	const char *text, *rest; /* NULL: an error */
} cases[] = {
    {"", ""},
    {"a", "a"},
    {" \t\r\n a ", "a "},
    {"(a)b", "b"},
    {" (a) (b)\r\n (c) ;d", ";d"},
    {"(a;(b)c)d", "d"},
    {"(\\)\\()a", "a"},
    {"(\"(\")) a", "a"},
    {DEEPEST("(") DEEPEST(")") "a", "a"},
    {"(", NULL},
    {"(a", NULL},
    {"(a\\", NULL},
    {"(a\\)", NULL},
    {"(()", NULL},
    {DEEPEST("(") "()" DEEPEST(")") "a", NULL},
    {")", ")"},
};

static void test_table(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct slice text = slice_from(cases[i].text);
		struct err err = {0};
		bool good = cfws_skip(&text, &err);

		if (good != (cases[i].rest != NULL) ||
		    (good && !slice_eq(text, slice_from(cases[i].rest))))
			fail_msg("%s: \"%.*s\" %s", cases[i].text,
			    SLICE_ARGS(text), err.text);
		if (!good)
			assert_int_equal(err.kind, E_SYNTAX);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
