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
#include <unistd.h>

#include <cmocka.h>

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

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_alive_amid_reloads),
	};

	/* Instead of waiting for ever. */
	alarm(20);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
