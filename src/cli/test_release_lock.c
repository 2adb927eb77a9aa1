/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/release_lock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

/* A folder for the state, in *config. */
static struct arena *begin(struct config *config)
{
	struct arena *arena = arena_new(0);
	char *folder = arena_text(arena, SLICE("/tmp/gatehouse-lock-XXXXXX"));

	assert_non_null(mkdtemp(folder));
	config->state_directory = slice_from(folder);
	return arena;
}

static const char *path_of(struct arena *arena, const struct config *config)
{
	return arena_format(
	    arena, "%.*s/release.lock", SLICE_ARGS(config->state_directory));
}

static void end(struct arena *arena, struct config *config)
{
	unlink(path_of(arena, config));
	rmdir(arena_text(arena, config->state_directory));
	arena_free(arena);
	config_release(config);
}

/* Each open file is as another process. */
static void test_one_at_a_time(void **state)
{
	struct config *config = config_default();
	struct arena *arena = begin(config);
	struct err err = {0};
	struct stat status;
	int first, second;

	(void)state;
	assert_true(release_lock_open(arena, config, &first, &err));
	assert_true(release_lock_open(arena, config, &second, &err));
	assert_int_equal(stat(path_of(arena, config), &status), 0);
	assert_int_equal(status.st_mode & 0777, 0600);
	assert_true(
	    release_lock_take(first, SLICE("Q1"), deadline_in(0), &err));
	assert_false(
	    release_lock_take(second, SLICE("Q1"), deadline_in(50), &err));
	assert_int_equal(err.kind, E_TIMEOUT);
	assert_true(
	    release_lock_take(second, SLICE("Q2"), deadline_in(0), &err));
	release_lock_give(first, SLICE("Q1"));
	assert_true(
	    release_lock_take(second, SLICE("Q1"), deadline_in(0), &err));
	end(arena, config);
}

static void test_no_file(void **state)
{
	struct config *config = config_default();
	struct arena *arena = begin(config);
	struct slice folder = config->state_directory;
	struct err err = {0};
	int fd = -1;

	(void)state;
	assert_int_equal(symlink("/dev/null", path_of(arena, config)), 0);
	assert_false(release_lock_open(arena, config, &fd, &err));
	assert_int_equal(err.kind, E_IO);
	config->state_directory = SLICE("/nonexistent");
	assert_false(release_lock_open(arena, config, &fd, &err));
	assert_int_equal(err.kind, E_NOT_FOUND);
	assert_int_equal(fd, -1);
	config->state_directory = folder;
	end(arena, config);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_one_at_a_time),
	    cmocka_unit_test(test_no_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
