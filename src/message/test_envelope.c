/* SPDX-License-Identifier: Apache-2.0 */
#include "message/envelope.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/ascii.h"
#include "base/clock.h"

/* The milliseconds that an id begins with. */
static uint64_t time_of(struct slice id)
{
	static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				     "abcdefghijklmnopqrstuvwxyz";
	uint64_t time = 0;

	for (size_t i = 0; i < 8; i++)
		time = time * 62 + slice_find(slice_from(digits), id.ptr[i]);
	return time;
}

/* In the order of their time, all different, and every digit has its turn. */
static void test_ids(void **state)
{
	enum { COUNT = 2000 };
	struct arena *arena = arena_new(0);
	struct slice ids[COUNT];
	bool seen[8][256] = {{false}};

	(void)state;
	for (size_t i = 0; i < COUNT; i++) {
		uint64_t before = (uint64_t)clock_now_ms(NULL);

		ids[i] = envelope_new_id(arena);
		assert_int_equal(ids[i].len, 16);
		assert_true(slice_all(ids[i], ascii_is_alnum));
		assert_in_range(
		    time_of(ids[i]), before, (uint64_t)clock_now_ms(NULL));
		for (size_t j = 0; j < i; j++)
			assert_false(slice_eq(ids[i], ids[j]));
		for (size_t j = 0; j < 8; j++)
			seen[j][(unsigned char)ids[i].ptr[8 + j]] = true;
	}
	for (size_t j = 0; j < 8; j++)
		for (unsigned int octet = 0; octet < 256; octet++)
			assert_int_equal(seen[j][octet],
			    octet < 128 && ascii_is_alnum((char)octet));
	arena_free(arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_ids),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
