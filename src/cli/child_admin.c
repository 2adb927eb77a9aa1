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

/* A file that is bad, or that changes nothing here, leaves the server alone.
 * False: the process ends; it is started anew if it is still wanted. */
static bool reload(const char *config_path, struct config **config,
    struct admin_server **server)
{
	struct arena *arena = arena_new(0);
	struct config *next;
	struct err err = {0};
	bool goes_on = true;

	if (!config_load(arena, config_path, &next, NULL, &err)) {
		log_error(
		    "admin.reload", LOG_T("result", "kept"), LOG_ERR(&err));
	} else if (slice_eq(next->admin_address, (*config)->admin_address) &&
		   slice_eq(next->store, (*config)->store)) {
		config_release(next);
	} else {
		admin_stop(*server);
		*server = NULL;
		config_release(*config);
		*config = next;
		goes_on = next->admin_address.len > 0 &&
			  start(next, server, &err);
		if (err.kind != E_NONE)
			log_error("admin.start", LOG_ERR(&err));
	}
	arena_free(arena);
	return goes_on;
}

int child_admin_run(
    struct arena *arena, const char *config_path, struct config *config)
{
	struct child_process *child;
	struct admin_server *server;
	struct err err = {0};
	enum child_event event = CHILD_TICK;

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
		if (event == CHILD_RELOAD &&
		    !reload(config_path, &config, &server))
			break;
	}
	if (server)
		admin_stop(server);
	config_release(config);
	return EXIT_DONE;
}
