/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdalign.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static void test_zeroed_and_aligned(void **state)
{
	struct arena *arena = arena_new(64);

	(void)state;
	assert_int_equal(arena_size(arena), 0);
	for (int round = 0; round < 3; round++) {
		for (size_t size = 0; size < 5000; size = size * 2 + 1) {
			unsigned char *memory = arena_alloc(arena, size);

			assert_int_equal(
			    (uintptr_t)memory % alignof(max_align_t), 0);
			for (size_t i = 0; i < size; i++)
				assert_int_equal(memory[i], 0);
			memset(memory, 0xaa, size);
		}
		/* The first block is zeroed again. */
		arena_reset(arena);
		assert_int_equal(arena_size(arena), 64);
	}
	arena_free(arena);
	arena_free(NULL);
}

static void test_large(void **state)
{
	struct arena *arena = arena_new(0);
	char *memory = arena_array(arena, 1000, 1000);

	(void)state;
	memory[999999] = 1;
	assert_true(arena_size(arena) >= 1000000);
	assert_non_null(arena_array(arena, 0, 8));
	arena_free(arena);
}

struct releases {
	int count;
	int order[4];
	struct arena *arena;
};

static void release_first(void *object)
{
	struct releases *releases = object;

	releases->order[releases->count++] = 1;
}

static void release_second(void *object)
{
	struct releases *releases = object;

	releases->order[releases->count++] = 2;
	/* A release may defer another one. */
	arena_defer(releases->arena, release_first, releases);
}

static void test_releases_in_reverse(void **state)
{
	struct arena *arena = arena_new(0);
	struct releases releases = {.arena = arena};

	(void)state;
	arena_defer(arena, release_first, &releases);
	arena_defer(arena, release_second, &releases);
	arena_reset(arena);
	assert_int_equal(releases.count, 3);
	assert_int_equal(releases.order[0], 2);
	assert_int_equal(releases.order[2], 1);
	arena_free(arena);
	assert_int_equal(releases.count, 3);
}

static void test_closes(void **state)
{
	struct arena *arena = arena_new(0);
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	(void)state;
	assert_true(fd >= 0);
	arena_defer_close(arena, fd);
	arena_free(arena);
	assert_int_equal(fcntl(fd, F_GETFD), -1);
}

static void test_texts(void **state)
{
	struct arena *arena = arena_new(0);
	struct slice nul = SLICE("a\0b");

	(void)state;
	assert_string_equal(arena_text(arena, SLICE("abc")), "abc");
	assert_string_equal(arena_text(arena, (struct slice){NULL, 0}), "");
	assert_true(slice_eq(arena_slice(arena, nul), nul));
	assert_string_equal(arena_format(arena, "%s-%03d", "x", 7), "x-007");
	assert_true(slice_eq(
	    arena_format_slice(arena, "%s", ""), (struct slice){NULL, 0}));
	assert_true(slice_eq(
	    arena_lower(arena, SLICE("MiXed \xc4[Z")), SLICE("mixed \xc4[z")));
	arena_free(arena);
}

/* Every length at every place of a block: nothing is cut, and what was tried
 * in vain leaves no trace in memory that is handed out later. */
static void test_format_at_block_ends(void **state)
{
	enum { LONGEST = 80 };
	char long_text[LONGEST + 1];

	(void)state;
	memset(long_text, 'x', LONGEST);
	long_text[LONGEST] = '\0';
	for (int used = 0; used < LONGEST; used++)
		for (int len = 0; len <= LONGEST; len++) {
			struct arena *arena = arena_new(64);
			const char *after;
			char *text;

			arena_alloc(arena, (size_t)used);
			text = arena_format(arena, "%.*s", len, long_text);
			assert_int_equal(strlen(text), len);
			assert_memory_equal(text, long_text, len);
			after = arena_alloc(arena, 48);
			for (int i = 0; i < 48; i++)
				assert_int_equal(after[i], 0);
			assert_int_equal(strlen(text), len);
			arena_free(arena);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_zeroed_and_aligned),
	    cmocka_unit_test(test_large),
	    cmocka_unit_test(test_releases_in_reverse),
	    cmocka_unit_test(test_closes),
	    cmocka_unit_test(test_texts),
	    cmocka_unit_test(test_format_at_block_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
