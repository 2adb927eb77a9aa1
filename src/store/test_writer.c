/* SPDX-License-Identifier: Apache-2.0 */
/* The writer thread over a backend that does what the test says. */
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <time.h>
#include <unistd.h>

#include "base/handover.h"
#include "store/store_private.h"

enum { WAIT_MS = 5000, MANY = 200, COMPANY = 4 };

/* The backend. */
static struct store_connection *to_be_opened; /* NULL: it is away */
static atomic_size_t closed;

struct store_connection {
	atomic_bool locked, full;
	useconds_t takes_us;	/* a commit */
	bool holds;		/* commits wait for goes_on */
	sem_t commits, goes_on; /* one has begun; it may end */
	atomic_size_t groups, rows, tries;
};

static bool open_one(struct slice place, enum store_access access,
    struct store_connection **ret, struct err *err)
{
	assert_true(slice_eq(place, SLICE("there")));
	assert_int_equal(access, STORE_CREATE);
	*ret = to_be_opened;
	return *ret || err_set(err, E_FULL, "no space left");
}

static void close_one(struct store_connection *connection)
{
	assert_non_null(connection);
	atomic_fetch_add(&closed, 1);
}

static void give_none(struct store_connection *connection)
{
	(void)connection;
}

static bool begin(struct store_connection *connection, struct err *err)
{
	atomic_fetch_add(&connection->tries, 1);
	if (!atomic_load(&connection->locked))
		return true;
	usleep(1000);
	return err_set(err, E_TEMP, "locked");
}

static bool write_row(struct store_connection *connection,
    struct store_work *work, struct err *err)
{
	(void)connection;
	return work->kind != WORK_DELETE ||
	       err_set(err, E_NOT_FOUND, "there is no such message");
}

static bool commit(struct store_connection *connection, struct err *err)
{
	if (connection->holds) {
		sem_post(&connection->commits);
		handover_wait(&connection->goes_on, DEADLINE_NEVER);
	}
	if (connection->takes_us)
		usleep(connection->takes_us);
	if (atomic_load(&connection->full))
		return err_set(err, E_FULL, "no space left");
	atomic_fetch_add(&connection->groups, 1);
	return true;
}

static uint64_t size_of(const struct store_connection *connection)
{
	(void)connection;
	return 0;
}

static const struct store_backend backend = {
    .scheme = "test",
    .open = open_one,
    .close = close_one,
    .begin = begin,
    .commit = commit,
    .rollback = give_none,
    .write = write_row,
    .size = size_of,
};

/* One who begins a change and goes away. */
struct change {
	struct store_job job; /* first */
	struct store_work work;
	atomic_int told;
	sem_t notice;
};

static void note(struct store_job *job)
{
	struct change *change = (struct change *)job;

	atomic_fetch_add(&change->told, 1);
	sem_post(&change->notice);
}

static void prepare(struct change *change, int64_t wait_ms)
{
	*change = (struct change){.work.kind = WORK_PROBE};
	change->job.work = &change->work;
	change->job.deadline = deadline_in(wait_ms);
	change->job.done = note;
	sem_init(&change->notice, 0, 0);
}

static bool is_told(struct change *change)
{
	return handover_wait(&change->notice, deadline_in(WAIT_MS)) &&
	       atomic_load(&change->told) == 1;
}

struct fixture {
	struct store_connection connection;
	struct store_writer *writer;
};

static int set_up(void **state)
{
	static struct fixture fixture;

	fixture = (struct fixture){0};
	sem_init(&fixture.connection.commits, 0, 0);
	sem_init(&fixture.connection.goes_on, 0, 0);
	*state = &fixture;
	return store_writer_start(&backend, SLICE(""), &fixture.connection,
		   &fixture.writer, NULL)
		   ? 0
		   : 1;
}

static int tear_down(void **state)
{
	struct fixture *fixture = *state;

	store_writer_stop(fixture->writer);
	return 0;
}

static void test_notice(void **state)
{
	static const struct {
		enum store_work_kind kind;
		bool full;
		enum err_kind error;
	} rows[] = {
	    {WORK_PROBE, false, E_NONE},
	    {WORK_DELETE, false, E_NOT_FOUND}, /* its own failure */
	    {WORK_PROBE, true, E_FULL},	       /* its group's */
	};
	struct fixture *fixture = *state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct change change;

		prepare(&change, WAIT_MS);
		change.work.kind = rows[i].kind;
		atomic_store(&fixture->connection.full, rows[i].full);
		assert_true(
		    store_writer_begin(fixture->writer, &change.job, NULL));
		assert_true(is_told(&change));
		assert_int_equal(change.job.ok, rows[i].error == E_NONE);
		assert_int_equal(change.job.err.kind, rows[i].error);
		/* It is too late now. */
		assert_false(
		    store_writer_give_up(fixture->writer, &change.job));
	}
}

static void test_given_up(void **state)
{
	struct fixture *fixture = *state;
	struct change first, second;

	atomic_store(&fixture->connection.locked, true);
	prepare(&first, 0);
	assert_true(store_writer_begin(fixture->writer, &first.job, NULL));
	usleep(20000);
	assert_true(store_writer_give_up(fixture->writer, &first.job));
	assert_false(first.job.ok);
	assert_int_equal(first.job.err.kind, E_TEMP);
	assert_true(store_writer_is_stalled(fixture->writer));
	/* Others have waited in vain: nobody waits as long as that. */
	prepare(&second, 60000);
	assert_true(store_writer_begin(fixture->writer, &second.job, NULL));
	assert_true(second.job.deadline.at_ms < deadline_in(10000).at_ms);
	atomic_store(&fixture->connection.locked, false);
	assert_true(is_told(&second));
	assert_true(second.job.ok);
	assert_false(store_writer_is_stalled(fixture->writer));
	assert_int_equal(atomic_load(&first.told), 0);
}

/* A store that says at once that it cannot be had now (no descriptor is left to
 * open it with) is not asked all the time. */
static void test_tries(void **state)
{
	enum { MS = 300, TRIES_MAX = 60 };
	static struct change change;
	struct fixture *fixture = *state;

	atomic_store(&fixture->connection.locked, true);
	prepare(&change, WAIT_MS);
	assert_true(store_writer_begin(fixture->writer, &change.job, NULL));
	usleep(MS * 1000);
	assert_in_range(atomic_load(&fixture->connection.tries), 2, TRIES_MAX);
	atomic_store(&fixture->connection.locked, false);
	assert_true(is_told(&change));
	assert_true(change.job.ok);
}

/* What a commit has begun with cannot be taken out of it. */
static void test_under_way(void **state)
{
	struct fixture *fixture = *state;
	struct change change;

	fixture->connection.holds = true;
	prepare(&change, 0);
	assert_true(store_writer_begin(fixture->writer, &change.job, NULL));
	assert_true(
	    handover_wait(&fixture->connection.commits, deadline_in(WAIT_MS)));
	assert_false(store_writer_give_up(fixture->writer, &change.job));
	assert_int_equal(atomic_load(&change.told), 0);
	sem_post(&fixture->connection.goes_on);
	assert_true(is_told(&change));
	assert_true(change.job.ok);
	fixture->connection.holds = false;
}

static size_t groups_of(struct fixture *fixture)
{
	return atomic_load(&fixture->connection.groups);
}

/* Who comes while a commit is under way shares the next one. */
static void test_group(void **state)
{
	static struct change changes[MANY];
	struct fixture *fixture = *state;
	size_t before = groups_of(fixture);

	fixture->connection.holds = true;
	for (size_t i = 0; i < MANY; i++) {
		prepare(&changes[i], WAIT_MS);
		assert_true(
		    store_writer_begin(fixture->writer, &changes[i].job, NULL));
		if (i == 0)
			assert_true(handover_wait(&fixture->connection.commits,
			    deadline_in(WAIT_MS)));
	}
	sem_post(&fixture->connection.goes_on);
	sem_post(&fixture->connection.goes_on);
	for (size_t i = 0; i < MANY; i++)
		assert_true(is_told(&changes[i]));
	assert_int_equal(groups_of(fixture) - before, 2);
	handover_wait(&fixture->connection.commits, DEADLINE_NEVER);
	fixture->connection.holds = false;
}

/* Facts are most of a refused message's row: they fill a group, too. */
static void test_group_of_facts(void **state)
{
	enum { TRACES = 41, FACTS = 1 << 20, GROUPS = 4 };
	static struct change changes[TRACES];
	const struct store_row row = {
	    .trace.facts = slice_of("", FACTS)}; /* nobody reads them */
	struct fixture *fixture = *state;
	size_t before = groups_of(fixture);

	fixture->connection.holds = true;
	for (size_t i = 0; i < TRACES; i++) {
		prepare(&changes[i], WAIT_MS);
		changes[i].work.row = &row;
		assert_true(
		    store_writer_begin(fixture->writer, &changes[i].job, NULL));
		if (i == 0)
			assert_true(handover_wait(&fixture->connection.commits,
			    deadline_in(WAIT_MS)));
	}
	for (size_t i = 0; i < GROUPS; i++)
		sem_post(&fixture->connection.goes_on);
	for (size_t i = 0; i < TRACES; i++)
		assert_true(is_told(&changes[i]));
	assert_int_equal(groups_of(fixture) - before, GROUPS);
	for (size_t i = 1; i < GROUPS; i++)
		handover_wait(&fixture->connection.commits, DEADLINE_NEVER);
	fixture->connection.holds = false;
}

static void put_together(struct fixture *fixture, size_t count)
{
	struct change changes[COMPANY];

	atomic_store(&fixture->connection.locked, true);
	for (size_t i = 0; i < count; i++) {
		prepare(&changes[i], WAIT_MS);
		assert_true(
		    store_writer_begin(fixture->writer, &changes[i].job, NULL));
	}
	atomic_store(&fixture->connection.locked, false);
	for (size_t i = 0; i < count; i++)
		assert_true(is_told(&changes[i]));
}

static int64_t microseconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* The quickest of many: others may want the processor. */
static int64_t put_alone(struct fixture *fixture, int tries)
{
	int64_t best = INT64_MAX;

	for (int i = 0; i < tries; i++) {
		int64_t began = microseconds(), took;

		put_together(fixture, 1);
		took = microseconds() - began;
		best = took < best ? took : best;
	}
	return best;
}

/* Who comes alone after others waits for them at first, a millisecond at most
 * and not for ever. */
static void test_company(void **state)
{
	struct fixture *fixture = *state;

	fixture->connection.takes_us = 1000;
	put_together(fixture, COMPANY);
	assert_in_range(put_alone(fixture, 1), 1800, 1000000);
	assert_in_range(put_alone(fixture, COMPANY + 30), 1000, 1800);
}

/* Commits that cost nothing are not saved. */
static void test_cheap_commits(void **state)
{
	struct fixture *fixture = *state;

	put_together(fixture, 2);
	put_together(fixture, 2);
	assert_in_range(put_alone(fixture, 1000), 0, 300);
}

/* The only one that waits goes away while company is waited for. */
static void test_company_given_up(void **state)
{
	struct fixture *fixture = *state;

	fixture->connection.takes_us = 1000;
	for (int round = 0; round < 20; round++) {
		struct change change;

		put_together(fixture, COMPANY);
		prepare(&change, 0);
		assert_true(
		    store_writer_begin(fixture->writer, &change.job, NULL));
		usleep(100);
		if (!store_writer_give_up(fixture->writer, &change.job))
			assert_true(is_told(&change));
		usleep(3000);
		put_together(fixture, 1);
	}
}

static void test_full_queue(void **state)
{
	enum { ROOM = 8192 };
	static struct change changes[ROOM], another;
	struct fixture *fixture = *state;
	struct err err = {0};

	atomic_store(&fixture->connection.locked, true);
	for (size_t i = 0; i < ROOM; i++) {
		prepare(&changes[i], WAIT_MS);
		assert_true(
		    store_writer_begin(fixture->writer, &changes[i].job, NULL));
	}
	prepare(&another, WAIT_MS);
	assert_false(store_writer_begin(fixture->writer, &another.job, &err));
	assert_int_equal(err.kind, E_TEMP);
	atomic_store(&fixture->connection.locked, false);
	for (size_t i = 0; i < ROOM; i++)
		assert_true(is_told(&changes[i]));
	assert_int_equal(atomic_load(&another.told), 0);
}

/* Stopping ends what was posted, well or not. */
static void test_stop(void **state)
{
	struct fixture *fixture = *state;
	struct change change;

	fixture->connection.holds = true;
	prepare(&change, WAIT_MS);
	assert_true(store_writer_begin(fixture->writer, &change.job, NULL));
	sem_post(&fixture->connection.goes_on);
	store_writer_stop(fixture->writer);
	assert_int_equal(atomic_load(&change.told), 1);
	assert_true(change.job.ok);
	fixture->connection.holds = false;
	assert_true(store_writer_start(
	    &backend, SLICE(""), &fixture->connection, &fixture->writer, NULL));
}

/* A store that is full at the start is opened when it can be. */
static void test_away(void **state)
{
	struct fixture *fixture = *state;
	struct store_connection *connection = &fixture->connection;
	struct store_writer *writer;

	to_be_opened = NULL;
	for (int round = 0; round < 2; round++) {
		size_t before = atomic_load(&closed);

		assert_true(store_writer_start(
		    &backend, SLICE("there"), NULL, &writer, NULL));
		for (int i = 0; i < 3; i++) {
			struct store_work work = {.kind = WORK_PROBE};
			struct err err = {0};
			bool ok;

			/* Never in the first round. */
			if (round == 1 && i == 1)
				to_be_opened = connection;
			ok = store_writer_run(
			    writer, &work, deadline_in(WAIT_MS), &err);
			assert_int_equal(ok, round == 1 && i > 0);
			assert_int_equal(err.kind, ok ? E_NONE : E_FULL);
			store_writer_statistics(writer);
		}
		store_writer_stop(writer);
		assert_int_equal(
		    atomic_load(&closed) - before, round == 1 ? 1 : 0);
	}
}

#define UNIT(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    UNIT(test_notice),
	    UNIT(test_given_up),
	    UNIT(test_tries),
	    UNIT(test_under_way),
	    UNIT(test_group),
	    UNIT(test_group_of_facts),
	    UNIT(test_company),
	    UNIT(test_cheap_commits),
	    UNIT(test_company_given_up),
	    UNIT(test_full_queue),
	    UNIT(test_stop),
	    UNIT(test_away),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
