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
	struct admin_server *server; /* NULL: none is wanted any more */
};

static bool restart(struct admin_child *child, struct err *err)
{
	admin_stop(child->server);
	child->server = NULL;
	return child->config->admin_address.len == 0 ||
	       start(child->config, &child->server, err);
}

/* A file that is bad changes nothing; one that changes nothing here leaves the
 * server alone.  False: the process ends; it is started anew if it is still
 * wanted. */
static bool reload(struct admin_child *child)
{
	struct arena *arena = arena_new(0);
	struct config *old = child->config;
	struct err err = {0};
	bool loaded = config_load(
	    arena, child->config_path, &child->config, NULL, &err);
	bool ok = loaded;

	if (loaded) {
		if (!slice_eq(
			old->admin_address, child->config->admin_address) ||
		    !slice_eq(old->store, child->config->store) ||
		    !slice_eq(
			old->spool_directory, child->config->spool_directory))
			ok = restart(child, &err);
		config_release(old);
		child_set_up_log(child->config);
	}
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
