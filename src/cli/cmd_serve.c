/* SPDX-License-Identifier: Apache-2.0 */
/* gatehouse serve - the gateway itself. */
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include "base/log.h"
#include "base/metrics.h"
#include "cli/child.h"
#include "cli/commands.h"
#include "cli/config_copy.h"
#include "cli/supervisor.h"

static const struct option_spec options_serve[] = {
    {"child", 0, OPTION_TEXT, "NAME",
	"run as this child of a supervisor (internal)"},
    {0},
};

static const struct {
	const char *name;
	int (*run)(struct arena *arena, const char *config_path,
	    struct config *config);
} children[] = {
    {"smtp", child_smtp_run},
    {"milter", child_milter_run},
    {"admin", child_admin_run},
};

/* Links stay as they are: where one points to may change until the reload. */
static const char *config_path(
    struct arena *arena, const struct command_line *line)
{
	char folder[PATH_MAX];
	const char *path;

	if (!command_has(line, "config"))
		return COMMAND_CONFIG_DEFAULT;
	path = arena_text(arena, command_text(line, "config"));
	if (*path == '/' || !getcwd(folder, sizeof(folder)))
		return path;
	return arena_format(arena, "%s/%s", folder, path);
}

static int run_child(struct arena *arena, const struct command_line *line,
    const char *path, struct config *config)
{
	struct slice name = command_text(line, "child");

	for (size_t i = 0; i < sizeof(children) / sizeof(children[0]); i++)
		if (slice_eq(name, slice_from(children[i].name)))
			return children[i].run(arena, path, config);
	fprintf(stderr, "gatehouse: serve: there is no child \"%.*s\"\n",
	    SLICE_ARGS(name));
	return EXIT_USAGE;
}

static int cannot_start(const struct err *err)
{
	log_error("supervisor.start", LOG_ERR(err));
	return command_exit_code(err);
}

static bool open_listeners(const char *path, const struct config *config,
    struct listener_sockets *ret, struct err *err)
{
	if (!listeners_open(config, ret, err))
		return false;
	if (ret->count == 0)
		return err_set(err, E_CONFIG,
		    "%s: listeners: none is configured; there is nothing to "
		    "serve",
		    path);
	for (size_t i = 0; i < config->listener_count; i++)
		log_notice("supervisor.listening",
		    LOG_S("listener", config->listeners[i].name),
		    LOG_S("address", config->listeners[i].address));
	return true;
}

static int run_supervisor(const char *path, struct config *config, int copy)
{
	struct listener_sockets listeners = {0};
	struct supervisor_settings settings = {
	    .config_path = path,
	    .config = config,
	    .config_copy = copy,
	    .listeners = &listeners,
	};
	struct metrics *metrics;
	struct err err = {0};
	int code;

	if (!open_listeners(path, config, &listeners, &err) ||
	    !metrics_create(&metrics, &settings.metrics_fd, &err))
		return cannot_start(&err);
	metrics_use(metrics);
	for (size_t i = 0; i < config->listener_count; i++)
		if (config->listeners[i].role == ROLE_MILTER)
			metrics_expect(PROCESS_MILTER);
	code = supervisor_run(&settings);
	listeners_close(&listeners);
	return code;
}

/* For a child, what the supervisor has read. */
static int open_copy(
    const struct command_line *line, const char *path, struct err *err)
{
	int copy = -1;

	if (command_has(line, "child"))
		copy = child_inherited_fd(CHILD_ENV_CONFIG);
	return copy >= 0 ? copy : config_copy_open(path, err);
}

static int serve(struct arena *arena, const struct command_line *line)
{
	const char *path = config_path(arena, line);
	struct config_problems problems = {0};
	struct config *config;
	struct err err = {0};
	int code, copy;

	log_setup(LOG_INFO, LOG_FORMAT_TEXT);
	copy = open_copy(line, path, &err);
	if (copy < 0)
		return cannot_start(&err);
	if (!config_copy_load(arena, copy, path, &config, &problems, &err)) {
		supervisor_log_problems(&problems);
		return cannot_start(&err);
	}
	child_set_up_log(config);
	if (command_has(line, "child"))
		return run_child(arena, line, path, config);
	supervisor_log_problems(&problems);
	code = run_supervisor(path, config, copy);
	config_release(config);
	return code;
}

const struct command command_serve = {
    .name = "serve",
    .arguments = "",
    .summary = "run the gateway",
    .description =
	"Binds the listeners of the configuration (or takes them from\n"
	"systemd's socket activation), starts the smtp, milter and admin\n"
	"children, and runs until SIGTERM.  Children drop to the configured "
	"user.\n\n"
	"SIGHUP loads the configuration and certificates anew; a bad file\n"
	"changes nothing and is reported with file:line:column.\n\n"
	"SIGTERM drains: running transactions finish within\n"
	"limits.drain_timeout, new connections get 421.\n\n"
	"Logs go to stderr, one event a line.",
    .options = {options_config, options_serve},
    .examples = "# in the foreground, with another configuration\n"
		"gatehouse serve -c /etc/gatehouse/test.yaml\n"
		"# load a changed configuration\n"
		"systemctl reload gatehouse\n",
    .run = serve,
};
