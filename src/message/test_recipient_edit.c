/* SPDX-License-Identifier: Apache-2.0 */
#include "message/recipient_edit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"

/* A script is letters and what they act on: "-0" removes by number, "+text"
 * adds an address, "!text" one that never gets a report, "=text" is one more of
 * the envelope. */
static const struct {
	const char *script[6];
	const char *want;  /* the list that results */
	const char *freed; /* numbers whose address goes with them */
} rows[] = {
    {{NULL}, "a@x.example b@x.example", ""},
    {{"+c@x.example"}, "a@x.example b@x.example c@x.example", ""},
    {{"-0"}, "b@x.example", "0"},
    {{"-1", "-1"}, "a@x.example", "1"},
    {{"-0", "-1", "+c@y.example"}, "c@y.example", "01"},
    {{"-0", "-1"}, "", "01"},
    /* Who is there already; only the domain has no case. */
    {{"+a@X.Example", "+c@x", "+c@X"}, "a@x.example b@x.example c@x", ""},
    {{"+A@x.example"}, "a@x.example b@x.example A@x.example", ""},
    {{"+b@x.example"}, "a@x.example b@x.example", ""},
    {{"+c@x", "+d@x", "+d@X", "+c@X"}, "a@x.example b@x.example c@x d@x", ""},
    /* Who comes back, and who is another then. */
    {{"-0", "+a@X.example"}, "a@x.example b@x.example", ""},
    {{"-0", "-1", "+a@x.example"}, "a@x.example", "1"},
    {{"-0", "-1", "+b@x.example"}, "b@x.example", "0"},
    {{"-0", "+a@x.example", "-0"}, "b@x.example", "0"},
    {{"-0", "!a@x.example"}, "b@x.example a@x.example", "0"},
    {{"-0", "!a@x.example", "+a@x.example"}, "b@x.example a@x.example", "0"},
    /* Said twice: the address goes with the last one, but with each name. */
    {{"=a@X.example", "-0"}, "b@x.example a@X.example", ""},
    {{"=a@X.example", "-2"}, "a@x.example b@x.example", ""},
    {{"=a@X.example", "-0", "-2"}, "b@x.example", "02"},
    {{"=a@X.example", "-2", "-0", "+a@x.example"}, "b@x.example a@X.example",
	""},
    {{"=A@x.example", "-0"}, "b@x.example A@x.example", "0"},
};

static const char *list_of(struct arena *arena,
    const struct recipient_edits *edits, const struct envelope *envelope)
{
	const struct envelope_recipient *list = recipient_edit_apply(
	    arena, edits, envelope);
	struct buf *text = buf_in_arena(arena, 4096);

	for (size_t i = 0; i < recipient_edit_count(edits, envelope); i++)
		buf_add_format(
		    text, "%s%.*s", i ? " " : "", SLICE_ARGS(list[i].address));
	return arena_text(arena, buf_slice(text));
}

static struct envelope make_envelope(struct arena *arena)
{
	struct envelope envelope = {0};
	const struct envelope_recipient a = {.address = SLICE("a@x.example")};
	const struct envelope_recipient b = {.address = SLICE("b@x.example")};

	envelope_add_recipient(arena, &envelope, &a);
	envelope_add_recipient(arena, &envelope, &b);
	return envelope;
}

static const char *freed_by(
    struct arena *arena, const struct recipient_edits *edits, size_t count)
{
	struct buf *text = buf_in_arena(arena, 10);

	for (size_t i = 0; i < count; i++)
		if (recipient_edit_frees_address(edits, i))
			buf_add_format(text, "%zu", i);
	return arena_text(arena, buf_slice(text));
}

static void take_step(struct arena *arena, const char *step,
    struct recipient_edits *edits, struct envelope *envelope)
{
	struct envelope_recipient one = {.address = slice_from(step + 1)};

	if (*step == '!')
		one.dsn_notify = SLICE("NEVER");
	if (*step == '-')
		recipient_edit_remove(
		    arena, edits, envelope, (size_t)(step[1] - '0'));
	else if (*step == '=')
		envelope_add_recipient(arena, envelope, &one);
	else
		assert_true(
		    recipient_edit_add(arena, edits, envelope, &one, NULL));
}

static void test_lists(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct arena *arena = arena_new(0);
		struct envelope envelope = make_envelope(arena);
		struct recipient_edits edits = {0};

		for (size_t j = 0; rows[i].script[j]; j++)
			take_step(arena, rows[i].script[j], &edits, &envelope);
		assert_string_equal(
		    list_of(arena, &edits, &envelope), rows[i].want);
		assert_string_equal(
		    freed_by(arena, &edits, envelope.recipient_count),
		    rows[i].freed);
		arena_free(arena);
	}
}

static void test_refused(void **state)
{
	static const struct {
		struct envelope_recipient recipient;
		bool smtputf8, want;
	} cases[] = {
	    {{.address = SLICE_INIT("c@x.example")}, false, true},
	    {{.address = SLICE_INIT("")}, false, false},
	    {{.address = SLICE_INIT("postmaster")}, false, false},
	    {{.address = SLICE_INIT("c@x.example>\r\nDATA")}, false, false},
	    {{.address = SLICE_INIT("c d@x.example")}, false, false},
	    {{.address = SLICE_INIT("@a.example:c@x.example")}, false, false},
	    {{.address = SLICE_INIT("\xc3\xa4@x.example")}, false, false},
	    {{.address = SLICE_INIT("\xc3\xa4@x.example")}, true, true},
	    {{.address = SLICE_INIT("c@x.example"),
		 .dsn_notify = SLICE_INIT("NEVER")},
		false, true},
	    {{.address = SLICE_INIT("c@x.example"),
		 .dsn_notify = SLICE_INIT("NEVER ORCPT=x")},
		false, false},
	    {{.address = SLICE_INIT("c@x.example"),
		 .dsn_orcpt = SLICE_INIT("rfc822;!~@x")},
		false, true},
	    {{.address = SLICE_INIT("c@x.example"),
		 .dsn_orcpt = SLICE_INIT("rfc822;\x7f@x")},
		false, false},
	    {{.address = SLICE_INIT("c@x.example"),
		 .dsn_orcpt = SLICE_INIT("rfc822;c@x\r\nDATA")},
		false, false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct arena *arena = arena_new(0);
		struct envelope envelope = make_envelope(arena);
		struct recipient_edits edits = {0};
		struct err err = {0};

		envelope.smtputf8 = cases[i].smtputf8;
		assert_int_equal(recipient_edit_add(arena, &edits, &envelope,
				     &cases[i].recipient, &err),
		    cases[i].want);
		assert_int_equal(recipient_edit_any(&edits), cases[i].want);
		if (!cases[i].want)
			assert_int_equal(err.kind, E_SYNTAX);
		arena_free(arena);
	}
}

static void test_limit(void **state)
{
	struct arena *arena = arena_new(0);
	struct envelope envelope = make_envelope(arena);
	struct recipient_edits edits = {0};
	struct err err = {0};

	(void)state;
	for (int i = 0; i <= RECIPIENT_EDIT_ADDED_MAX; i++) {
		struct envelope_recipient one = {
		    .address = arena_format_slice(arena, "n%d@x.example", i)};

		assert_int_equal(
		    recipient_edit_add(arena, &edits, &envelope, &one, &err),
		    i < RECIPIENT_EDIT_ADDED_MAX);
	}
	assert_int_equal(err.kind, E_LIMIT);
	arena_free(arena);
}

/* Equal ones, in the time that any others take: comparing each with each, for
 * each, would outlast the test. */
static void test_many_equal(void **state)
{
	enum { MANY = 20000 };
	const struct envelope_recipient same = {
	    .address = SLICE("a@X.example")};
	struct arena *arena = arena_new(0);
	struct envelope envelope = make_envelope(arena);
	struct recipient_edits edits = {0};

	(void)state;
	for (size_t i = 0; i < MANY; i++)
		envelope_add_recipient(arena, &envelope, &same);
	for (size_t i = 0; i < envelope.recipient_count; i++)
		if (i != 1)
			recipient_edit_remove(arena, &edits, &envelope, i);
	for (size_t i = 0; i < envelope.recipient_count; i++)
		assert_int_equal(
		    recipient_edit_frees_address(&edits, i), i != 1);
	assert_string_equal(list_of(arena, &edits, &envelope), "b@x.example");
	assert_true(recipient_edit_add(arena, &edits, &envelope, &same, NULL));
	assert_false(recipient_edit_frees_address(&edits, 2));
	arena_free(arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_lists),
	    cmocka_unit_test(test_refused),
	    cmocka_unit_test(test_limit),
	    cmocka_unit_test(test_many_equal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
