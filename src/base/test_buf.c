/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void assert_holds(const struct buf *buf, const char *text)
{
	assert_int_equal(buf->len, strlen(text));
	assert_string_equal(buf->len ? buf->ptr : "", text);
}

static void test_grows_to_its_maximum(void **state)
{
	struct buf buf;

	(void)state;
	buf_init(&buf, 10);
	assert_true(slice_empty(buf_slice(&buf)));
	assert_true(buf_add_text(&buf, "12345"));
	assert_true(buf_add_format(&buf, "%d", 6789));
	/* All or nothing, and what fits later is still taken. */
	assert_false(buf_add_text(&buf, "ab"));
	assert_true(buf_overflowed(&buf));
	assert_holds(&buf, "123456789");
	assert_false(buf_add_format(&buf, "%s", "xy"));
	assert_true(buf_add_byte(&buf, '0'));
	assert_false(buf_add_byte(&buf, '1'));
	assert_true(buf_add(&buf, (struct slice){NULL, 0}));
	assert_holds(&buf, "1234567890");
	assert_null(buf_reserve(&buf, 1));
	assert_null(buf_reserve(&buf, SIZE_MAX));
	buf_clear(&buf);
	assert_false(buf_overflowed(&buf));
	assert_holds(&buf, "");
	buf_release(&buf);
	assert_true(buf_add_text(&buf, "again"));
	buf_release(&buf);
}

static void test_reserve_and_consume(void **state)
{
	struct buf buf;
	char *room;

	(void)state;
	buf_init(&buf, 1 << 20);
	for (int i = 0; i < 1000; i++) {
		room = buf_reserve(&buf, 300);
		assert_non_null(room);
		memset(room, 'a' + i % 26, 300);
		buf_grown(&buf, 200);
	}
	assert_int_equal(buf.len, 200000);
	buf_consume(&buf, 0);
	buf_consume(&buf, 200 * 999 + 100);
	assert_int_equal(buf.len, 100);
	assert_int_equal(buf.ptr[0], 'a' + 999 % 26);
	assert_int_equal(buf.ptr[100], '\0');
	buf_consume(&buf, 100);
	assert_holds(&buf, "");
	buf_release(&buf);
}

static void test_in_arena(void **state)
{
	struct arena *arena = arena_new(0);
	struct buf *buf = buf_in_arena(arena, 100);

	(void)state;
	assert_true(buf_add_text(buf, "released with its arena"));
	arena_free(arena); /* LeakSanitizer would tell */
}

static void test_format_up_to_the_maximum(void **state)
{
	enum { MAX = 100 };
	char text[MAX + 2];

	(void)state;
	memset(text, 'x', sizeof(text));
	for (int before = 0; before <= MAX; before++)
		for (int len = 0; len <= MAX + 1 - before; len++) {
			bool fits = before + len <= MAX;
			struct buf buf;

			buf_init(&buf, MAX);
			buf_add(&buf, slice_of(text, (size_t)before));
			assert_int_equal(
			    buf_add_format(&buf, "%.*s", len, text), fits);
			assert_int_equal(buf.len, fits ? before + len : before);
			assert_int_equal(buf_overflowed(&buf), !fits);
			if (buf.ptr)
				assert_int_equal(strlen(buf.ptr), buf.len);
			buf_release(&buf);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_grows_to_its_maximum),
	    cmocka_unit_test(test_reserve_and_consume),
	    cmocka_unit_test(test_in_arena),
	    cmocka_unit_test(test_format_up_to_the_maximum),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
