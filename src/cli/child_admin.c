/* SPDX-License-Identifier: Apache-2.0 */
/* The child that answers /metrics, /healthz and /readyz. */
#include "admin/admin_server.h"
#include "base/log.h"
#include "cli/child.h"
#include "cli/command.h"
#include "cli/supervisor.h"

static bool start(
    const struct config *config, struct admin_server **ret, struct err *err)
{
	struct admin_settings settings = {
	    .address = config->admin_address,
	    .store_url = config->store,
	};
	struct metrics *metrics;

	if (!metrics_open(child_inherited_fd(CHILD_ENV_METRICS), &metrics, err))
		return false;
	metrics_use(metrics);
	settings.metrics = metrics;
	return admin_start(&settings, ret, err);
}

int child_admin_run(
    struct arena *arena, const char *config_path, struct config *config)
{
	struct child_process *child;
	struct admin_server *server;
	struct err err = {0};
	enum child_event event = CHILD_TICK;

	(void)config_path;
	if (!child_begin(arena, config, &child, &err) ||
	    !start(config, &server, &err)) {
		log_error("admin.start", LOG_ERR(&err));
		return command_fail(&err);
	}
	child_tell(child, "ready");
	log_notice("admin.ready", LOG_S("address", config->admin_address));
	while (event != CHILD_STOP) {
		event = child_wait(child);
		metrics_heartbeat(PROCESS_ADMIN);
		/* Its settings change with a restart: ended, it is started
		 * anew with the new configuration. */
		if (event == CHILD_RELOAD)
			break;
	}
	admin_stop(server);
	config_release(config);
	return EXIT_DONE;
}
