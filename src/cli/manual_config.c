/* SPDX-License-Identifier: Apache-2.0 */
/* gatehouse.yaml(5): what `gatehouse config describe` prints, as a man page. */
#include "base/ascii.h"
#include "cli/manual.h"
#include "conf/describe.h"

static const char head[] =
    ".SH NAME\n"
    "gatehouse.yaml \\- configuration of the gateway\n"
    ".SH DESCRIPTION\n"
    "A YAML 1.2 (or JSON) file, by default\n"
    ".IR /etc/gatehouse/gatehouse.yaml .\n"
    "A key that is not listed here is an error with its line and column.\n"
    "Relative paths begin at the folder of the file.\n"
    ".PP\n"
    "Sizes are written like 64M, times like 30s, 5m, 12h or 30d.\n"
    ".PP\n"
    ".B gatehouse config check\n"
    "finds what is wrong;\n"
    ".B gatehouse config dump\n"
    "prints what is in force;\n"
    ".B systemctl reload gatehouse\n"
    "takes a new version into use, or keeps the old one and says why.\n"
    ".SH FIELDS\n"
    "\"[]\" marks the members of a list; a dot the fields of a mapping.\n";

static const char foot[] = ".SH SEE ALSO\n"
			   ".BR gatehouse (1),\n"
			   ".BR gatehouse\\-config (1),\n"
			   ".BR gatehouse\\-log (5),\n"
			   ".BR gatehouse\\-serve (1)\n";

static bool is_fact(struct slice line)
{
	static const char *const titles[] = {
	    "type:", "default:", "bounds:", "values:", "example:"};

	for (size_t i = 0; i < sizeof(titles) / sizeof(titles[0]); i++)
		if (slice_starts(line, slice_from(titles[i])))
			return true;
	return false;
}

/* A field's name stands at the margin; what is said about it is indented. */
static void add_line(struct arena *arena, struct slice line, FILE *out)
{
	struct slice words = slice_trim(line);

	if (words.len == 0)
		return;
	if (!ascii_is_wsp(line.ptr[0]))
		fputs(".TP\n.B ", out);
	else if (is_fact(words))
		fputs(".br\n", out);
	manual_roff_text(arena_text(arena, words), out);
	fputc('\n', out);
}

static void add_fields(struct arena *arena, FILE *out)
{
	struct buf *buf = buf_in_arena(arena, DESCRIBE_SIZE_MAX);
	struct slice rest, line;

	describe_fields(SLICE(""), false, buf, NULL);
	rest = buf_slice(buf);
	while (rest.len) {
		slice_split(rest, '\n', &line, &rest);
		add_line(arena, line, out);
	}
}

bool manual_write_config(const char *directory)
{
	struct arena *arena = arena_new(0);
	const char *path = arena_format(
	    arena, "%s/gatehouse.yaml.5", directory);
	FILE *out = fopen(path, "w");
	bool ok = out != NULL;

	if (ok) {
		fprintf(out, ".TH GATEHOUSE.YAML 5 \"\" \"gatehouse %s\"\n%s",
		    GATEHOUSE_VERSION, head);
		add_fields(arena, out);
		fputs(foot, out);
		ok = fclose(out) == 0;
	}
	if (!ok)
		perror(path);
	arena_free(arena);
	return ok;
}
