/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "base/log.h"
#include "base/metrics.h"
#include "cli/command.h"
#include "cli/supervisor_private.h"

enum {
	BACKOFF_FIRST_MS = 500,
	BACKOFF_MAX_MS = 30 * 1000,
	STEADY_MS = 60 * 1000, /* a child that ran so long starts afresh */
	KILL_GRACE_MS = 5000,  /* past drain_timeout */
	FROZEN_MS = 5000,      /* the loop passes every TICK_MS */
};

static const char *const child_names[CHILD_COUNT] = {
    [CHILD_SMTP] = "smtp",
    [CHILD_MILTER] = "milter",
    [CHILD_ADMIN] = "admin",
};

/* One that a reload adds waits for the restart, and none is taken away. */
static bool has_milter(const struct supervisor *supervisor)
{
	const struct listener_sockets *bound = supervisor->settings->listeners;

	for (size_t i = 0; i < bound->count; i++)
		if (bound->sockets[i].is_milter)
			return true;
	return false;
}

static bool wants_child(
    const struct supervisor *supervisor, enum child_kind kind)
{
	switch (kind) {
	case CHILD_MILTER: return has_milter(supervisor);
	case CHILD_ADMIN: return supervisor->config->admin_address.len > 0;
	/* Where there is a milter alone it still clears the store. */
	default: return true;
	}
}

const char *supervisor_child_name(enum child_kind kind)
{
	return child_names[kind];
}

void supervisor_want_children(struct supervisor *supervisor)
{
	for (int kind = 0; kind < CHILD_COUNT; kind++) {
		struct child *child = &supervisor->children[kind];

		child->wanted = wants_child(supervisor, (enum child_kind)kind);
		if (!child->wanted && child->pid)
			kill(child->pid, SIGTERM);
		/* What it could not start with may be mended. */
		child->start_at_ms = child->backoff_ms = 0;
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

static void pass_on(const char *variable, int fd)
{
	char number[16];

	if (fd < 0)
		return;
	fcntl(fd, F_SETFD, 0);
	snprintf(number, sizeof(number), "%d", fd);
	setenv(variable, number, 1);
}

/* In the child, between fork and exec: only what is safe there. */
static _Noreturn void exec_child(
    const struct supervisor *supervisor, enum child_kind kind, int control)
{
	const struct supervisor_settings *settings = supervisor->settings;
	struct arena *arena = arena_new(0);
	sigset_t unblocked;

	prctl(PR_SET_PDEATHSIG, SIGTERM);
	/* The others stay blocked, and wait until the child listens to them:
	 * a reload must not end one that has just begun. */
	sigemptyset(&unblocked);
	sigaddset(&unblocked, SIGCHLD);
	sigprocmask(SIG_UNBLOCK, &unblocked, NULL);
	pass_on(CHILD_ENV_CONTROL, control);
	pass_on(CHILD_ENV_CONFIG, supervisor->config_copy);
	pass_on(CHILD_ENV_METRICS, settings->metrics_fd);
	setenv(CHILD_ENV_STORE, arena_text(arena, settings->config->store), 1);
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

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0,
		control) < 0) {
		log_error("supervisor.pipe", LOG_T("child", child_names[kind]),
		    LOG_I("errno", errno));
		plan_restart(child);
		return;
	}
	child->started_ms = child->heard_ms = clock_monotonic_ms();
	child->ready = child->reloading = false;
	child->heard_len = 0;
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

void supervisor_start_children(struct supervisor *supervisor)
{
	int64_t now = clock_monotonic_ms();

	/* It would begin with what the others are about to leave. */
	if (supervisor->next_config)
		return;
	for (int kind = 0; kind < CHILD_COUNT; kind++) {
		struct child *child = &supervisor->children[kind];

		if (child->wanted && !child->pid && !supervisor->stopping &&
		    now >= child->start_at_ms)
			start_child(supervisor, (enum child_kind)kind);
	}
}

void supervisor_signal(const struct supervisor *supervisor, int number)
{
	for (int kind = 0; kind < CHILD_COUNT; kind++)
		if (supervisor->children[kind].pid)
			kill(supervisor->children[kind].pid, number);
}

void supervisor_begin_stop(struct supervisor *supervisor)
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
	supervisor_signal(supervisor, SIGTERM);
}

/* Mail needs no admin child: nobody waits for one that has failed. */
static bool is_waited_for(
    const struct supervisor *supervisor, enum child_kind kind)
{
	const struct child *child = &supervisor->children[kind];

	return child->wanted && !child->ready &&
	       !(kind == CHILD_ADMIN && child->backoff_ms);
}

/* READY=1, once all are. */
static void announce(struct supervisor *supervisor)
{
	if (supervisor->announced || supervisor->stopping)
		return;
	for (int kind = 0; kind < CHILD_COUNT; kind++)
		if (is_waited_for(supervisor, (enum child_kind)kind))
			return;
	supervisor->announced = true;
	sd_notify(0, "READY=1\nSTATUS=serving");
	log_notice("supervisor.ready",
	    LOG_S("hostname", supervisor->config->hostname));
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
	child->ready = child->reloading = false;
	if (expected)
		return;
	/* Who starts the service hears of it at once. */
	if (!supervisor->announced && WIFEXITED(status) &&
	    WEXITSTATUS(status) != EXIT_TEMPORARY) {
		supervisor->exit_code = WEXITSTATUS(status);
		supervisor_begin_stop(supervisor);
		return;
	}
	plan_restart(child);
	metrics_count(METRIC_CHILD_RESTARTS, slice_from(child_names[kind]));
	log_notice("supervisor.restart", LOG_T("child", child_names[kind]),
	    LOG_I("in_ms", child->backoff_ms));
	announce(supervisor);
}

void supervisor_reap(struct supervisor *supervisor)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		for (int kind = 0; kind < CHILD_COUNT; kind++)
			if (supervisor->children[kind].pid == pid)
				child_ended(
				    supervisor, (enum child_kind)kind, status);
}

static void take_ready(struct supervisor *supervisor, enum child_kind kind)
{
	supervisor->children[kind].ready = true;
	announce(supervisor);
}

static void take_reloaded(struct supervisor *supervisor, enum child_kind kind)
{
	supervisor->children[kind].reloading = false;
}

static void take_kept(struct supervisor *supervisor, enum child_kind kind)
{
	/* Also one that began meanwhile, which nobody waits for. */
	if (supervisor->next_config)
		supervisor->kept = true;
	else
		metrics_set(METRIC_CONFIG_LAST_RELOAD, 0);
	supervisor->children[kind].reloading = false;
}

static void take_word(
    struct supervisor *supervisor, enum child_kind kind, struct slice word)
{
	static const struct {
		struct slice word;
		void (*take)(struct supervisor *, enum child_kind);
	} rows[] = {
	    {SLICE_INIT("ready"), take_ready},
	    {SLICE_INIT("reloaded"), take_reloaded},
	    {SLICE_INIT("kept"), take_kept},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (slice_eq(word, rows[i].word))
			rows[i].take(supervisor, kind);
}

void supervisor_hear(struct supervisor *supervisor, enum child_kind kind)
{
	struct child *child = &supervisor->children[kind];
	char text[512];
	ssize_t count = read(child->control, text, sizeof(text));

	if (count <= 0) {
		/* Its end is told by SIGCHLD; until then the socket would wake
		 * us without end. */
		if (count == 0) {
			close(child->control);
			child->control = -1;
		}
		return;
	}
	child->heard_ms = clock_monotonic_ms();
	for (ssize_t i = 0; i < count; i++) {
		if (text[i] != '\n') {
			if (child->heard_len < sizeof(child->heard))
				child->heard[child->heard_len++] = text[i];
			continue;
		}
		take_word(
		    supervisor, kind, slice_of(child->heard, child->heard_len));
		child->heard_len = 0;
	}
}

void supervisor_kill_silent(struct supervisor *supervisor, int64_t now_ms)
{
	bool frozen = now_ms - supervisor->looked_ms > FROZEN_MS;

	supervisor->looked_ms = now_ms;
	for (int kind = 0; kind < CHILD_COUNT && frozen; kind++)
		supervisor->children[kind].heard_ms = now_ms;
	/* A child that drains waits for sessions and says nothing. */
	for (int kind = 0; kind < CHILD_COUNT && !supervisor->stopping;
	     kind++) {
		const struct child *child = &supervisor->children[kind];
		int64_t patience = child->ready ? CHILD_SILENT_MS
						: CHILD_START_MS;

		if (child->pid && now_ms - child->heard_ms > patience) {
			log_error("supervisor.silent",
			    LOG_T("child", child_names[kind]),
			    LOG_I("pid", child->pid));
			kill(child->pid, SIGKILL);
		}
	}
}
