/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/supervisor.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/log.h"
#include "base/require.h"
#include "cli/command.h"

enum {
	BACKOFF_FIRST_MS = 500,
	BACKOFF_MAX_MS = 30 * 1000,
	STEADY_MS = 60 * 1000, /* a child that ran so long starts afresh */
	TICK_MS = 500,
	KILL_GRACE_MS = 5000, /* past drain_timeout */
};

enum child_kind { CHILD_SMTP, CHILD_MILTER, CHILD_ADMIN, CHILD_COUNT };

static const char *const child_names[CHILD_COUNT] = {
    [CHILD_SMTP] = "smtp",
    [CHILD_MILTER] = "milter",
    [CHILD_ADMIN] = "admin",
};

struct child {
	bool wanted;
	pid_t pid;   /* 0: not running */
	int control; /* read end of its pipe, or -1 */
	bool ready;
	int64_t started_ms, heard_ms, start_at_ms, backoff_ms;
};

struct supervisor {
	const struct supervisor_settings *settings;
	struct config *config; /* the newest good one */
	struct child children[CHILD_COUNT];
	int signals; /* signalfd */
	sigset_t signal_mask;
	bool announced; /* READY=1 was sent */
	struct deadline feed_at;
	bool stopping;
	struct deadline stop_by;
	int exit_code;
};

static bool has_milter(const struct config *config)
{
	for (size_t i = 0; i < config->listener_count; i++)
		if (config->listeners[i].role == ROLE_MILTER)
			return true;
	return false;
}

static bool wants_child(const struct config *config, enum child_kind kind)
{
	switch (kind) {
	case CHILD_MILTER: return has_milter(config);
	case CHILD_ADMIN: return config->admin_address.len > 0;
	/* Where there is a milter alone it still clears the store. */
	default: return true;
	}
}

/* Between fork and exec: the sockets that this child accepts from. */
static void hand_over_listeners(struct arena *arena,
    const struct listener_sockets *sockets, enum child_kind kind)
{
	bool milter = kind == CHILD_MILTER;

	for (size_t i = 0; i < sockets->count; i++)
		if (sockets->sockets[i].is_milter == milter)
			fcntl(sockets->sockets[i].fd, F_SETFD, 0);
	setenv(CHILD_ENV_LISTENERS,
	    arena_text(arena, listeners_to_text(arena, sockets, milter)), 1);
}

/* In the child, between fork and exec: only what is safe there. */
static _Noreturn void exec_child(
    const struct supervisor *supervisor, enum child_kind kind, int control)
{
	const struct supervisor_settings *settings = supervisor->settings;
	struct arena *arena = arena_new(0);
	char number[16];
	sigset_t unblocked;

	prctl(PR_SET_PDEATHSIG, SIGTERM);
	/* The others stay blocked, and wait until the child listens to them:
	 * a reload must not end one that has just begun. */
	sigemptyset(&unblocked);
	sigaddset(&unblocked, SIGCHLD);
	sigprocmask(SIG_UNBLOCK, &unblocked, NULL);
	fcntl(control, F_SETFD, 0);
	snprintf(number, sizeof(number), "%d", control);
	setenv(CHILD_ENV_CONTROL, number, 1);
	if (settings->metrics_fd >= 0) {
		fcntl(settings->metrics_fd, F_SETFD, 0);
		snprintf(number, sizeof(number), "%d", settings->metrics_fd);
		setenv(CHILD_ENV_METRICS, number, 1);
	}
	unsetenv(CHILD_ENV_LISTENERS);
	if (kind != CHILD_ADMIN)
		hand_over_listeners(arena, settings->listeners, kind);
	unsetenv("NOTIFY_SOCKET");
	unsetenv("WATCHDOG_USEC");
	execl("/proc/self/exe", "gatehouse", "serve", "--child",
	    child_names[kind], "--config", settings->config_path, NULL);
	_exit(EXIT_TEMPORARY);
}

static void plan_restart(struct child *child)
{
	int64_t now = clock_monotonic_ms();

	if (now - child->started_ms > STEADY_MS)
		child->backoff_ms = 0;
	child->backoff_ms = child->backoff_ms ? child->backoff_ms * 2
					      : BACKOFF_FIRST_MS;
	if (child->backoff_ms > BACKOFF_MAX_MS)
		child->backoff_ms = BACKOFF_MAX_MS;
	child->start_at_ms = now + child->backoff_ms;
}

static void start_child(struct supervisor *supervisor, enum child_kind kind)
{
	struct child *child = &supervisor->children[kind];
	int control[2];
	pid_t pid;

	if (pipe2(control, O_CLOEXEC | O_NONBLOCK) < 0) {
		log_error("supervisor.pipe", LOG_T("child", child_names[kind]),
		    LOG_I("errno", errno));
		plan_restart(child);
		return;
	}
	child->started_ms = child->heard_ms = clock_monotonic_ms();
	child->ready = false;
	pid = fork();
	if (pid == 0)
		exec_child(supervisor, kind, control[1]);
	close(control[1]);
	if (pid < 0) {
		log_error("supervisor.fork", LOG_T("child", child_names[kind]),
		    LOG_I("errno", errno));
		close(control[0]);
		plan_restart(child);
		return;
	}
	child->pid = pid;
	child->control = control[0];
	log_info("supervisor.started", LOG_T("child", child_names[kind]),
	    LOG_I("pid", pid));
}

static void start_due_children(struct supervisor *supervisor)
{
	int64_t now = clock_monotonic_ms();

	for (int kind = 0; kind < CHILD_COUNT; kind++) {
		struct child *child = &supervisor->children[kind];

		if (child->wanted && !child->pid && !supervisor->stopping &&
		    now >= child->start_at_ms)
			start_child(supervisor, (enum child_kind)kind);
	}
}

static void signal_children(const struct supervisor *supervisor, int number)
{
	for (int kind = 0; kind < CHILD_COUNT; kind++)
		if (supervisor->children[kind].pid)
			kill(supervisor->children[kind].pid, number);
}

static void begin_stop(struct supervisor *supervisor)
{
	if (supervisor->stopping)
		return;
	supervisor->stopping = true;
	supervisor->stop_by = deadline_in(
	    (int64_t)supervisor->config->limits.drain_timeout + KILL_GRACE_MS);
	sd_notify(0, "STOPPING=1\nSTATUS=draining");
	log_notice("supervisor.stopping",
	    LOG_I(
		"drain_ms", (int64_t)supervisor->config->limits.drain_timeout));
	signal_children(supervisor, SIGTERM);
}

static void child_ended(
    struct supervisor *supervisor, enum child_kind kind, int status)
{
	struct child *child = &supervisor->children[kind];
	bool expected = supervisor->stopping || !child->wanted;

	if (child->control >= 0)
		close(child->control);
	child->control = -1;
	log_event(expected ? LOG_INFO : LOG_ERROR, "supervisor.ended",
	    LOG_T("child", child_names[kind]), LOG_I("pid", child->pid),
	    LOG_I("exit", WIFEXITED(status) ? WEXITSTATUS(status) : -1),
	    LOG_I("signal", WIFSIGNALED(status) ? WTERMSIG(status) : 0));
	child->pid = 0;
	child->ready = false;
	if (expected)
		return;
	/* What it cannot start with now it cannot start with in a second. */
	if (!supervisor->announced && WIFEXITED(status) &&
	    WEXITSTATUS(status) == EXIT_CONFIG) {
		supervisor->exit_code = EXIT_CONFIG;
		begin_stop(supervisor);
		return;
	}
	plan_restart(child);
	if (supervisor->settings->child_restarted)
		supervisor->settings->child_restarted(child_names[kind]);
	log_notice("supervisor.restart", LOG_T("child", child_names[kind]),
	    LOG_I("in_ms", child->backoff_ms));
}

static void reap(struct supervisor *supervisor)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		for (int kind = 0; kind < CHILD_COUNT; kind++)
			if (supervisor->children[kind].pid == pid)
				child_ended(
				    supervisor, (enum child_kind)kind, status);
}

static bool all_ready(const struct supervisor *supervisor)
{
	for (int kind = 0; kind < CHILD_COUNT; kind++)
		if (supervisor->children[kind].wanted &&
		    !supervisor->children[kind].ready)
			return false;
	return true;
}

static void hear_child(struct supervisor *supervisor, enum child_kind kind)
{
	struct child *child = &supervisor->children[kind];
	char text[512];
	ssize_t count = read(child->control, text, sizeof(text));

	if (count <= 0) {
		/* Its end is told by SIGCHLD; until then the pipe would wake
		 * us without end. */
		if (count == 0) {
			close(child->control);
			child->control = -1;
		}
		return;
	}
	child->heard_ms = clock_monotonic_ms();
	if (slice_find_slice(slice_of(text, (size_t)count), SLICE("ready\n")) <
	    (size_t)count)
		child->ready = true;
	if (!supervisor->announced && all_ready(supervisor)) {
		supervisor->announced = true;
		sd_notify(0, "READY=1\nSTATUS=serving");
		log_notice("supervisor.ready",
		    LOG_S("hostname", supervisor->config->hostname));
	}
}

static void kill_silent_children(const struct supervisor *supervisor)
{
	int64_t now = clock_monotonic_ms();

	/* A child that drains waits for sessions and says nothing. */
	for (int kind = 0; kind < CHILD_COUNT && !supervisor->stopping;
	     kind++) {
		const struct child *child = &supervisor->children[kind];
		int64_t patience = child->ready ? CHILD_SILENT_MS
						: CHILD_START_MS;

		if (child->pid && now - child->heard_ms > patience) {
			log_error("supervisor.silent",
			    LOG_T("child", child_names[kind]),
			    LOG_I("pid", child->pid));
			kill(child->pid, SIGKILL);
		}
	}
}

static void feed_watchdog(struct supervisor *supervisor)
{
	if (!supervisor->announced || !all_ready(supervisor) ||
	    !deadline_passed(supervisor->feed_at))
		return;
	supervisor->feed_at = deadline_in(TICK_MS);
	sd_notify(0, "WATCHDOG=1");
}

static void log_problems(const struct config_problems *problems)
{
	for (size_t i = 0; i < problems->count; i++)
		log_error("config.error",
		    LOG_S("where", problems->errors[i].where),
		    LOG_S("error", problems->errors[i].text));
	for (size_t i = 0; i < problems->warning_count; i++)
		log_warning("config.warning",
		    LOG_S("where", problems->warnings[i].where),
		    LOG_S("warning", problems->warnings[i].text));
}

static bool same_listeners(const struct config *a, const struct config *b)
{
	if (a->listener_count != b->listener_count)
		return false;
	for (size_t i = 0; i < a->listener_count; i++)
		if (!slice_eq(a->listeners[i].name, b->listeners[i].name) ||
		    !slice_eq(a->listeners[i].address, b->listeners[i].address))
			return false;
	return true;
}

static void notify_reloading(void)
{
	char text[96];

	snprintf(text, sizeof(text), "RELOADING=1\nMONOTONIC_USEC=%lld",
	    (long long)clock_monotonic_ms() * 1000);
	sd_notify(0, text);
}

/* A bad file changes nothing; a good one goes to the children, who load it
 * themselves with the rights they have. */
static void reload(struct supervisor *supervisor)
{
	struct arena *arena = arena_new(0);
	struct config_problems problems = {0};
	struct config *config;
	struct err err = {0};

	notify_reloading();
	if (!config_load(arena, supervisor->settings->config_path, &config,
		&problems, &err)) {
		log_problems(&problems);
		log_error("supervisor.reload", LOG_T("result", "kept"),
		    LOG_ERR(&err));
		sd_notify(0, "READY=1\nSTATUS=reload failed: the running "
			     "configuration stays");
		arena_free(arena);
		return;
	}
	log_problems(&problems);
	if (!same_listeners(supervisor->config, config))
		log_warning("supervisor.reload",
		    LOG_T("listeners",
			"names or addresses changed: this takes a restart"));
	config_release(supervisor->config);
	supervisor->config = config;
	supervisor->children[CHILD_ADMIN].wanted = wants_child(
	    config, CHILD_ADMIN);
	signal_children(supervisor, SIGHUP);
	log_notice("supervisor.reload", LOG_T("result", "loaded"));
	sd_notify(0, "READY=1\nSTATUS=serving");
	arena_free(arena);
}

static void take_signals(struct supervisor *supervisor)
{
	struct signalfd_siginfo info;

	while (read(supervisor->signals, &info, sizeof(info)) ==
	       (ssize_t)sizeof(info)) {
		switch (info.ssi_signo) {
		case SIGCHLD: reap(supervisor); break;
		case SIGHUP: reload(supervisor); break;
		default: begin_stop(supervisor); break;
		}
	}
}

static bool any_running(const struct supervisor *supervisor)
{
	for (int kind = 0; kind < CHILD_COUNT; kind++)
		if (supervisor->children[kind].pid)
			return true;
	return false;
}

static void wait_for_events(struct supervisor *supervisor)
{
	struct pollfd pollers[CHILD_COUNT + 1];
	nfds_t count = 0;

	pollers[count++] = (struct pollfd){
	    .fd = supervisor->signals, .events = POLLIN};
	for (int kind = 0; kind < CHILD_COUNT; kind++)
		pollers[count++] = (struct pollfd){
		    .fd = supervisor->children[kind].control, .events = POLLIN};
	if (poll(pollers, count, TICK_MS) <= 0)
		return;
	for (int kind = 0; kind < CHILD_COUNT; kind++)
		if (pollers[kind + 1].revents & (POLLIN | POLLHUP))
			hear_child(supervisor, (enum child_kind)kind);
	if (pollers[0].revents & POLLIN)
		take_signals(supervisor);
}

static void open_signals(struct supervisor *supervisor)
{
	static const int numbers[] = {SIGTERM, SIGINT, SIGHUP, SIGCHLD};

	sigemptyset(&supervisor->signal_mask);
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		sigaddset(&supervisor->signal_mask, numbers[i]);
	sigprocmask(SIG_BLOCK, &supervisor->signal_mask, NULL);
	/* The log's reader may go away, and mail goes on. */
	signal(SIGPIPE, SIG_IGN);
	supervisor->signals = signalfd(
	    -1, &supervisor->signal_mask, SFD_CLOEXEC | SFD_NONBLOCK);
	require(supervisor->signals >= 0);
}

static void run_until_stopped(struct supervisor *supervisor)
{
	while (!supervisor->stopping || any_running(supervisor)) {
		start_due_children(supervisor);
		wait_for_events(supervisor);
		reap(supervisor);
		kill_silent_children(supervisor);
		feed_watchdog(supervisor);
		if (supervisor->stopping &&
		    deadline_passed(supervisor->stop_by))
			signal_children(supervisor, SIGKILL);
	}
}

int supervisor_run(const struct supervisor_settings *settings)
{
	struct supervisor supervisor = {.settings = settings};

	supervisor.config = config_hold(settings->config);
	open_signals(&supervisor);
	for (int kind = 0; kind < CHILD_COUNT; kind++) {
		supervisor.children[kind].control = -1;
		supervisor.children[kind].wanted = wants_child(
		    settings->config, (enum child_kind)kind);
	}
	run_until_stopped(&supervisor);
	close(supervisor.signals);
	config_release(supervisor.config);
	log_notice("supervisor.stopped", LOG_I("exit", supervisor.exit_code));
	return supervisor.exit_code;
}
