/* SPDX-License-Identifier: Apache-2.0 */
#include "base/io.h"

#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

struct ends {
	int read, write;
};

static struct ends new_pipe(void)
{
	int ends[2];

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	assert_true(io_set_nonblocking(ends[0], NULL));
	assert_true(io_set_nonblocking(ends[1], NULL));
	return (struct ends){ends[0], ends[1]};
}

static void test_read_has_a_deadline(void **state)
{
	struct ends ends = new_pipe();
	int64_t before = clock_monotonic_ms();
	struct err err;
	char memory[8];
	size_t count = 77;

	(void)state;
	assert_false(
	    io_read_some(ends.read, memory, 8, deadline_in(30), &count, &err));
	assert_int_equal(err.kind, E_TIMEOUT);
	assert_int_equal(count, 77);
	assert_in_range(clock_monotonic_ms() - before, 30, 5000);
	/* What is there is read even when it is late. */
	assert_true(
	    io_write_all(ends.write, SLICE("late"), deadline_in(-1), &err));
	assert_true(
	    io_read_some(ends.read, memory, 8, deadline_in(-1), &count, &err));
	assert_int_equal(count, 4);
	close(ends.write);
	assert_true(
	    io_read_some(ends.read, memory, 8, DEADLINE_NEVER, &count, &err));
	assert_int_equal(count, 0);
	close(ends.read);
}

static void test_write_has_a_deadline(void **state)
{
	static char many[1 << 20];
	struct ends ends = new_pipe();
	struct err err;

	(void)state;
	assert_false(io_write_all(
	    ends.write, slice_of(many, sizeof(many)), deadline_in(30), &err));
	assert_int_equal(err.kind, E_TIMEOUT);
	close(ends.read);
	signal(SIGPIPE, SIG_IGN);
	assert_false(
	    io_write_all(ends.write, SLICE("x"), DEADLINE_NEVER, &err));
	assert_int_equal(err.kind, E_CLOSED);
	close(ends.write);
}

static void test_bad_descriptor(void **state)
{
	struct err err;

	(void)state;
	assert_false(io_set_nonblocking(-1, &err));
	assert_int_equal(err.kind, E_IO);
	assert_false(io_write_all(-1, SLICE("x"), DEADLINE_NEVER, &err));
	assert_int_equal(err.kind, E_IO);
	assert_true(io_write_all(-1, SLICE(""), DEADLINE_NEVER, &err));
}

static void write_file(const char *path, size_t size)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	for (size_t i = 0; i < size; i++)
		assert_int_equal(write(fd, "x", 1), 1);
	close(fd);
}

static void test_files(void **state)
{
	char path[] = "/tmp/gatehouse-test-io-XXXXXX";
	struct arena *arena = arena_new(0);
	struct slice content;
	struct err err;

	(void)state;
	assert_non_null(mkdtemp(path));
	assert_true(io_sync_directory(path, &err));
	/* A folder is no file. */
	assert_false(io_read_file(arena, path, 10, &content, &err));
	assert_int_equal(err.kind, E_IO);
	assert_int_equal(chdir(path), 0);
	write_file("ten", 10);
	assert_true(io_read_file(arena, "ten", 10, &content, &err));
	assert_int_equal(content.len, 10);
	assert_false(io_read_file(arena, "ten", 9, &content, &err));
	assert_int_equal(err.kind, E_LIMIT);
	assert_string_equal(err.text, "ten: larger than 9 bytes");
	write_file("empty", 0);
	assert_true(io_read_file(arena, "empty", 0, &content, &err));
	assert_int_equal(content.len, 0);
	assert_false(io_read_file(arena, "none", 9, &content, &err));
	assert_int_equal(err.kind, E_NOT_FOUND);
	assert_false(io_sync_directory("none", &err));
	unlink("ten");
	unlink("empty");
	assert_int_equal(chdir("/"), 0);
	rmdir(path);
	arena_free(arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_read_has_a_deadline),
	    cmocka_unit_test(test_write_has_a_deadline),
	    cmocka_unit_test(test_bad_descriptor),
	    cmocka_unit_test(test_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
