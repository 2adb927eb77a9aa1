/* SPDX-License-Identifier: Apache-2.0 */
/* Databases of other versions, of others, and two processes that upgrade. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <semaphore.h>
#include <string.h>

#include "store/sqlite_private.h"
#include "store/store_test.h"

static void test_newer(void **state)
{
	struct place place = place_new("");
	struct store *store = open_place(&place);
	struct err err = {.kind = E_NONE};
	sqlite3 *db;

	(void)state;
	store_close(store);
	db = open_raw(&place);
	run_raw(db, "INSERT INTO schema_version VALUES (99, 1)");
	sqlite3_close(db);
	assert_false(store_open(slice_from(place.url), &store, &err));
	assert_int_equal(err.kind, E_CONFIG);
	assert_non_null(strstr(err.text, "99"));
	assert_false(store_open_existing(slice_from(place.url), &store, &err));
	assert_int_equal(err.kind, E_CONFIG);
	place_remove(&place);
}

/* A disk that was full when the tables were to be made leaves such a file. */
static void test_without_tables(void **state)
{
	struct place place = place_new("");
	struct err err = {.kind = E_NONE};
	struct store *store;
	sqlite3 *db = open_raw(&place);

	(void)state;
	run_raw(db, "PRAGMA journal_mode = WAL");
	sqlite3_close(db);
	assert_false(store_open_existing(slice_from(place.url), &store, &err));
	assert_int_equal(err.kind, E_CONFIG);
	assert_null(strstr(err.text, "upgrade"));
	assert_non_null(strstr(err.text, "no tables"));
	assert_true(store_open(slice_from(place.url), &store, &err));
	store_close(store);
	place_remove(&place);
}

static void test_foreign(void **state)
{
	struct place place = place_new("");
	sqlite3 *db = open_raw(&place);
	struct err err = {.kind = E_NONE};
	struct store *store;

	(void)state;
	run_raw(db, "CREATE TABLE other (x)");
	sqlite3_close(db);
	assert_false(store_open(slice_from(place.url), &store, &err));
	assert_int_equal(err.kind, E_CONFIG);
	place_remove(&place);
}

static void test_migrate(void **state)
{
	static const struct sqlite_migration first[] = {
	    {1, "CREATE TABLE a (x); INSERT INTO a VALUES (7);"}};
	static const struct sqlite_migration all[] = {
	    {1, "CREATE TABLE a (x);"},
	    {2, "ALTER TABLE a ADD COLUMN y DEFAULT 5;"},
	    {3, "CREATE TABLE b AS SELECT x + y AS z FROM a;"}};
	static const struct sqlite_migration broken[] = {{1, ""}, {2, ""},
	    {3, ""},
	    {4, "CREATE TABLE c (x); INSERT INTO nowhere VALUES (1);"}};
	struct place place = place_new("");
	struct store_connection connection = {.path = place.path};
	struct err err = {.kind = E_NONE};
	int64_t value = 0;

	(void)state;
	connection.db = open_raw(&place);
	assert_true(sqlite_schema_migrate(&connection, first, 1, &err));
	assert_true(sqlite_schema_migrate(&connection, all, 3, &err));
	assert_true(sqlite_schema_migrate(&connection, all, 3, &err));
	assert_true(
	    sqlite_get_int(&connection, "SELECT z FROM b", 0, &value, &err));
	assert_int_equal(value, 12);
	/* A step that fails leaves nothing behind. */
	assert_false(sqlite_schema_migrate(&connection, broken, 4, &err));
	assert_true(sqlite_get_int(&connection,
	    "SELECT max(version) FROM schema_version", 0, &value, &err));
	assert_int_equal(value, 3);
	assert_true(sqlite_get_int(&connection,
	    "SELECT count(*) FROM sqlite_schema WHERE name = 'c'", 9, &value,
	    &err));
	assert_int_equal(value, 0);
	sqlite3_close(connection.db);
	place_remove(&place);
}

/* Version 3 knew only of whole messages that they were released. */
static void test_released_before(void **state)
{
	struct place place = place_new("");
	struct store_connection connection = {.path = place.path};
	struct arena *arena = arena_new(0);
	struct store_quarantined *held;
	struct store *store;
	size_t count;

	(void)state;
	connection.db = open_raw(&place);
	assert_true(
	    sqlite_schema_migrate(&connection, sqlite_migrations, 3, NULL));
	run_raw(connection.db,
	    "INSERT INTO quarantine VALUES"
	    " (1, 'A', 1000, '', '', '', '', '', '', 0, 0),"
	    " (2, 'B', 2000, '', '', '', '', '', '', 0, 7000);"
	    "INSERT INTO quarantine_recipient VALUES"
	    " (1, 0, 'a@x', 'a@x', 'x'), (2, 0, 'b@x', 'b@x', 'x'),"
	    " (2, 1, 'c@x', 'c@x', 'x');");
	sqlite3_close(connection.db);
	store = open_place(&place);
	assert_true(store_list_quarantine(store, arena,
	    &(struct store_query){.limit = 9}, true, &count, &held, NULL));
	assert_int_equal(count, 2);
	assert_int_equal(held[0].recipient_released_ms[0], 7000);
	assert_int_equal(held[0].recipient_released_ms[1], 7000);
	assert_int_equal(held[1].recipient_released_ms[0], 0);
	store_close(store);
	arena_free(arena);
	place_remove(&place);
}

struct upgrade {
	struct place *place;
	sem_t begun;
};

static void *upgrade_slowly(void *object)
{
	struct upgrade *upgrade = object;
	sqlite3 *db = open_raw(upgrade->place);

	run_raw(db, "BEGIN IMMEDIATE");
	sem_post(&upgrade->begun);
	sqlite3_sleep(200);
	run_raw(
	    db, "CREATE TABLE b (x); INSERT INTO schema_version VALUES (2, 0)");
	run_raw(db, "COMMIT");
	sqlite3_close(db);
	return NULL;
}

/* One process upgrades, however long it takes; the other waits for it. */
static void test_two_upgrade(void **state)
{
	static const struct sqlite_migration both[] = {
	    {1, "CREATE TABLE a (x);"}, {2, "CREATE TABLE b (x);"}};
	struct place place = place_new("");
	struct store_connection connection = {.path = place.path};
	struct upgrade upgrade = {.place = &place};
	struct err err = {.kind = E_NONE};
	pthread_t thread;

	(void)state;
	connection.db = open_raw(&place);
	run_raw(connection.db, "PRAGMA journal_mode = WAL");
	sqlite3_busy_timeout(connection.db, 0);
	assert_true(sqlite_schema_migrate(&connection, both, 1, &err));
	sqlite3_busy_timeout(connection.db, 0);
	sem_init(&upgrade.begun, 0, 0);
	assert_int_equal(
	    pthread_create(&thread, NULL, upgrade_slowly, &upgrade), 0);
	sem_wait(&upgrade.begun);
	assert_true(sqlite_schema_migrate(&connection, both, 2, &err));
	pthread_join(thread, NULL);
	sem_destroy(&upgrade.begun);
	sqlite3_close(connection.db);
	place_remove(&place);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_newer),
	    cmocka_unit_test(test_without_tables),
	    cmocka_unit_test(test_foreign),
	    cmocka_unit_test(test_migrate),
	    cmocka_unit_test(test_released_before),
	    cmocka_unit_test(test_two_upgrade),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
