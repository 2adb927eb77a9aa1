/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const struct {
	int number;
	enum err_kind kind;
	const char *word;
} kinds[] = {
    {ENOSPC, E_FULL, "full"},
    {EDQUOT, E_FULL, "full"},
    {EAGAIN, E_TEMP, "temporary"},
    {EMFILE, E_TEMP, "temporary"},
    {ENOMEM, E_TEMP, "temporary"},
    {ETIMEDOUT, E_TIMEOUT, "timeout"},
    {ECONNRESET, E_CLOSED, "closed"},
    {EPIPE, E_CLOSED, "closed"},
    {ENOENT, E_NOT_FOUND, "not-found"},
    {EACCES, E_IO, "io"},
};

static void test_errno(void **state)
{
	struct err err;

	(void)state;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		char expected[256] = "open file: ";
		size_t used = strlen(expected);

		memcpy(expected + used, strerror(kinds[i].number),
		    strlen(strerror(kinds[i].number)) + 1);
		errno = kinds[i].number;
		assert_false(err_set_errno(&err, "open %s", "file"));
		assert_int_equal(err.kind, kinds[i].kind);
		assert_string_equal(err_kind_name(err.kind), kinds[i].word);
		assert_string_equal(err.text, expected);
	}
}

static void test_prefix(void **state)
{
	struct err err;

	(void)state;
	assert_false(err_set(&err, E_LIMIT, "over %d", 5));
	assert_false(err_prefix(&err, "part %d", 2));
	assert_false(err_prefix(&err, "file"));
	assert_int_equal(err.kind, E_LIMIT);
	assert_string_equal(err.text, "file: part 2: over 5");
	/* Nobody wants to know. */
	assert_false(err_set(NULL, E_LIMIT, "x"));
	assert_false(err_set_errno(NULL, "x"));
	assert_false(err_prefix(NULL, "x"));
}

static void test_long_text_is_cut(void **state)
{
	char text[2 * ERR_TEXT_MAX];
	struct err err;

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	assert_false(err_set(&err, E_IO, "%s", text));
	assert_int_equal(strlen(err.text), ERR_TEXT_MAX - 1);
	assert_false(err_set_errno(&err, "%s", text));
	assert_int_equal(strlen(err.text), ERR_TEXT_MAX - 1);
	assert_false(err_prefix(&err, "%s", text));
	assert_int_equal(strlen(err.text), ERR_TEXT_MAX - 1);
	assert_false(err_set(&err, E_IO, "cause"));
	assert_false(err_prefix(&err, "%.500s", text));
	assert_string_equal(err.text + 500, ": cause");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_errno),
	    cmocka_unit_test(test_prefix),
	    cmocka_unit_test(test_long_text_is_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
