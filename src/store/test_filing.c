/* SPDX-License-Identifier: Apache-2.0 */
/* Fresh rows are filed: tables of SQLite, seen from outside. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <time.h>

#include "store/sqlite_private.h"
#include "store/store_test.h"

/* One number of the database, seen from outside. */
static int64_t count(const struct place *place, const char *sql)
{
	struct store_connection connection = {
	    .path = (char *)(uintptr_t)place->path, .db = open_raw(place)};
	struct err err = {.kind = E_NONE};
	int64_t value = -1;

	sqlite_get_int(&connection, sql, -1, &value, &err);
	sqlite3_close(connection.db);
	return value;
}

static void put_rows(struct store *store, size_t first, size_t end)
{
	struct err err = {.kind = E_NONE};
	char id[32];

	for (size_t i = first; i < end; i++) {
		snprintf(id, sizeof(id), "F%04zu", i);
		struct store_trace trace = trace_new(id, 1000 + (int64_t)i);

		if (!store_put(store, &trace, NULL, deadline_in(20000), &err))
			fail_msg("%s", err.text);
	}
}

/* Each row once, newest first, with all that belongs to it; so many of them,
 * the last of which was the total-th. */
static void check_newest(struct store *store, size_t total, size_t limit)
{
	const struct store_query queries[] = {
	    {.limit = limit},
	    {.verdict = SLICE("accept"), .limit = limit},
	    {.sender = SLICE("carl@sender.example"), .limit = limit},
	    {.sender = SLICE("@sender.example"), .limit = limit},
	    {.recipient = SLICE("bob@other.example"), .limit = limit},
	    {.recipient = SLICE("@other.example"), .limit = limit},
	    {.recipient = SLICE("@other.example"),
		.verdict = SLICE("accept"),
		.to_ms = INT64_MAX,
		.limit = limit},
	    {.message_id = SLICE("<m1@sender.example>"), .limit = limit},
	    {.message_id = SLICE("<m1@sender.example>"),
		.sender = SLICE("@sender.example"),
		.recipient = SLICE("@other.example"),
		.verdict = SLICE("accept"),
		.from_ms = 1,
		.limit = limit},
	};

	for (size_t i = 0; i < sizeof(queries) / sizeof(queries[0]); i++) {
		struct arena *arena = arena_new(0);
		struct err err = {.kind = E_NONE};
		struct store_trace *found;
		size_t count;

		if (!store_find_traces(
			store, arena, &queries[i], &count, &found, &err))
			fail_msg("%s", err.text);
		assert_int_equal(count, limit < total ? limit : total);
		for (size_t row = 0; row < count; row++) {
			assert_int_equal(
			    found[row].time_ms, 1000 + total - 1 - row);
			assert_int_equal(found[row].recipient_count, 2);
			assert_true(slice_eq(found[row].facts,
			    SLICE("{\"verdict\":\"accept\"}")));
		}
		arena_free(arena);
	}
}

static void check_rows(struct store *store, size_t total)
{
	check_newest(store, total, 10000);
}

static void wait_until_filed(const struct place *place)
{
	const struct timespec moment = {.tv_nsec = 50000000};

	for (int i = 0; i < 200 && count(place, "SELECT count(*) FROM"
						" recent_trace") > 0;
	     i++)
		nanosleep(&moment, NULL);
	assert_int_equal(count(place, "SELECT count(*) FROM recent_trace"), 0);
	assert_int_equal(
	    count(place, "SELECT count(*) FROM recent_recipient"), 0);
}

/* Fresh rows are found, filed, and found again. */
static void test_filing(void **state)
{
	struct place place = place_new("");
	struct store *store;
	struct err err = {.kind = E_NONE};

	(void)state;
	assert_true(store_open(slice_from(place.url), &store, &err));
	put_rows(store, 0, 3);
	assert_int_equal(count(&place, "SELECT count(*) FROM recent_trace"), 3);
	check_rows(store, 3);
	put_rows(store, 3, 1300);
	check_rows(store, 1300);
	/* Many are filed at once, the rest when it is quiet. */
	assert_in_range(count(&place, "SELECT count(*) FROM trace"), 500, 1300);
	wait_until_filed(&place);
	assert_int_equal(count(&place, "SELECT count(*) FROM trace"), 1300);
	check_rows(store, 1300);
	/* An id is unique wherever it stands; a note finds a filed row. */
	struct store_trace again = trace_new("F0001", 1);
	assert_false(store_put(store, &again, NULL, deadline_in(20000), &err));
	assert_int_equal(err.kind, E_SYNTAX);
	store_note_delivery(store, SLICE("F0001"), SLICE("accept"), SLICE("x"));
	store_close(store);
	assert_int_equal(count(&place, "SELECT count(*) FROM trace WHERE"
				       " id = 'F0001' AND delivery = 'x'"),
	    1);
	place_remove(&place);
}

/* Fresh or filed: what has an id that is there leaves nothing behind, though
 * what it began is not undone. */
static void test_same_id(void **state)
{
	struct place place = place_new("");
	struct store_trace trace = trace_new("A", 1);
	struct store *store = open_place(&place);
	struct err err = {.kind = E_NONE};

	(void)state;
	assert_true(store_put(store, &trace, NULL, deadline_in(20000), NULL));
	for (int filed = 0; filed < 2; filed++) {
		assert_false(
		    store_put(store, &trace, NULL, deadline_in(20000), &err));
		assert_int_equal(err.kind, E_SYNTAX);
		assert_int_equal(
		    count(&place, "SELECT count(*) FROM all_trace"), 1);
		assert_int_equal(
		    count(&place, "SELECT count(*) FROM all_recipient"), 2);
		assert_int_equal(
		    count(&place, "SELECT count(*) FROM trace_facts"), 1);
		assert_int_equal(count(&place, "SELECT count(*) FROM"
					       " pragma_integrity_check"
					       " WHERE integrity_check = 'ok'"),
		    1);
		wait_until_filed(&place);
	}
	store_close(store);
	place_remove(&place);
}

/* Rows of the first version keep what they say. */
static void test_old_rows(void **state)
{
	struct place place = place_new("");
	struct store_connection connection = {.path = place.path};
	struct store *store;
	struct err err = {.kind = E_NONE};

	(void)state;
	connection.db = open_raw(&place);
	assert_true(
	    sqlite_schema_migrate(&connection, sqlite_migrations, 1, &err));
	assert_true(sqlite_run(&connection,
	    "INSERT INTO trace SELECT 5, 'F0000', 1000,"
	    " '<m1@sender.example>', '', '', '', '', 'Carl@Sender.example',"
	    " 'carl@sender.example', 'sender.example', '', '', 0, 'accept',"
	    " '', '', '', '', '', '', '', '', '', '{\"verdict\":\"accept\"}';"
	    "INSERT INTO trace_recipient VALUES"
	    " (5, 0, 'a@b', 'a@b', 'b'),"
	    " (5, 1, 'bob@other.example', 'bob@other.example',"
	    " 'other.example')",
	    &err));
	sqlite3_close(connection.db);
	if (!store_open(slice_from(place.url), &store, &err))
		fail_msg("%s", err.text);
	check_rows(store, 1);
	put_rows(store, 1, 3);
	check_rows(store, 3);
	store_close(store);
	place_remove(&place);
}

static void change(const struct place *place, const char *sql)
{
	sqlite3 *db = open_raw(place);

	run_raw(db, sql);
	sqlite3_close(db);
}

/* The next row's number is free in the tables of traces, but something with
 * that number was left behind. */
static void test_left_behind(void **state)
{
	static const struct {
		const char *left, *removed;
		enum err_kind kind; /* E_NONE: stored all the same */
	} rows[] = {
	    {"INSERT INTO trace_facts VALUES (1, '{}', x'')",
		"DELETE FROM trace_facts WHERE facts = '{}'", E_NONE},
	    {"INSERT INTO recent_recipient VALUES (1, 1, 'a@b', 'a@b', 'b')",
		"DELETE FROM recent_recipient", E_IO},
	    {"CREATE TRIGGER refuse BEFORE INSERT ON trace_facts"
	     " BEGIN SELECT raise(ABORT, 'no facts'); END",
		"DROP TRIGGER refuse", E_IO},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct place place = place_new("");
		struct store_trace trace = trace_new("F0000", 1000);
		struct err err = {.kind = E_NONE};
		struct store *store;

		assert_true(store_open(slice_from(place.url), &store, &err));
		change(&place, rows[i].left);
		assert_int_equal(
		    store_put(store, &trace, NULL, deadline_in(20000), &err),
		    rows[i].kind == E_NONE);
		assert_int_equal(err.kind, rows[i].kind);
		assert_int_equal(
		    count(&place, "SELECT count(*) FROM all_trace"),
		    rows[i].kind == E_NONE);
		/* Nothing of what was refused is in the way of the next. */
		change(&place, rows[i].removed);
		if (rows[i].kind != E_NONE)
			put_rows(store, 0, 1);
		check_rows(store, 1);
		store_close(store);
		place_remove(&place);
	}
}

/* Rows of the first chunk get the numbers of its end. */
static void move_to_the_end(const struct place *place)
{
	change(place, "UPDATE trace SET row = row + 8180;"
		      "UPDATE trace_recipient SET parent = parent + 8180;"
		      "UPDATE trace_facts SET row = row + 8180");
}

/* The indexes begin with the number of a row's chunk. */
static void test_chunks(void **state)
{
	struct place place = place_new("");
	struct store_query oldest = {.id = SLICE("F0000")};
	struct arena *arena = arena_new(0);
	struct store_trace *found;
	struct store *store;
	uint64_t removed;
	bool more;
	size_t number;
	struct err err;

	(void)state;
	assert_true(store_open(slice_from(place.url), &store, &err));
	put_rows(store, 0, 8);
	wait_until_filed(&place);
	store_close(store);
	move_to_the_end(&place);
	assert_true(store_open(slice_from(place.url), &store, &err));
	put_rows(store, 8, 16);
	check_rows(store, 16);
	wait_until_filed(&place);
	assert_int_equal(count(&place, "SELECT max(row) FROM trace"), 8196);
	assert_int_equal(count(&place, "SELECT count(*) FROM trace_chunk"), 2);
	put_rows(store, 16, 18);
	for (size_t limit = 1; limit < 20; limit++)
		check_newest(store, 18, limit);
	assert_true(
	    store_find_traces(store, arena, &oldest, &number, &found, &err));
	assert_int_equal(number, 1);
	/* A chunk goes with the last of its rows. */
	assert_true(store_expire(
	    store, 1011, 0, deadline_in(60000), &removed, &more, &err));
	assert_int_equal(removed, 11);
	assert_int_equal(count(&place, "SELECT count(*) FROM trace_chunk"), 1);
	check_newest(store, 18, 7);
	arena_free(arena);
	store_close(store);
	place_remove(&place);
}

/* What was found is read later, wherever it stands by then, without what has
 * gone and without its facts. */
static void test_found_and_read(void **state)
{
	struct place place = place_new("");
	struct arena *arena = arena_new(0);
	const struct store_query all = {.limit = 99};
	struct store_trace *traces;
	struct store_rows found;
	struct store *store;
	uint64_t removed;
	bool more;
	size_t number;
	struct err err;

	(void)state;
	assert_true(store_open(slice_from(place.url), &store, &err));
	put_rows(store, 0, 8);
	assert_true(store_find_rows(store, arena, &all, &found, &err));
	assert_int_equal(found.count, 8);
	wait_until_filed(&place);
	assert_true(store_expire(
	    store, 1003, 0, deadline_in(60000), &removed, &more, &err));
	assert_true(
	    store_read_rows(store, arena, &found, &number, &traces, &err));
	assert_int_equal(number, 5);
	for (size_t i = 0; i < number; i++) {
		assert_int_equal(traces[i].time_ms, 1007 - i);
		assert_int_equal(traces[i].recipient_count, 2);
		assert_int_equal(traces[i].facts.len, 0);
	}
	found.count = 0;
	assert_true(
	    store_read_rows(store, arena, &found, &number, &traces, &err));
	assert_int_equal(number, 0);
	arena_free(arena);
	store_close(store);
	place_remove(&place);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_filing),
	    cmocka_unit_test(test_same_id),
	    cmocka_unit_test(test_old_rows),
	    cmocka_unit_test(test_left_behind),
	    cmocka_unit_test(test_chunks),
	    cmocka_unit_test(test_found_and_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
