/* SPDX-License-Identifier: Apache-2.0 */
/* Deadlines in a wheel. */
#include "base/wheel.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static struct wheel wheel;

static void add(struct wheel_entry *entry, int64_t at_ms)
{
	wheel_add(&wheel, entry, (struct deadline){at_ms});
}

static void test_expiry(void **state)
{
	const int64_t turn = WHEEL_TICK_MS * WHEEL_SLOTS;
	struct wheel_entry past = {0}, soon = {0}, gone = {0}, far = {0},
			   never = {0};

	(void)state;
	wheel_init(&wheel, 1000000);
	add(&past, 5);
	add(&soon, 1000000 + 250);
	add(&gone, 1000000 + 250);
	add(&far, 1000000 + 2 * turn + 50);
	wheel_add(&wheel, &never, DEADLINE_NEVER);
	wheel_remove(&wheel, &gone);
	wheel_remove(&wheel, &gone);
	assert_ptr_equal(wheel_expire(&wheel, 1000000), &past);
	assert_null(wheel_expire(&wheel, 1000000 + 249));
	assert_ptr_equal(wheel_expire(&wheel, 1000000 + 400), &soon);
	assert_null(wheel_expire(&wheel, 1000000 + 400));
	assert_null(wheel_expire(&wheel, 1000000 + turn + 500));
	assert_null(wheel_expire(&wheel, 1000000 + 2 * turn));
	assert_ptr_equal(wheel_expire(&wheel, 1000000 + 2 * turn + 300), &far);
	assert_null(wheel_expire(&wheel, 1000000 + 9 * turn));
	assert_int_equal(wheel.count, 1);
	assert_ptr_equal(wheel_take_any(&wheel), &never);
	assert_null(wheel_take_any(&wheel));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_expiry),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
