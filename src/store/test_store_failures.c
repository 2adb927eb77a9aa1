/* SPDX-License-Identifier: Apache-2.0 */
/* What a store says when the disk, another process or the power fails. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#include "base/metrics.h"
#include "store/sqlite_private.h"
#include "store/store_test.h"

static bool put_id(
    struct store *store, const char *id, int64_t wait_ms, struct err *err)
{
	struct store_trace trace = trace_new(id, 1000);

	return store_put(store, &trace, NULL, deadline_in(wait_ms), err);
}

static size_t count_traces(struct store *store)
{
	struct arena *arena = arena_new(0);
	struct store_trace *found;
	size_t count;

	assert_true(store_find_traces(store, arena,
	    &(struct store_query){.limit = 1000000}, &count, &found, NULL));
	arena_free(arena);
	return count;
}

static bool has_trace(struct store *store, const char *id)
{
	struct arena *arena = arena_new(0);
	struct store_trace *found;
	size_t count;

	assert_true(store_find_traces(store, arena,
	    &(struct store_query){.id = slice_from(id)}, &count, &found, NULL));
	arena_free(arena);
	return count == 1;
}

static void test_urls(void **state)
{
	static const struct {
		const char *url;
		enum err_kind kind;
	} rows[] = {
	    {"", E_CONFIG},
	    {"/var/lib/x.db", E_CONFIG},
	    {"mysql://host/x", E_CONFIG},
	    {"sqlite:", E_CONFIG},
	    {"sqlite::memory:", E_CONFIG},
	    {"sqlite:/tmp/x.db?mode=ro", E_CONFIG},
	    {"sqlite:/tmp/x.db?max_size=1Q", E_CONFIG},
	    {"sqlite:/tmp/gatehouse-no-such-directory/x.db", E_IO},
	    {"sqlite:/proc/x.db", E_IO},
	};
	struct store *store;
	struct err err;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		err.kind = E_NONE;
		assert_false(store_open(slice_from(rows[i].url), &store, &err));
		assert_int_equal(err.kind, rows[i].kind);
	}
	assert_false(store_open_existing(
	    SLICE("sqlite:/tmp/gatehouse-no-such.db"), &store, &err));
	assert_int_equal(err.kind, E_NOT_FOUND);
}

static void test_file_mode(void **state)
{
	struct place place = place_new("");
	struct store *store = open_place(&place);
	struct stat status;
	char log[160];

	(void)state;
	assert_true(put_id(store, "A", 5000, NULL));
	assert_int_equal(stat(place.path, &status), 0);
	assert_int_equal(status.st_mode & 07777, 0600);
	snprintf(log, sizeof(log), "%s-wal", place.path);
	assert_int_equal(stat(log, &status), 0);
	assert_int_equal(status.st_mode & 07777, 0600);
	store_close(store);
	place_remove(&place);
}

static void test_locked(void **state)
{
	struct place place = place_new("");
	struct store *store = open_place(&place);
	sqlite3 *other = open_raw(&place);
	struct err err = {.kind = E_NONE};
	int64_t began = clock_monotonic_ms();

	(void)state;
	run_raw(other, "BEGIN IMMEDIATE");
	assert_false(put_id(store, "A", 600, &err));
	assert_int_equal(err.kind, E_TEMP);
	assert_in_range(clock_monotonic_ms() - began, 500, 3000);
	store_note_delivery(store, SLICE("B"), SLICE("accept"), SLICE("250"));
	run_raw(other, "COMMIT");
	sqlite3_close(other);
	/* What was told to have failed does not come later. */
	assert_true(put_id(store, "B", 5000, &err));
	assert_false(has_trace(store, "A"));
	assert_true(has_trace(store, "B"));
	store_close(store);
	place_remove(&place);
}

/* A lock that goes in time is not noticed. */
static void *unlock_later(void *object)
{
	usleep(400 * 1000);
	run_raw(object, "COMMIT");
	return NULL;
}

static void test_locked_briefly(void **state)
{
	struct place place = place_new("");
	struct store *store = open_place(&place);
	sqlite3 *other = open_raw(&place);
	pthread_t thread;

	(void)state;
	run_raw(other, "BEGIN IMMEDIATE");
	pthread_create(&thread, NULL, unlock_later, other);
	assert_true(put_id(store, "A", 10000, NULL));
	pthread_join(thread, NULL);
	sqlite3_close(other);
	assert_true(has_trace(store, "A"));
	store_close(store);
	place_remove(&place);
}

/* Many sessions with little patience beside a lock that comes and goes: each
 * answer is the truth about its row. */
struct impatient {
	struct store *store;
	int number;
	int wrong, stored, refused;
};

static void *put_impatiently(void *object)
{
	struct impatient *own = object;
	bool answers[100];
	char id[16];

	for (int i = 0; i < 100; i++) {
		snprintf(id, sizeof(id), "I%d-%d", own->number, i);
		answers[i] = put_id(own->store, id, i % 4, NULL);
	}
	for (int i = 0; i < 100; i++) {
		snprintf(id, sizeof(id), "I%d-%d", own->number, i);
		if (has_trace(own->store, id) != answers[i])
			own->wrong++;
		if (answers[i])
			own->stored++;
		else
			own->refused++;
	}
	return NULL;
}

static void test_impatient(void **state)
{
	enum { SESSIONS = 8 };
	struct place place = place_new("");
	struct store *store = open_place(&place);
	sqlite3 *other = open_raw(&place);
	struct impatient sessions[SESSIONS];
	pthread_t threads[SESSIONS];
	int stored = 0, refused = 0;

	(void)state;
	sqlite3_busy_timeout(other, 2000);
	for (int i = 0; i < SESSIONS; i++) {
		sessions[i] = (struct impatient){.store = store, .number = i};
		pthread_create(
		    &threads[i], NULL, put_impatiently, &sessions[i]);
	}
	for (int i = 0; i < 20; i++) {
		run_raw(other, "BEGIN IMMEDIATE");
		usleep(3000);
		run_raw(other, "COMMIT");
		usleep(3000);
	}
	for (int i = 0; i < SESSIONS; i++) {
		pthread_join(threads[i], NULL);
		assert_int_equal(sessions[i].wrong, 0);
		stored += sessions[i].stored;
		refused += sessions[i].refused;
	}
	assert_true(refused > 0);
	print_message("%d stored, %d refused\n", stored, refused);
	sqlite3_close(other);
	store_close(store);
	place_remove(&place);
}

/* Once somebody has waited in vain the next ones do not wait as long: or all
 * threads would. */
static void test_stalled(void **state)
{
	struct place place = place_new("");
	struct store *store = open_place(&place);
	sqlite3 *other = open_raw(&place);
	struct err err = {.kind = E_NONE};
	int64_t began;

	(void)state;
	run_raw(other, "BEGIN IMMEDIATE");
	assert_false(put_id(store, "A", 200, &err));
	began = clock_monotonic_ms();
	assert_false(put_id(store, "B", 20000, &err));
	assert_int_equal(err.kind, E_TEMP);
	assert_in_range(clock_monotonic_ms() - began, 1500, 5000);
	run_raw(other, "COMMIT");
	assert_true(put_id(store, "C", 5000, &err));
	/* All is well again: there is patience again. */
	run_raw(other, "BEGIN IMMEDIATE");
	began = clock_monotonic_ms();
	assert_false(put_id(store, "D", 3000, &err));
	assert_in_range(clock_monotonic_ms() - began, 2900, 8000);
	run_raw(other, "COMMIT");
	sqlite3_close(other);
	store_close(store);
	place_remove(&place);
}

/* What is written to a file without a name is gone with the process. */
static void test_moved(void **state)
{
	static const char *const suffixes[] = {"", "-wal"};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct place place = place_new("");
		struct store *store = open_place(&place);
		struct err err = {.kind = E_NONE};
		char from[160], to[170];

		assert_true(put_id(store, "A", 5000, NULL));
		snprintf(from, sizeof(from), "%s%s", place.path, suffixes[i]);
		snprintf(to, sizeof(to), "%s.away", from);
		assert_int_equal(rename(from, to), 0);
		assert_false(put_id(store, "B", 5000, &err));
		assert_int_equal(err.kind, E_IO);
		assert_non_null(strstr(err.text, "moved or deleted"));
		/* Another file of that name is not it. */
		fclose(fopen(from, "w"));
		assert_false(put_id(store, "C", 5000, &err));
		assert_int_equal(rename(to, from), 0);
		assert_true(put_id(store, "D", 5000, &err));
		assert_false(has_trace(store, "B"));
		assert_true(has_trace(store, "D"));
		store_close(store);
		place_remove(&place);
	}
}

static void test_full(void **state)
{
	struct place place = place_new("?max_size=1M");
	struct store *store = open_place(&place);
	struct err err = {.kind = E_NONE};
	uint64_t removed, room;
	bool more;
	size_t stored = 0;
	char id[16];

	(void)state;
	assert_true(store_probe(store, &room, NULL));
	assert_in_range(room, 700 << 10, 1 << 20);
	for (;;) {
		snprintf(id, sizeof(id), "F%zu", stored);
		if (!put_id(store, id, 5000, &err))
			break;
		stored++;
		assert_true(stored < 100000);
	}
	assert_int_equal(err.kind, E_FULL);
	assert_true(stored > 100);
	assert_int_equal(count_traces(store), stored);
	/* The probe's own row needs none. */
	assert_true(store_probe(store, &room, NULL));
	assert_in_range(room, 0, 16 << 10);
	/* With old traces gone there is room again. */
	assert_true(store_expire(
	    store, 2000, 0, deadline_in(60000), &removed, &more, &err));
	assert_int_equal(removed, stored);
	/* Pages that are free count. */
	assert_true(store_probe(store, &room, NULL));
	assert_in_range(room, 700 << 10, 1 << 20);
	assert_true(put_id(store, "again", 5000, &err));
	store_close(store);
	store = open_place(&place);
	assert_int_equal(count_traces(store), 1);
	store_close(store);
	place_remove(&place);
}

/* A group that fails takes all its members with it: nobody is told that what
 * is not there was stored. */
static void *put_until_full(void *object)
{
	struct impatient *own = object;
	bool answers[400];
	struct err err;
	char id[16];

	for (int i = 0; i < 400; i++) {
		snprintf(id, sizeof(id), "G%d-%d", own->number, i);
		answers[i] = put_id(own->store, id, 20000, &err);
		if (!answers[i] && err.kind != E_FULL)
			own->wrong++;
	}
	for (int i = 0; i < 400; i++) {
		snprintf(id, sizeof(id), "G%d-%d", own->number, i);
		if (has_trace(own->store, id) != answers[i])
			own->wrong++;
		if (answers[i])
			own->stored++;
		else
			own->refused++;
	}
	return NULL;
}

static void test_full_group(void **state)
{
	enum { SESSIONS = 8 };
	struct place place = place_new("?max_size=1M");
	struct store *store = open_place(&place);
	struct impatient sessions[SESSIONS];
	pthread_t threads[SESSIONS];
	int stored = 0, refused = 0;

	(void)state;
	for (int i = 0; i < SESSIONS; i++) {
		sessions[i] = (struct impatient){.store = store, .number = i};
		pthread_create(&threads[i], NULL, put_until_full, &sessions[i]);
	}
	for (int i = 0; i < SESSIONS; i++) {
		pthread_join(threads[i], NULL);
		assert_int_equal(sessions[i].wrong, 0);
		stored += sessions[i].stored;
		refused += sessions[i].refused;
	}
	assert_true(stored > 0 && refused > 0);
	print_message("%d stored, %d refused\n", stored, refused);
	store_close(store);
	place_remove(&place);
}

static int64_t failures_of(const struct metrics *metrics, const char *reason)
{
	const char *const *values = metric_specs[METRIC_STORE_FAILURES].values;
	size_t value = 0;

	while (values[value] && strcmp(values[value], reason) != 0)
		value++;
	assert_non_null(values[value]);
	return metrics_read(metrics, METRIC_STORE_FAILURES, value);
}

static void test_full_quarantine(void **state)
{
	struct metrics *metrics;
	int fd;
	struct place place = place_new("?max_size=1M");
	struct store *store = open_place(&place);
	struct arena *arena = arena_new(0);
	struct store_trace trace = trace_new("BIG", 1000);
	struct slice piece = slice_of(arena_alloc(arena, 4 << 20), 4 << 20);
	const struct store_quarantine quarantine = {
	    .id = SLICE("BIG"), .piece_count = 1, .pieces = &piece};
	struct err err = {.kind = E_NONE};

	(void)state;
	assert_true(metrics_create(&metrics, &fd, NULL));
	metrics_use(metrics);
	assert_true(put_id(store, "before", 5000, NULL));
	assert_false(
	    store_put(store, &trace, &quarantine, deadline_in(5000), &err));
	assert_int_equal(err.kind, E_LIMIT);
	/* Nothing that other mail suffers from, as a full store is. */
	assert_int_equal(failures_of(metrics, "held"), 1);
	assert_false(has_trace(store, "BIG"));
	assert_true(has_trace(store, "before"));
	assert_true(put_id(store, "after", 5000, NULL));
	arena_free(arena);
	store_close(store);
	metrics_use(NULL);
	metrics_close(metrics);
	close(fd);
	place_remove(&place);
}

/* Whoever fills the quarantine does not stop other mail. */
static void test_quarantine_leaves_room(void **state)
{
	struct place place = place_new("?max_size=8M");
	struct store *store = open_place(&place);
	struct arena *arena = arena_new(0);
	struct slice piece = slice_of(arena_alloc(arena, 256 << 10), 256 << 10);
	struct err err = {.kind = E_NONE};
	size_t held = 0;

	(void)state;
	for (;; held++) {
		struct slice id = arena_format_slice(arena, "Q%zu", held);
		struct store_trace trace = trace_new(id.ptr, 1000);
		const struct store_quarantine quarantine = {
		    .id = id, .piece_count = 1, .pieces = &piece};

		if (!store_put(
			store, &trace, &quarantine, deadline_in(5000), &err))
			break;
		assert_true(held < 100);
	}
	assert_int_equal(err.kind, E_LIMIT);
	assert_non_null(strstr(err.text, "kept for traces"));
	assert_in_range(held, 20, 30);
	for (int i = 0; i < 300; i++)
		assert_true(
		    put_id(store, arena_format(arena, "T%d", i), 5000, NULL));
	arena_free(arena);
	store_close(store);
	place_remove(&place);
}

static void overwrite(const struct place *place, off_t from, off_t to)
{
	char junk[512];
	int fd = open(place->path, O_WRONLY);

	memset(junk, 0x5a, sizeof(junk));
	for (; from < to; from += (off_t)sizeof(junk))
		assert_int_equal(
		    pwrite(fd, junk, sizeof(junk), from), sizeof(junk));
	close(fd);
}

static void test_corrupted(void **state)
{
	struct place place = place_new("");
	struct store *store = open_place(&place);
	struct err err = {.kind = E_NONE};
	struct stat status;

	(void)state;
	assert_true(put_id(store, "A", 5000, NULL));
	store_close(store);
	assert_int_equal(stat(place.path, &status), 0);
	/* The tables' pages, not the schema on the first one. */
	overwrite(&place, 8192, status.st_size);
	if (store_open(slice_from(place.url), &store, &err)) {
		assert_false(put_id(store, "B", 5000, &err));
		store_close(store);
	}
	assert_int_equal(err.kind, E_IO);
	overwrite(&place, 0, 4096);
	assert_false(store_open(slice_from(place.url), &store, &err));
	assert_int_equal(err.kind, E_IO);
	place_remove(&place);
}

/* The child puts until it is killed, and says each id that was acknowledged. */
struct child_thread {
	struct store *store;
	int fd;
	int number;
};

static void *put_for_ever(void *object)
{
	struct child_thread *thread = object;
	char id[16];

	for (int i = 0;; i++) {
		memset(id, 0, sizeof(id));
		snprintf(id, sizeof(id), "K%d-%d", thread->number, i);
		if (!put_id(thread->store, id, 30000, NULL) ||
		    write(thread->fd, id, sizeof(id)) != sizeof(id))
			_exit(1);
	}
}

static void run_child(const struct place *place, int fd)
{
	enum { CHILD_THREADS = 4 };
	struct child_thread threads[CHILD_THREADS];
	pthread_t ids[CHILD_THREADS];
	struct store *store;

	if (!store_open(slice_from(place->url), &store, NULL))
		_exit(2);
	for (int i = 0; i < CHILD_THREADS; i++) {
		threads[i] = (struct child_thread){store, fd, i};
		pthread_create(&ids[i], NULL, put_for_ever, &threads[i]);
	}
	pause();
	_exit(3);
}

static void test_killed(void **state)
{
	enum { ROUNDS = 3, ACKNOWLEDGED = 300 };
	char id[16];
	size_t checked = 0;

	(void)state;
	for (int round = 0; round < ROUNDS; round++) {
		struct place place = place_new("");
		char ids[4000][16];
		size_t count = 0;
		struct store *store;
		int pipe_fds[2];
		pid_t child;

		assert_int_equal(pipe(pipe_fds), 0);
		child = fork();
		if (child == 0)
			run_child(&place, pipe_fds[1]);
		close(pipe_fds[1]);
		while (read(pipe_fds[0], id, sizeof(id)) == sizeof(id)) {
			if (count < 4000)
				memcpy(ids[count++], id, sizeof(id));
			if (count == ACKNOWLEDGED)
				kill(child, SIGKILL);
		}
		close(pipe_fds[0]);
		waitpid(child, NULL, 0);
		assert_true(count >= ACKNOWLEDGED);
		store = open_place(&place);
		for (size_t i = 0; i < count; i++, checked++)
			assert_true(has_trace(store, ids[i]));
		store_close(store);
		place_remove(&place);
	}
	print_message("%zu acknowledged rows found\n", checked);
}

/* The processes of a gateway that starts for the first time. */
static void test_made_by_several(void **state)
{
	enum { ROUNDS = 40, PROCESSES = 6 };

	(void)state;
	for (int round = 0; round < ROUNDS; round++) {
		struct place place = place_new("");
		pid_t pids[PROCESSES];
		int gate[2], status;
		char go;

		assert_int_equal(pipe(gate), 0);
		for (int i = 0; i < PROCESSES; i++) {
			pids[i] = fork();
			if (pids[i] == 0) {
				struct store *store;
				struct err err;

				close(gate[1]);
				_exit(read(gate[0], &go, 1) == 0 &&
					      store_open(slice_from(place.url),
						  &store, &err)
					  ? 0
					  : 1);
			}
		}
		close(gate[0]);
		close(gate[1]);
		for (int i = 0; i < PROCESSES; i++) {
			assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
			assert_int_equal(status, 0);
		}
		place_remove(&place);
	}
}

/* A database that somebody copied without auto_vacuum gives no pages back,
 * however often it is asked to. */
static void test_no_vacuum(void **state)
{
	struct place place = place_new("");
	struct store_connection connection = {.path = place.path};
	struct store *store;
	uint64_t removed;
	bool more = true;

	(void)state;
	connection.db = open_raw(&place);
	run_raw(connection.db, "PRAGMA auto_vacuum = NONE;"
			       "PRAGMA synchronous = OFF");
	assert_true(sqlite_schema_migrate(
	    &connection, sqlite_migrations, sqlite_migration_count, NULL));
	run_raw(connection.db, "CREATE TABLE big (x);"
			       "INSERT INTO big VALUES (zeroblob(70000000));"
			       "DROP TABLE big");
	sqlite3_close(connection.db);
	store = open_place(&place);
	assert_true(
	    store_expire(store, 0, 0, deadline_in(500), &removed, &more, NULL));
	assert_false(more);
	store_close(store);
	place_remove(&place);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_killed),
	    cmocka_unit_test(test_made_by_several),
	    cmocka_unit_test(test_no_vacuum),
	    cmocka_unit_test(test_urls),
	    cmocka_unit_test(test_file_mode),
	    cmocka_unit_test(test_locked),
	    cmocka_unit_test(test_locked_briefly),
	    cmocka_unit_test(test_impatient),
	    cmocka_unit_test(test_stalled),
	    cmocka_unit_test(test_moved),
	    cmocka_unit_test(test_full),
	    cmocka_unit_test(test_full_group),
	    cmocka_unit_test(test_full_quarantine),
	    cmocka_unit_test(test_quarantine_leaves_room),
	    cmocka_unit_test(test_corrupted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
