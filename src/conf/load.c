/* SPDX-License-Identifier: Apache-2.0 */
/* One walk over the tables does it all: rows that are in the file are parsed,
 * the others get their defaults.  The tables nest a few levels; so does the
 * recursion.
 */
#include "conf/load.h"

#include <string.h>

#include "base/require.h"
#include "base/text.h"
#include "conf/check.h"
#include "conf/fields.h"
#include "conf/snapshot.h"
#include "conf/value.h"
#include "conf/yaml.h"

enum { LIST_ITEMS_MAX = 100000 };

struct loader {
	struct arena *arena; /* of the snapshot */
	struct arena *scratch;
	struct config *config;
	struct problems *problems;
	struct slice folder;
};

static void load_table(struct loader *loader, const struct table *table,
    const struct yaml_node *map, const char *path, void *base);

static const char *join(
    struct loader *loader, const char *path, const char *name)
{
	return arena_format(
	    loader->scratch, "%s%s%s", path, *path ? "." : "", name);
}

static void *member(void *base, size_t offset)
{
	return (char *)base + offset;
}

static struct value_input input_for(
    struct loader *loader, const struct field *field, void *base)
{
	return (struct value_input){.arena = loader->arena,
	    .folder = loader->folder,
	    .field = field,
	    .base = base};
}

/* One that is made of another setting (store, of state_directory) may not do;
 * map may be NULL where nothing is set. */
static void report_default(struct loader *loader, const struct field *field,
    const struct yaml_node *map, const char *path, const struct err *err)
{
	require(map);
	problems_error(loader->problems, map->place,
	    join(loader, path, field->name),
	    "the default does not work here: %s; write %s: %s", err->text,
	    field->name, field->example);
}

static void load_default(struct loader *loader, const struct table *table,
    const struct field *field, const struct yaml_node *map, const char *path,
    void *base)
{
	struct value_input in = input_for(loader, field, base);
	struct slice text;
	struct err err;

	if (table->defaults)
		memcpy(member(base, field->offset),
		    (const char *)table->defaults + field->offset,
		    value_item_size(field->type));
	else if (value_default(
		     loader->scratch, table, field, loader->config, &text) &&
		 !value_parse(&in, text, member(base, field->offset), &err))
		report_default(loader, field, map, path, &err);
}

static bool expect_kind(struct loader *loader, const struct yaml_node *node,
    enum yaml_kind kind, const char *path, const struct field *field)
{
	static const char *const kinds[] = {
	    "a single value", "a list", "a mapping"};
	const char *example = field ? field->example : NULL;

	if (node->bad || node->kind == kind)
		return !node->bad;
	problems_error(loader->problems, node->place, *path ? path : "the file",
	    "is %s; it must be %s%s%s", kinds[node->kind], kinds[kind],
	    example ? ", like " : "", example ? example : "");
	return false;
}

static void load_value(struct loader *loader, const struct field *field,
    const struct yaml_node *node, const char *path, void *base, void *target)
{
	struct value_input in = input_for(loader, field, base);
	struct err err;

	if (!expect_kind(loader, node, YAML_SCALAR, path, field))
		return;
	if (yaml_is_null(node))
		problems_error(loader->problems, node->place, path,
		    "has no value; write one, or leave the key out");
	else if (!value_parse(&in, node->text, target, &err))
		problems_error(
		    loader->problems, node->place, path, "%s", err.text);
}

/* Appends: two keys may fill one list. */
static void load_list(struct loader *loader, const struct field *field,
    const struct yaml_node *node, const char *path, void *base)
{
	void *list = member(base, field->offset);
	size_t size = value_item_size(field->type);
	size_t count = value_list_count(list), index = 0;
	char *items;

	if (yaml_is_null(node) ||
	    !expect_kind(loader, node, YAML_LIST, path, field))
		return;
	if (node->count > LIST_ITEMS_MAX) {
		problems_error(loader->problems, node->place, path,
		    "has more than %d items", LIST_ITEMS_MAX);
		return;
	}
	items = arena_array(loader->arena, count + node->count, size);
	if (count)
		memcpy(
		    items, value_list_item(list, field->type, 0), count * size);
	for (const struct yaml_node *n = node->first; n; n = n->next, index++)
		load_value(loader, field, n,
		    arena_format(loader->scratch, "%s[%zu]", path, index), base,
		    items + (count + index) * size);
	count += node->count;
	memcpy(list, &count, sizeof(count));
	memcpy((char *)list + offsetof(struct conf_text_list, items), &items,
	    sizeof(items));
}

/* One mapping of a list; unlike other mappings it cannot be left out. */
static void load_item(struct loader *loader, const struct table *table,
    const struct yaml_node *node, const char *path, void *base)
{
	if (yaml_is_null(node) && !node->bad)
		problems_error(loader->problems, node->place, path,
		    "is empty; write a mapping, or remove it");
	else
		load_table(loader, table, node, path, base);
}

static void load_tables(struct loader *loader, const struct field *field,
    const struct yaml_node *node, const char *path, void *base)
{
	const struct table *table = field->table;
	size_t index = 0;
	char *items;

	if (yaml_is_null(node) ||
	    !expect_kind(loader, node, YAML_LIST, path, NULL))
		return;
	items = arena_array(loader->arena, node->count, table->size);
	for (const struct yaml_node *n = node->first; n; n = n->next, index++)
		load_item(loader, table, n,
		    arena_format(loader->scratch, "%s[%zu]", path, index),
		    items + index * table->size);
	memcpy(member(base, field->offset), &items, sizeof(items));
	memcpy(member(base, field->count_offset), &node->count,
	    sizeof(node->count));
}

static void load_field(struct loader *loader, const struct field *field,
    const struct yaml_node *node, const char *path, void *base)
{
	if (field->type == TYPE_TABLES)
		load_tables(loader, field, node, path, base);
	else if (field->type == TYPE_UNAVAILABLE)
		problems_error(loader->problems, node->key_place, path,
		    "is not available in this version; remove it, or what it "
		    "asks for would not happen");
	else if (field->type == TYPE_NO_EFFECT)
		problems_warning(loader->problems, node->key_place, path,
		    "has no effect in this version");
	else if (field->list)
		load_list(loader, field, node, path, base);
	else
		load_value(loader, field, node, path, base,
		    member(base, field->offset));
}

static void report_unknown(struct loader *loader, const struct table *table,
    const struct yaml_node *node, const char *path)
{
	const char *nearest = fields_nearest(table, node->key);
	const char *names = "";

	for (size_t i = 0; i < table->count && !nearest; i++)
		names = arena_format(loader->scratch, "%s%s%s", names,
		    i ? ", " : "", table->fields[i].name);
	problems_error(loader->problems, node->key_place, path,
	    "%s is not a known key; %s %s%s",
	    problems_quote(loader->scratch, node->key),
	    nearest ? "did you mean" : "known here:", nearest ? nearest : names,
	    nearest ? "?" : "");
}

static void report_missing(struct loader *loader, const struct field *field,
    const struct yaml_node *map, const char *path)
{
	problems_error(loader->problems, map->place,
	    join(loader, path, field->name), "is missing; write %s: %s",
	    field->name, field->example);
}

static void load_row(struct loader *loader, const struct table *table,
    const struct field *field, const struct yaml_node *map, const char *path,
    void *base)
{
	const struct yaml_node *node = yaml_get(map, field->name);

	if (field->type == TYPE_TABLE) {
		load_table(loader, field->table, node,
		    join(loader, path, field->name),
		    member(base, field->offset));
		return;
	}
	if (!node || node->bad)
		load_default(loader, table, field, map, path, base);
	if (node && !node->bad)
		load_field(
		    loader, field, node, join(loader, path, field->name), base);
	else if (!node && map && field->required)
		report_missing(loader, field, map, path);
}

/* map may be NULL: defaults alone. */
static void load_table(struct loader *loader, const struct table *table,
    const struct yaml_node *map, const char *path, void *base)
{
	if (map && yaml_is_null(map))
		map = NULL;
	if (map && !expect_kind(loader, map, YAML_MAP, path, NULL))
		map = NULL;
	for (const struct yaml_node *n = map ? map->first : NULL; n;
	     n = n->next)
		if (!fields_find(table, n->key))
			report_unknown(loader, table, n, path);
	for (size_t i = 0; i < table->count; i++)
		load_row(loader, table, &table->fields[i], map, path, base);
}

struct config *load_defaults(void)
{
	struct config *config = snapshot_new();
	struct loader loader = {.arena = config->arena,
	    .scratch = config->arena,
	    .config = config,
	    .folder = SLICE("/")};

	load_table(&loader, &table_config, NULL, "", config);
	return config;
}

static void load_tree(struct loader *loader, struct yaml_node *root,
    const struct load_options *options)
{
	struct config *config = loader->config;

	config->file = arena_slice(config->arena, slice_from(options->file));
	load_table(loader, &table_config, root, "", config);
	check_config(config, root, options, loader->problems);
}

struct config *load_bytes(struct slice bytes,
    const struct load_options *options, struct problems *problems)
{
	struct arena *scratch = arena_new(0);
	struct config *config = snapshot_new();
	struct loader loader = {.arena = config->arena,
	    .scratch = scratch,
	    .config = config,
	    .problems = problems,
	    .folder = options->folder};
	bool is_json = slice_ends_nocase(
	    slice_from(options->file), SLICE(".json"));
	struct yaml_node *root = yaml_parse(scratch, bytes, is_json, problems);

	if (root)
		load_tree(&loader, root, options);
	arena_free(scratch);
	if (problems->errors.count) {
		config_release(config);
		return NULL;
	}
	return config;
}
