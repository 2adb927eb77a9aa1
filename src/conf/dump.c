/* SPDX-License-Identifier: Apache-2.0 */
#include "conf/dump.h"

#include <string.h>

#include "base/ascii.h"
#include "base/text.h"
#include "conf/fields.h"
#include "conf/value.h"

struct dump {
	struct arena *arena;
	const struct config *config;
	struct buf *buf;
	bool changed_only, json;
};

static void dump_table(struct dump *dump, const struct table *table,
    const void *base, unsigned int depth, bool after_dash);

static const void *member(const void *base, size_t offset)
{
	return (const char *)base + offset;
}

static size_t count_of(const struct field *field, const void *base)
{
	size_t count;

	if (field->type != TYPE_TABLES)
		return value_list_count(member(base, field->offset));
	memcpy(&count, member(base, field->count_offset), sizeof(count));
	return count;
}

static const void *nth_struct(
    const struct field *field, const void *base, size_t index)
{
	const char *items;

	memcpy(&items, member(base, field->offset), sizeof(items));
	return items + index * field->table->size;
}

static bool is_scalar_shown(struct dump *dump, const struct table *table,
    const struct field *field, const void *base)
{
	struct slice text = value_format(
	    dump->arena, field, member(base, field->offset));
	struct slice usual;

	if (!value_default(dump->arena, table, field, dump->config, &usual))
		return text.len > 0;
	return !dump->changed_only || !slice_eq(text, usual);
}

static bool is_shown(struct dump *dump, const struct table *table,
    const struct field *field, const void *base)
{
	const struct table *inner = field->table;
	bool shown = false;

	if (field->is_alias || field->type == TYPE_UNAVAILABLE ||
	    field->type == TYPE_NO_EFFECT)
		return false;
	if (field->type == TYPE_TABLE) {
		base = member(base, field->offset);
		for (size_t i = 0; i < inner->count && !shown; i++)
			shown = is_shown(dump, inner, &inner->fields[i], base);
		return shown;
	}
	if (field->list || field->type == TYPE_TABLES)
		return count_of(field, base) > 0;
	return field->required || is_scalar_shown(dump, table, field, base);
}

static bool is_plain_byte(char c)
{
	return ascii_is_alnum(c) || (c && strchr("._/-", c));
}

/* Words that some reader of YAML takes for something else than text. */
static bool is_word_of_yaml(struct slice text)
{
	static const char *const words[] = {
	    "null", "true", "false", "yes", "no", "on", "off", "y", "n"};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (slice_eq_nocase(text, slice_from(words[i])))
			return true;
	return false;
}

static bool is_plain(const struct field *field, struct slice text)
{
	switch (field->type) {
	case TYPE_SECONDS:
	case TYPE_MILLISECONDS:
	case TYPE_SIZE:
	case TYPE_DATE: return true;
	default:
		return text.len &&
		       (ascii_is_alpha(text.ptr[0]) || text.ptr[0] == '/') &&
		       slice_all(text, is_plain_byte) && !is_word_of_yaml(text);
	}
}

static void add_value(
    struct dump *dump, const struct field *field, const void *value)
{
	struct slice text = value_format(dump->arena, field, value);

	if (value_is_bare(field->type) ||
	    (!dump->json && is_plain(field, text)))
		buf_add(dump->buf, text);
	else
		text_add_json_string(dump->buf, text);
}

static void indent(struct dump *dump, unsigned int depth)
{
	for (unsigned int i = 0; i < depth; i++)
		buf_add_text(dump->buf, "  ");
}

static void add_list(
    struct dump *dump, const struct field *field, const void *list)
{
	size_t count = value_list_count(list);

	buf_add_byte(dump->buf, '[');
	for (size_t i = 0; i < count; i++) {
		buf_add_text(dump->buf, i ? ", " : "");
		add_value(dump, field, value_list_item(list, field->type, i));
	}
	buf_add_byte(dump->buf, ']');
}

static void add_structs(struct dump *dump, const struct field *field,
    const void *base, unsigned int depth)
{
	size_t count = count_of(field, base);

	if (dump->json)
		buf_add_text(dump->buf, " [");
	for (size_t i = 0; i < count; i++) {
		buf_add_text(dump->buf, dump->json && i ? ",\n" : "\n");
		indent(dump, depth);
		if (!dump->json)
			buf_add_text(dump->buf, "- ");
		dump_table(dump, field->table, nth_struct(field, base, i),
		    depth + 1, true);
	}
	if (dump->json)
		buf_add_byte(dump->buf, ']');
}

static void add_row(struct dump *dump, const struct field *field,
    const void *base, unsigned int depth)
{
	const void *value = member(base, field->offset);

	buf_add_format(dump->buf, dump->json ? "\"%s\":" : "%s:", field->name);
	if (field->type == TYPE_TABLES) {
		add_structs(dump, field, base, depth + 1);
		return;
	}
	if (field->type == TYPE_TABLE) {
		buf_add_text(dump->buf, dump->json ? " " : "\n");
		dump_table(dump, field->table, value, depth + 1, false);
		return;
	}
	buf_add_byte(dump->buf, ' ');
	if (field->list)
		add_list(dump, field, value);
	else
		add_value(dump, field, value);
}

/* Ends without a line end: what follows decides between "\n" and ",\n". */
static void dump_table(struct dump *dump, const struct table *table,
    const void *base, unsigned int depth, bool after_dash)
{
	bool first = true;

	if (dump->json)
		buf_add_byte(dump->buf, '{');
	for (size_t i = 0; i < table->count; i++) {
		const struct field *field = &table->fields[i];

		if (!is_shown(dump, table, field, base))
			continue;
		if (!first)
			buf_add_text(dump->buf, dump->json ? ",\n" : "\n");
		else if (dump->json)
			buf_add_byte(dump->buf, '\n');
		if (dump->json || !first || !after_dash)
			indent(dump, depth);
		add_row(dump, field, base, depth);
		first = false;
	}
	if (dump->json)
		buf_add_byte(dump->buf, '}');
}

bool dump_config(
    const struct config *config, unsigned int flags, struct buf *buf)
{
	struct dump dump = {
	    .arena = arena_new(0),
	    .config = config,
	    .buf = buf,
	    .changed_only = (flags & DUMP_CHANGED) != 0,
	    .json = (flags & DUMP_JSON) != 0,
	};

	dump_table(&dump, &table_config, config, dump.json ? 1 : 0, false);
	buf_add_byte(buf, '\n');
	arena_free(dump.arena);
	return !buf_overflowed(buf);
}
