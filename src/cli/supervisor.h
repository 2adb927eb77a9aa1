/* SPDX-License-Identifier: Apache-2.0 */
/* cli/supervisor.h - the parent process: starts, watches and ends children.
 *
 * Children are this program executed anew (each with its own address layout),
 * with the listening sockets, a copy of the configuration file and a control
 * socket inherited.  A child says "ready", "alive" (every CHILD_ALIVE_MS) and,
 * after SIGHUP, "reloaded" or "kept" on it; what it is to load, a copy of the
 * file as it was checked, comes the other way before.  A child that ends is
 * started again with back-off, with the last configuration that all children
 * took; one that falls silent is killed first.  A child that cannot start at
 * all ends the service if that has not been ready yet.  systemd hears of
 * readiness and reloads; its watchdog watches the supervisor, which watches the
 * children.
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
#define CHILD_ENV_CONFIG "GATEHOUSE_CONFIG"
#define CHILD_ENV_STORE "GATEHOUSE_STORE"

struct supervisor_settings {
	const char *config_path; /* absolute */
	struct config *config;	 /* what the service is started with */
	int config_copy;	 /* config_copy.h; becomes the supervisor's */
	struct listener_sockets *listeners;
	int metrics_fd; /* shared memory, or -1 */
};

/* Errors and warnings, a line each. */
void supervisor_log_problems(const struct config_problems *problems);

/* Runs until SIGTERM or SIGINT; returns the exit code. */
int supervisor_run(const struct supervisor_settings *settings);

#endif
