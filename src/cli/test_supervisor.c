/* SPDX-License-Identifier: Apache-2.0 */
/* Which children count as hung, and what comes of a reload. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "cli/child.h"
#include "cli/supervisor_private.h"

enum { STEP_MS = 500 };

static pid_t start_silent(void)
{
	pid_t parent = getpid(), pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		while (getppid() == parent)
			pause();
		_exit(0);
	}
	return pid;
}

/* Looks as often as the loop does, until the end. */
static void look(struct supervisor *supervisor, int64_t from_ms, int64_t end_ms)
{
	for (int64_t now = from_ms; now <= end_ms; now += STEP_MS)
		supervisor_kill_silent(supervisor, now);
}

/* A fatal signal is pending, or has been taken, from kill(2) on: a second one,
 * of another number, does not come before it. */
static int ends_with(pid_t pid)
{
	int status;

	assert_int_equal(kill(pid, SIGTERM), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	return WTERMSIG(status);
}

/* All was stopped (a container that was paused, a virtual machine): a child had
 * no time to show that it lives. */
static void test_frozen_is_not_hung(void **state)
{
	const int64_t start = 1000 * 1000, freeze = start + 10 * 1000,
		      thaw = freeze + 10 * CHILD_SILENT_MS;
	const struct {
		int64_t silent_until;
		int ends_with;
	} rows[] = {
	    {thaw + CHILD_SILENT_MS, SIGTERM},
	    {thaw + CHILD_SILENT_MS + 2 * STEP_MS, SIGKILL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct supervisor supervisor = {0};
		struct child *child = &supervisor.children[CHILD_SMTP];

		*child = (struct child){
		    .pid = start_silent(), .ready = true, .heard_ms = start};
		look(&supervisor, start, freeze);
		look(&supervisor, thaw, rows[i].silent_until);
		assert_int_equal(ends_with(child->pid), rows[i].ends_with);
	}
}

/* The children's words, and what the gauge says once all have spoken. */
static void test_one_that_keeps_the_old_file(void **state)
{
	static const struct {
		bool waited_for;
		const char *word;
		bool kept;
	} rows[] = {
	    {true, "reloaded\n", false},
	    {true, "kept\n", true},
	    /* It began amid the reload. */
	    {false, "kept\n", true},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct config *next = config_default();
		struct supervisor supervisor = {.next_config = next};
		struct child *child = &supervisor.children[CHILD_SMTP];
		size_t length = strlen(rows[i].word);
		int control[2];

		assert_int_equal(pipe(control), 0);
		child->control = control[0];
		child->reloading = rows[i].waited_for;
		assert_int_equal(
		    write(control[1], rows[i].word, length), length);
		supervisor_hear(&supervisor, CHILD_SMTP);
		assert_int_equal(supervisor.kept, rows[i].kept);
		assert_false(child->reloading);
		close(control[0]);
		close(control[1]);
		config_release(next);
	}
}

void child_set_up_log(const struct config *config)
{
	(void)config;
}

static void write_config(char *path)
{
	static const char text[] =
	    "hostname: mx.example\n"
	    "listeners:\n"
	    "  - {name: a, address: \"127.0.0.1:0\", "
	    "role: relay}\n"
	    "routes:\n"
	    "  - {domains: [agency.example], next_hop: mx}\n";
	int file = mkstemp(path);

	assert_true(file >= 0);
	assert_int_equal(write(file, text, sizeof(text) - 1), sizeof(text) - 1);
	close(file);
}

/* It must not load the old one again, and call that loaded. */
static void test_one_that_is_not_given_the_file(void **state)
{
	char path[] = "/tmp/gatehouse-test-XXXXXX", octets[4096] = {0};
	struct listener_sockets none = {.count = 0};
	struct config *config = config_default();
	struct supervisor_settings settings = {
	    .config_path = path, .config = config, .listeners = &none};
	struct supervisor supervisor = {
	    .settings = &settings, .config = config, .config_copy = -1};
	struct child *child = &supervisor.children[CHILD_SMTP];
	int pair[2];

	(void)state;
	write_config(path);
	assert_int_equal(
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
	while (write(pair[0], octets, sizeof(octets)) > 0)
		;
	for (int kind = 0; kind < CHILD_COUNT; kind++)
		supervisor.children[kind].control = -1;
	*child = (struct child){
	    .pid = start_silent(), .control = pair[0], .ready = true};
	supervisor_reload(&supervisor);
	assert_non_null(supervisor.next_config);
	assert_true(supervisor.kept);
	assert_false(child->reloading);
	/* Not by SIGHUP. */
	assert_int_equal(ends_with(child->pid), SIGTERM);
	supervisor_drop_next(&supervisor);
	config_release(config);
	close(pair[0]);
	close(pair[1]);
	unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_frozen_is_not_hung),
	    cmocka_unit_test(test_one_that_keeps_the_old_file),
	    cmocka_unit_test(test_one_that_is_not_given_the_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
