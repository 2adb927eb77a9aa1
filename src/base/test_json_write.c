/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json_write.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void test_values(void **state)
{
	struct buf buf;
	struct json_write json = {.buf = &buf};

	(void)state;
	buf_init(&buf, 1000);
	json_write_begin(&json, NULL, '{');
	json_write_text(&json, "text", SLICE("a\"b\\c\r\n\x01\x7f\xc3\xa4"));
	json_write_text(&json, "broken", SLICE("x\0y\xff\xc3"));
	json_write_text(&json, "empty", (struct slice){NULL, 0});
	json_write_word(&json, "word", "pass");
	json_write_begin(&json, "numbers", '[');
	json_write_number(&json, NULL, 0);
	json_write_number(&json, NULL, UINT64_MAX);
	json_write_begin(&json, NULL, '[');
	json_write_end(&json, ']');
	json_write_begin(&json, NULL, '{');
	json_write_flag(&json, "yes", true);
	json_write_flag(&json, "no", false);
	json_write_end(&json, '}');
	json_write_end(&json, ']');
	json_write_null(&json, "none");
	json_write_end(&json, '}');
	assert_string_equal(buf.ptr,
	    "{\"text\":\"a\\\"b\\\\c\\r\\n\\u0001\\u007f\xc3\xa4\","
	    "\"broken\":\"x\xef\xbf\xbdy\xef\xbf\xbd\xef\xbf\xbd\","
	    "\"empty\":\"\",\"word\":\"pass\","
	    "\"numbers\":[0,18446744073709551615,[],"
	    "{\"yes\":true,\"no\":false}],\"none\":null}");
	buf_release(&buf);
}

static void test_limit(void **state)
{
	struct buf buf;
	struct json_write json = {.buf = &buf};

	(void)state;
	buf_init(&buf, 10);
	json_write_text(&json, NULL, SLICE("longer than ten"));
	assert_true(buf_overflowed(&buf));
	buf_release(&buf);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_values),
	    cmocka_unit_test(test_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
