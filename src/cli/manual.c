/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/manual.h"

#include <string.h>

#include "base/ascii.h"

static const char exit_codes[] =
    "0 done, whatever the verdict; 1 what was looked for was found failing or "
    "is not there (where the command says so); 2 usage; 65 bad input; 66 a "
    "file cannot be read; 70 a fault of the program; 75 try again; 78 bad "
    "configuration.";

static struct slice first_word(const struct command *command)
{
	struct slice first, rest;

	slice_split(slice_from(command->name), ' ', &first, &rest);
	return first;
}

void manual_print_overview(const struct command *const *commands, FILE *out)
{
	fputs("Gatehouse, a mail-security gateway.\n\n"
	      "usage: gatehouse COMMAND [OPTIONS] [ARGUMENTS]\n\n",
	    out);
	for (; *commands; commands++)
		fprintf(out, "  %-20s %s\n", (*commands)->name,
		    (*commands)->summary);
	fputs("\ngatehouse COMMAND --help tells more, with examples.\n"
	      "gatehouse --version prints the version.\n",
	    out);
}

void manual_print_group(
    const struct command *const *commands, const char *word, FILE *out)
{
	fprintf(out, "usage: gatehouse %s COMMAND ...\n\n", word);
	for (; *commands; commands++)
		if (slice_eq(first_word(*commands), slice_from(word)))
			fprintf(out, "  %-20s %s\n", (*commands)->name,
			    (*commands)->summary);
}

enum { HELP_WIDTH = 78 };

/* Words filled into lines; an empty line divides paragraphs. */
static void print_filled(const char *text, FILE *out)
{
	struct slice rest = slice_from(text);
	size_t column = 0;

	while (rest.len) {
		size_t gap = 0, length = 0;
		bool paragraph;

		while (gap < rest.len && ascii_is_fws(rest.ptr[gap]))
			gap++;
		paragraph = slice_find_slice(
				slice_sub(rest, 0, gap), SLICE("\n\n")) < gap;
		rest = slice_from_pos(rest, gap);
		while (length < rest.len && !ascii_is_fws(rest.ptr[length]))
			length++;
		if (paragraph)
			fputs("\n\n", out);
		else if (column && column + 1 + length > HELP_WIDTH)
			fputc('\n', out);
		else if (column)
			fputc(' ', out);
		if (paragraph || column + 1 + length > HELP_WIDTH)
			column = 0;
		column += length + (column > 0);
		fprintf(out, "%.*s", SLICE_ARGS(slice_sub(rest, 0, length)));
		rest = slice_from_pos(rest, length);
	}
	fputc('\n', out);
}

static void print_option(const struct option_spec *spec, FILE *out)
{
	char left[80];

	snprintf(left, sizeof(left), "%s%c%s--%s%s%s", spec->letter ? "-" : "",
	    spec->letter ? spec->letter : ' ', spec->letter ? ", " : "   ",
	    spec->name, spec->argument ? " " : "",
	    spec->argument ? spec->argument : "");
	fprintf(out, "  %-34s", left);
	if (strlen(left) > 34)
		fprintf(out, "\n%36s", "");
	fprintf(out, " %s%s%s\n", spec->help,
	    spec->kind == OPTION_LIST ? " (repeatable)" : "",
	    spec->required ? " (required)" : "");
}

int manual_print_command(const struct command *command, FILE *out)
{
	fprintf(out, "usage: gatehouse %s [OPTIONS]%s%s\n\n%s.\n\n",
	    command->name, command->arguments[0] ? " " : "", command->arguments,
	    command->summary);
	print_filled(command->description, out);
	fputs("\nOptions:\n", out);
	for (size_t g = 0; g < COMMAND_GROUPS_MAX; g++) {
		const struct option_spec *spec = command->options[g];

		for (; spec && spec->name; spec++)
			print_option(spec, out);
	}
	fprintf(out, "  %-34s %s\n", "-h, --help", "print this");
	fprintf(out, "\nExamples:\n%s%s", command->examples,
	    slice_ends_nocase(slice_from(command->examples), SLICE("\n"))
		? ""
		: "\n");
	fputs("\nExit codes:\n", out);
	print_filled(exit_codes, out);
	return EXIT_DONE;
}

/* Text for troff: a line that begins with a dot or quote is protected, and
 * backslashes and hyphens are written as such. */
void manual_roff_text(const char *text, FILE *out)
{
	bool at_line_start = true;

	for (; *text; text++) {
		if (at_line_start && (*text == '.' || *text == '\''))
			fputs("\\&", out);
		if (*text == '\\')
			fputs("\\e", out);
		else if (*text == '-')
			fputs("\\-", out);
		else
			fputc(*text, out);
		at_line_start = *text == '\n';
	}
}

static void roff_option(const struct option_spec *spec, FILE *out)
{
	fputs(".TP\n.B ", out);
	if (spec->letter)
		fprintf(out, "\\-%c, ", spec->letter);
	fputs("\\-\\-", out);
	manual_roff_text(spec->name, out);
	if (spec->argument)
		fprintf(out, " \\fI%s\\fR", spec->argument);
	fputc('\n', out);
	manual_roff_text(spec->help, out);
	fprintf(out, "%s%s.\n",
	    spec->kind == OPTION_LIST ? " (repeatable)" : "",
	    spec->required ? " (required)" : "");
}

/* Paragraphs are divided by empty lines. */
static void roff_paragraphs(const char *text, FILE *out)
{
	struct slice rest = slice_from(text);

	while (rest.len) {
		size_t end = slice_find_slice(rest, SLICE("\n\n"));
		char part[8192];
		struct slice piece = slice_sub(rest, 0, end);

		snprintf(part, sizeof(part), "%.*s", SLICE_ARGS(piece));
		fputs(".PP\n", out);
		manual_roff_text(part, out);
		fputc('\n', out);
		rest = slice_from_pos(rest, end + 2);
	}
}

static void roff_command(const struct command *command, FILE *out)
{
	fputs(".SH ", out);
	manual_roff_text(command->name, out);
	fputs("\n.B gatehouse ", out);
	manual_roff_text(command->name, out);
	fputs("\n[\\fIOPTIONS\\fR]", out);
	if (command->arguments[0])
		fputc(' ', out);
	manual_roff_text(command->arguments, out);
	fputs("\n.PP\n", out);
	manual_roff_text(command->summary, out);
	fputs(".\n", out);
	roff_paragraphs(command->description, out);
	for (size_t g = 0; g < COMMAND_GROUPS_MAX; g++) {
		const struct option_spec *spec = command->options[g];

		for (; spec && spec->name; spec++)
			roff_option(spec, out);
	}
	fputs(".PP\nExamples:\n.PP\n.nf\n", out);
	manual_roff_text(command->examples, out);
	fputs(slice_ends_nocase(slice_from(command->examples), SLICE("\n"))
		  ? ".fi\n"
		  : "\n.fi\n",
	    out);
}

static void roff_page(
    const struct command *const *commands, struct slice word, FILE *out)
{
	const char *between = " \\- ";

	fputs(".TH \"GATEHOUSE\\-", out);
	for (size_t i = 0; i < word.len; i++)
		fputc(word.ptr[i] & ~0x20, out);
	fprintf(
	    out, "\" 1 \"\" \"gatehouse %s\"\n.SH NAME\n", GATEHOUSE_VERSION);
	fprintf(out, "gatehouse\\-%.*s", SLICE_ARGS(word));
	for (const struct command *const *c = commands; *c; c++) {
		if (!slice_eq(first_word(*c), word))
			continue;
		fputs(between, out);
		manual_roff_text((*c)->summary, out);
		between = "; ";
	}
	fputc('\n', out);
	for (; *commands; commands++)
		if (slice_eq(first_word(*commands), word))
			roff_command(*commands, out);
	fputs(".SH EXIT STATUS\n", out);
	manual_roff_text(exit_codes, out);
	fputs("\n.SH SEE ALSO\n.BR gatehouse (1),\n.BR gatehouse.yaml (5),\n"
	      ".BR gatehouse\\-log (5)\n",
	    out);
}

static bool write_page(const struct command *const *commands,
    const char *directory, struct slice word)
{
	char path[4096];
	FILE *out;

	snprintf(path, sizeof(path), "%s/gatehouse-%.*s.1", directory,
	    SLICE_ARGS(word));
	out = fopen(path, "w");
	if (!out) {
		perror(path);
		return false;
	}
	roff_page(commands, word, out);
	return fclose(out) == 0;
}

static bool is_first_of_group(const struct command *const *commands, size_t at)
{
	return at == 0 || !slice_eq(first_word(commands[at]),
			      first_word(commands[at - 1]));
}

int manual_print_pages(
    const struct command *const *commands, int argc, char *const *argv)
{
	for (size_t i = 0; commands[i]; i++) {
		struct slice word = first_word(commands[i]);

		if (!is_first_of_group(commands, i))
			continue;
		if (argc < 3)
			printf("gatehouse-%.*s.1\n", SLICE_ARGS(word));
		else if (!write_page(commands, argv[2], word))
			return EXIT_NO_INPUT;
	}
	if (argc < 3)
		puts("gatehouse.yaml.5");
	else if (!manual_write_config(argv[2]))
		return EXIT_NO_INPUT;
	return EXIT_DONE;
}
