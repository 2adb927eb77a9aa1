/* SPDX-License-Identifier: Apache-2.0 */
/* gatehouse serve - the gateway itself. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/metrics.h"
#include "cli/child.h"
#include "cli/commands.h"
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

static const char *config_path(
    struct arena *arena, const struct command_line *line)
{
	char *path, *absolute;

	if (!command_has(line, "config"))
		return "/etc/gatehouse/gatehouse.yaml";
	path = arena_text(arena, command_text(line, "config"));
	absolute = realpath(path, NULL);
	if (!absolute)
		return path; /* loading it says what is wrong */
	path = arena_text(arena, slice_from(absolute));
	memory_free(absolute);
	return path;
}

static void setup_log(const struct config *config)
{
	unsigned int topics = 0;

	log_setup(config->log.level, config->log.format);
	for (size_t i = 0; i < config->log.trace.count; i++)
		topics |= log_topic_from_name(config->log.trace.items[i]);
	log_set_topics(topics);
}

static void print_problems(const struct config_problems *problems)
{
	for (size_t i = 0; i < problems->count; i++)
		fprintf(stderr, "gatehouse: %.*s: %.*s\n",
		    SLICE_ARGS(problems->errors[i].where),
		    SLICE_ARGS(problems->errors[i].text));
	for (size_t i = 0; i < problems->warning_count; i++)
		log_warning("config.warning",
		    LOG_S("where", problems->warnings[i].where),
		    LOG_S("warning", problems->warnings[i].text));
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

static void count_restart(const char *child)
{
	metrics_count(METRIC_CHILD_RESTARTS, slice_from(child));
}

static int run_supervisor(const char *path, struct config *config)
{
	struct listener_sockets listeners = {0};
	struct supervisor_settings settings = {
	    .config_path = path,
	    .config = config,
	    .listeners = &listeners,
	    .metrics_fd = -1,
	    .child_restarted = count_restart,
	};
	struct metrics *metrics;
	struct err err = {0};
	int code;

	if (!listeners_open(config, &listeners, &err))
		return command_fail(&err);
	if (listeners.count == 0) {
		err_set(&err, E_CONFIG,
		    "%s: listeners: none is configured; "
		    "there is nothing to serve",
		    path);
		return command_fail(&err);
	}
	if (!metrics_create(&metrics, &settings.metrics_fd, &err))
		return command_fail(&err);
	metrics_use(metrics);
	for (size_t i = 0; i < config->listener_count; i++) {
		log_notice("supervisor.listening",
		    LOG_S("listener", config->listeners[i].name),
		    LOG_S("address", config->listeners[i].address));
		if (config->listeners[i].role == ROLE_MILTER)
			metrics_expect(PROCESS_MILTER);
	}
	code = supervisor_run(&settings);
	listeners_close(&listeners);
	return code;
}

static int serve(struct arena *arena, const struct command_line *line)
{
	const char *path = config_path(arena, line);
	struct config_problems problems = {0};
	struct config *config;
	struct err err = {0};
	int code;

	if (!config_load(arena, path, &config, &problems, &err)) {
		print_problems(&problems);
		/* The first of the problems is what err says. */
		return problems.count ? EXIT_CONFIG : command_fail(&err);
	}
	setup_log(config);
	if (command_has(line, "child"))
		return run_child(arena, line, path, config);
	print_problems(&problems);
	code = run_supervisor(path, config);
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
