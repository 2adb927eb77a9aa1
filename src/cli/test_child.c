/* SPDX-License-Identifier: Apache-2.0 */
/* What a child process tells its supervisor. */
#include "cli/child.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "cli/config_copy.h"
#include "cli/supervisor.h"

/* One that is told to reload all the time lives, and says so. */
static void test_alive_amid_reloads(void **state)
{
	struct arena *arena = arena_new(0);
	struct config *config = config_default();
	struct child_process *child;
	char number[16], text[64];
	struct err err = {0};
	int control[2];
	ssize_t count;

	(void)state;
	config->user = SLICE("");
	assert_int_equal(pipe(control), 0);
	snprintf(number, sizeof(number), "%d", control[1]);
	setenv(CHILD_ENV_CONTROL, number, 1);
	if (!child_begin(arena, config, &child, &err))
		fail_msg("%s", err.text);
	for (int i = 0; i < 2; i++) {
		kill(getpid(), SIGHUP);
		assert_int_equal(child_wait(child), CHILD_RELOAD);
		count = read(control[0], text, sizeof(text));
		assert_true(count > 0);
		assert_true(
		    slice_eq(slice_of(text, (size_t)count), SLICE("alive\n")));
	}
	kill(getpid(), SIGTERM);
	assert_int_equal(child_wait(child), CHILD_STOP);
	config_release(config);
	arena_free(arena);
}

static void send_copy(int socket, const char *text)
{
	char path[] = "/tmp/gatehouse-test-XXXXXX";
	int file = mkstemp(path), copy;
	size_t length = strlen(text);
	struct err err = {0};

	assert_true(file >= 0);
	assert_int_equal(write(file, text, length), length);
	copy = config_copy_open(path, &err);
	assert_true(copy >= 0);
	assert_true(config_copy_send(socket, copy, &err));
	close(copy);
	close(file);
	unlink(path);
}

/* Of several the last counts, and nobody can change it. */
static void test_copies_handed_over(void **state)
{
	int pair[2], copy;
	struct err err = {0};
	char text[8];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	assert_int_equal(config_copy_receive(pair[1]), -1);
	send_copy(pair[0], "first");
	send_copy(pair[0], "second");
	copy = config_copy_receive(pair[1]);
	assert_true(copy >= 0);
	assert_int_equal(pread(copy, text, sizeof(text), 0), 6);
	assert_memory_equal(text, "second", 6);
	assert_int_equal(pwrite(copy, "x", 1, 0), -1);
	assert_int_equal(ftruncate(copy, 0), -1);
	assert_int_equal(config_copy_receive(pair[1]), -1);
	/* What is said without one is nothing. */
	assert_int_equal(write(pair[0], "x", 1), 1);
	assert_int_equal(config_copy_receive(pair[1]), -1);
	close(pair[1]);
	assert_false(config_copy_send(pair[0], copy, &err));
	assert_int_equal(err.kind, E_CLOSED);
	close(pair[0]);
	close(copy);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_copies_handed_over),
	    cmocka_unit_test(test_alive_amid_reloads),
	};

	/* Instead of waiting for ever. */
	alarm(20);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
