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

static void test_spare(void **state)
{
	static const uint64_t gib = (uint64_t)1 << 30;
	static const struct {
		uint64_t size, room, spare;
	} rows[] = {
	    {1000, 1000, 950},
	    {1000, 51, 1},
	    {1000, 50, 0},
	    {1000, 0, 0},
	    {0, 0, 0},
	    {20 * gib, 2 * gib, gib},
	    {100 * gib, 100 * gib, 99 * gib},
	    {100 * gib, gib, 0},
	};
	uint64_t room, spare;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(
		    disk_spare(rows[i].size, rows[i].room), rows[i].spare);
	assert_true(disk_room("/tmp", &room, NULL));
	assert_true(disk_room_to_spare("/tmp", &spare, NULL));
	assert_true(spare < room || room == 0);
	assert_false(disk_room_to_spare("/nonexistent", &spare, NULL));
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
	    cmocka_unit_test(test_spare),
	    cmocka_unit_test(test_missing),
	};

	return cmocka_run_group_tests_name("disk_room", tests, NULL, NULL);
}
