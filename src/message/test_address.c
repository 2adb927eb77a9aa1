/* SPDX-License-Identifier: Apache-2.0 */
#include "message/address.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/ascii.h"
#include "base/buf.h"

#define S(text) SLICE_INIT(text)

#define X63 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
#define A16 "\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4"

enum { ADDRESSES_MAX = 10 };

/* want: "name|local|domain" of each mailbox, divided by ";"; NULL: an error */
static const struct {
	struct slice text;
	const char *want;
} lists[] = {
    /* clang-format off */
    {S("a@b.example"), "|a|b.example"},
    {S(" A B <a.c@b.example> "), "A B|a.c|b.example"},
    {S("\"A, B\" <a@b>, c@d"), "A, B|a|b;|c|d"},
    {S("\"a b\"@c"), "|a b|c"},
    {S("(x)a(y)@(z)b(w)"), "|a|b"},
    {S("a . b @ c . d"), "|a.b|c.d"},		/* RFC 5322, 4.4 */
    {S("a@[192.0.2.1]"), "|a|[192.0.2.1]"},
    {S("<a@[192.0.2.1]>, b@c"), "|a|[192.0.2.1];|b|c"},
    {S("<a@[192.0.2.1] (x) >"), "|a|[192.0.2.1]"},
    {S("\"A\r\n B\" <a@b>"), "A B|a|b"},		/* unfolded */
    {S("G: a@b, c@d;"), "|a|b;|c|d"},
    {S("G:;"), ""},
    {S("G:;, a@b"), "|a|b"},
    {S("<@r.example,@s.example:a@b>"), "|a|b"},
    {S("a@b,, c@d,"), "|a|b;|c|d"},
    {S("=?utf-8?q?a=40bank.example?= <x@evil.example>"),
	"=?utf-8?q?a=40bank.example?=|x|evil.example"},
    {S("\xc3\xa4@b\xc3\xbc.example"), "|\xc3\xa4|b\xc3\xbc.example"},
    {S("a\r\n @b"), "|a|b"},
    {S("\"x\\\"y\"@b"), "|x\"y|b"},
    {S("J. Doe <j@d>"), "J. Doe|j|d"},		/* obs-phrase */
    {S("a@b <a@b>"), "|a|b"},			/* not RFC 5322 */
    {S("a@b <a@B> (x), c@d<c@d>"), "|a|B;|c|d"},
    {S("G: a@b <a@b>;"), "|a|b"},
    {S("a@b <c@B> (x), c@d<c@d>"), "|c|B;|c|d"}, /* one domain */
    {S("a@b <c@b, d@e>"), NULL},
    {S("a@b <a@c>"), NULL},
    {S("a@b <a@b> <a@b>"), NULL},
    {S("a@b <a@b"), NULL},
    {S("<a@b> a@b"), NULL},
    {S(""), ""},
    {S("a"), NULL},
    {S("a b@c"), NULL},
    {S("a@b@c"), NULL},
    {S("a@b c@d"), NULL},
    {S("a@"), NULL},
    {S("@b"), NULL},
    {S("<a@b"), NULL},
    {S("<a"), NULL},
    {S("<a>"), NULL},
    {S("<>"), NULL},
    {S("<@\"a\"@b>"), NULL},
    {S("a@b>"), NULL},
    {S("a@b..c"), NULL},
    /* local parts that some providers give out */
    {S("a..b@c"), "|a..b|c"},
    {S(".a@c"), "|.a|c"},
    {S("a.@c"), "|a.|c"},
    {S("<a.@c>"), "|a.|c"},
    {S(".@c"), NULL},
    {S("..@c"), NULL},
    /* names that ought to be quoted */
    {S("a@b (x) <a@b>, c@d"), "|a|b;|c|d"},
    {S("a@b <a>"), NULL},
    {S("a@b <>"), NULL},
    {S("a@b c@b <a@b>"), NULL},
    {S("\"x@y\"@b <a@b>"), NULL},
    {S("=?utf-8?q?x=40y?=@b <a@b>"), NULL},
    {S("a..b@b <a..b@b>"), "|a..b|b"},
    {S("x a@b <a@b>"), NULL},
    {S("a@[192.0.2.1] <a@[192.0.2.1]>"), "|a|[192.0.2.1]"},
    {S("J. Doe [it] <j@d>"), "J. Doe [it]|j|d"},
    {S("[it] <j@d>"), "[it]|j|d"},
    {S("[it] j@d"), NULL},
    {S("<[it]@d>"), NULL},
    {S("[x@y] <j@d>"), NULL},
    {S("=?utf-8?q?Doe,_J?= <j@d>"), "=?utf-8?q?Doe,_J?=|j|d"},
    {S("=?utf-8?Q?Doe:_[J;]?= X <j@d>"), "=?utf-8?Q?Doe:_[J;]?= X|j|d"},
    {S("=?utf-8?q?a@b.example?= <j@b.example>"),
	"=?utf-8?q?a@b.example?=|j|b.example"},
    {S("=?utf-8?q?a@b,_J?= =?utf-8?q?c@B?= <j@b>"),
	"=?utf-8?q?a@b,_J?= =?utf-8?q?c@B?=|j|b"},
    {S("=?utf-8?q?a@c?= <j@b>"), NULL},
    {S("=?utf-8?q?a@c?= =?utf-8?q?a@b?= <j@b>"), NULL},
    {S("=?utf-8?q?a@c_a@b?= <j@b>"), NULL},
    {S("=?utf-8?q?a@b_x?= <j@b>"), NULL},
    {S("=?utf-8?q?a@?= <j@b>"), NULL},
    {S("=?utf-8?q?a@b?= <j@b>, =?utf-8?q?a@c?= <j@b>"), NULL},
    {S("=?utf-8?q?a,b?=@c"), NULL},
    {S("=?utf-8?q?a,b?= c@d"), NULL},
    {S("=?utf-8?q?a,<x@y>?= <j@d>"), NULL},
    {S("=?utf-8?q?a,\"x\"?= <j@d>"), NULL},
    {S("=?utf-8?q?a,(x)?= <j@d>"), NULL},
    {S("=?utf-8?q?a,b?=c <j@d>"), NULL},
    {S("=?utf-8?q?a,b <j@d>"), NULL},
    {S("=?utf-8?x?a,b?= <j@d>"), NULL},
    {S("=?utf-8?q?a,\xc3\xa4?= <j@d>"), NULL},
    {S("Doe, J <j@d>"), NULL},
    {S("J: Doe <j@d>"), NULL},
    {S("\"a@c"), NULL},
    {S("\"a\\"), NULL},
    {S("\"a\\\""), NULL},
    {S("(a@c"), NULL},
    {S("a@(b"), NULL},
    {S("a@b(c"), NULL},
    {S("((((((((((((((((((((((((((((((((x))))))))))))))))))))))))))))))))a@b"), "|a|b"},
    {S("(((((((((((((((((((((((((((((((((x)))))))))))))))))))))))))))))))))a@b"), NULL},
    {S("G: a@b"), NULL},
    {S("G: H: a@b;;"), NULL},
    {S(": a@b;"), NULL},
    {S("a\0b@c"), NULL},
    {S("a@b\0c"), NULL},
    {S("a@[1[2]"), NULL},
    {S("a@[[1]"), NULL},
    {S("a@[1"), NULL},
    {S("a@b;"), NULL},
    {S("<a@b> <c@d>"), NULL},
    {S("<a@b>c@d"), NULL},
    {S("\"a\x01\"@b"), NULL},
    {S("a@b, a@b, a@b, a@b, a@b, a@b, a@b, a@b, a@b, a@b, a@b"), NULL},
    /* clang-format on */
};

static struct slice as_text(
    struct arena *arena, const struct mailbox_list *list)
{
	struct buf *text = buf_in_arena(arena, 4096);

	for (size_t i = 0; i < list->count; i++) {
		if (i)
			buf_add_byte(text, ';');
		buf_add(text, list->mailboxes[i].display_name);
		buf_add_byte(text, '|');
		buf_add(text, list->mailboxes[i].local_part);
		buf_add_byte(text, '|');
		buf_add(text, list->mailboxes[i].domain);
	}
	return buf_slice(text);
}

static void test_lists(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		struct arena *arena = arena_new(0);
		struct mailbox_list list;
		struct err err = {0};
		bool ok = address_parse_list(
		    arena, lists[i].text, ADDRESSES_MAX, &list, &err);

		if (ok != (lists[i].want != NULL))
			fail_msg("%.*s: %s", SLICE_ARGS(lists[i].text),
			    ok ? "accepted" : err.text);
		if (!ok && err.kind != E_SYNTAX && err.kind != E_LIMIT)
			fail_msg("%.*s: no reason", SLICE_ARGS(lists[i].text));
		if (ok &&
		    !slice_eq(as_text(arena, &list), slice_from(lists[i].want)))
			fail_msg("%.*s: got %.*s", SLICE_ARGS(lists[i].text),
			    SLICE_ARGS(as_text(arena, &list)));
		arena_free(arena);
	}
}

static void test_too_many(void **state)
{
	struct arena *arena = arena_new(0);
	struct mailbox_list list;
	struct err err = {0};

	(void)state;
	assert_true(
	    address_parse_list(arena, SLICE("a@b, c@d"), 2, &list, &err));
	assert_false(
	    address_parse_list(arena, SLICE("a@b, c@d, e@f"), 2, &list, &err));
	assert_int_equal(err.kind, E_LIMIT);
	arena_free(arena);
}

/* The input that crashes a recursive parser. */
static void test_nesting(void **state)
{
	struct arena *arena = arena_new(0);
	struct buf *text = buf_in_arena(arena, 1000000);
	struct mailbox_list list;

	(void)state;
	for (size_t i = 0; i < 100000; i++)
		buf_add_text(text, "g:");
	assert_false(
	    address_parse_list(arena, buf_slice(text), 10, &list, NULL));
	buf_clear(text);
	for (size_t i = 0; i < 100000; i++)
		buf_add_text(text, "(");
	assert_false(
	    address_parse_list(arena, buf_slice(text), 10, &list, NULL));
	arena_free(arena);
}

/* What names nobody takes no memory that stays: there may be any number. */
static void test_empty_elements(void **state)
{
	static const char *const pieces[] = {",", "g:;,", "()", "g:,;,"};

	(void)state;
	for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
		struct arena *arena = arena_new(0);
		struct buf text;
		struct mailbox_list list;

		buf_init(&text, 100 * 1024);
		while (buf_add_text(&text, pieces[i]))
			;
		assert_true(address_parse_list(
		    arena, buf_slice(&text), 10, &list, NULL));
		assert_int_equal(list.count, 0);
		assert_in_range(arena_size(arena), 0, 4096);
		buf_release(&text);
		arena_free(arena);
	}
}

/* A long source route stands before one address. */
static void test_long_route(void **state)
{
	struct arena *arena = arena_new(0);
	struct buf *text = buf_in_arena(arena, 100 * 1024);
	struct mailbox_list list;

	(void)state;
	buf_add_byte(text, '<');
	while (text->len < 99 * 1024)
		buf_add_text(text, "@a.example,");
	buf_add_text(text, "@b:joe@agency.example>");
	assert_true(
	    address_parse_list(arena, buf_slice(text), 10, &list, NULL));
	assert_int_equal(list.count, 1);
	assert_true(list.mailboxes[0].source_route);
	assert_true(
	    slice_eq(list.mailboxes[0].domain, SLICE("agency.example")));
	arena_free(arena);
}

static const struct {
	struct slice text;
	bool smtputf8;
	const char *want; /* "local|domain" */
} paths[] = {
    /* clang-format off */
    {S("a@b.example"), false, "a|b.example"},
    {S("a.b.c@d"), false, "a.b.c|d"},
    {S(""), false, "|"},
    {S("\"a b\"@c"), false, "a b|c"},
    {S("@r.example,@s.example:a@b"), false, "a|b"},
    {S("a@[IPv6:2001:db8::1]"), false, "a|[IPv6:2001:db8::1]"},
    {S("\xc3\xa4@b"), true, "\xc3\xa4|b"},
    {S("\xc3\xa4@b"), false, NULL},
    {S("\xc3@b"), true, NULL},
    {S("a"), false, NULL},
    {S("a@"), false, NULL},
    {S("@b"), false, NULL},
    {S("a@b..c"), false, NULL},
    {S("a@-b c"), false, NULL},
    {S("a b@c"), false, NULL},
    {S("a@b>"), false, NULL},
    {S("\"a\tb\"@c"), false, NULL},
    {S("a@[1\t2]"), false, NULL},
    {S("\x7f" "a@b"), false, NULL},
    {S("a\r\n@b"), false, NULL},
    {S("a..b@c"), false, "a..b|c"},
    {S(".a@c"), false, ".a|c"},
    {S("a.@c"), false, "a.|c"},
    {S(".@c"), false, NULL},
    {S("..@c"), false, NULL},
    {S("a.@"), false, NULL},
    {S("\"a\".b@c"), false, NULL},
    {S("a@[x]y"), false, NULL},
    {S("a@[[x]"), false, NULL},
    {S("a@[x"), false, NULL},
    {S("a@b c"), true, NULL},
    {S("a@b-c_d.example"), false, "a|b-c_d.example"},
    {S("a@!b"), false, NULL},
    {S("\"a\\"), false, NULL},
    /* a label has 63 octets, in the DNS */
    {S("a@" X63 ".b"), false, "a|" X63 ".b"},
    {S("a@b." X63), false, "a|b." X63},
    {S("a@" X63 "x.b"), false, NULL},
    {S("a@b." X63 "x"), false, NULL},
    {S("a@" X63 "x.b"), true, NULL},
    {S("a@b." X63 "x"), true, NULL},
    {S("a@" A16 A16 A16 A16 ".b"), true, "a|" A16 A16 A16 A16 ".b"},
    {S("a@b." A16 A16 A16 A16), true, "a|b." A16 A16 A16 A16},
    {S("a@" A16 A16 A16 A16 "." X63 "x"), true, NULL},
    /* clang-format on */
};

static void test_paths(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		struct arena *arena = arena_new(0);
		struct mailbox mailbox;
		bool ok = address_parse_path(
		    arena, paths[i].text, paths[i].smtputf8, &mailbox, NULL);

		if (ok != (paths[i].want != NULL))
			fail_msg("%.*s", SLICE_ARGS(paths[i].text));
		if (ok)
			assert_string_equal(arena_format(arena, "%.*s|%.*s",
						SLICE_ARGS(mailbox.local_part),
						SLICE_ARGS(mailbox.domain)),
			    paths[i].want);
		arena_free(arena);
	}
}

/* RFC 5321 section 4.1.2: atext and the dot; whatever else ends the atom. */
static void test_path_octets(void **state)
{
	static const char others[] = "!#$%&'*+-/=?^_`{|}~.";

	(void)state;
	for (unsigned int octet = 0; octet < 128; octet++) {
		struct arena *arena = arena_new(0);
		char text[] = "a?b@c";
		struct mailbox mailbox;
		bool wanted = ascii_is_alnum((char)octet) ||
			      (octet && strchr(others, (int)octet));

		text[1] = (char)octet;
		if (address_parse_path(arena, slice_of(text, 5), false,
			&mailbox, NULL) != wanted)
			fail_msg("octet %u", octet);
		arena_free(arena);
	}
}

/* RFC 5321 section 4.5.3.1.3, without the brackets. */
static void test_path_length(void **state)
{
	struct arena *arena = arena_new(0);
	char text[255];
	struct mailbox mailbox;
	struct err err = {0};

	(void)state;
	memset(text, 'x', sizeof(text));
	text[1] = '@';
	for (size_t dot = 50; dot < sizeof(text) - 1; dot += 50)
		text[dot] = '.';
	assert_true(address_parse_path(
	    arena, slice_of(text, 254), false, &mailbox, &err));
	assert_false(address_parse_path(
	    arena, slice_of(text, 255), false, &mailbox, &err));
	assert_int_equal(err.kind, E_LIMIT);
	arena_free(arena);
}

static void test_format(void **state)
{
	struct arena *arena = arena_new(0);
	const struct mailbox quoted = {
	    .local_part = SLICE("a\"b c"), .domain = SLICE("d")};
	const struct mailbox backslash = {
	    .local_part = SLICE("a\\b"), .domain = SLICE("d")};
	const struct mailbox plain = {
	    .local_part = SLICE("a.b"), .domain = SLICE("d")};
	const struct mailbox encoded = {
	    .local_part = SLICE("=?a?q?"), .domain = SLICE("d")};
	const struct mailbox empty = {.domain = SLICE("d")}, null = {0};

	(void)state;
	assert_true(
	    slice_eq(address_format(arena, &quoted), SLICE("\"a\\\"b c\"@d")));
	assert_true(
	    slice_eq(address_format(arena, &backslash), SLICE("\"a\\\\b\"@d")));
	assert_true(slice_eq(address_format(arena, &plain), SLICE("a.b@d")));
	/* "=?a?q?@d?=" would be another thing. */
	assert_true(
	    slice_eq(address_format(arena, &encoded), SLICE("\"=?a?q?\"@d")));
	assert_true(slice_eq(address_format(arena, &empty), SLICE("\"\"@d")));
	assert_true(slice_empty(address_format(arena, &null)));
	assert_true(slice_eq(
	    address_domain(SLICE("\"a@b\"@c.example")), SLICE("c.example")));
	assert_true(
	    slice_eq(address_domain(SLICE("@c.example")), SLICE("c.example")));
	assert_true(slice_empty(address_domain(SLICE("postmaster"))));
	assert_true(address_has_odd_dots(SLICE(".a")));
	assert_true(address_has_odd_dots(SLICE("a.")));
	assert_true(address_has_odd_dots(SLICE("a..b")));
	assert_false(address_has_odd_dots(SLICE("a.b")));
	assert_false(address_has_odd_dots(SLICE("")));
	arena_free(arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_lists),
	    cmocka_unit_test(test_too_many),
	    cmocka_unit_test(test_nesting),
	    cmocka_unit_test(test_empty_elements),
	    cmocka_unit_test(test_long_route),
	    cmocka_unit_test(test_paths),
	    cmocka_unit_test(test_path_octets),
	    cmocka_unit_test(test_path_length),
	    cmocka_unit_test(test_format),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
