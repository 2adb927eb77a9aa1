/* SPDX-License-Identifier: Apache-2.0 */
/* cli/supervisor.h - the parent process: starts, watches and ends children.
 *
 * Children are this program executed anew (each with its own address layout),
 * with the listening sockets and a control pipe inherited.  A child says
 * "ready", "alive" (every CHILD_ALIVE_MS) and, after SIGHUP, "reloaded" or
 * "kept" on its pipe.  A child that ends is started again with back-off; one
 * that falls silent is killed first.  systemd hears of readiness, reloads and,
 * while all children are alive, its watchdog's keep-alive.
 */
#ifndef CLI_SUPERVISOR_H
#define CLI_SUPERVISOR_H

#include "base/err.h"
#include "cli/listeners.h"
#include "conf/config.h"

enum {
	CHILD_ALIVE_MS = 2000,
	CHILD_SILENT_MS = 60 * 1000,
	/* Until it is ready: an upgrade of the store's tables may take long. */
	CHILD_START_MS = 15 * 60 * 1000,
};

/* Names of environment variables that the supervisor sets for children. */
#define CHILD_ENV_LISTENERS "GATEHOUSE_LISTENERS"
#define CHILD_ENV_CONTROL "GATEHOUSE_CONTROL"
#define CHILD_ENV_METRICS "GATEHOUSE_METRICS"

struct supervisor_settings {
	const char *config_path; /* absolute */
	struct config *config;
	struct listener_sockets *listeners;
	int metrics_fd;				    /* shared memory, or -1 */
	void (*child_restarted)(const char *child); /* may be NULL */
};

/* Runs until SIGTERM or SIGINT; returns the exit code. */
int supervisor_run(const struct supervisor_settings *settings);

#endif
