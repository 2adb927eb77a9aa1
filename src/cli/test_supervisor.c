/* SPDX-License-Identifier: Apache-2.0 */
/* Which children count as hung, what comes of one that ends, and of a reload.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/metrics.h"
#include "cli/child.h"
#include "cli/command.h"
#include "cli/supervisor_private.h"

enum { STEP_MS = 500 };

static pid_t start_silent(void)
{
	pid_t parent = getpid(), pid;

	/* nohup(1) has it ignored. */
	signal(SIGHUP, SIG_DFL);
	pid = fork();
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

/* One that starts may take longer, and one that drains says nothing. */
static void test_patience(void **state)
{
	static const struct {
		bool ready, stopping;
		int64_t silent_ms;
		int ends_with;
	} rows[] = {
	    {true, false, CHILD_SILENT_MS, SIGTERM},
	    {true, false, CHILD_SILENT_MS + 2 * STEP_MS, SIGKILL},
	    {true, true, 2 * CHILD_START_MS, SIGTERM},
	    {false, false, CHILD_SILENT_MS + 2 * STEP_MS, SIGTERM},
	    {false, false, CHILD_START_MS, SIGTERM},
	    {false, false, CHILD_START_MS + 2 * STEP_MS, SIGKILL},
	};
	const int64_t start = 1000 * 1000;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct supervisor supervisor = {.stopping = rows[i].stopping};
		struct child *child = &supervisor.children[CHILD_SMTP];

		*child = (struct child){.pid = start_silent(),
		    .ready = rows[i].ready,
		    .heard_ms = start};
		look(&supervisor, start, start + rows[i].silent_ms);
		assert_int_equal(ends_with(child->pid), rows[i].ends_with);
	}
}

/* Words in pieces, several at once, and what is none; then the end. */
static void test_words(void **state)
{
	static const struct {
		const char *pieces[3];
		bool ready, reloading;
	} rows[] = {
	    {{"ready\n"}, true, true},
	    {{"rea", "dy\n"}, true, true},
	    {{"ready"}, false, true},
	    {{"read\n", "y\n"}, false, true},
	    {{"reloaded\nready\n"}, true, false},
	    {{"r\nready\nrel", "oaded\n"}, true, false},
	    {{"a word that is longer than any\nready\n"}, true, true},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct supervisor supervisor = {.announced = true};
		struct child *child = &supervisor.children[CHILD_SMTP];
		int64_t before = clock_monotonic_ms();
		int control[2];

		print_message("%zu\n", i);
		assert_int_equal(pipe(control), 0);
		*child = (struct child){
		    .control = control[0], .reloading = true};
		for (size_t j = 0; j < 3 && rows[i].pieces[j]; j++) {
			size_t length = strlen(rows[i].pieces[j]);

			assert_int_equal(
			    write(control[1], rows[i].pieces[j], length),
			    length);
			supervisor_hear(&supervisor, CHILD_SMTP);
		}
		assert_int_equal(child->ready, rows[i].ready);
		assert_int_equal(child->reloading, rows[i].reloading);
		assert_in_range(child->heard_ms, before, INT64_MAX);
		close(control[1]);
		supervisor_hear(&supervisor, CHILD_SMTP);
		assert_int_equal(child->control, -1);
		assert_int_equal(close(control[0]), -1);
	}
}

enum { AGO_MS = 61 * 1000, KILLED = -1 };

/* What ends, how, and what comes of it. */
static const struct {
	const char *name;
	enum child_kind kind;
	int exit; /* or KILLED */
	bool announced, stopping, unwanted, steady;
	int64_t backoff_ms;  /* before */
	int64_t restarts_ms; /* in so long; 0: not at all */
	bool announces, stops;
} endings[] = {
    {"the first time", CHILD_SMTP, EXIT_TEMPORARY, .announced = true,
	.restarts_ms = 500},
    {"whatever it said", CHILD_SMTP, EXIT_CONFIG, .announced = true,
	.restarts_ms = 500},
    {"killed", CHILD_SMTP, KILLED, .announced = true, .restarts_ms = 500},
    {"again", CHILD_SMTP, KILLED, .announced = true, .backoff_ms = 500,
	.restarts_ms = 1000},
    {"often", CHILD_SMTP, KILLED, .announced = true, .backoff_ms = 16000,
	.restarts_ms = 30000},
    {"always", CHILD_SMTP, KILLED, .announced = true, .backoff_ms = 30000,
	.restarts_ms = 30000},
    {"after a minute", CHILD_SMTP, KILLED, .announced = true, .steady = true,
	.backoff_ms = 16000, .restarts_ms = 500},
    {"at the start, for now", CHILD_SMTP, EXIT_TEMPORARY, .restarts_ms = 500},
    {"at the start, killed", CHILD_SMTP, KILLED, .restarts_ms = 500},
    {"at the start, for good", CHILD_SMTP, EXIT_CONFIG, .stops = true},
    /* Mail goes without it. */
    {"admin at the start, for now", CHILD_ADMIN, EXIT_TEMPORARY,
	.restarts_ms = 500, .announces = true},
    {"stopping", CHILD_SMTP, 0, .announced = true, .stopping = true},
    {"stopping at the start", CHILD_ADMIN, EXIT_TEMPORARY, .stopping = true},
    {"not wanted any more", CHILD_ADMIN, 0, .announced = true,
	.unwanted = true},
};

static pid_t start_ended(int code)
{
	pid_t pid = fork();
	siginfo_t ignored;

	assert_true(pid >= 0);
	if (pid == 0 && code == KILLED)
		kill(getpid(), SIGKILL);
	if (pid == 0)
		_exit(code);
	/* It is left to be reaped. */
	assert_int_equal(
	    waitid(P_PID, (id_t)pid, &ignored, WEXITED | WNOWAIT), 0);
	return pid;
}

static void end_child(size_t i, struct supervisor *supervisor)
{
	int64_t now = clock_monotonic_ms();

	for (int kind = 0; kind < CHILD_COUNT; kind++)
		supervisor->children[kind] = (struct child){
		    .wanted = kind != CHILD_MILTER,
		    .ready = kind != (int)endings[i].kind,
		    .control = -1};
	supervisor->children[endings[i].kind] = (struct child){
	    .wanted = !endings[i].unwanted,
	    .pid = start_ended(endings[i].exit),
	    .control = -1,
	    .ready = endings[i].announced,
	    .reloading = true,
	    .backoff_ms = endings[i].backoff_ms,
	    .started_ms = now - (endings[i].steady ? AGO_MS : 1000)};
	supervisor_reap(supervisor);
}

static int64_t count_restarts(const struct metrics *metrics)
{
	const struct metric_spec *spec = &metric_specs[METRIC_CHILD_RESTARTS];
	int64_t count = 0;

	for (size_t i = 0; i < metric_value_count(spec); i++)
		count += metrics_read(metrics, METRIC_CHILD_RESTARTS, i);
	return count;
}

static void test_ended(void **state)
{
	struct config *config = config_default();

	(void)state;
	config->limits = limits_default;
	for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++) {
		int64_t restarts_ms = endings[i].restarts_ms;
		struct supervisor supervisor = {.config = config,
		    .announced = endings[i].announced,
		    .stopping = endings[i].stopping};
		const struct child *child =
		    &supervisor.children[endings[i].kind];
		struct metrics *metrics;
		int fd;

		print_message("%s\n", endings[i].name);
		assert_true(metrics_create(&metrics, &fd, NULL));
		close(fd);
		metrics_use(metrics);
		end_child(i, &supervisor);
		assert_int_equal(child->pid, 0);
		assert_false(child->ready);
		assert_false(child->reloading);
		if (restarts_ms) {
			assert_int_equal(child->backoff_ms, restarts_ms);
			assert_in_range(
			    child->start_at_ms - clock_monotonic_ms(),
			    restarts_ms - 200, restarts_ms);
		} else {
			assert_int_equal(child->start_at_ms, 0);
		}
		assert_int_equal(count_restarts(metrics), restarts_ms > 0);
		assert_int_equal(supervisor.announced,
		    endings[i].announced || endings[i].announces);
		assert_int_equal(supervisor.stopping,
		    endings[i].stopping || endings[i].stops);
		assert_int_equal(supervisor.exit_code,
		    endings[i].stops ? endings[i].exit : 0);
		metrics_use(NULL);
		metrics_close(metrics);
	}
	config_release(config);
}

/* All children hear of it, once, and have the time to drain and some more; who
 * is ready only now is not announced. */
static void test_stop(void **state)
{
	enum { DRAIN_MS = 7000, MORE_MS = 5000 };
	struct config *config = config_default();
	struct supervisor supervisor = {.config = config};
	struct child *child = &supervisor.children[CHILD_SMTP];
	int control[2], status;

	(void)state;
	config->limits.drain_timeout = DRAIN_MS;
	assert_int_equal(pipe(control), 0);
	*child = (struct child){
	    .pid = start_silent(), .control = control[0], .wanted = true};
	supervisor_begin_stop(&supervisor);
	assert_in_range(supervisor.stop_by.at_ms - clock_monotonic_ms(),
	    DRAIN_MS + MORE_MS - 1000, DRAIN_MS + MORE_MS);
	assert_int_equal(waitpid(child->pid, &status, 0), child->pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
	child->pid = 0;
	supervisor.stop_by.at_ms = 1;
	supervisor_begin_stop(&supervisor);
	assert_int_equal(supervisor.stop_by.at_ms, 1);
	assert_int_equal(write(control[1], "ready\n", 6), 6);
	supervisor_hear(&supervisor, CHILD_SMTP);
	assert_true(child->ready);
	assert_false(supervisor.announced);
	close(control[0]);
	close(control[1]);
	config_release(config);
}

/* A word that nobody waits for any more: the gauge tells. */
static void test_kept_behind_a_reload(void **state)
{
	struct supervisor supervisor = {0};
	struct metrics *metrics;
	int control[2], fd;

	(void)state;
	assert_true(metrics_create(&metrics, &fd, NULL));
	close(fd);
	metrics_use(metrics);
	metrics_set(METRIC_CONFIG_LAST_RELOAD, 1);
	assert_int_equal(pipe(control), 0);
	supervisor.children[CHILD_SMTP].control = control[0];
	assert_int_equal(write(control[1], "kept\n", 5), 5);
	supervisor_hear(&supervisor, CHILD_SMTP);
	assert_int_equal(
	    metrics_read(metrics, METRIC_CONFIG_LAST_RELOAD, 0), 0);
	assert_false(supervisor.kept);
	close(control[0]);
	close(control[1]);
	metrics_use(NULL);
	metrics_close(metrics);
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

static unsigned int log_set_ups;

void child_set_up_log(const struct config *config)
{
	(void)config;
	log_set_ups++;
}

/* more: top-level keys. */
static void write_config(
    const char *path, const char *hostname, const char *more)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	fprintf(file,
	    "hostname: %s\n"
	    "listeners:\n"
	    "  - {name: a, address: \"127.0.0.1:0\", role: relay}\n"
	    "routes:\n"
	    "  - {domains: [agency.example], next_hop: mx}\n"
	    "%s",
	    hostname, more);
	assert_int_equal(fclose(file), 0);
}

struct reload {
	char path[32];
	struct listener_sockets none;
	struct config *config;
	struct supervisor_settings settings;
	struct supervisor supervisor;
};

static void begin_reload(struct reload *reload)
{
	int file;

	*reload = (struct reload){
	    .path = "/tmp/gatehouse-test-XXXXXX", .config = config_default()};
	file = mkstemp(reload->path);
	assert_true(file >= 0);
	close(file);
	reload->settings = (struct supervisor_settings){
	    .config_path = reload->path,
	    .config = reload->config,
	    .listeners = &reload->none};
	reload->supervisor = (struct supervisor){.settings = &reload->settings,
	    .config = config_hold(reload->config),
	    .config_copy = -1};
	for (int kind = 0; kind < CHILD_COUNT; kind++)
		reload->supervisor.children[kind].control = -1;
}

static void end_reload(struct reload *reload)
{
	supervisor_drop_next(&reload->supervisor);
	config_release(reload->supervisor.config);
	config_release(reload->config);
	unlink(reload->path);
}

/* Who was not given the file must not load the old one again, and call that
 * loaded.  Nobody waits for one that has only just begun. */
static void test_handing_the_file_over(void **state)
{
	static const struct {
		bool full, closed, ready;
		bool kept, waited_for;
		int ends_with;
	} rows[] = {
	    {.ready = true, .waited_for = true, .ends_with = SIGHUP},
	    {.ready = false, .waited_for = false, .ends_with = SIGHUP},
	    {.ready = true, .full = true, .kept = true, .ends_with = SIGTERM},
	    /* It has ended, and is started with it. */
	    {.ready = true,
		.closed = true,
		.waited_for = true,
		.ends_with = SIGHUP},
	};
	char octets[4096] = {0};

	(void)state;
	signal(SIGPIPE, SIG_IGN);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct reload reload;
		struct child *child = &reload.supervisor.children[CHILD_SMTP];
		int pair[2];

		print_message("%zu\n", i);
		begin_reload(&reload);
		write_config(reload.path, "mx.example", "");
		assert_int_equal(
		    socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair),
		    0);
		while (
		    rows[i].full && write(pair[0], octets, sizeof(octets)) > 0)
			;
		if (rows[i].closed)
			close(pair[1]);
		*child = (struct child){.pid = start_silent(),
		    .control = pair[0],
		    .ready = rows[i].ready};
		supervisor_reload(&reload.supervisor);
		assert_non_null(reload.supervisor.next_config);
		assert_int_equal(reload.supervisor.kept, rows[i].kept);
		assert_int_equal(child->reloading, rows[i].waited_for);
		assert_int_equal(ends_with(child->pid), rows[i].ends_with);
		end_reload(&reload);
		close(pair[0]);
		if (!rows[i].closed)
			close(pair[1]);
	}
}

static bool is_called(const struct config *config, const char *hostname)
{
	return slice_eq(config->hostname, slice_from(hostname));
}

/* SIGHUP amid a reload: another follows, of what the file is then.  What is
 * wanted, and the log, are those of the last. */
static void test_reload_amid_a_reload(void **state)
{
	struct reload reload;
	struct supervisor *supervisor = &reload.supervisor;
	struct child *child = &supervisor->children[CHILD_SMTP];
	unsigned int set_ups = log_set_ups;

	(void)state;
	begin_reload(&reload);
	write_config(reload.path, "one.example", "");
	supervisor_reload(supervisor);
	child->reloading = true;
	supervisor_go_on_reloading(supervisor);
	assert_true(is_called(supervisor->next_config, "one.example"));
	write_config(
	    reload.path, "two.example", "admin: {address: \"127.0.0.1:9\"}\n");
	supervisor_reload(supervisor);
	assert_true(is_called(supervisor->next_config, "one.example"));
	child->reloading = false;
	supervisor_go_on_reloading(supervisor);
	assert_true(is_called(supervisor->config, "one.example"));
	assert_false(supervisor->children[CHILD_ADMIN].wanted);
	assert_true(is_called(supervisor->next_config, "two.example"));
	supervisor_go_on_reloading(supervisor);
	assert_true(is_called(supervisor->config, "two.example"));
	assert_true(supervisor->children[CHILD_ADMIN].wanted);
	assert_null(supervisor->next_config);
	assert_int_equal(log_set_ups - set_ups, 2);
	/* And no third. */
	supervisor_go_on_reloading(supervisor);
	assert_null(supervisor->next_config);
	/* Nor one while it stops. */
	supervisor->stopping = true;
	supervisor_reload(supervisor);
	assert_null(supervisor->next_config);
	end_reload(&reload);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_frozen_is_not_hung),
	    cmocka_unit_test(test_patience),
	    cmocka_unit_test(test_words),
	    cmocka_unit_test(test_ended),
	    cmocka_unit_test(test_stop),
	    cmocka_unit_test(test_kept_behind_a_reload),
	    cmocka_unit_test(test_one_that_keeps_the_old_file),
	    cmocka_unit_test(test_handing_the_file_over),
	    cmocka_unit_test(test_reload_amid_a_reload),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
