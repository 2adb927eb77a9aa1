/* SPDX-License-Identifier: Apache-2.0 */
#include "base/file_watch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[] = "/tmp/gatehouse-watch-XXXXXX";
static char names[3][64];
static struct slice paths[3];

static void put(const char *name, const char *text)
{
	FILE *out = fopen(name, "w");

	assert_non_null(out);
	fputs(text, out);
	fclose(out);
}

static int make_files(void **state)
{
	(void)state;
	assert_non_null(mkdtemp(folder));
	for (size_t i = 0; i < 3; i++) {
		snprintf(names[i], sizeof(names[i]), "%s/%zu", folder, i);
		paths[i] = slice_from(names[i]);
	}
	put(names[0], "one");
	put(names[1], "two");
	assert_int_equal(symlink("1", names[2]), 0);
	return 0;
}

static int remove_files(void **state)
{
	(void)state;
	for (size_t i = 0; i < 3; i++)
		unlink(names[i]);
	return rmdir(folder);
}

static bool changed(struct file_watch *watch)
{
	return file_watch_changed(watch, 3, paths);
}

/* Told once, and only when it rests. */
static void expect_one_change(struct file_watch *watch)
{
	assert_false(changed(watch));
	assert_true(changed(watch));
	assert_false(changed(watch));
}

/* Tried with each look, until they are taken; told once. */
static void test_failure(void **state)
{
	struct file_watch watch;

	(void)state;
	file_watch_begin(&watch, 3, paths);
	for (int i = 0; i < 2; i++) {
		put(names[0], i ? "again" : "failing");
		assert_false(changed(&watch));
		assert_true(changed(&watch));
		assert_true(file_watch_failed(&watch));
		assert_true(changed(&watch));
		assert_false(file_watch_failed(&watch));
	}
	assert_true(changed(&watch));
	assert_false(changed(&watch));
	put(names[0], "one");
	expect_one_change(&watch);
}

static void test_changes(void **state)
{
	struct file_watch watch;

	(void)state;
	file_watch_begin(&watch, 3, paths);
	assert_false(changed(&watch));
	assert_false(changed(&watch));
	put(names[0], "longer");
	expect_one_change(&watch);
	/* Another file under the same name, of the same size. */
	put(names[2], "two");
	assert_int_equal(rename(names[0], names[1]), 0);
	expect_one_change(&watch);
	put(names[0], "one");
	expect_one_change(&watch);
	/* A link to another file, as tools that renew certificates do it. */
	assert_int_equal(unlink(names[2]), 0);
	assert_int_equal(symlink("0", names[2]), 0);
	expect_one_change(&watch);
	assert_int_equal(unlink(names[1]), 0);
	expect_one_change(&watch);
}

static void test_waits_until_it_rests(void **state)
{
	struct file_watch watch;

	(void)state;
	file_watch_begin(&watch, 3, paths);
	put(names[0], "1");
	assert_false(changed(&watch));
	put(names[0], "12");
	assert_false(changed(&watch));
	put(names[0], "123");
	expect_one_change(&watch);
}

static void test_no_paths(void **state)
{
	struct file_watch watch;
	char long_path[8192];
	struct slice odd[] = {{NULL, 0}, SLICE_INIT("/nonexistent/x"),
	    slice_of(long_path, sizeof(long_path))};

	(void)state;
	for (size_t i = 0; i < sizeof(long_path); i++)
		long_path[i] = 'x';
	file_watch_begin(&watch, 3, odd);
	assert_false(file_watch_changed(&watch, 3, odd));
	file_watch_begin(&watch, 0, NULL);
	assert_false(file_watch_changed(&watch, 0, NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_failure),
	    cmocka_unit_test(test_changes),
	    cmocka_unit_test(test_waits_until_it_rests),
	    cmocka_unit_test(test_no_paths),
	};

	return cmocka_run_group_tests(tests, make_files, remove_files);
}
