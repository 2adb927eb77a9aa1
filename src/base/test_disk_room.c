/* SPDX-License-Identifier: Apache-2.0 */
#include "base/disk_room.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/statvfs.h>

#include <cmocka.h>

static void test_room(void **state)
{
	struct statvfs disk;
	uint64_t room = 0;

	(void)state;
	assert_true(disk_room("/tmp", &room, NULL));
	assert_int_equal(statvfs("/tmp", &disk), 0);
	assert_in_range(room, 1, (uint64_t)disk.f_blocks * disk.f_frsize - 1);
	/* Nobody has ever written there. */
	assert_true(disk_room("/proc", &room, NULL));
	assert_int_equal(room, 0);
}

static void test_nearly_full(void **state)
{
	(void)state;
	assert_false(disk_is_nearly_full("/tmp"));
	assert_false(disk_is_nearly_full("/nonexistent"));
	assert_false(disk_is_nearly_full("/proc")); /* none of nothing */
}

static void test_missing(void **state)
{
	struct err err = {.kind = E_NONE};
	uint64_t room;

	(void)state;
	assert_false(disk_room("/nonexistent/spool", &room, &err));
	assert_int_equal(err.kind, E_NOT_FOUND);
	assert_non_null(strstr(err.text, "/nonexistent/spool"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_room),
	    cmocka_unit_test(test_nearly_full),
	    cmocka_unit_test(test_missing),
	};

	return cmocka_run_group_tests_name("disk_room", tests, NULL, NULL);
}
