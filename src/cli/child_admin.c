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
	    .store_url = child_store_url(config),
	    .spool_directory = config->spool_directory,
	};
	struct metrics *metrics;

	if (!metrics_open(child_inherited_fd(CHILD_ENV_METRICS), &metrics, err))
		return false;
	metrics_use(metrics);
	metrics_act_as(PROCESS_ADMIN);
	settings.metrics = metrics;
	return admin_start(&settings, ret, err);
}

struct admin_child {
	struct child_process *process;
	const char *config_path;
	struct config *config;
	struct admin_server *server; /* NULL: it could not be started anew */
};

static bool restart(struct admin_child *child, struct err *err)
{
	admin_stop(child->server);
	child->server = NULL;
	return start(child->config, &child->server, err);
}

/* What changes nothing here leaves the server alone; so does a file that wants
 * none, since the supervisor ends us once all have taken it. */
static bool take_into_use(
    struct admin_child *child, struct config *next, struct err *err)
{
	struct config *old = child->config;
	bool same = slice_eq(old->admin_address, next->admin_address) &&
		    slice_eq(old->spool_directory, next->spool_directory);

	if (next->admin_address.len == 0) {
		config_release(next);
		return true;
	}
	child->config = next;
	child_set_up_log(next);
	config_release(old);
	return same || restart(child, err);
}

/* A file that is bad changes nothing.  False: the process ends, and is started
 * anew. */
static bool reload(struct admin_child *child)
{
	struct arena *arena = arena_new(0);
	struct config *next;
	struct err err = {0};
	bool ok = child_load_config(
		      child->process, arena, child->config_path, &next, &err) &&
		  take_into_use(child, next, &err);

	child_tell_reload(child->process, "admin", ok ? NULL : &err);
	arena_free(arena);
	return child->server != NULL;
}

int child_admin_run(
    struct arena *arena, const char *config_path, struct config *config)
{
	struct admin_child child = {
	    .config_path = config_path, .config = config};
	struct err err = {0};
	enum child_event event = CHILD_TICK;

	if (!child_begin(arena, config, &child.process, &err) ||
	    !start(config, &child.server, &err))
		return child_cannot_start("admin", &err);
	child_tell(child.process, "ready");
	log_notice("admin.ready", LOG_S("address", config->admin_address));
	while (event != CHILD_STOP) {
		event = child_wait(child.process);
		metrics_heartbeat(PROCESS_ADMIN);
		if (event == CHILD_RELOAD && !reload(&child))
			break;
	}
	if (child.server)
		admin_stop(child.server);
	config_release(child.config);
	return EXIT_DONE;
}
