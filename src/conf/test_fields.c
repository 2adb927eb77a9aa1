/* SPDX-License-Identifier: Apache-2.0 */
/* The rows themselves: what the loader, the dump and the help rely on. */
#include "conf/fields.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/ascii.h"
#include "conf/problems.h"
#include "conf/value.h"
#include "conf/yaml.h"

struct walk {
	struct arena *arena;
	size_t rows;
	void (*visit)(struct walk *walk, const struct table *table,
	    const struct field *field);
};

static void visit_table(struct walk *walk, const struct table *table)
{
	for (size_t i = 0; i < table->count; i++) {
		walk->rows++;
		walk->visit(walk, table, &table->fields[i]);
		if (table->fields[i].table)
			visit_table(walk, table->fields[i].table);
	}
}

static void visit_all(void (*visit)(
    struct walk *walk, const struct table *table, const struct field *field))
{
	struct walk walk = {.arena = arena_new(0), .visit = visit};

	visit_table(&walk, &table_config);
	assert_true(walk.rows > 90);
	arena_free(walk.arena);
}

static bool has_value(const struct field *field)
{
	return value_item_size(field->type) > 0;
}

static bool is_name_byte(char c)
{
	return c == '_' || (ascii_is_alnum(c) && !ascii_is_upper(c));
}

static void check_kind(const struct field *field)
{
	if ((field->type == TYPE_TABLE || field->type == TYPE_TABLES) !=
	    (field->table != NULL))
		fail_msg("%s: table and type differ", field->name);
	if ((field->type == TYPE_CHOICE || field->type == TYPE_WORD) !=
	    (field->choices != NULL))
		fail_msg("%s: choices and type differ", field->name);
}

static void visit_shape(
    struct walk *walk, const struct table *table, const struct field *field)
{
	(void)walk;
	if (!field->name || !slice_all(slice_from(field->name), is_name_byte))
		fail_msg("a row after %s", table->fields[0].name);
	if (!field->help || strlen(field->help) < 8)
		fail_msg("%s has no help", field->name);
	if (has_value(field) && !field->example)
		fail_msg("%s has no example", field->name);
	check_kind(field);
	if (field->required && field->fallback)
		fail_msg("%s: is required and has a default", field->name);
	if (field->max && field->max <= field->min)
		fail_msg("%s: bounds", field->name);
	for (const struct field *other = table->fields; other < field; other++)
		assert_string_not_equal(other->name, field->name);
}

static void test_shape(void **state)
{
	(void)state;
	visit_all(visit_shape);
}

union any_value {
	struct slice slice;
	struct ip_network network;
	uint64_t number;
	int64_t seconds;
	int choice;
	bool boolean;
};

static void parse_shown(struct walk *walk, const struct field *field,
    struct slice text, union any_value *value)
{
	struct conf_route route = {0};
	struct value_input in = {.arena = walk->arena,
	    .folder = SLICE("/etc"),
	    .field = field,
	    .base = &route};
	struct err err;

	if (!value_parse(&in, text, value, &err))
		fail_msg(
		    "%s: %.*s: %s", field->name, SLICE_ARGS(text), err.text);
	if (field->type == TYPE_NEXT_HOP)
		value->slice = route.text;
}

/* What the help shows must load. */
static void visit_example(
    struct walk *walk, const struct table *table, const struct field *field)
{
	struct problems *problems = problems_new(walk->arena, "f");
	const struct yaml_node *node;
	union any_value value;

	(void)table;
	if (!has_value(field))
		return;
	node = yaml_parse(walk->arena,
	    arena_format_slice(walk->arena, "x: %s", field->example), false,
	    problems);
	assert_non_null(node);
	node = node->first;
	assert_int_equal(node->kind, field->list ? YAML_LIST : YAML_SCALAR);
	for (const struct yaml_node *n = field->list ? node->first : node; n;
	     n = n->next) {
		memset(&value, 0, sizeof(value));
		parse_shown(walk, field, n->text, &value);
	}
}

static void test_examples(void **state)
{
	(void)state;
	visit_all(visit_example);
}

/* Defaults are compared with values as text: both must be written alike. */
static void visit_default(
    struct walk *walk, const struct table *table, const struct field *field)
{
	union any_value value = {0};
	struct slice text, again;

	if (!has_value(field) || field->list ||
	    !value_default(walk->arena, table, field, NULL, &text) ||
	    slice_find(text, '<') < text.len)
		return;
	parse_shown(walk, field, text, &value);
	again = value_format(walk->arena, field, &value);
	if (!slice_eq(text, again))
		fail_msg("%s: default %.*s is %.*s", field->name,
		    SLICE_ARGS(text), SLICE_ARGS(again));
}

static void test_defaults(void **state)
{
	(void)state;
	visit_all(visit_default);
}

/* A limit without a row could not be set. */
static void test_limits(void **state)
{
	bool seen[sizeof(struct limits) / sizeof(uint64_t)] = {false};

	(void)state;
	assert_int_equal(table_limits.count, sizeof(seen) / sizeof(seen[0]));
	for (size_t i = 0; i < table_limits.count; i++) {
		const struct field *field = &table_limits.fields[i];
		size_t at = field->offset / sizeof(uint64_t);
		uint64_t number;

		assert_false(seen[at]);
		seen[at] = true;
		memcpy(&number, (const char *)&limits_default + field->offset,
		    sizeof(number));
		if (number < field->min || number > field->max)
			fail_msg("%s: default out of bounds", field->name);
	}
}

static void test_log_topics(void **state)
{
	const struct field *log = fields_find(&table_config, SLICE("log"));
	const struct field *trace = fields_find(log->table, SLICE("trace"));
	unsigned int all = 0;

	(void)state;
	for (const char *const *c = trace->choices; *c; c++) {
		assert_int_not_equal(log_topic_from_name(slice_from(*c)), 0);
		all |= log_topic_from_name(slice_from(*c));
	}
	assert_int_equal(all, LOG_TOPICS_ALL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_shape),
	    cmocka_unit_test(test_examples),
	    cmocka_unit_test(test_defaults),
	    cmocka_unit_test(test_limits),
	    cmocka_unit_test(test_log_topics),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
