/* SPDX-License-Identifier: Apache-2.0 */
#include "smtp/command.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "smtp/line.h"

struct path_case {
	const char *argument;
	enum err_kind error;
	const char *path;	/* and the parameters behind it: */
	const char *parameters; /* "NAME=value,NAME" */
};

/* Reverse-path = Path / "<>"; Mail-parameters = esmtp-param
 * *(SP esmtp-param): RFC 5321, sections 4.1.1.2 and 4.1.2. */
static const struct path_case path_cases[] = {
    {"FROM:<a@b.example>", E_NONE, "a@b.example", ""},
    {"from:<a@b.example>", E_NONE, "a@b.example", ""},
    {"FROM:<>", E_NONE, "", ""},
    {"FROM: <a@b.example>", E_NONE, "a@b.example", ""},
    {"FROM:<@r.example:a@b.example>", E_NONE, "@r.example:a@b.example", ""},
    {"FROM:<\"a>b\"@b.example>", E_NONE, "\"a>b\"@b.example", ""},
    {"FROM:<\"a\\\">\"@b.example> X", E_NONE, "\"a\\\">\"@b.example", "X"},
    {"FROM:<a\\> X", E_NONE, "a\\", "X"}, /* quotes nothing here */
    {"FROM:<a@b> SIZE=10", E_NONE, "a@b", "SIZE=10"},
    {"FROM:<a@b> SIZE=10 SMTPUTF8  BODY=8BITMIME", E_NONE, "a@b",
	"SIZE=10,SMTPUTF8,BODY=8BITMIME"},
    {"FROM:<a@b> AUTH=<>", E_NONE, "a@b", "AUTH=<>"},
    {"FROM:<a@b> ", E_NONE, "a@b", ""},
    {"FROM:a@b.example", E_SYNTAX, NULL, NULL},
    {"FROM:<a@b.example", E_SYNTAX, NULL, NULL},
    {"FROM:", E_SYNTAX, NULL, NULL},
    {"FROM<a@b>", E_SYNTAX, NULL, NULL},
    {"TO:<a@b>", E_SYNTAX, NULL, NULL},
    {"FROM:<a@b>SIZE=10", E_SYNTAX, NULL, NULL},
    {"FROM:<a@b> SIZE=", E_SYNTAX, NULL, NULL},
    {"FROM:<a@b> =10", E_SYNTAX, NULL, NULL},
    {"FROM:<a@b> -X", E_SYNTAX, NULL, NULL},
    {"FROM:<a@b> X_Y", E_SYNTAX, NULL, NULL},
    {"FROM:<a@b> X=a\tb", E_SYNTAX, NULL, NULL},
    {"FROM:<\"a@b>", E_SYNTAX, NULL, NULL},
    {"FROM:<a@b> A B C D E F G H I J K L M N O P Q", E_LIMIT, NULL, NULL},
};

static void check_path(const struct path_case *c)
{
	struct command_path path = {0};
	struct err err = {0};
	char text[200];
	size_t len = 0;

	text[0] = '\0';
	if (command_parse_path(slice_from(c->argument), SLICE("FROM:"), &path,
		&err) != !c->error ||
	    err.kind != c->error)
		fail_msg("%s: %s", c->argument, err.text);
	if (c->error)
		return;
	for (size_t i = 0; i < path.count; i++) {
		const struct command_parameter *p = &path.parameters[i];

		len += (size_t)snprintf(text + len, sizeof(text) - len,
		    "%s%.*s%s%.*s", i ? "," : "", SLICE_ARGS(p->name),
		    p->has_value ? "=" : "", SLICE_ARGS(p->value));
	}
	assert_string_equal(text, c->parameters);
	assert_true(slice_eq(path.path, slice_from(c->path)));
}

static void test_paths(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(path_cases) / sizeof(*path_cases); i++)
		check_path(&path_cases[i]);
}

static void test_split(void **state)
{
	struct command command = command_split(SLICE("mail  FROM:<> X "));

	(void)state;
	assert_true(slice_eq(command.verb, SLICE("mail")));
	assert_true(slice_eq(command.argument, SLICE("FROM:<> X")));
	/* RFC 5321, section 4.1.1: white space before the end is tolerated. */
	command = command_split(SLICE("QUIT \t"));
	assert_true(slice_eq(command.verb, SLICE("QUIT")));
	command = command_split(SLICE("QUIT\t"));
	assert_true(slice_eq(command.verb, SLICE("QUIT")));
	command = command_split(SLICE(""));
	assert_int_equal(command.verb.len + command.argument.len, 0);
}

/* chunk-size = 1*DIGIT; end-marker = "LAST": RFC 3030, section 2. */
static void test_bdat(void **state)
{
	static const struct {
		const char *argument;
		bool ok;
		uint64_t size;
		bool last;
	} cases[] = {
	    {"0", true, 0, false},
	    {"86 LAST", true, 86, true},
	    {"86 last", true, 86, true},
	    {"86  LAST", true, 86, true},
	    {"", false, 0, false},
	    {"-1", false, 0, false},
	    {"+1", false, 0, false},
	    {"1x", false, 0, false},
	    {"0x10", false, 0, false},
	    {"1 LATE", false, 0, false},
	    {"LAST", false, 0, false},
	    {"18446744073709551617", false, 0, false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		uint64_t size = 0;
		bool last = false;

		if (command_parse_bdat(slice_from(cases[i].argument), &size,
			&last) != cases[i].ok)
			fail_msg("%s", cases[i].argument);
		assert_int_equal(size, cases[i].size);
		assert_int_equal(last, cases[i].last);
	}
}

/* xtext = *( xchar / hexchar ); hexchar = "+" 2(%x30-39 / %x41-46). */
static void test_xtext(void **state)
{
	struct arena *arena = arena_new(0);
	struct slice got = {0};

	(void)state;
	assert_true(command_decode_xtext(arena, SLICE("a+2Bb+3D"), &got));
	assert_true(slice_eq(got, SLICE("a+b=")));
	assert_true(command_decode_xtext(arena, SLICE("+0Fa+20+7F"), &got));
	assert_true(slice_eq(got, SLICE("\x0f"
					"a \x7f")));
	assert_false(command_decode_xtext(arena, SLICE("a+2"), &got));
	assert_false(command_decode_xtext(arena, SLICE("a+"), &got));
	assert_false(command_decode_xtext(arena, slice_of("a+2B", 3), &got));
	assert_false(command_decode_xtext(arena, SLICE("a+xy"), &got));
	assert_false(command_decode_xtext(arena, SLICE("a+2y"), &got));
	assert_false(command_decode_xtext(arena, SLICE("a+x2"), &got));
	arena_free(arena);
}

static void test_lines(void **state)
{
	static const struct {
		struct slice line;
		enum line_fault fault;
	} cases[] = {
	    {SLICE_INIT("NOOP\r\n"), LINE_OK},
	    {SLICE_INIT("\r\n"), LINE_OK},
	    {SLICE_INIT("NOOP\n"), LINE_BARE_LF},
	    {SLICE_INIT("\n"), LINE_BARE_LF},
	    {SLICE_INIT("NO\nOP\r\n"), LINE_BARE_LF},
	    {SLICE_INIT("NO\rOP\r\n"), LINE_BARE_CR},
	    {SLICE_INIT("NOOP\r\r\n"), LINE_BARE_CR},
	    {SLICE_INIT("NOOP\0\r\n"), LINE_NUL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct slice text;

		assert_int_equal(
		    line_check(cases[i].line, &text), cases[i].fault);
		if (!cases[i].fault)
			assert_int_equal(text.len, cases[i].line.len - 2);
	}
}

static void test_helo(void **state)
{
	char longest[257];

	(void)state;
	memset(longest, 'x', sizeof(longest));
	assert_true(command_helo_is_sane(SLICE("client.example")));
	assert_true(command_helo_is_sane(SLICE("[IPv6:2001:db8::1]")));
	assert_true(command_helo_is_sane(SLICE("under_score")));
	assert_true(command_helo_is_sane(slice_of(longest, 255)));
	assert_false(command_helo_is_sane(slice_of(longest, 256)));
	assert_false(command_helo_is_sane(SLICE("two words")));
	assert_false(command_helo_is_sane(SLICE("a\x01")));
	assert_false(command_helo_is_sane(SLICE("")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_paths),
	    cmocka_unit_test(test_split),
	    cmocka_unit_test(test_bdat),
	    cmocka_unit_test(test_xtext),
	    cmocka_unit_test(test_lines),
	    cmocka_unit_test(test_helo),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
