/* SPDX-License-Identifier: Apache-2.0 */
/* The child that answers /metrics, /healthz and /readyz. */
#include "admin/admin_server.h"
#include "base/log.h"
#include "cli/child.h"
#include "cli/command.h"
#include "cli/supervisor.h"

struct admin_child {
	struct child_process *process;
	const char *config_path;
	struct config *config;
	struct metrics *metrics;
	struct admin_server *server; /* NULL: it could not be started yet */
	bool told;		     /* that it could not */
};

static bool open_metrics(struct admin_child *child, struct err *err)
{
	if (!metrics_open(
		child_inherited_fd(CHILD_ENV_METRICS), &child->metrics, err))
		return false;
	metrics_use(child->metrics);
	metrics_act_as(PROCESS_ADMIN);
	return true;
}

static void tell_away(struct admin_child *child, const struct err *err)
{
	if (!child->told)
		log_error("admin.away",
		    LOG_S("address", child->config->admin_address),
		    LOG_ERR(err));
	child->told = true;
}

/* Mail goes on without it: what may pass, as an address that another program
 * has, is tried again with each tick.  False: it will not pass. */
static bool start(struct admin_child *child, struct err *err)
{
	const struct config *config = child->config;
	const struct admin_settings settings = {
	    .address = config->admin_address,
	    .metrics = child->metrics,
	    .store_url = child_store_url(config),
	    .spool_directory = config->spool_directory,
	};

	if (admin_start(&settings, &child->server, err)) {
		child->told = false;
		log_notice(
		    "admin.ready", LOG_S("address", config->admin_address));
		return true;
	}
	if (err->kind != E_TEMP)
		return false;
	tell_away(child, err);
	return true;
}

static bool restart(struct admin_child *child, struct err *err)
{
	admin_stop(child->server);
	child->server = NULL;
	child->told = false;
	return start(child, err);
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
	bool loaded = child_load_config(
	    child->process, arena, child->config_path, &next, &err);
	bool taken = loaded && take_into_use(child, next, &err);

	child_tell_reload(child->process, "admin", taken ? NULL : &err);
	arena_free(arena);
	return taken || !loaded;
}

/* False: it cannot go on, which the log has. */
static bool take_event(struct admin_child *child, enum child_event event)
{
	struct err err = {0};

	if (event == CHILD_RELOAD)
		return reload(child);
	if (child->server || start(child, &err))
		return true;
	child_cannot_start("admin", &err);
	return false;
}

/* Returns the exit code.  What does not pass here is no end of the service:
 * it is tried in another process. */
static int run(struct admin_child *child)
{
	for (;;) {
		enum child_event event = child_wait(child->process);

		if (event == CHILD_STOP)
			return EXIT_DONE;
		if (!take_event(child, event))
			return EXIT_TEMPORARY;
		metrics_heartbeat(PROCESS_ADMIN);
	}
}

int child_admin_run(
    struct arena *arena, const char *config_path, struct config *config)
{
	struct admin_child child = {
	    .config_path = config_path, .config = config};
	struct err err = {0};
	int code;

	if (!child_begin(arena, config, &child.process, &err) ||
	    !open_metrics(&child, &err) || !start(&child, &err))
		return child_cannot_start("admin", &err);
	child_tell(child.process, "ready");
	code = run(&child);
	admin_stop(child.server);
	config_release(child.config);
	return code;
}
