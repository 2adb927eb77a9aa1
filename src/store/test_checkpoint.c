/* SPDX-License-Identifier: Apache-2.0 */
/* The log does not grow with a store that is written all the time, whoever
 * else writes or reads.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "store/sqlite_private.h"
#include "store/store_test.h"

enum {
	MIB = 1 << 20,
	COMMITS = 480, /* of 256 KiB: 120 MiB */
};

static int64_t file_size(const struct place *place, const char *suffix)
{
	struct stat status;
	char path[160];

	snprintf(path, sizeof(path), "%s%s", place->path, suffix);
	return stat(path, &status) == 0 ? (int64_t)status.st_size : 0;
}

static struct store_connection *open_writer(const struct place *place)
{
	struct store_connection *connection;
	struct err err;

	if (!sqlite_backend.open(
		slice_from(place->path), STORE_CREATE, &connection, &err))
		fail_msg("%s", err.text);
	return connection;
}

/* Another process may write just now. */
static void put_quarter(struct store_connection *connection)
{
	struct err err;

	while (!sqlite_backend.begin(connection, &err))
		if (err.kind != E_TEMP)
			fail_msg("%s", err.text);
	if (!sqlite_run(connection,
		"INSERT INTO quarantine_piece (parent, place, bytes) SELECT 1,"
		" ifnull(max(row), 0), zeroblob(262144) FROM quarantine_piece",
		&err) ||
	    !sqlite_backend.commit(connection, &err))
		fail_msg("%s", err.text);
}

/* The longest that the log has been. */
static int64_t put_all(
    const struct place *place, struct store_connection *connection, int commits)
{
	int64_t longest = 0;

	for (int i = 0; i < commits; i++) {
		int64_t log;

		put_quarter(connection);
		log = file_size(place, "-wal");
		longest = log > longest ? log : longest;
	}
	return longest;
}

static void close_and_check(const struct place *place,
    struct store_connection *connection, int64_t commits)
{
	int64_t count;

	assert_true(sqlite_get_int(connection,
	    "SELECT count(*) FROM quarantine_piece", 0, &count, NULL));
	assert_int_equal(count, commits);
	sqlite_backend.close(connection);
	assert_int_equal(file_size(place, "-wal"), 0);
	assert_true(file_size(place, "") > commits * MIB / 4);
	place_remove(place);
}

/* The thread does it, and the writer what is left. */
static void test_beside_the_writer(void **state)
{
	struct place place = place_new("");
	struct store_connection *connection = open_writer(&place);
	struct sqlite_checkpoint_counts counts;

	(void)state;
	assert_in_range(
	    put_all(&place, connection, COMMITS), 16 * MIB, 90 * MIB);
	counts = sqlite_checkpointer_counts(connection->checkpointer);
	assert_in_range(counts.thread, 1, COMMITS / 60);
	assert_in_range(counts.writer, 1, COMMITS / 2);
	close_and_check(&place, connection, COMMITS);
}

static void test_short_log(void **state)
{
	struct place place = place_new("");
	struct store_connection *connection = open_writer(&place);
	struct sqlite_checkpoint_counts counts;

	(void)state;
	put_all(&place, connection, 10);
	counts = sqlite_checkpointer_counts(connection->checkpointer);
	assert_int_equal(counts.thread, 0);
	assert_int_equal(counts.writer, 0);
	close_and_check(&place, connection, 10);
}

struct other {
	const struct place *place;
	long reads_ms, rests_ms;
	pthread_t thread;
	atomic_bool over;
};

static void pause_ms(long ms)
{
	nanosleep(&(struct timespec){.tv_nsec = ms * 1000000}, NULL);
}

static void *write_too(void *object)
{
	struct other *other = object;
	struct store_connection *connection = open_writer(other->place);

	put_all(other->place, connection, COMMITS / 2);
	sqlite_backend.close(connection);
	return NULL;
}

static void test_two_writers(void **state)
{
	struct place place = place_new("");
	struct store_connection *connection = open_writer(&place);
	struct other other = {.place = &place};

	(void)state;
	pthread_create(&other.thread, NULL, write_too, &other);
	assert_in_range(put_all(&place, connection, COMMITS / 2), 1, 90 * MIB);
	pthread_join(other.thread, NULL);
	close_and_check(&place, connection, COMMITS);
}

/* There is somebody who sees an older moment again and again. */
static void *read_too(void *object)
{
	struct other *other = object;
	sqlite3 *db = open_raw(other->place);

	while (!atomic_load(&other->over)) {
		sqlite3_exec(db, "BEGIN; SELECT count(*) FROM quarantine", NULL,
		    NULL, NULL);
		pause_ms(other->reads_ms);
		sqlite3_exec(db, "COMMIT", NULL, NULL, NULL);
		pause_ms(other->rests_ms);
	}
	sqlite3_close(db);
	return NULL;
}

static void test_reader(long reads_ms, long rests_ms)
{
	struct place place = place_new("");
	struct store_connection *connection = open_writer(&place);
	struct other other = {
	    .place = &place, .reads_ms = reads_ms, .rests_ms = rests_ms};

	pthread_create(&other.thread, NULL, read_too, &other);
	assert_in_range(put_all(&place, connection, COMMITS), 1, 90 * MIB);
	atomic_store(&other.over, true);
	pthread_join(other.thread, NULL);
	close_and_check(&place, connection, COMMITS);
}

static void test_short_reads(void **state)
{
	(void)state;
	test_reader(30, 30);
}

/* At 64 MiB the writer waits for it. */
static void test_long_reads(void **state)
{
	(void)state;
	test_reader(150, 10);
}

/* Nothing can be copied that it does not see, and nothing waits for it long. */
static void test_long_reader(void **state)
{
	struct place place = place_new("");
	struct store_connection *connection = open_writer(&place);
	struct sqlite_checkpoint_counts counts;
	sqlite3 *reader = open_raw(&place);

	(void)state;
	assert_int_equal(
	    sqlite3_exec(reader, "BEGIN; SELECT count(*) FROM quarantine", NULL,
		NULL, NULL),
	    SQLITE_OK);
	assert_in_range(
	    put_all(&place, connection, COMMITS), 110 * MIB, 200 * MIB);
	/* It is tried now and then all the same. */
	counts = sqlite_checkpointer_counts(connection->checkpointer);
	assert_in_range(counts.thread, 5, COMMITS / 8);
	assert_in_range(counts.writer, 1, 5);
	sqlite3_close(reader);
	for (int i = 0; i < 1000 && file_size(&place, "") < 110 * MIB; i++)
		put_quarter(connection);
	assert_true(file_size(&place, "") > 110 * MIB);
	sqlite_backend.close(connection);
	assert_int_equal(file_size(&place, "-wal"), 0);
	place_remove(&place);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_beside_the_writer),
	    cmocka_unit_test(test_short_log),
	    cmocka_unit_test(test_two_writers),
	    cmocka_unit_test(test_short_reads),
	    cmocka_unit_test(test_long_reads),
	    cmocka_unit_test(test_long_reader),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
