/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/supervisor.h"

#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "base/log.h"
#include "base/metrics.h"
#include "base/require.h"
#include "cli/supervisor_private.h"

enum { TICK_MS = 500 };

/* A child that hangs is killed, one that ends is started again: to restart all
 * of the service would do no more, and end what works. */
static void feed_watchdog(struct supervisor *supervisor)
{
	if (!supervisor->announced || !deadline_passed(supervisor->feed_at))
		return;
	supervisor->feed_at = deadline_in(TICK_MS);
	sd_notify(0, "WATCHDOG=1");
}

static void take_signals(struct supervisor *supervisor)
{
	struct signalfd_siginfo info;

	while (read(supervisor->signals, &info, sizeof(info)) ==
	       (ssize_t)sizeof(info)) {
		switch (info.ssi_signo) {
		case SIGCHLD: supervisor_reap(supervisor); break;
		case SIGHUP: supervisor_reload(supervisor); break;
		default: supervisor_begin_stop(supervisor); break;
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
			supervisor_hear(supervisor, (enum child_kind)kind);
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
		supervisor_start_children(supervisor);
		wait_for_events(supervisor);
		supervisor_reap(supervisor);
		supervisor_kill_silent(supervisor, clock_monotonic_ms());
		supervisor_go_on_reloading(supervisor);
		feed_watchdog(supervisor);
		if (supervisor->stopping &&
		    deadline_passed(supervisor->stop_by))
			supervisor_signal(supervisor, SIGKILL);
	}
}

int supervisor_run(const struct supervisor_settings *settings)
{
	struct supervisor supervisor = {.settings = settings};

	supervisor.config = config_hold(settings->config);
	supervisor.config_copy = settings->config_copy;
	open_signals(&supervisor);
	metrics_set(METRIC_CONFIG_LAST_RELOAD, 1);
	for (int kind = 0; kind < CHILD_COUNT; kind++)
		supervisor.children[kind].control = -1;
	supervisor_want_children(&supervisor);
	run_until_stopped(&supervisor);
	close(supervisor.signals);
	supervisor_drop_next(&supervisor);
	config_release(supervisor.config);
	close(supervisor.config_copy);
	log_notice("supervisor.stopped", LOG_I("exit", supervisor.exit_code));
	return supervisor.exit_code;
}
