/* SPDX-License-Identifier: Apache-2.0 */
/* The words of a field: quoting, folding, and what is left out. */
#include "auth/authres_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void add_word(struct authres_text *text, size_t len)
{
	authres_text_begin(text);
	for (size_t i = 0; i < len; i++)
		buf_add_byte(text->word, 'a');
	authres_text_end(text);
}

static void test_pvalue(void **state)
{
	static const struct {
		const char *value, *written;
		bool utf8;
	} cases[] = {
	    {"a", "a", false},
	    {"a.b_c", "a.b_c", false},
	    {"a@b", "a@b", false},
	    {"a=b/c?d@b.example", "a=b/c?d@b.example", false},
	    {"", "\"\"", false},
	    {"a b", "\"a b\"", false},
	    {"a@", "\"a@\"", false},
	    {"a.b@c", "a.b@c", false},
	    {"a..b@c", "\"a..b@c\"", false},
	    {".a@c", "\".a@c\"", false},
	    {"a.@c", "\"a.@c\"", false},
	    {"@c", "@c", false},
	    {"a@b_c", "\"a@b_c\"", false},
	    {"a=b", "\"a=b\"", false},
	    {"a b@c", "\"a b@c\"", false},
	    {"a\"b\\c", "\"a\\\"b\\\\c\"", false},
	    {"a(b)", "\"a(b)\"", false},
	    {"\xc3\xbc\x01\x7f", "\"????\"", false},
	    {"\xc3\xbc\x01\x7f", "\"\xc3\xbc??\"", true},
	    {"\xc3\xc3\xbc", "\"?\xc3\xbc\"", true},
	};
	struct arena *arena = arena_new(0);

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct authres_text text;

		authres_text_init(arena, &text, 1000, cases[i].utf8);
		authres_text_begin(&text);
		authres_text_pvalue(&text, slice_from(cases[i].value));
		authres_text_end(&text);
		assert_string_equal(
		    arena_text(arena, buf_slice(text.out)), cases[i].written);
	}
	arena_free(arena);
}

/* Up to column 78, of which the field's name has 24 and a HTAB 8; one is for
 * the semicolon. */
static void test_folding(void **state)
{
	static const struct {
		size_t words[3];
		const char *between[2];
	} cases[] = {
	    {{10, 42, 1}, {" ", "\r\n\t"}},
	    {{10, 43, 1}, {"\r\n\t", " "}},
	    {{10, 43, 25}, {"\r\n\t", " "}},
	    {{10, 43, 26}, {"\r\n\t", "\r\n\t"}},
	    {{10, 20, 21}, {" ", " "}},
	    {{10, 20, 22}, {" ", "\r\n\t"}},
	};
	struct arena *arena = arena_new(0);

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct authres_text text;
		struct slice rest;

		authres_text_init(arena, &text, 1000, false);
		for (size_t word = 0; word < 3; word++)
			add_word(&text, cases[i].words[word]);
		rest = buf_slice(text.out);
		for (size_t word = 0; word < 2; word++) {
			rest = slice_from_pos(rest, cases[i].words[word]);
			if (!slice_starts(
				rest, slice_from(cases[i].between[word])))
				fail_msg("case %zu, word %zu", i, word);
			rest = slice_from_pos(
			    rest, strlen(cases[i].between[word]));
		}
		assert_int_equal(rest.len, cases[i].words[2]);
	}
	arena_free(arena);
}

static void test_statements(void **state)
{
	struct arena *arena = arena_new(0);
	struct authres_text text;

	(void)state;
	authres_text_init(arena, &text, 1000, false);
	authres_text_statement(&text); /* the first: nothing to end */
	add_word(&text, 1);
	authres_text_statement(&text);
	add_word(&text, 0); /* no word */
	add_word(&text, 2);
	add_word(&text, 3);
	assert_string_equal(
	    arena_text(arena, buf_slice(text.out)), "a;\r\n\taa aaa");
	arena_free(arena);
}

/* Whole or not at all; and nothing after what a full field had no room for,
 * which would be told of another statement. */
static void test_limits(void **state)
{
	struct arena *arena = arena_new(0);
	struct authres_text text;

	(void)state;
	authres_text_init(arena, &text, 5000, false);
	add_word(&text, 996);
	assert_int_equal(text.out->len, 996);
	add_word(&text, 997);
	assert_int_equal(text.out->len, 996);
	add_word(&text, 1);
	assert_int_equal(text.out->len, 996 + 4);

	for (size_t more = 0; more < 2; more++) {
		authres_text_init(arena, &text, 30, false);
		add_word(&text, 4);
		add_word(&text, 18 + more);
		add_word(&text, 1);
		assert_int_equal(text.out->len, more ? 4 : 4 + 1 + 18);
	}
	arena_free(arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_pvalue),
	    cmocka_unit_test(test_folding),
	    cmocka_unit_test(test_statements),
	    cmocka_unit_test(test_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
