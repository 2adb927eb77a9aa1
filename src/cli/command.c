/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/command.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/require.h"
#include "base/text.h"
#include "cli/manual.h"
#include "cli/show.h"

const struct option_spec options_dns[] = {
    {"dns-server", 0, OPTION_LIST, "IP[@PORT]",
	"forward DNS queries there instead of asking the root"},
    {"zone", 0, OPTION_TEXT, "FILE",
	"this RFC 1035 master file is all the DNS there is"},
    {"dns-fail", 0, OPTION_LIST, "NAME[/TYPE]=timeout|servfail",
	"make these DNS queries fail"},
    {"dns-timeout", 0, OPTION_TEXT, "MS", "of one DNS query, milliseconds"},
    {0},
};

const struct option_spec options_json[] = {
    {"json", 0, OPTION_FLAG, NULL, "print JSON"},
    {0},
};

const struct option_spec options_clock[] = {
    {"now", 0, OPTION_TEXT, "TIME", "the time to judge by (RFC 3339)"},
    {"hostname", 0, OPTION_TEXT, "NAME", "our host name and authserv-id"},
    {0},
};

const struct option_spec options_config[] = {
    {"config", 'c', OPTION_TEXT, "FILE",
	"configuration (default /etc/gatehouse/gatehouse.yaml)"},
    {0},
};

enum { GIVEN_MAX = 1024 };
enum { ESCAPED_MAX = 4 * ERR_TEXT_MAX + 64 }; /* \xNN for each octet */

struct given {
	const struct option_spec *spec;
	struct slice value;
};

struct command_line {
	const struct command *command;
	size_t given_count;
	struct given *given;
	struct slice *list; /* of one list option, made on request */
	size_t argument_count;
	const char **arguments;
	bool help;
};

static const struct option_spec *find_option(
    const struct command *command, struct slice name, char letter)
{
	for (size_t g = 0; g < COMMAND_GROUPS_MAX; g++) {
		const struct option_spec *spec = command->options[g];

		for (; spec && spec->name; spec++)
			if (letter ? spec->letter == letter
				   : slice_eq(name, slice_from(spec->name)))
				return spec;
	}
	return NULL;
}

static const struct option_spec *known_option(
    const struct command_line *line, const char *name)
{
	const struct option_spec *spec = find_option(
	    line->command, slice_from(name), 0);

	require(spec != NULL);
	return spec;
}

bool command_has(const struct command_line *line, const char *option)
{
	const struct option_spec *spec = known_option(line, option);

	for (size_t i = 0; i < line->given_count; i++)
		if (line->given[i].spec == spec)
			return true;
	return false;
}

struct slice command_text(const struct command_line *line, const char *option)
{
	const struct option_spec *spec = known_option(line, option);

	for (size_t i = line->given_count; i-- > 0;)
		if (line->given[i].spec == spec)
			return line->given[i].value;
	return (struct slice){NULL, 0};
}

size_t command_list(const struct command_line *line, const char *option,
    const struct slice **ret)
{
	const struct option_spec *spec = known_option(line, option);
	size_t before = 0, count = 0;

	/* parse_line sorted the list values by option: they are together. */
	for (size_t i = 0; i < line->given_count; i++) {
		if (line->given[i].spec == spec)
			count++;
		else if (count == 0)
			before++;
	}
	*ret = line->list + before;
	return count;
}

size_t command_arguments(
    const struct command_line *line, const char *const **ret)
{
	*ret = line->arguments;
	return line->argument_count;
}

static bool usage_error(struct err *err, const struct command *command,
    const char *what, struct slice word)
{
	return err_set(err, E_USAGE, "%s: %s%s%.*s\nTry: gatehouse %s --help",
	    command->name, what, word.len ? " " : "",
	    SLICE_ARGS(slice_sub(word, 0, 80)), command->name);
}

static bool unknown_option(
    struct err *err, const struct command *command, struct slice name)
{
	const char *names[64];
	const char *nearest;
	size_t count = 0;

	for (size_t g = 0; g < COMMAND_GROUPS_MAX; g++) {
		const struct option_spec *spec = command->options[g];

		for (; spec && spec->name && count < 64; spec++)
			names[count++] = spec->name;
	}
	nearest = text_nearest(name, names, count);
	if (!nearest)
		return usage_error(err, command, "unknown option", name);
	return err_set(err, E_USAGE,
	    "%s: unknown option --%.*s; did you mean --%s?", command->name,
	    SLICE_ARGS(slice_sub(name, 0, 64)), nearest);
}

struct reader {
	int count, at;
	char *const *words;
};

static bool is_help(
    const struct command *command, bool is_long, struct slice name)
{
	if (is_long)
		return slice_eq(name, SLICE("help"));
	return slice_eq(name, SLICE("h")) && !find_option(command, name, 'h');
}

static bool take_option(
    struct command_line *line, struct reader *reader, struct err *err)
{
	struct slice word = slice_from(reader->words[reader->at++]);
	bool is_long = slice_starts(word, SLICE("--"));
	struct slice name, value = {NULL, 0};
	const struct option_spec *spec;
	bool has_value;

	has_value = slice_split(
	    slice_from_pos(word, is_long ? 2 : 1), '=', &name, &value);
	if (is_help(line->command, is_long, name))
		return line->help = true;
	spec = find_option(line->command, name, is_long ? 0 : word.ptr[1]);
	if (!spec || (!is_long && word.len != 2))
		return unknown_option(err, line->command, name);
	if (spec->kind == OPTION_FLAG) {
		if (has_value)
			return usage_error(
			    err, line->command, "takes no value:", word);
	} else if (!has_value) {
		if (reader->at == reader->count)
			return usage_error(
			    err, line->command, "needs a value:", word);
		value = slice_from(reader->words[reader->at++]);
	}
	if (line->given_count == GIVEN_MAX)
		return usage_error(
		    err, line->command, "too many options", word);
	line->given[line->given_count++] = (struct given){spec, value};
	return true;
}

/* Stable, so that a list keeps its order; options of one kind together. */
static void sort_given(struct command_line *line, struct arena *arena)
{
	for (size_t i = 1; i < line->given_count; i++) {
		struct given moved = line->given[i];
		size_t at = i;

		while (at > 0 && line->given[at - 1].spec > moved.spec) {
			line->given[at] = line->given[at - 1];
			at--;
		}
		line->given[at] = moved;
	}
	line->list = ARENA_ARRAY(arena, line->given_count, struct slice);
	for (size_t i = 0; i < line->given_count; i++)
		line->list[i] = line->given[i].value;
}

static bool check_complete(const struct command_line *line, struct err *err)
{
	const struct command *command = line->command;

	for (size_t g = 0; g < COMMAND_GROUPS_MAX; g++) {
		const struct option_spec *spec = command->options[g];

		for (; spec && spec->name; spec++)
			if (spec->required && !command_has(line, spec->name))
				return usage_error(err, command,
				    "missing option", slice_from(spec->name));
	}
	if (line->argument_count < command->arguments_min)
		return usage_error(err, command,
		    "missing argument:", slice_from(command->arguments));
	if (line->argument_count > command->arguments_max)
		return usage_error(err, command, "too many arguments:",
		    slice_from(line->arguments[command->arguments_max]));
	return true;
}

static bool parse_line(struct arena *arena, struct reader *reader,
    struct command_line *line, struct err *err)
{
	bool options_end = false;

	line->given = ARENA_ARRAY(arena, GIVEN_MAX, struct given);
	line->arguments = ARENA_ARRAY(
	    arena, (size_t)reader->count + 1, const char *);
	while (reader->at < reader->count && !line->help) {
		const char *word = reader->words[reader->at];
		bool is_option = !options_end && word[0] == '-' && word[1];

		if (is_option && !strcmp(word, "--")) {
			options_end = true;
			reader->at++;
		} else if (is_option) {
			if (!take_option(line, reader, err))
				return false;
		} else {
			line->arguments[line->argument_count++] = word;
			reader->at++;
		}
	}
	sort_given(line, arena);
	return line->help || check_complete(line, err);
}

enum { NAMES_MAX = 64 };

/* How many words of the line are the command's name; 0: another command. */
static int match_name(
    const struct command *command, int count, char *const *words)
{
	struct slice rest = slice_from(command->name), word;
	int matched = 0;

	while (rest.len) {
		slice_split(rest, ' ', &word, &rest);
		if (matched == count ||
		    !slice_eq(word, slice_from(words[matched])))
			return 0;
		matched++;
	}
	return matched;
}

static const struct command *find_command(const struct command *const *commands,
    int count, char *const *words, int *ret_words)
{
	for (; *commands; commands++) {
		*ret_words = match_name(*commands, count, words);
		if (*ret_words)
			return *commands;
	}
	return NULL;
}

static bool is_group(const struct command *const *commands, const char *word)
{
	for (; *commands; commands++) {
		struct slice first, rest;

		if (slice_split(
			slice_from((*commands)->name), ' ', &first, &rest) &&
		    slice_eq(first, slice_from(word)))
			return true;
	}
	return false;
}

/* The names to choose from: all commands, or the second words of a group. */
static size_t list_names(const struct command *const *commands,
    const char *group, const char *names[static NAMES_MAX])
{
	size_t count = 0, length = strlen(group);

	for (; *commands && count < NAMES_MAX; commands++) {
		const char *name = (*commands)->name;

		if (!length)
			names[count++] = name;
		else if (!strncmp(name, group, length) && name[length] == ' ')
			names[count++] = name + length + 1;
	}
	return count;
}

/* Of a group two words are the name: "config chek". */
static int unknown_command(
    const struct command *const *commands, int count, char *const *words)
{
	bool is_second = is_group(commands, words[0]);
	const char *group = is_second ? words[0] : "";
	const char *space = is_second ? " " : "";
	const char *names[NAMES_MAX], *nearest, *word;

	if (is_second && (count < 2 || words[1][0] == '-')) {
		manual_print_group(commands, group, stderr);
		return EXIT_USAGE;
	}
	word = words[is_second];
	nearest = text_nearest(
	    slice_from(word), names, list_names(commands, group, names));
	fprintf(stderr, "gatehouse: unknown command \"%s%s%s\"", group, space,
	    word);
	if (nearest)
		fprintf(stderr, "; did you mean \"%s%s%s\"?", group, space,
		    nearest);
	fprintf(stderr, "\nTry: gatehouse %s%s--help\n", group, space);
	return EXIT_USAGE;
}

static bool wants_help(const char *word)
{
	return !strcmp(word, "--help") || !strcmp(word, "-h") ||
	       !strcmp(word, "help");
}

/* "help", "help status", "help config". */
static int print_help(
    const struct command *const *commands, int count, char *const *words)
{
	const struct command *command;
	int ignored;

	if (count == 0) {
		manual_print_overview(commands, stdout);
		return EXIT_DONE;
	}
	command = find_command(commands, count, words, &ignored);
	if (command)
		return manual_print_command(command, stdout);
	if (!is_group(commands, words[0]) || count > 1)
		return unknown_command(commands, count, words);
	manual_print_group(commands, words[0], stdout);
	return EXIT_DONE;
}

static int run_words(
    const struct command *const *commands, int argc, char *const *argv)
{
	struct command_line line = {0};
	struct reader reader = {.count = argc, .words = argv};
	struct err err = {0};
	struct arena *arena;
	int words = 0, code;

	if (argc < 2) {
		manual_print_overview(commands, stderr);
		return EXIT_USAGE;
	}
	if (wants_help(argv[1]))
		return print_help(commands, argc - 2, argv + 2);
	if (!strcmp(argv[1], "--version")) {
		puts("gatehouse " GATEHOUSE_VERSION);
		return EXIT_DONE;
	}
	if (!strcmp(argv[1], "manual"))
		return manual_print_pages(commands, argc, argv);
	line.command = find_command(commands, argc - 1, argv + 1, &words);
	if (!line.command) {
		if (argc > 2 && wants_help(argv[2]))
			return print_help(commands, 1, argv + 1);
		return unknown_command(commands, argc - 1, argv + 1);
	}
	arena = arena_new(0);
	reader.at = 1 + words;
	if (!parse_line(arena, &reader, &line, &err))
		code = command_fail(&err);
	else if (line.help)
		code = manual_print_command(line.command, stdout);
	else
		code = line.command->run(arena, &line);
	arena_free(arena);
	return code;
}

/* What is cut short on a full disk must not be taken for the whole.  The flag
 * says it, too, if an earlier write has failed.  What was found wrong before
 * is worth more. */
static int check_output(int code)
{
	if (fflush(stdout) != 0)
		fprintf(stderr, "gatehouse: standard output: %s\n",
		    strerror(errno));
	else if (ferror(stdout))
		fputs("gatehouse: standard output: a write failed\n", stderr);
	else
		return code;
	return code == EXIT_DONE || code == EXIT_INTERNAL ? EXIT_TEMPORARY
							  : code;
}

int command_main(
    const struct command *const *commands, int argc, char *const *argv)
{
	return check_output(run_words(commands, argc, argv));
}

int command_exit_code(const struct err *err)
{
	static const int codes[] = {
	    [E_NONE] = EXIT_INTERNAL,
	    [E_SYNTAX] = EXIT_BAD_INPUT,
	    [E_LIMIT] = EXIT_BAD_INPUT,
	    [E_NOT_FOUND] = EXIT_NO_INPUT,
	    [E_TEMP] = EXIT_TEMPORARY,
	    [E_TIMEOUT] = EXIT_TEMPORARY,
	    [E_CLOSED] = EXIT_TEMPORARY,
	    [E_IO] = EXIT_NO_INPUT,
	    [E_FULL] = EXIT_TEMPORARY,
	    [E_CONFIG] = EXIT_CONFIG,
	    [E_USAGE] = EXIT_USAGE,
	};

	require((size_t)err->kind < sizeof(codes) / sizeof(codes[0]));
	return codes[err->kind];
}

/* What was asked for may be a stranger's words, like a Message-ID. */
int command_fail(const struct err *err)
{
	struct buf said;

	buf_init(&said, ESCAPED_MAX);
	show_lines(&said, slice_from(err->text), "");
	fputs("gatehouse: ", stderr);
	if (said.len)
		fwrite(said.ptr, 1, said.len, stderr);
	buf_release(&said);
	return command_exit_code(err);
}

bool command_clock(
    const struct command_line *line, struct clock *ret, struct err *err)
{
	struct clock clock = {0};

	if (command_has(line, "now")) {
		clock.fixed = true;
		if (!clock_parse_rfc3339(
			command_text(line, "now"), &clock.fixed_at, err)) {
			err->kind = E_USAGE;
			return err_prefix(err, "--now");
		}
	}
	*ret = clock;
	return true;
}

struct slice command_hostname(
    struct arena *arena, const struct command_line *line)
{
	char name[256] = "localhost";

	if (command_has(line, "hostname"))
		return command_text(line, "hostname");
	if (gethostname(name, sizeof(name) - 1) != 0)
		return SLICE("localhost");
	return arena_slice(arena, slice_from(name));
}
