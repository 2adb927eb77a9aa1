/* SPDX-License-Identifier: Apache-2.0 */
/* Which children count as hung. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "cli/supervisor_private.h"

enum { STEP_MS = 500 };

static pid_t start_silent(void)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0)
		for (;;)
			pause();
	return pid;
}

/* Looks as often as the loop does, until the end.  Whether the child was
 * killed. */
static bool look(struct supervisor *supervisor, int64_t from_ms, int64_t end_ms)
{
	pid_t pid = supervisor->children[CHILD_SMTP].pid;
	siginfo_t info = {.si_pid = 0};

	for (int64_t now = from_ms; now <= end_ms; now += STEP_MS)
		supervisor_kill_silent(supervisor, now);
	usleep(50 * 1000);
	assert_int_equal(
	    waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT), 0);
	return info.si_pid == pid;
}

/* All was stopped (a container that was paused, a virtual machine): a child had
 * no time to show that it lives. */
static void test_frozen_is_not_hung(void **state)
{
	const int64_t start = 1000 * 1000, freeze = start + 10 * 1000,
		      thaw = freeze + 10 * CHILD_SILENT_MS;
	struct supervisor supervisor = {0};
	struct child *child = &supervisor.children[CHILD_SMTP];

	(void)state;
	*child = (struct child){
	    .pid = start_silent(), .ready = true, .heard_ms = start};
	assert_false(look(&supervisor, start, freeze));
	assert_false(look(&supervisor, thaw, thaw + CHILD_SILENT_MS));
	assert_true(look(&supervisor, thaw + CHILD_SILENT_MS + STEP_MS,
	    thaw + CHILD_SILENT_MS + 2 * STEP_MS));
	waitpid(child->pid, NULL, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_frozen_is_not_hung),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
