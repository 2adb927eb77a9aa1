/* SPDX-License-Identifier: Apache-2.0 */
/* gatehouse config check|dump|describe */
#include <stdio.h>

#include "base/text.h"
#include "cli/commands.h"
#include "cli/named_check.h"
#include "conf/check.h"
#include "conf/describe.h"
#include "conf/dump.h"

static const struct option_spec options_dump[] = {
    {"non-default", 'n', OPTION_FLAG, NULL,
	"only what differs from the defaults"},
    {0},
};

static const char *config_path(
    struct arena *arena, const struct command_line *line)
{
	if (!command_has(line, "config"))
		return COMMAND_CONFIG_DEFAULT;
	return arena_text(arena, command_text(line, "config"));
}

static void print_slice(struct slice text)
{
	fwrite(text.len ? text.ptr : "", 1, text.len, stdout);
}

static void print_list(
    const char *kind, const struct config_warning *items, size_t count)
{
	for (size_t i = 0; i < count; i++)
		printf("%.*s: %s: %.*s\n", SLICE_ARGS(items[i].where), kind,
		    SLICE_ARGS(items[i].text));
}

static void add_json_list(struct buf *buf, const char *key,
    const struct config_warning *items, size_t count)
{
	buf_add_format(buf, ",\n  \"%s\": [", key);
	for (size_t i = 0; i < count; i++) {
		buf_add_text(buf, i ? ",\n    " : "\n    ");
		buf_add_text(buf, "{\"where\": ");
		text_add_json_string(buf, items[i].where);
		buf_add_text(buf, ", \"text\": ");
		text_add_json_string(buf, items[i].text);
		buf_add_text(buf, "}");
	}
	buf_add_text(buf, count ? "\n  ]" : "]");
}

static void print_json(
    struct arena *arena, bool ok, const struct config_problems *problems)
{
	struct buf *buf = buf_in_arena(arena, DUMP_SIZE_MAX);

	buf_add_format(buf, "{\n  \"ok\": %s", ok ? "true" : "false");
	add_json_list(buf, "errors", problems->errors, problems->count);
	add_json_list(
	    buf, "warnings", problems->warnings, problems->warning_count);
	buf_add_text(buf, "\n}\n");
	print_slice(buf_slice(buf));
}

static void print_summary(
    const struct config *config, const struct config_problems *problems)
{
	printf("OK: %zu listeners, %zu connectors, %zu routes, "
	       "%zu accepted domains; %zu warnings\n",
	    config->listener_count, config->connector_count,
	    config->route_count, config->accepted_domains.count,
	    problems->warning_count);
}

static int run_check(struct arena *arena, const struct command_line *line)
{
	struct config_problems problems = {0};
	struct config *config = NULL;
	struct err err;
	bool ok = check_file(arena, config_path(arena, line), named_check,
	    &config, &problems, &err);

	/* The file could not even be read. */
	if (!ok && problems.count == 0)
		return command_fail(&err);
	if (command_has(line, "json")) {
		print_json(arena, ok, &problems);
	} else {
		print_list("error", problems.errors, problems.count);
		print_list(
		    "warning", problems.warnings, problems.warning_count);
		if (ok)
			print_summary(config, &problems);
	}
	config_release(config);
	return ok ? EXIT_DONE : EXIT_CONFIG;
}

static int run_dump(struct arena *arena, const struct command_line *line)
{
	struct buf *buf = buf_in_arena(arena, DUMP_SIZE_MAX);
	unsigned int flags = 0;
	struct config *config;
	struct err err;

	if (!config_load(arena, config_path(arena, line), &config, NULL, &err))
		return command_fail(&err);
	if (command_has(line, "non-default"))
		flags |= DUMP_CHANGED;
	if (command_has(line, "json"))
		flags |= DUMP_JSON;
	if (!dump_config(config, flags, buf)) {
		config_release(config);
		err_set(&err, E_LIMIT, "the dump is too large");
		return command_fail(&err);
	}
	print_slice(buf_slice(buf));
	config_release(config);
	return EXIT_DONE;
}

static int run_describe(struct arena *arena, const struct command_line *line)
{
	struct buf *buf = buf_in_arena(arena, DESCRIBE_SIZE_MAX);
	const char *const *arguments;
	struct slice name = SLICE("");
	struct err err;

	if (command_arguments(line, &arguments) > 0)
		name = slice_from(arguments[0]);
	if (!describe_fields(name, command_has(line, "json"), buf, &err))
		return command_fail(&err);
	print_slice(buf_slice(buf));
	return EXIT_DONE;
}

const struct command command_config_check = {
    .name = "config check",
    .arguments = "",
    .summary = "find everything that is wrong with a configuration",
    .description =
	"Reads the configuration as the server would, and prints every\n"
	"error and warning with its line and column.  Unlike the start of\n"
	"the server it also looks whether the files that are named can be\n"
	"read by the user who asks (if root asks, also by the user of the\n"
	"configuration), whether certificates and their keys belong together,\n"
	"are valid and for this host, whether authorities, trust anchor and\n"
	"zone can be used, whether a next hop is this gateway itself, and\n"
	"whether there are the folders and the user.\n\n"
	"The exit code is 78 if there is an error; warnings do not count.",
    .options = {options_config, options_json},
    .examples = "gatehouse config check\n"
		"# a new version, before it is put into place\n"
		"gatehouse config check -c new.yaml",
    .run = run_check,
};

const struct command command_config_dump = {
    .name = "config dump",
    .arguments = "",
    .summary = "print a configuration with its defaults",
    .description =
	"Prints the configuration as it was understood: defaults filled\n"
	"in, names normalized, paths absolute.  What it prints loads to the\n"
	"same configuration.",
    .options = {options_dump, options_config, options_json},
    .examples = "# what differs from the defaults\n"
		"gatehouse config dump -n\n"
		"gatehouse config dump -c new.yaml --json",
    .run = run_dump,
};

const struct command command_config_describe = {
    .name = "config describe",
    .arguments = "[FIELD]",
    .summary = "explain the fields of the configuration",
    .description =
	"Prints type, default, bounds and meaning of a field and of all\n"
	"fields below it; without a name, of every field.",
    .options = {options_json},
    .arguments_max = 1,
    .examples = "gatehouse config describe limits\n"
		"gatehouse config describe routes.next_hop",
    .run = run_describe,
};
