/* SPDX-License-Identifier: Apache-2.0 */
#include "smtp/reply.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/ascii.h"

/* Lines, separated by '\n', and what our client would be told. */
static const struct {
	const char *lines;
	const char *told; /* NULL: not a reply */
} cases[] = {
    {"250 2.1.5 ok", "250 2.1.5 ok"},
    {"250 ok\r", "250 2.0.0 ok"},
    {"200 2.1.5 ok", "200 2.1.5 ok"},
    {"200 ok", "200 2.0.0 ok"},
    {"500 what", "500 5.0.0 what"},
    {"500 5.5.2 what", "500 5.5.2 what"},
    {"250", "250 2.0.0 ok"},
    {"250 ", "250 2.0.0 ok"},
    {"550-5.1.1 no such\n550 5.1.1 user", "550 5.1.1 no such user"},
    {"550-no\n550-\n550 5.1.1 user", "550 5.1.1 no user"},
    {"550-5.1.1 no such\n550 5.7.1 user", "550 5.1.1 no such user"},
    {"250-1\n250-2\n250-3\n250-4\n250-5\n250 6", "250 2.0.0 1 2 3 4 5 6"},
    {"550 nobody\tof\x01that\x7fname", "550 5.0.0 nobody?of?that?name"},
    {"450 4.2.0 caf\xc3\xa9", "450 4.2.0 caf??"},
    /* the class of the enhanced code must be the reply's */
    {"450 5.2.0 later", "450 4.0.0 5.2.0 later"},
    {"550 5.100.123 x", "550 5.100.123 x"},
    {"550 5.x.1 y", "550 5.0.0 5.x.1 y"},
    {"550 5.. y", "550 5.0.0 5.. y"},
    {"550 5.1234.1 x", "550 5.0.0 5.1234.1 x"},
    {"550 5.1.1x", "550 5.0.0 5.1.1x"},
    {"571 5.7.1 policy", "571 5.7.1 policy"},
    {"552 5.3.4", "552 5.3.4 refused"},
    /* not for our client's eyes, or no answer */
    {"421 4.3.2 going down", "451 4.3.2 going down"},
    {"530 5.7.0 Must issue a STARTTLS command first",
	"451 4.3.5 the next hop wants a login or TLS of us"},
    {"534 5.7.9 no", "451 4.3.5 the next hop wants a login or TLS of us"},
    {"535 5.7.8 no", "451 4.3.5 the next hop wants a login or TLS of us"},
    {"538 5.7.11 no", "451 4.3.5 the next hop wants a login or TLS of us"},
    {"354 go", "451 4.5.0 the next hop gave an unexpected reply"},
    {"334 ", "451 4.5.0 the next hop gave an unexpected reply"},
    /* not replies */
    {"", NULL},
    {"25", NULL},
    {"2500 ok", NULL},
    {"250ok", NULL},
    {"250_ok", NULL},
    {"250x", NULL},
    {"150 early", NULL},
    {"650 what", NULL},
    {"abc", NULL},
    {"-50 x", NULL},
    {"250-one\n251 two", NULL},
    {"250-one\n251-two\n250 three", NULL},
    {"250_one\n250 two", NULL},
    {"250-one\nfoo", NULL},
};

static bool parse(struct arena *arena, struct slice lines,
    struct smtp_reply *reply, struct err *err)
{
	struct slice line;
	bool complete = false;

	do {
		slice_split(lines, '\n', &line, &lines);
		if (!reply_add_line(arena, reply, line, &complete, err))
			return false;
	} while (!complete);
	return true;
}

static void test_table(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct arena *arena = arena_new(0);
		struct smtp_reply reply = {0};
		struct err err = {0};
		bool ok = parse(
		    arena, slice_from(cases[i].lines), &reply, &err);

		if (ok != (cases[i].told != NULL))
			fail_msg("\"%s\": %s", cases[i].lines,
			    ok ? "accepted" : err.text);
		if (!ok)
			assert_int_equal(err.kind, E_SYNTAX);
		if (ok) {
			struct smtp_reply_text text = reply_pass_on(
			    arena, &reply);
			const char *line = arena_format(arena, "%d %.*s %.*s",
			    text.code, SLICE_ARGS(text.enhanced),
			    SLICE_ARGS(text.text));

			assert_string_equal(line, cases[i].told);
		}
		arena_free(arena);
	}
}

/* A line may come with its end. */
static void test_line_ends(void **state)
{
	static const char *const ends[] = {"", "\r", "\n", "\r\n"};

	(void)state;
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		struct arena *arena = arena_new(0);
		struct smtp_reply reply = {0};
		bool complete = false;

		assert_true(reply_add_line(arena, &reply,
		    arena_format_slice(arena, "250 ok%s", ends[i]), &complete,
		    NULL));
		assert_true(complete);
		assert_true(slice_eq(reply.lines[0], SLICE("ok")));
		arena_free(arena);
	}
}

/* 4xx, or 5xx, or the first. */
static void test_strongest(void **state)
{
	static const struct {
		int codes[3], strongest;
	} rows[] = {
	    {{250, 251, 252}, 250},
	    {{250, 599, 550}, 599},
	    {{550, 250, 450}, 450},
	    {{250, 499, 451}, 499},
	    {{250, 500, 400}, 400},
	    {{250, 250, 500}, 500},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct smtp_reply_text replies[3] = {0};

		for (size_t j = 0; j < 3; j++)
			replies[j].code = rows[i].codes[j];
		assert_int_equal(
		    reply_strongest(replies, 3).code, rows[i].strongest);
	}
}

static void test_limits(void **state)
{
	struct arena *arena = arena_new(0);
	struct smtp_reply reply = {0};
	struct smtp_reply_text text;
	char line[REPLY_LINE_MAX + 2];
	bool complete;
	struct err err;

	(void)state;
	memset(line, 'x', sizeof(line));
	memcpy(line, "250-", 4);
	assert_false(reply_add_line(arena, &reply,
	    slice_of(line, REPLY_LINE_MAX + 1), &complete, &err));
	assert_int_equal(err.kind, E_LIMIT);
	for (int i = 0; i < REPLY_LINES_MAX; i++)
		assert_true(reply_add_line(arena, &reply,
		    slice_of(line, REPLY_LINE_MAX), &complete, &err));
	assert_false(
	    reply_add_line(arena, &reply, SLICE("250 end"), &complete, &err));
	assert_int_equal(err.kind, E_LIMIT);
	text = reply_pass_on(arena, &reply);
	assert_int_equal(text.text.len, REPLY_TEXT_MAX);

	/* The line that is too long is cut, not left out. */
	reply = (struct smtp_reply){0};
	assert_true(reply_add_line(
	    arena, &reply, slice_of(line, 104), &complete, &err));
	assert_true(reply_add_line(
	    arena, &reply, slice_of(line, REPLY_LINE_MAX), &complete, &err));
	text = reply_pass_on(arena, &reply);
	assert_int_equal(text.text.len, REPLY_TEXT_MAX);
	assert_int_equal(text.text.ptr[100], ' ');
	arena_free(arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_table),
	    cmocka_unit_test(test_line_ends),
	    cmocka_unit_test(test_strongest),
	    cmocka_unit_test(test_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
