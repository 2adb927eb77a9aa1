/* SPDX-License-Identifier: Apache-2.0 */
/* The whole milter on loopback: many connections, limits, reload, drain. */
#include "milter/milter_server.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/io.h"
#include "base/log.h"
#include "base/test_listen.h"
#include "gate/fake_gate.h"
#include "milter/test_config.h"

enum { WAIT_MS = 5000 };

struct fixture {
	struct config *config;
	struct milter_server *server;
	int listening;
	struct sockaddr_in address;
};

static void start_with(
    struct fixture *fixture, uint64_t connections, uint64_t threads)
{
	struct listener listener;
	struct milter_server_settings settings = {
	    .listener_count = 1, .listeners = &listener};
	struct err err = {0};

	*fixture = (struct fixture){.config = test_config()};
	fixture->config->limits.drain_timeout = 500;
	fixture->config->limits.connections = connections;
	fixture->config->limits.threads = threads;
	fixture->listening = test_listen(0, &fixture->address);
	listener = (struct listener){fixture->listening, SLICE("mta")};
	settings.gate.config = fixture->config;
	assert_true(milter_server_start(&settings, &fixture->server, &err));
}

static void start(struct fixture *fixture, uint64_t connections)
{
	start_with(fixture, connections, 4096);
}

static void start_with_threads(struct fixture *fixture, uint64_t threads)
{
	start_with(fixture, 1000, threads);
}

static void stop(struct fixture *fixture)
{
	milter_server_drain(fixture->server);
	milter_server_wait(fixture->server);
	config_release(fixture->config);
	close(fixture->listening);
}

static int dial(const struct fixture *fixture)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(connect(fd, (const struct sockaddr *)&fixture->address,
			     sizeof(fixture->address)),
	    0);
	io_set_nonblocking(fd, NULL);
	return fd;
}

/* Whole packets. */
static const struct slice hello = SLICE_INIT(
    "\0\0\0\xdO\0\0\0\6\0\0\0\x3f\0\x1f\xff\xff");
static const struct slice client = SLICE_INIT("\0\0\0\4Ca\0U");
static const struct slice envelope = SLICE_INIT("\0\0\0\7M<a@b>\0"
						"\0\0\0\7R<a@b>\0");
static const struct slice content = SLICE_INIT("\0\0\0\6LX\0 v\0");
static const struct slice later = SLICE_INIT("\0\0\0\x11LX-Commit\0 later\0");
static const struct slice end = SLICE_INIT("\0\0\0\1E");

static void say(int fd, struct slice octets)
{
	assert_true(io_write_all(fd, octets, deadline_in(WAIT_MS), NULL));
}

static void hear(int fd, size_t size)
{
	char memory[4096];

	while (size) {
		size_t room = size < sizeof(memory) ? size : sizeof(memory);
		size_t count = 0;

		assert_true(io_read_some(
		    fd, memory, room, deadline_in(WAIT_MS), &count, NULL));
		assert_true(count > 0);
		size -= count;
	}
}

static bool is_closed(int fd)
{
	char memory[64];
	size_t count = 1;

	return !io_read_some(fd, memory, sizeof(memory), deadline_in(WAIT_MS),
		   &count, NULL) ||
	       count == 0;
}

static void wait_for(const struct fixture *fixture, uint64_t connections)
{
	struct deadline deadline = deadline_in(WAIT_MS);

	while (milter_server_statistics(fixture->server).connections !=
	       connections) {
		assert_false(deadline_passed(deadline));
		usleep(1000);
	}
}

static int dial_mail(const struct fixture *fixture)
{
	int fd = dial(fixture);

	say(fd, hello);
	hear(fd, 17);
	say(fd, client);
	say(fd, envelope);
	return fd;
}

static void finish_mail(int fd)
{
	say(fd, content);
	say(fd, end);
	hear(fd, 5);
}

/* Sessions that wait cost no thread. */
static void test_parking(void **state)
{
	enum { COUNT = 300 };
	struct milter_server_statistics statistics;
	struct fixture fixture;
	int fds[COUNT];

	(void)state;
	start(&fixture, 1000);
	for (int i = 0; i < COUNT; i++)
		fds[i] = dial_mail(&fixture);
	for (int tries = 0; tries < WAIT_MS; tries++) {
		statistics = milter_server_statistics(fixture.server);
		if (statistics.parked == COUNT)
			break;
		usleep(1000);
	}
	assert_int_equal(statistics.parked, COUNT);
	/* A busy machine starts more before the first is idle again. */
	assert_in_range(statistics.threads, 0, COUNT - 1);
	for (int i = 0; i < COUNT; i++)
		finish_mail(fds[i]);
	statistics = milter_server_statistics(fixture.server);
	assert_int_equal(statistics.messages, COUNT);
	for (int i = 0; i < COUNT; i++)
		close(fds[i]);
	wait_for(&fixture, 0);
	stop(&fixture);
}

/* A new body that is larger than any buffer of ours, for an MTA that reads
 * late.
 */
static void test_large_answer(void **state)
{
	enum { LINES = 1000000, SIZE = LINES * 9, PIECE = 65535 };
	static const struct slice field = SLICE_INIT(
	    "\0\0\0\x19LX-Body\0 1000000 1234567\0");
	struct fixture fixture;
	int fd;

	(void)state;
	start(&fixture, 1000);
	fd = dial_mail(&fixture);
	say(fd, field);
	say(fd, end);
	usleep(50 * 1000);
	hear(fd, SIZE + (SIZE / PIECE + 1) * 5 + 5);
	/* Nothing more; the session goes on. */
	say(fd, envelope);
	finish_mail(fd);
	close(fd);
	stop(&fixture);
}

static void *send_many(void *argument)
{
	const struct fixture *fixture = argument;

	for (int i = 0; i < 20; i++) {
		int fd = dial_mail(fixture);

		finish_mail(fd);
		say(fd, envelope);
		finish_mail(fd);
		/* Every other one goes away in the middle. */
		if (i % 2)
			say(fd, envelope);
		close(fd);
	}
	return NULL;
}

static void test_many(void **state)
{
	struct fixture fixture;
	pthread_t threads[8];

	(void)state;
	start(&fixture, 1000);
	for (int i = 0; i < 8; i++)
		pthread_create(&threads[i], NULL, send_many, &fixture);
	for (int i = 0; i < 8; i++)
		pthread_join(threads[i], NULL);
	wait_for(&fixture, 0);
	assert_int_equal(
	    milter_server_statistics(fixture.server).messages, 8 * 40);
	stop(&fixture);
}

/* What the store tells late, or never, is not waited for by a thread. */
static void test_late_store(void **state)
{
	enum { COUNT = 100 };
	static const struct {
		struct slice field;
		size_t answer_size;
	} rows[] = {
	    {SLICE_INIT("\0\0\0\x10LX-Commit\0 late\0"), 5},
	    {SLICE_INIT("\0\0\0\x11LX-Commit\0 never\0"), 26},
	};
	struct fixture fixture;
	int fds[COUNT];

	(void)state;
	start_with_threads(&fixture, 2);
	for (size_t row = 0; row < 2; row++) {
		for (int i = 0; i < COUNT; i++) {
			fds[i] = dial_mail(&fixture);
			say(fds[i], rows[row].field);
			say(fds[i], end);
		}
		for (int i = 0; i < COUNT; i++) {
			hear(fds[i], rows[row].answer_size);
			/* The session goes on. */
			say(fds[i], envelope);
			finish_mail(fds[i]);
			close(fds[i]);
		}
	}
	wait_for(&fixture, 0);
	assert_in_range(milter_server_statistics(fixture.server).threads, 0, 2);
	stop(&fixture);
}

/* What is recorded is answered although no thread is left. */
static void test_answer_in_time(void **state)
{
	struct fixture fixture;
	int recorded, slow;
	int64_t began;

	(void)state;
	start_with_threads(&fixture, 1);
	recorded = dial_mail(&fixture);
	say(recorded, later);
	say(recorded, end);
	usleep(50 * 1000);
	slow = dial_mail(&fixture);
	say(slow, SLICE("\0\0\0\x12LX-Decide\0 slowly\0"));
	say(slow, end);
	began = clock_monotonic_ms();
	hear(recorded, 5);
	assert_in_range(clock_monotonic_ms() - began, 0, 400);
	hear(slow, 5);
	close(recorded);
	close(slow);
	stop(&fixture);
}

/* 5 or 26 octets. */
static void hear_answer(int fd)
{
	char first[5];
	size_t have = 0, count;

	while (have < sizeof(first)) {
		assert_true(io_read_some(fd, first + have, sizeof(first) - have,
		    deadline_in(WAIT_MS), &count, NULL));
		assert_true(count > 0);
		have += count;
	}
	if (first[4] == 'y')
		hear(fd, 21);
}

static void go_away(int fd, bool resets)
{
	const struct linger at_once = {resets, 0};

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
	close(fd);
}

/* Waits for the answer, says more before it, goes away, or breaks off. */
static void *send_impatiently(void *argument)
{
	const struct fixture *fixture = argument;

	for (int i = 0; i < 40; i++) {
		int fd = dial_mail(fixture);

		say(fd, content);
		say(fd, end);
		if (i % 5 == 4) {
			go_away(fd, i % 2);
			continue;
		}
		if (i % 3)
			say(fd, SLICE("\0\0\0\1A"));
		hear_answer(fd);
		say(fd, envelope);
		say(fd, content);
		say(fd, end);
		hear_answer(fd);
		close(fd);
	}
	return NULL;
}

static void test_told_by_others(void **state)
{
	struct fixture fixture;
	pthread_t threads[16];

	(void)state;
	start(&fixture, 1000);
	for (int i = 0; i < 16; i++)
		pthread_create(&threads[i], NULL, send_impatiently, &fixture);
	for (int i = 0; i < 16; i++)
		pthread_join(threads[i], NULL);
	wait_for(&fixture, 0);
	stop(&fixture);
}

static void test_drain_of_committing(void **state)
{
	enum { COUNT = 50 };

	(void)state;
	for (int round = 0; round < 10; round++) {
		struct fixture fixture;
		int fds[COUNT];

		start(&fixture, 1000);
		for (int i = 0; i < COUNT; i++) {
			fds[i] = dial_mail(&fixture);
			say(fds[i], round ? content : later);
			say(fds[i], end);
		}
		/* Those that have begun are answered. */
		usleep(50 * 1000);
		milter_server_drain(fixture.server);
		for (int i = 0; i < COUNT; i++) {
			hear_answer(fds[i]);
			close(fds[i]);
		}
		stop(&fixture);
	}
}

static void test_full(void **state)
{
	struct fixture fixture;
	int first, second;

	(void)state;
	start(&fixture, 1);
	first = dial_mail(&fixture);
	second = dial(&fixture);
	assert_true(is_closed(second));
	finish_mail(first);
	close(first);
	close(second);
	wait_for(&fixture, 0);
	assert_int_equal(milter_server_statistics(fixture.server).refused, 1);
	stop(&fixture);
}

/* A new limit holds for connections that come, a new hostname for messages
 * that begin. */
static void test_reload(void **state)
{
	struct fixture fixture;
	struct gate_context gate = {0};
	int first, second;

	(void)state;
	start(&fixture, 1000);
	first = dial_mail(&fixture);
	gate.config = test_config();
	gate.config->limits.connections = 1;
	milter_server_reload(fixture.server, &gate);
	config_release(gate.config);
	second = dial(&fixture);
	assert_true(is_closed(second));
	finish_mail(first);
	say(first, envelope);
	finish_mail(first);
	close(first);
	close(second);
	stop(&fixture);
}

/* Idle ones end at once, a message may finish, one that does not is cut. */
static void test_drain(void **state)
{
	struct fixture fixture;
	int idle, busy, stuck;

	(void)state;
	start(&fixture, 1000);
	idle = dial(&fixture);
	say(idle, hello);
	hear(idle, 17);
	busy = dial_mail(&fixture);
	stuck = dial_mail(&fixture);
	wait_for(&fixture, 3);
	usleep(50 * 1000);
	milter_server_drain(fixture.server);
	assert_true(is_closed(idle));
	finish_mail(busy);
	assert_true(is_closed(busy));
	assert_true(is_closed(stuck));
	close(idle);
	close(busy);
	close(stuck);
	stop(&fixture);
}

/* However many do not finish, they are cut in time. */
static void test_drain_of_many(void **state)
{
	enum { COUNT = 1000, MORE_MS = 4500 };
	struct fixture fixture;
	int64_t started;
	int fds[COUNT];

	(void)state;
	start(&fixture, COUNT);
	for (int i = 0; i < COUNT; i++)
		fds[i] = dial_mail(&fixture);
	started = clock_monotonic_ms();
	milter_server_drain(fixture.server);
	wait_for(&fixture, 0);
	assert_in_range(clock_monotonic_ms() - started, 0,
	    fixture.config->limits.drain_timeout + MORE_MS);
	stop(&fixture);
	for (int i = 0; i < COUNT; i++)
		close(fds[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_parking),
	    cmocka_unit_test(test_large_answer),
	    cmocka_unit_test(test_many),
	    cmocka_unit_test(test_late_store),
	    cmocka_unit_test(test_full),
	    cmocka_unit_test(test_reload),
	    cmocka_unit_test(test_drain),
	    cmocka_unit_test(test_drain_of_many),
	};

	const struct CMUnitTest with_threads[] = {
	    cmocka_unit_test(test_answer_in_time),
	    cmocka_unit_test(test_told_by_others),
	    cmocka_unit_test(test_drain_of_committing),
	};
	int failed;

	log_setup(LOG_ERROR, LOG_FORMAT_TEXT);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	fake_gate_use_threads();
	return failed + cmocka_run_group_tests(with_threads, NULL, NULL);
}
