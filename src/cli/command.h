/* SPDX-License-Identifier: Apache-2.0 */
/* cli/command.h - commands and their options as rows of tables.
 *
 * One struct command per command, in the file that implements it; main.c lists
 * them.  Parsing, --help, the man pages and the has-a-test check come from the
 * rows.  A command of two words ("quarantine list") is one row.
 */
#ifndef CLI_COMMAND_H
#define CLI_COMMAND_H

#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/slice.h"

/* sysexits(3), as the contract in the design says. */
enum exit_code {
	EXIT_DONE = 0,
	EXIT_FOUND = 1, /* a check found what it looks for failing */
	EXIT_USAGE = 2,
	EXIT_BAD_INPUT = 65,
	EXIT_NO_INPUT = 66,
	EXIT_INTERNAL = 70,
	EXIT_TEMPORARY = 75,
	EXIT_CONFIG = 78,
};

enum option_kind {
	OPTION_FLAG, /* --json */
	OPTION_TEXT, /* --helo NAME or --helo=NAME; the last one counts */
	OPTION_LIST, /* --rcpt-to ADDR, repeatable */
};

struct option_spec {
	const char *name; /* without dashes */
	char letter;	  /* 'c' for -c; or 0 */
	enum option_kind kind;
	const char *argument; /* "NAME"; NULL for a flag */
	const char *help;     /* one line */
	bool required;
};

/* Groups of options that commands share; each ends with a zeroed row. */
extern const struct option_spec options_dns[];	  /* --dns-server --zone
						   * --dns-fail --dns-timeout */
extern const struct option_spec options_json[];	  /* --json */
extern const struct option_spec options_clock[];  /* --now --hostname */
extern const struct option_spec options_config[]; /* -c, --config */

/* What is read without it. */
#define COMMAND_CONFIG_DEFAULT "/etc/gatehouse/gatehouse.yaml"

enum { COMMAND_GROUPS_MAX = 6 };

struct command_line;

struct command {
	const char *name;	 /* "spf", "quarantine list" */
	const char *arguments;	 /* "[MESSAGE|-]", or "" */
	const char *summary;	 /* one line, no final dot */
	const char *description; /* paragraphs for --help and the manual */
	const struct option_spec *options[COMMAND_GROUPS_MAX];
	unsigned int arguments_min, arguments_max;
	const char *examples; /* lines: "# comment" and "gatehouse ..." */
	int (*run)(struct arena *arena, const struct command_line *line);
};

/* What was given.  Names are those of the rows; asking for one that the
 * command does not have is a bug. */
bool command_has(const struct command_line *line, const char *option);
struct slice command_text(const struct command_line *line,
    const char *option); /* empty if not given: see command_has */
size_t command_list(const struct command_line *line, const char *option,
    const struct slice **ret);
size_t command_arguments(
    const struct command_line *line, const char *const **ret);

/* Finds the command, parses the line, runs it; --help and errors included.
 * commands ends with NULL.  Returns the exit code. */
int command_main(
    const struct command *const *commands, int argc, char *const *argv);

/* The one that fits the kind. */
int command_exit_code(const struct err *err);

/* "gatehouse: ..." on stderr; returns the exit code. */
int command_fail(const struct err *err);

/* --now as a clock, --hostname or the system's name. */
bool command_clock(
    const struct command_line *line, struct clock *ret, struct err *err);
struct slice command_hostname(
    struct arena *arena, const struct command_line *line);

#endif
