/* SPDX-License-Identifier: Apache-2.0 */
/* A Unix socket whose server has not taken those before. */
#include "smtp/connect.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

enum { CLIENTS = 5, LATE_MS = 1000 };

struct server {
	struct sockaddr_un address;
	int fd;
};

static void set_up(struct server *server)
{
	*server = (struct server){.address.sun_family = AF_UNIX};
	snprintf(server->address.sun_path, sizeof(server->address.sun_path),
	    "/tmp/connect-test-%d", (int)getpid());
	unlink(server->address.sun_path);
	server->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(
	    bind(server->fd, (const struct sockaddr *)&server->address,
		sizeof(server->address)),
	    0);
	assert_int_equal(listen(server->fd, 1), 0);
}

static void tear_down(const struct server *server)
{
	close(server->fd);
	unlink(server->address.sun_path);
}

static void *accept_late(void *argument)
{
	const struct server *server = argument;

	usleep(LATE_MS * 1000);
	for (int i = 0; i < CLIENTS; i++)
		close(accept(server->fd, NULL, NULL));
	return NULL;
}

static bool dial(const struct server *server, int64_t ms, struct err *err)
{
	int fd;

	if (!connect_unix(slice_from(server->address.sun_path), deadline_in(ms),
		&fd, err))
		return false;
	close(fd);
	return true;
}

/* One that is busy is waited for, as over TCP. */
static void test_busy(void **state)
{
	struct server server;
	pthread_t thread;

	(void)state;
	set_up(&server);
	pthread_create(&thread, NULL, accept_late, &server);
	for (int i = 0; i < CLIENTS; i++) {
		struct err err = {0};

		if (!dial(&server, 5 * LATE_MS, &err))
			fail_msg("%d: %s", i, err.text);
	}
	pthread_join(thread, NULL);
	tear_down(&server);
}

/* But not for ever; and one that is not there is not. */
static void test_failures(void **state)
{
	int64_t started = clock_monotonic_ms();
	struct server server;
	struct err err = {0};

	(void)state;
	set_up(&server);
	for (int i = 0; i < CLIENTS && dial(&server, 200, &err); i++)
		;
	assert_int_equal(err.kind, E_TIMEOUT);
	assert_in_range(clock_monotonic_ms() - started, 200, 2000);
	tear_down(&server);
	assert_false(dial(&server, 5000, &err));
	assert_int_not_equal(err.kind, E_TIMEOUT);
	assert_in_range(clock_monotonic_ms() - started, 200, 3000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_busy),
	    cmocka_unit_test(test_failures),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
