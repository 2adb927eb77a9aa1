/* SPDX-License-Identifier: Apache-2.0 */
#include "conf/describe.h"

#include <string.h>

#include "base/text.h"
#include "conf/fields.h"
#include "conf/number.h"
#include "conf/problems.h"
#include "conf/value.h"

enum { NAMES_MAX = 256, WRAP = 72 };

struct describer {
	struct arena *arena;
	struct buf *buf;
	struct slice wanted; /* without brackets */
	bool json;
	size_t described;
	size_t name_count; /* of all fields, for the hint */
	const char *names[NAMES_MAX];
};

static struct slice without_brackets(struct arena *arena, struct slice name)
{
	struct buf *plain = buf_in_arena(arena, name.len + 1);

	for (size_t i = 0; i < name.len; i++)
		if (name.ptr[i] != '[' && name.ptr[i] != ']')
			buf_add_byte(plain, name.ptr[i]);
	return buf_slice(plain);
}

static bool is_wanted(struct describer *describer, const char *name)
{
	struct slice plain = without_brackets(
	    describer->arena, slice_from(name));
	struct slice wanted = describer->wanted;

	return !wanted.len || slice_eq(plain, wanted) ||
	       (slice_starts(plain, wanted) && plain.ptr[wanted.len] == '.');
}

static bool has_bounds(const struct field *field)
{
	return field->max > 0;
}

static const char *type_of(
    struct describer *describer, const struct field *field)
{
	const char *name = value_type_name(field->type);

	return field->list ? arena_format(describer->arena, "list of %ss", name)
			   : name;
}

static const char *choices_of(
    struct describer *describer, const struct field *field)
{
	const char *all = "";

	for (const char *const *c = field->choices; c && *c; c++)
		all = arena_format(
		    describer->arena, "%s%s%s", all, *all ? " | " : "", *c);
	return all;
}

static void add_wrapped(struct buf *buf, struct slice text)
{
	struct slice word;
	size_t column = 0;

	while (text.len) {
		slice_split(text, ' ', &word, &text);
		if (column == 0 || column + 1 + word.len > WRAP) {
			buf_add_text(buf, column == 0 ? "    " : "\n    ");
			column = 4;
		} else {
			buf_add_byte(buf, ' ');
			column++;
		}
		buf_add(buf, word);
		column += word.len;
	}
	buf_add_byte(buf, '\n');
}

static void add_line(struct buf *buf, const char *title, struct slice text)
{
	if (text.len)
		buf_add_format(buf, "    %-9s %.*s\n", title, SLICE_ARGS(text));
}

static struct slice bounds_of(
    struct describer *describer, const struct field *field)
{
	struct arena *arena = describer->arena;
	struct slice low, high;

	if (!has_bounds(field))
		return SLICE("");
	low = number_format(arena, field->type, field->min);
	high = number_format(arena, field->type, field->max);
	return arena_format_slice(
	    arena, "%.*s to %.*s", SLICE_ARGS(low), SLICE_ARGS(high));
}

static struct slice default_of(struct describer *describer,
    const struct table *table, const struct field *field)
{
	struct slice text = SLICE("");

	value_default(describer->arena, table, field, NULL, &text);
	return text;
}

static void describe_as_text(struct describer *describer,
    const struct table *table, const struct field *field, const char *name)
{
	struct buf *buf = describer->buf;
	const char *looks = value_type_help(field->type);

	buf_add_format(buf, "%s%s\n", describer->described ? "\n" : "", name);
	add_wrapped(buf, slice_from(field->help));
	add_line(buf, "type:",
	    arena_format_slice(describer->arena, "%s%s%s%s",
		type_of(describer, field), looks ? ": " : "",
		looks ? looks : "", field->required ? "; required" : ""));
	add_line(buf, "values:", slice_from(choices_of(describer, field)));
	add_line(buf, "default:", default_of(describer, table, field));
	add_line(buf, "bounds:", bounds_of(describer, field));
	if (field->example)
		add_line(buf, "example:",
		    arena_format_slice(describer->arena, "%s: %s", field->name,
			field->example));
}

static void add_member(struct buf *buf, const char *key, struct slice text)
{
	buf_add_format(buf, ", \"%s\": ", key);
	text_add_json_string(buf, text);
}

static void describe_as_json(struct describer *describer,
    const struct table *table, const struct field *field, const char *name)
{
	struct buf *buf = describer->buf;
	struct slice text;

	buf_add_text(buf, describer->described ? ",\n  {" : "\n  {");
	buf_add_text(buf, "\"name\": ");
	text_add_json_string(buf, slice_from(name));
	add_member(buf, "type", slice_from(value_type_name(field->type)));
	buf_add_format(buf, ", \"list\": %s, \"required\": %s",
	    field->list ? "true" : "false", field->required ? "true" : "false");
	if (value_default(describer->arena, table, field, NULL, &text))
		add_member(buf, "default", text);
	if (has_bounds(field)) {
		add_member(buf, "minimum",
		    number_format(describer->arena, field->type, field->min));
		add_member(buf, "maximum",
		    number_format(describer->arena, field->type, field->max));
	}
	for (const char *const *c = field->choices; c && *c; c++) {
		buf_add_text(
		    buf, c == field->choices ? ", \"values\": [" : ", ");
		text_add_json_string(buf, slice_from(*c));
	}
	buf_add_text(buf, field->choices ? "]" : "");
	add_member(buf, "help", slice_from(field->help));
	if (field->example)
		add_member(buf, "example", slice_from(field->example));
	buf_add_byte(buf, '}');
}

/* A mapping without a list of its own has nothing to show but its help. */
static void describe_table(
    struct describer *describer, const struct table *table, const char *path)
{
	for (size_t i = 0; i < table->count; i++) {
		const struct field *field = &table->fields[i];
		const char *name = arena_format(describer->arena, "%s%s%s%s",
		    path, *path ? "." : "", field->name,
		    field->type == TYPE_TABLES ? "[]" : "");

		if (describer->name_count < NAMES_MAX)
			describer->names[describer->name_count++] = name;
		if (is_wanted(describer, name)) {
			if (describer->json)
				describe_as_json(describer, table, field, name);
			else
				describe_as_text(describer, table, field, name);
			describer->described++;
		}
		if (field->table)
			describe_table(describer, field->table, name);
	}
}

static bool no_such_field(
    const struct describer *describer, struct slice name, struct err *err)
{
	const char *nearest = text_nearest(
	    name, describer->names, describer->name_count);

	return err_set(err, E_USAGE, "there is no field %s%s%s%s",
	    problems_quote(describer->arena, name),
	    nearest ? "; did you mean " : "", nearest ? nearest : "",
	    nearest ? "?" : "");
}

bool describe_fields(
    struct slice name, bool as_json, struct buf *buf, struct err *err)
{
	struct arena *arena = arena_new(0);
	struct describer *describer = ARENA_NEW(arena, struct describer);
	bool found;

	describer->arena = arena;
	describer->buf = buf;
	describer->json = as_json;
	describer->wanted = without_brackets(arena, name);
	if (as_json)
		buf_add_byte(buf, '[');
	describe_table(describer, &table_config, "");
	if (as_json)
		buf_add_text(buf, "\n]\n");
	found = describer->described > 0;
	if (!found)
		no_such_field(describer, name, err);
	arena_free(arena);
	return found;
}
