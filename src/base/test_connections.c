/* SPDX-License-Identifier: Apache-2.0 */
/* A server of octets: greets with '+', does what it is sent. */
#include "base/connections.h"

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/io.h"
#include "base/memory.h"
#include "base/require.h"
#include "base/test_listen.h"

enum {
	WAIT_MS = 5000,
	SOON_MS = 50,	 /* for what is not to happen */
	DRAIN_MS = 1000, /* more than what happens before */
};

struct toy {
	struct connection base; /* first */
	bool busy;		/* has something that is to finish */
};

struct server {
	struct connections connections;
	atomic_int without_descriptors, ticks;
	int listening;
	struct sockaddr_in address;
};

static _Thread_local bool accepts;

static void say_to(struct toy *toy, char octet)
{
	require(write(toy->base.parked.fd, &octet, 1) == 1);
}

static void park(struct server *server, struct toy *toy, int64_t wait_ms)
{
	connections_park(&server->connections, &toy->base, deadline_in(wait_ms),
	    EPOLLIN | EPOLLRDHUP, !toy->busy);
}

static void welcome(void *context, const struct listener *listener, int fd,
    const struct sockaddr *address)
{
	struct server *server = context;
	struct toy *toy = MEMORY_NEW(struct toy);

	accepts = true;
	require(slice_eq(listener->name, SLICE("toy")));
	require(address->sa_family == AF_INET);
	connections_add(&server->connections, &toy->base, fd);
	say_to(toy, '+');
	park(server, toy, 60000);
}

static void no_descriptors(void *context, const struct listener *listener)
{
	struct server *server = context;

	require(slice_eq(listener->name, SLICE("toy")));
	atomic_fetch_add(&server->without_descriptors, 1);
}

static void wake(void *context, struct connection *connection)
{
	struct server *server = context;
	struct toy *toy = (struct toy *)connection;
	char octet = 0;

	require(accepts);
	if (read(connection->parked.fd, &octet, 1) != 1)
		octet = 'q';
	switch (octet) {
	case 'q': connections_end(&server->connections, connection); break;
	case 'w': connections_post(&server->connections, connection); break;
	case 't': park(server, toy, 10); break;
	default:
		toy->busy = octet == 'b';
		say_to(toy, octet);
		park(server, toy, 60000);
		break;
	}
}

static void run(void *context, struct work *work)
{
	struct server *server = context;
	struct toy *toy = (struct toy *)work;

	require(!accepts);
	if (atomic_load(&server->connections.draining) && !toy->busy) {
		say_to(toy, '-');
		connections_end(&server->connections, &toy->base);
		return;
	}
	say_to(toy, 'r');
	park(server, toy, 60000);
}

static void end(struct connection *connection)
{
	close(connection->parked.fd);
	memory_free(connection);
}

static void tick(void *context)
{
	atomic_fetch_add(&((struct server *)context)->ticks, 1);
}

static const struct connections_protocol protocol = {
    .welcome = welcome,
    .no_descriptors = no_descriptors,
    .wake = wake,
    .run = run,
    .end = end,
    .tick = tick,
};

static const struct connections_protocol patient_protocol = {
    .welcome = welcome,
    .no_descriptors = no_descriptors,
    .wake = wake,
    .run = run,
    .end = end,
    .tick = tick,
    .wakes_after_ms = 60000,
};

static void start(struct server *server,
    const struct connections_protocol *its_protocol, bool is_kept)
{
	struct listener listener = {.name = SLICE("toy"), .is_kept = is_kept};

	*server = (struct server){0};
	server->listening = test_listen(0, &server->address);
	listener.fd = server->listening;
	connections_init(
	    &server->connections, its_protocol, server, &listener, 1);
	assert_true(connections_start(&server->connections, 2, NULL));
}

static void finish(struct server *server)
{
	connections_wait(&server->connections);
	connections_free(&server->connections);
	close(server->listening);
}

static void dial_with(const struct server *server, int fd)
{
	assert_int_equal(connect(fd, (const struct sockaddr *)&server->address,
			     sizeof(server->address)),
	    0);
	io_set_nonblocking(fd, NULL);
}

static int dial(const struct server *server)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	dial_with(server, fd);
	return fd;
}

static void say(int fd, char octet)
{
	assert_int_equal(write(fd, &octet, 1), 1);
}

static void hear(int fd, char expected)
{
	size_t count = 0;
	char octet;

	assert_true(
	    io_read_some(fd, &octet, 1, deadline_in(WAIT_MS), &count, NULL));
	assert_int_equal(count, 1);
	assert_int_equal(octet, expected);
}

static void hear_end(int fd)
{
	size_t count = 1;
	char octet;

	assert_true(
	    io_read_some(fd, &octet, 1, deadline_in(WAIT_MS), &count, NULL));
	assert_int_equal(count, 0);
	close(fd);
}

static void hear_nothing(int fd, int64_t wait_ms)
{
	assert_false(io_wait(fd, POLLIN, deadline_in(wait_ms), NULL));
}

/* What was heard was said before. */
static void await_parked(struct server *server, size_t count)
{
	struct deadline deadline = deadline_in(WAIT_MS);

	while (parking_count(&server->connections.parking) != count) {
		assert_false(deadline_passed(deadline));
		usleep(1000);
	}
}

/* The only one, parked, and it does not end by itself. */
static int dial_busy(struct server *server)
{
	int fd = dial(server);

	hear(fd, '+');
	say(fd, 'b');
	hear(fd, 'b');
	await_parked(server, 1);
	return fd;
}

/* Woken by its client, run by a worker, woken by its time, ended. */
static void test_life(void **state)
{
	enum { COUNT = 100 };
	struct server server;
	int fds[COUNT];

	(void)state;
	start(&server, &protocol, false);
	for (int i = 0; i < COUNT; i++)
		fds[i] = dial(&server);
	for (int i = 0; i < COUNT; i++) {
		hear(fds[i], '+');
		say(fds[i], i % 2 ? 'w' : 't');
	}
	for (int i = 0; i < COUNT; i++)
		hear(fds[i], 'r');
	assert_int_equal(server.connections.open, COUNT);
	/* Out of the middle of the list, and from its ends. */
	for (int i = 0; i < COUNT; i++) {
		int fd = fds[(i + COUNT / 2) % COUNT];

		if (i % 2)
			say(fd, 'q');
		else
			shutdown(fd, SHUT_WR);
		hear_end(fd);
	}
	connections_drain(&server.connections, WAIT_MS);
	finish(&server);
	assert_int_equal(server.connections.accepted, COUNT);
	assert_int_equal(server.connections.open, 0);
}

/* Those that can end do, at once or as soon as they can; the others are cut
 * off. */
static void test_drain(void **state)
{
	struct server server;
	int idle, busy, stuck, late;
	int64_t started;

	(void)state;
	start(&server, &protocol, false);
	idle = dial(&server);
	busy = dial(&server);
	stuck = dial(&server);
	hear(idle, '+');
	hear(busy, '+');
	hear(stuck, '+');
	say(busy, 'b');
	say(stuck, 'b');
	hear(busy, 'b');
	hear(stuck, 'b');
	await_parked(&server, 3);
	started = clock_monotonic_ms();
	connections_drain(&server.connections, DRAIN_MS);
	connections_drain(&server.connections, 60000);
	hear(idle, '-');
	hear_end(idle);
	hear(busy, 'r');
	say(busy, 'i');
	hear(busy, 'i');
	hear(busy, '-');
	hear_end(busy);
	/* It hears why not. */
	late = dial(&server);
	hear(late, '+');
	hear(late, '-');
	hear_end(late);
	hear(stuck, 'r');
	hear_end(stuck);
	assert_in_range(clock_monotonic_ms() - started, DRAIN_MS, WAIT_MS);
	finish(&server);
}

/* The client hears nothing, and the server does not try all the time. */
static void wait_idly(struct server *server, int fd)
{
	enum { TICKS = 5 };
	int before = atomic_load(&server->ticks);

	hear_nothing(fd, TICKS * WHEEL_TICK_MS);
	assert_in_range(atomic_load(&server->ticks) - before, 0, 2 * TICKS);
}

/* Whoever comes waits for the next process. */
static void test_kept_listener(void **state)
{
	struct server server;
	int busy, late;

	(void)state;
	start(&server, &protocol, true);
	busy = dial_busy(&server);
	connections_drain(&server.connections, WAIT_MS);
	hear(busy, 'r');
	late = dial(&server);
	wait_idly(&server, late);
	say(busy, 'q');
	hear_end(busy);
	connections_wait(&server.connections);
	connections_free(&server.connections);
	assert_int_equal(server.connections.accepted, 1);
	hear_nothing(late, SOON_MS);
	close(late);
	close(server.listening);
}

/* Who is parked is not woken before its protocol says so. */
static void test_patience(void **state)
{
	struct server server;
	int idle;

	(void)state;
	start(&server, &patient_protocol, false);
	idle = dial(&server);
	hear(idle, '+');
	await_parked(&server, 1);
	connections_drain(&server.connections, WAIT_MS);
	hear_nothing(idle, SOON_MS);
	say(idle, 'i');
	hear(idle, 'i');
	hear(idle, '-');
	hear_end(idle);
	finish(&server);
}

static void set_descriptors(rlim_t count)
{
	struct rlimit limit;

	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = count ? count : limit.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

/* Nothing is left open. */
static void test_failed_start(void **state)
{
	struct server server = {0};
	struct listener listener = {.name = SLICE("toy")};
	struct err err = {0};
	int next;

	(void)state;
	listener.fd = test_listen(0, &server.address);
	connections_init(&server.connections, &protocol, &server, &listener, 1);
	next = dup(listener.fd);
	close(next);
	set_descriptors((rlim_t)next + 1);
	assert_false(connections_start(&server.connections, 2, &err));
	assert_int_equal(err.kind, E_TEMP);
	connections_free(&server.connections);
	set_descriptors(0);
	assert_int_equal(dup(listener.fd), next);
	close(next);
	close(listener.fd);
}

/* A client for whom no descriptor is left, until set_descriptors(0). */
static int dial_without_descriptor(struct server *server)
{
	struct deadline deadline = deadline_in(WAIT_MS);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int next = dup(fd);

	close(next);
	set_descriptors((rlim_t)next);
	dial_with(server, fd);
	while (!atomic_load(&server->without_descriptors)) {
		assert_false(deadline_passed(deadline));
		usleep(1000);
	}
	return fd;
}

/* It is not tried all the time; when there are some again, the client has only
 * waited. */
static void test_no_descriptors(void **state)
{
	struct server server;
	int fd;

	(void)state;
	start(&server, &protocol, false);
	fd = dial_without_descriptor(&server);
	usleep(SOON_MS * 1000);
	assert_in_range(server.without_descriptors, 1, 2);
	set_descriptors(0);
	hear(fd, '+');
	say(fd, 'q');
	hear_end(fd);
	connections_drain(&server.connections, WAIT_MS);
	finish(&server);
}

/* The kernel has no memory to watch it: epoll_ctl(2), ENOMEM and ENOSPC. */
static atomic_int not_watched = -1;

int epoll_ctl(int epoll, int operation, int fd, struct epoll_event *event)
{
	if (operation == EPOLL_CTL_ADD && fd == atomic_load(&not_watched)) {
		errno = ENOMEM;
		return -1;
	}
	return (int)syscall(SYS_epoll_ctl, epoll, operation, fd, event);
}

/* Memory is short when descriptors are. */
static void test_pause_without_memory(void **state)
{
	struct server server;
	int fd;

	(void)state;
	start(&server, &protocol, false);
	fd = dial_without_descriptor(&server);
	atomic_store(&not_watched, server.listening);
	set_descriptors(0);
	hear(fd, '+');
	atomic_store(&not_watched, -1);
	say(fd, 'q');
	hear_end(fd);
	connections_drain(&server.connections, WAIT_MS);
	finish(&server);
}

static void test_unwatched_listener(void **state)
{
	struct server server = {0};
	struct listener listener = {.name = SLICE("toy")};
	struct err err = {0};

	(void)state;
	listener.fd = test_listen(0, &server.address);
	connections_init(&server.connections, &protocol, &server, &listener, 1);
	atomic_store(&not_watched, listener.fd);
	assert_false(connections_start(&server.connections, 2, &err));
	atomic_store(&not_watched, -1);
	assert_int_equal(err.kind, E_TEMP);
	connections_free(&server.connections);
	close(listener.fd);
}

/* The pause does not end on a listener that was left. */
static void test_drain_without_descriptors(void **state)
{
	struct server server;
	int busy, late;

	(void)state;
	start(&server, &protocol, true);
	busy = dial_busy(&server);
	late = dial_without_descriptor(&server);
	connections_drain(&server.connections, WAIT_MS);
	hear(busy, 'r');
	set_descriptors(0);
	wait_idly(&server, late);
	close(late);
	say(busy, 'q');
	hear_end(busy);
	finish(&server);
	assert_int_equal(server.connections.accepted, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_life),
	    cmocka_unit_test(test_drain),
	    cmocka_unit_test(test_kept_listener),
	    cmocka_unit_test(test_patience),
	    cmocka_unit_test(test_failed_start),
	    cmocka_unit_test(test_no_descriptors),
	    cmocka_unit_test(test_pause_without_memory),
	    cmocka_unit_test(test_unwatched_listener),
	    cmocka_unit_test(test_drain_without_descriptors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
