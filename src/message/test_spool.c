/* SPDX-License-Identifier: Apache-2.0 */
#include "message/content_memory.h"
#include "message/spool.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/io.h"

enum {
	PIECE = 10007, /* prime: pieces never align with pages */
	PIECE_MAX = 300000,
	FILE_MEMORY = 256 * 1024, /* what waits for the file at most */
};

static const char *directory(void)
{
	const char *name = getenv("TMPDIR");

	return name ? name : "/tmp";
}

static struct limits limits_with(uint64_t memory, uint64_t size)
{
	struct limits limits = limits_default;

	limits.spool_memory = memory;
	limits.message_size = size;
	return limits;
}

/* 0, or what opening a file without a name comes to: see meson.build. */
static int open_error;

int __real_io_open(const char *path, int flags, mode_t mode);
int __wrap_io_open(const char *path, int flags, mode_t mode);
int __wrap_io_open(const char *path, int flags, mode_t mode)
{
	if (!open_error)
		return __real_io_open(path, flags, mode);
	errno = open_error;
	return -1;
}

static size_t count_entries(const char *path)
{
	DIR *folder = opendir(path);
	size_t count = 0;

	assert_non_null(folder);
	for (struct dirent *entry; (entry = readdir(folder));)
		count += entry->d_name[0] != '.';
	closedir(folder);
	return count;
}

/* Descriptors and mappings of files without a name. */
static size_t count_held(void)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	size_t count = 0;
	char line[5000];

	assert_non_null(maps);
	while (fgets(line, sizeof(line), maps))
		count += strstr(line, "(deleted)") != NULL;
	fclose(maps);
	return count + count_entries("/proc/self/fd");
}

static char byte_at(uint64_t position)
{
	return (char)(position * 2654435761u >> 13);
}

static bool fill(
    struct spool *spool, uint64_t size, size_t step, struct err *err)
{
	static char piece[PIECE_MAX];
	const uint64_t before = spool_size(spool);

	for (uint64_t done = 0; done < size;) {
		size_t count = step < size - done ? step : size - done;

		for (size_t i = 0; i < count; i++)
			piece[i] = byte_at(before + done + i);
		if (!spool_add(spool, slice_of(piece, count), err))
			return false;
		done += count;
	}
	return true;
}

static void expect_content(struct spool *spool, uint64_t size)
{
	struct slice content;
	uint64_t wrong = 0;
	struct err err;

	assert_true(spool_content(spool, &content, &err));
	assert_int_equal(content.len, size);
	assert_int_equal(spool_size(spool), size);
	for (uint64_t i = 0; i < size; i++)
		wrong += content.ptr[i] != byte_at(i);
	assert_int_equal(wrong, 0);
}

static void test_sizes(void **state)
{
	static const struct {
		uint64_t memory, size;
		size_t step;
	} cases[] = {
	    {1000, 0, 1},
	    {1000, 999, 1},
	    {1000, 1000, 1000},
	    {1000, 1001, 1},
	    {1000, 1001, 1001},
	    {0, 1, 1},
	    {0, 300000, 7},
	    {1 << 20, (1 << 20) + 1, PIECE},
	    {1 << 20, 5000000, PIECE},
	    {1000, 700000, PIECE_MAX},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct limits limits = limits_with(
		    cases[i].memory, 10 * 1000 * 1000);
		struct arena *arena = arena_new(0);
		struct spool *spool = spool_new(arena, directory(), &limits);
		size_t held = count_held();
		struct err err;

		assert_true(fill(spool, cases[i].size, cases[i].step, &err));
		assert_in_range(spool_memory(spool), 0, FILE_MEMORY + 1);
		expect_content(spool, cases[i].size);
		arena_free(arena);
		assert_int_equal(count_held(), held);
	}
}

/* Content may be looked at between additions. */
static void test_content_then_more(void **state)
{
	struct limits limits = limits_with(100, 1000000);
	struct arena *arena = arena_new(0);
	struct spool *spool = spool_new(arena, directory(), &limits);
	size_t held = count_held();
	struct err err;
	char byte;

	(void)state;
	for (uint64_t i = 0; i < 2000; i++) {
		byte = byte_at(i);
		assert_true(spool_add(spool, slice_of(&byte, 1), &err));
		if (i % 97 == 0)
			expect_content(spool, i + 1);
	}
	expect_content(spool, 2000);
	arena_free(arena);
	assert_int_equal(count_held(), held);
}

/* When memory is short a message that is not small goes to its file, whatever
 * was allowed before; one that is there stays. */
static void test_use_file(void **state)
{
	static const struct {
		uint64_t before, after;
		bool in_file;
	} cases[] = {
	    {0, 64 * 1024, false},
	    {64 * 1024, 0, false},
	    {10, 64 * 1024, true},
	    {300000, 1, true},
	    {900000, 900000, true},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct limits limits = limits_with(1 << 20, 10 << 20);
		struct arena *arena = arena_new(0);
		struct spool *spool = spool_new(arena, directory(), &limits);
		size_t held = count_held();
		struct err err;

		assert_true(fill(spool, cases[i].before, 100, &err));
		spool_use_file(spool);
		assert_int_equal(count_held(), held);
		assert_true(fill(spool, cases[i].after, 100, &err));
		assert_int_equal(count_held() > held, cases[i].in_file);
		assert_in_range(spool_memory(spool), 0, FILE_MEMORY + 1);
		expect_content(spool, cases[i].before + cases[i].after);
		arena_free(arena);
		assert_int_equal(count_held(), held);
	}
}

/* Others hold much: an eighth of what all may. */
static void test_memory_of_all(void **state)
{
	enum { OTHERS = 1000000, MINE = 300000 };
	static const struct {
		uint64_t max;
		bool allowed, in_file;
	} cases[] = {
	    {OTHERS + MINE, false, true},
	    {OTHERS * 4, true, true},
	    {OTHERS * 16, true, false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct limits limits = limits_with(1 << 20, 10 << 20);
		struct arena *arena = arena_new(0);
		struct spool *spool = spool_new(arena, directory(), &limits);
		uint64_t others = 0, mine = 0;
		size_t files = count_held();
		struct err err;

		content_memory_hold(&others, OTHERS);
		assert_true(fill(spool, MINE, 1000, &err));
		assert_int_equal(
		    content_memory_allows(cases[i].max, &mine, spool, 100),
		    cases[i].allowed);
		assert_int_equal(mine, spool_memory(spool) + 100);
		assert_true(fill(spool, 1, 1, &err));
		assert_int_equal(count_held() > files, cases[i].in_file);
		content_memory_hold(&others, 0);
		assert_int_equal(content_memory_hold(&mine, 0), 0);
		arena_free(arena);
	}
}

/* What is let go is counted on, in no memory and no file. */
static void test_forget(void **state)
{
	static const uint64_t memory[] = {100, 10000};

	(void)state;
	for (size_t i = 0; i < sizeof(memory) / sizeof(*memory); i++) {
		struct limits limits = limits_with(memory[i], 6000);
		struct arena *arena = arena_new(0);
		struct spool *spool = spool_new(arena, directory(), &limits);
		size_t held = count_held();
		struct err err;
		int other;

		assert_true(fill(spool, 5000, 10, &err));
		expect_content(spool, 5000);
		spool_forget(spool);
		assert_int_equal(spool_memory(spool), 0);
		assert_int_equal(count_held(), held);
		assert_true(fill(spool, 1000, 10, &err));
		assert_int_equal(spool_size(spool), 6000);
		assert_int_equal(spool_memory(spool), 0);
		assert_false(spool_add(spool, SLICE("x"), &err));
		assert_int_equal(err.kind, E_LIMIT);
		/* The descriptor is another's by now. */
		other = open("/dev/null", O_RDONLY | O_CLOEXEC);
		arena_free(arena);
		assert_int_equal(close(other), 0);
		assert_int_equal(count_held(), held);
	}
}

/* File systems that know no files without a name; other errors are errors. */
static void test_no_tmpfile(void **state)
{
	static const struct {
		int error;
		bool works;
	} rows[] = {{EOPNOTSUPP, true}, {EISDIR, true}, {EACCES, false}};
	struct limits limits = limits_with(100, 100000);
	char folder[1000], path[5000];

	(void)state;
	snprintf(folder, sizeof(folder), "%s/spool-test-XXXXXX", directory());
	assert_non_null(mkdtemp(folder));
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct arena *arena = arena_new(0);
		struct spool *spool = spool_new(arena, folder, &limits);
		struct err err;

		open_error = rows[i].error;
		assert_int_equal(
		    fill(spool, 100000, 1000, &err), rows[i].works);
		open_error = 0;
		assert_int_equal(count_entries(folder), 0);
		if (rows[i].works)
			expect_content(spool, 100000);
		else
			assert_non_null(strstr(err.text, strerror(EACCES)));
		arena_free(arena);
	}
	/* Names that are too long, and nearly so. */
	memset(path, '/', sizeof(path));
	memcpy(path, folder, strlen(folder));
	for (size_t len = 4070; len < 4100; len++) {
		struct arena *arena = arena_new(0);
		struct spool *spool = spool_new(
		    arena, arena_text(arena, slice_of(path, len)), &limits);

		open_error = EISDIR;
		assert_int_equal(fill(spool, 200, 200, NULL),
		    len + strlen("/spool-XXXXXX") < 4096);
		open_error = 0;
		arena_free(arena);
	}
	assert_int_equal(rmdir(folder), 0);
}

/* No address space for a mapping is no reason to lose what is there. */
static void test_no_mapping(void **state)
{
	struct limits limits = limits_with(100, 1000000);
	struct arena *arena = arena_new(0);
	struct spool *spool = spool_new(arena, directory(), &limits);
	struct rlimit old, none;
	struct slice content;
	struct err err = {0};
	bool ok;

	(void)state;
	assert_true(fill(spool, 100000, PIECE, &err));
	assert_int_equal(getrlimit(RLIMIT_AS, &old), 0);
	none = old;
	none.rlim_cur = 1;
	assert_int_equal(setrlimit(RLIMIT_AS, &none), 0);
	ok = spool_content(spool, &content, &err);
	assert_int_equal(setrlimit(RLIMIT_AS, &old), 0);
	assert_false(ok);
	assert_int_equal(err.kind, E_TEMP);
	expect_content(spool, 100000);
	arena_free(arena);
}

static void test_limit(void **state)
{
	struct limits limits = limits_with(100, 1000);
	struct arena *arena = arena_new(0);
	struct spool *spool = spool_new(arena, directory(), &limits);
	struct err err;

	(void)state;
	assert_true(fill(spool, 1000, 10, &err));
	assert_false(spool_add(spool, SLICE("x"), &err));
	assert_int_equal(err.kind, E_LIMIT);
	assert_non_null(strstr(err.text, "limits.message_size"));
	expect_content(spool, 1000);
	arena_free(arena);
}

static void test_missing_directory(void **state)
{
	struct limits limits = limits_with(100, 100000);
	struct arena *arena = arena_new(0);
	struct spool *spool = spool_new(arena, "/nonexistent/spool", &limits);
	struct slice content;
	struct err err;

	(void)state;
	assert_true(fill(spool, 100, 10, &err));
	assert_false(spool_add(spool, SLICE("x"), &err));
	assert_int_equal(err.kind, E_IO);
	assert_non_null(strstr(err.text, strerror(ENOENT)));
	assert_false(spool_add(spool, SLICE("y"), &err));
	assert_false(spool_content(spool, &content, &err));
	arena_free(arena);
}

/* A process that may not write more stands for a full disk.  The old limit. */
static struct rlimit limit_files(rlim_t octets)
{
	struct rlimit old, small;

	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	small = old;
	small.rlim_cur = octets;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	return old;
}

static void test_full(void **state)
{
	struct limits limits = limits_with(1000, 10 * 1000 * 1000);
	struct arena *arena = arena_new(0);
	struct spool *spool = spool_new(arena, directory(), &limits);
	struct rlimit old;
	struct slice content;
	struct err err;
	bool ok;

	(void)state;
	old = limit_files(1000 * 1000);
	ok = fill(spool, 5000000, PIECE, &err);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	assert_false(ok);
	assert_int_equal(err.kind, E_FULL);
	assert_false(spool_content(spool, &content, &err));
	arena_free(arena);
}

/* Half of what waited is in the file: to write it again would repeat that. */
static void test_full_when_read(void **state)
{
	struct limits limits = limits_with(1000, 10 * 1000 * 1000);
	struct arena *arena = arena_new(0);
	struct spool *spool = spool_new(arena, directory(), &limits);
	struct rlimit old;
	struct slice content;
	struct err err;
	bool ok;

	(void)state;
	assert_true(fill(spool, 100000, 100, &err));
	old = limit_files(50 * 1000);
	ok = spool_content(spool, &content, &err);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	assert_false(ok);
	assert_int_equal(err.kind, E_FULL);
	assert_false(spool_content(spool, &content, &err));
	assert_false(spool_add(spool, SLICE("x"), &err));
	arena_free(arena);
}

static long anonymous_kilobytes(void)
{
	FILE *status = fopen("/proc/self/status", "r");
	char line[200];
	long found = -1;

	assert_non_null(status);
	while (found < 0 && fgets(line, sizeof(line), status))
		if (!strncmp(line, "RssAnon:", 8))
			found = strtol(line + 8, NULL, 10);
	fclose(status);
	return found;
}

static void test_150_megabytes(void **state)
{
	const uint64_t size = 150 * 1024 * 1024;
	struct arena *arena = arena_new(0);
	struct spool *spool = spool_new(arena, directory(), &limits_default);
	struct slice content;
	struct err err;
	long before = anonymous_kilobytes();

	(void)state;
	assert_true(fill(spool, size, PIECE, &err));
	assert_true(spool_content(spool, &content, &err));
	assert_int_equal(content.len, size);
	for (uint64_t i = 0; i < size; i += 4093)
		assert_int_equal(content.ptr[i], byte_at(i));
/* ThreadSanitizer has anonymous memory for all that is touched. */
#ifndef __SANITIZE_THREAD__
	/* AddressSanitizer keeps what was given back while it grew. */
	assert_in_range(anonymous_kilobytes() - before, 0,
	    3 * limits_default.spool_memory / 1024);
#else
	assert_true(before >= 0);
#endif
	assert_false(spool_add(spool, SLICE("x"), &err));
	assert_int_equal(err.kind, E_LIMIT);
	arena_free(arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_sizes),
	    cmocka_unit_test(test_content_then_more),
	    cmocka_unit_test(test_use_file),
	    cmocka_unit_test(test_memory_of_all),
	    cmocka_unit_test(test_forget),
	    cmocka_unit_test(test_no_tmpfile),
	    cmocka_unit_test(test_no_mapping),
	    cmocka_unit_test(test_limit),
	    cmocka_unit_test(test_missing_directory),
	    cmocka_unit_test(test_full),
	    cmocka_unit_test(test_full_when_read),
	    cmocka_unit_test(test_150_megabytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
