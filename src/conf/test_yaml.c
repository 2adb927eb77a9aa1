/* SPDX-License-Identifier: Apache-2.0 */
#include "conf/yaml.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/clock.h"
#include "conf/problems.h"

/* The tree as one text: {key:value@line:column ...}. */
static void show(struct buf *buf, const struct yaml_node *node)
{
	const char *open = node->kind == YAML_MAP ? "{" : "[";
	const char *close = node->kind == YAML_MAP ? "}" : "]";

	if (node->key.len)
		buf_add_format(buf, "%.*s@%u:%u=", SLICE_ARGS(node->key),
		    node->key_place.line, node->key_place.column);
	if (node->kind == YAML_SCALAR) {
		buf_add_format(buf, "%.*s@%u:%u", SLICE_ARGS(node->text),
		    node->place.line, node->place.column);
		return;
	}
	buf_add_text(buf, open);
	for (const struct yaml_node *n = node->first; n; n = n->next) {
		show(buf, n);
		buf_add_text(buf, n->next ? " " : "");
	}
	buf_add_text(buf, close);
}

static const struct {
	const char *text;
	bool json;
	const char *want;
} trees[] = {
    {"", false, "{}"},
    {"# nothing\n", false, "{}"},
    {"---\n...\n", false, "{}"},
    {"a: 1\n", false, "{a@1:1=1@1:4}"},
    {"a:\n  - x\n  - y: 2\n", false, "{a@1:1=[x@2:5 {y@3:5=2@3:8}]}"},
    {"{\"a\": [true, \"\\u00fc\"]}", true, "{a@1:2=[true@1:8 \xc3\xbc@1:14]}"},
    {"{\"a\":\t[1,\n\t\t2]}", true, "{a@1:2=[1@1:8 2@2:3]}"},
    {"a: 'it''s'\nb: \"x\\ty\"\n", false, "{a@1:1=it's@1:4 b@2:1=x\ty@2:4}"},
    {"a: >\n  one\n  two\n", false, "{a@1:1=one two\n@2:1}"},
    {"a: b: c\n", false, NULL},
    {"a: [1, 2\nb: 3\n", false, NULL},
    {"a: \"x\n", false, NULL},
    {"\ta: 1\n", false, NULL},
    {"{\"a\": 1,}", true, NULL},
    {"a: @b\n", false, NULL},
    {"a: \xff\xfe\n", false, NULL},
};

static void test_trees(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(trees) / sizeof(trees[0]); i++) {
		struct arena *arena = arena_new(0);
		struct problems *problems = problems_new(arena, "f");
		struct yaml_node *root = yaml_parse(
		    arena, slice_from(trees[i].text), trees[i].json, problems);
		struct buf *buf = buf_in_arena(arena, 10000);

		if (!root != !trees[i].want)
			fail_msg("%zu: %s", i, trees[i].text);
		assert_int_equal(problems->errors.count, root ? 0 : 1);
		if (root) {
			show(buf, root);
			assert_string_equal(buf->ptr, trees[i].want);
		}
		arena_free(arena);
	}
}

static const struct {
	const char *text, *error;
	unsigned int line, column;
} refused[] = {
    {"a: *b\n", "alias", 1, 4},
    {"a: &b 1\n", "anchor", 1, 4},
    {"a: &b [1]\n", "anchor", 1, 4},
    {"&b a: 1\n", "anchor", 1, 1},
    {"a: !!str 1\n", "tag", 1, 4},
    {"a: !x {b: 1}\n", "tag", 1, 4},
    {"a: 1\n<<: {b: 2}\n", "merge", 2, 1},
    {"a: 1\nb: 2\na: 3\n", "repeated", 3, 1},
    {"x:\n  - {a: 1, \"a\": 2}\n", "repeated", 2, 12},
    {"? [a]\n: 1\n", "plain name", 1, 3},
    {"a: 1\n---\nb: 2\n", "second document", 2, 1},
    {"a: 1\nb: \xc3\xbc\xff\n", "UTF-8", 2, 5},
};

static void test_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		struct arena *arena = arena_new(0);
		struct problems *problems = problems_new(arena, "f");
		const struct problem *problem = &problems->errors.items[0];

		yaml_parse(arena, slice_from(refused[i].text), false, problems);
		if (problems->errors.count != 1)
			fail_msg(
			    "%s: %zu", refused[i].text, problems->errors.count);
		if (!strstr(problem->text.ptr, refused[i].error) ||
		    problem->place.line != refused[i].line ||
		    problem->place.column != refused[i].column)
			fail_msg("%s: %u:%u %s", refused[i].text,
			    problem->place.line, problem->place.column,
			    problem->text.ptr);
		arena_free(arena);
	}
}

static struct slice repeat(
    struct arena *arena, const char *head, const char *unit, size_t count)
{
	struct buf *buf = buf_in_arena(arena, YAML_SIZE_MAX);

	buf_add_text(buf, head);
	for (size_t i = 0; i < count; i++)
		buf_add_text(buf, unit);
	assert_false(buf_overflowed(buf));
	return buf_slice(buf);
}

static struct slice alias_bomb(struct arena *arena)
{
	struct buf *buf = buf_in_arena(arena, 10000);

	buf_add_text(buf, "a0: &a0 [x,x,x,x,x,x,x,x,x]\n");
	for (int i = 1; i < 12; i++) {
		buf_add_format(buf, "a%d: &a%d [", i, i);
		for (int j = 0; j < 9; j++)
			buf_add_format(buf, "*a%d,", i - 1);
		buf_add_text(buf, "]\n");
	}
	return buf_slice(buf);
}

static const struct {
	const char *head, *unit;
	size_t count;
} hostile[] = {
    {"", "[", 100 * 1024},
    {"", "{a: ", 100 * 1024},
    {"", "- ", 100 * 1024},
    {"", "? ", 100 * 1024},
    {"a: [", "x,", 2000000},
    {"a: {", "x,", 2000000},
    {"", "k: 1\n", 800000},
    {"", "!a!", 1000000},
    {"", "&a ", 1000000},
    {"a: \"", "\\n", 2000000},
    {"a: |\n", "  x\n", 1000000},
    {"a: >\n", "  \n", 1000000},
    {"a: ", "x ", 2000000},
    {"", "#", 4000000},
    {"", "%YAML 1.2\n", 400000},
    {"", "---\n", 1000000},
    {"", "'", 1000000},
};

/* No text of this size may take long or much memory.  The clock only finds
 * what is quadratic: that takes minutes. */
static void test_hostile(void **state)
{
	(void)state;
	for (size_t i = 0; i <= sizeof(hostile) / sizeof(hostile[0]); i++) {
		bool is_bomb = i == sizeof(hostile) / sizeof(hostile[0]);
		struct arena *arena = arena_new(0);
		struct problems *problems = problems_new(arena, "f");
		int64_t start = clock_monotonic_ms();
		struct slice text;

		text = is_bomb ? alias_bomb(arena)
			       : repeat(arena, hostile[i].head, hostile[i].unit,
				     hostile[i].count);
		yaml_parse(arena, text, false, problems);
		if (clock_monotonic_ms() - start > 20000)
			fail_msg("case %zu took too long", i);
		assert_true(arena_size(arena) < (size_t)100 << 20);
		if (is_bomb)
			assert_int_equal(problems->errors.count, PROBLEMS_MAX);
		arena_free(arena);
	}
}

static void test_find(void **state)
{
	struct arena *arena = arena_new(0);
	struct problems *problems = problems_new(arena, "f");
	const struct yaml_node *root = yaml_parse(
	    arena, SLICE("a:\n  - b: 1\n  - b: {c: 2}\n"), false, problems);

	(void)state;
	assert_int_equal(yaml_find(root, "a[1].b.c")->place.line, 3);
	assert_int_equal(yaml_find(root, "a[1].b.c")->place.column, 12);
	assert_int_equal(yaml_find(root, "a[0].b")->place.column, 8);
	assert_int_equal(yaml_find(root, "a[0].x")->place.column, 5);
	assert_int_equal(yaml_find(root, "a[7].b")->place.line, 2);
	assert_ptr_equal(yaml_find(root, "z.y"), root);
	assert_ptr_equal(yaml_find(root, ""), root);
	arena_free(arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_trees),
	    cmocka_unit_test(test_refused),
	    cmocka_unit_test(test_hostile),
	    cmocka_unit_test(test_find),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
