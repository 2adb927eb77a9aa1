/* SPDX-License-Identifier: Apache-2.0 */
/* Its log does not grow with a store that is written all the time. */
#include <setjmp.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "store/store_test.h"

enum {
	MESSAGE_SIZE = 1 << 20,
	MESSAGES = 160,
	LOG_MAX = 68 << 20, /* of 160 MiB */
};

static char content[MESSAGE_SIZE];

static int64_t file_size(const struct place *place, const char *suffix)
{
	struct stat status;
	char path[160];

	snprintf(path, sizeof(path), "%s%s", place->path, suffix);
	return stat(path, &status) == 0 ? (int64_t)status.st_size : 0;
}

static void put_message(struct store *store, int number)
{
	struct slice piece = slice_of(content, sizeof(content));
	char id[16];
	struct store_trace trace;
	struct store_quarantine message = {
	    .reason = SLICE("test"), .piece_count = 1, .pieces = &piece};
	struct err err;

	snprintf(id, sizeof(id), "message%d", number);
	message.id = slice_from(id);
	trace = trace_new(id, number + 1);
	trace.verdict = SLICE("quarantine");
	assert_true(
	    store_put(store, &trace, &message, deadline_in(60 * 1000), &err));
}

static size_t count_quarantined(struct store *store)
{
	struct arena *arena = arena_new(4096);
	struct store_query query = {.limit = MESSAGES + 1};
	struct store_quarantined *rows;
	size_t count = 0;
	struct err err;

	assert_true(store_list_quarantine(
	    store, arena, &query, false, &count, &rows, &err));
	arena_free(arena);
	return count;
}

/* While all is written, and what is read after it. */
static int64_t write_all(const struct place *place, struct store *store)
{
	int64_t log_max = 0;

	memset(content, 'm', sizeof(content));
	for (int i = 0; i < MESSAGES; i++) {
		int64_t log = 0;

		put_message(store, i);
		log = file_size(place, "-wal");
		log_max = log > log_max ? log : log_max;
	}
	assert_int_equal(count_quarantined(store), MESSAGES);
	return log_max;
}

static void test_log_is_bounded(void **state)
{
	struct place place = place_new("");
	struct store *store;
	struct err err;

	(void)state;
	assert_true(store_open(slice_from(place.url), &store, &err));
	assert_true(write_all(&place, store) <= LOG_MAX);
	assert_true(
	    file_size(&place, "") > (int64_t)(MESSAGES - 68) * MESSAGE_SIZE);
	store_close(store);
	assert_int_equal(file_size(&place, "-wal"), 0);
	assert_true(store_open(slice_from(place.url), &store, &err));
	assert_int_equal(count_quarantined(store), MESSAGES);
	store_close(store);
	place_remove(&place);
}

/* Another process reads for a long time: nothing can be copied that it does
 * not see, and nothing waits for it. */
static void test_long_reader(void **state)
{
	struct place place = place_new("");
	struct store *store;
	sqlite3 *reader;
	struct err err;

	(void)state;
	assert_true(store_open(slice_from(place.url), &store, &err));
	assert_int_equal(sqlite3_open(place.path, &reader), SQLITE_OK);
	assert_int_equal(
	    sqlite3_exec(reader, "BEGIN; SELECT count(*) FROM quarantine", NULL,
		NULL, NULL),
	    SQLITE_OK);
	assert_true(write_all(&place, store) > LOG_MAX);
	sqlite3_close(reader);
	put_message(store, MESSAGES);
	put_message(store, MESSAGES + 1);
	store_close(store);
	assert_int_equal(file_size(&place, "-wal"), 0);
	place_remove(&place);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_log_is_bounded),
	    cmocka_unit_test(test_long_reader),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
