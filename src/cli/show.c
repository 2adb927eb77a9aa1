/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/show.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/text.h"
#include "cli/command.h"

void show_text(struct buf *out, struct slice text)
{
	while (text.len) {
		size_t length = text_utf8_length(text);
		struct slice sequence = slice_sub(text, 0, length ? length : 1);

		if (length && !text_is_control(sequence))
			buf_add(out, sequence);
		else
			for (size_t i = 0; i < sequence.len; i++)
				buf_add_format(out, "\\x%02x",
				    (unsigned char)sequence.ptr[i]);
		text = slice_from_pos(text, sequence.len);
	}
}

static void show_line(struct buf *out, struct slice line)
{
	for (size_t tab; (tab = slice_find(line, '\t')) < line.len;
	     line = slice_from_pos(line, tab + 1)) {
		show_text(out, slice_sub(line, 0, tab));
		buf_add_byte(out, '\t');
	}
	show_text(out, line);
}

void show_lines(struct buf *out, struct slice text, const char *margin)
{
	struct slice line;

	while (text.len) {
		slice_split(text, '\n', &line, &text);
		if (line.len && line.ptr[line.len - 1] == '\r')
			line.len--;
		buf_add_text(out, margin);
		show_line(out, line);
		buf_add_byte(out, '\n');
	}
}

void show_time(struct buf *out, int64_t time_ms)
{
	struct arena *arena = arena_new(256);

	buf_add(out, clock_format_rfc3339(arena, time_ms / 1000));
	arena_free(arena);
}

/* Without the end of a line that was cut. */
static struct slice whole_lines(struct slice text)
{
	while (text.len && text.ptr[text.len - 1] != '\n')
		text.len--;
	return text;
}

/* Nothing may be NULL, which fwrite must not see. */
static bool write_out(struct slice text)
{
	return text.len == 0 ||
	       fwrite(text.ptr, 1, text.len, stdout) == text.len;
}

int show_print(const struct buf *out)
{
	struct slice text = buf_slice(out);

	if (buf_overflowed(out)) {
		text = whole_lines(text);
		fprintf(stderr,
		    "gatehouse: this is too much to print, over %zu MiB, and "
		    "ends here: ask for less, or for --json\n",
		    out->max >> 20);
	}
	return write_out(text) && !buf_overflowed(out) ? EXIT_DONE
						       : EXIT_TEMPORARY;
}

/* Octets up to the first control of a string: those of US-ASCII jansson has
 * escaped but for DEL, and a line end is none of a string. */
static size_t harmless_run(struct slice json)
{
	size_t at = 0;

	while (at < json.len) {
		struct slice rest = slice_from_pos(json, at);
		size_t length = text_utf8_length(rest);

		if (length && rest.ptr[0] != '\n' &&
		    text_is_control(slice_sub(rest, 0, length)))
			break;
		at += length ? length : 1;
	}
	return at;
}

static bool write_escaped(struct slice character)
{
	enum { ESCAPE_MAX = 6 };
	struct buf escape;
	bool ok;

	buf_init(&escape, ESCAPE_MAX);
	ok = text_add_json_escaped(&escape, character) &&
	     write_out(buf_slice(&escape));
	buf_release(&escape);
	return ok;
}

/* A line end is one of the layout. */
static bool write_lines(struct slice text, struct slice margin)
{
	for (size_t end; (end = slice_find(text, '\n')) < text.len;
	     text = slice_from_pos(text, end + 1))
		if (!write_out(slice_sub(text, 0, end + 1)) ||
		    !write_out(margin))
			return false;
	return write_out(text);
}

/* A piece that jansson has written: whole characters. */
static int write_json(const char *octets, size_t size, void *margin)
{
	struct slice rest = slice_of(octets, size);

	for (;;) {
		size_t run = harmless_run(rest), length;

		if (!write_lines(
			slice_sub(rest, 0, run), *(const struct slice *)margin))
			return -1;
		rest = slice_from_pos(rest, run);
		if (rest.len == 0)
			return 0;
		length = text_utf8_length(rest);
		if (!write_escaped(slice_sub(rest, 0, length)))
			return -1;
		rest = slice_from_pos(rest, length);
	}
}

static bool dump(json_t *json, struct slice margin)
{
	bool ok = json && json_dump_callback(
			      json, write_json, &margin, JSON_INDENT(2)) == 0;

	json_decref(json);
	return ok;
}

int show_print_json(json_t *json)
{
	bool ok = dump(json, SLICE(""));

	putchar('\n');
	return ok ? EXIT_DONE : EXIT_INTERNAL;
}

bool show_list_add(struct show_list *list, json_t *element)
{
	fputs(list->has_elements ? ",\n  " : "[\n  ", stdout);
	list->has_elements = true;
	if (!dump(element, SLICE("  ")) || ferror(stdout))
		list->has_failed = true;
	return !list->has_failed;
}

int show_list_end(const struct show_list *list)
{
	fputs(list->has_elements ? "\n]\n" : "[]\n", stdout);
	return list->has_failed ? EXIT_INTERNAL : EXIT_DONE;
}

json_t *show_json_text(struct arena *arena, struct slice text)
{
	struct slice clean = text_clean_utf8(arena, text);

	return json_stringn(clean.len ? clean.ptr : "", clean.len);
}

json_t *show_json_time(struct arena *arena, int64_t time_ms)
{
	return show_json_text(
	    arena, clock_format_rfc3339(arena, time_ms / 1000));
}

json_t *show_json_texts(
    struct arena *arena, size_t count, const struct slice *texts)
{
	json_t *values = json_array();

	for (size_t i = 0; i < count; i++)
		json_array_append_new(values, show_json_text(arena, texts[i]));
	return values;
}
