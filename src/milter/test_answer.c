/* SPDX-License-Identifier: Apache-2.0 */
#include "milter/answer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "milter/packet.h"

enum { OUT_MAX = 64 * 1024, LINE_MAX = 512 };

static struct slice reply_of(
    struct arena *arena, struct buf *out, struct smtp_reply_text reply)
{
	struct packet packet = {0};
	struct slice text = {NULL, 0};
	struct err err;

	answer_reply(arena, &reply, out);
	assert_int_equal(
	    packet_read(buf_slice(out), &packet, &err), PACKET_WHOLE);
	assert_int_equal(packet.size, out->len);
	assert_int_equal(packet.command, 'y');
	assert_true(packet_parse_text(packet.data, &text, &err));
	return text;
}

static void test_replies(void **state)
{
	static const struct {
		struct smtp_reply_text reply;
		struct slice wanted;
	} rows[] = {
	    {{550, SLICE_INIT("5.7.1"), SLICE_INIT("no")},
		SLICE_INIT("550 5.7.1 no")},
	    {{550, SLICE_INIT("5.7.1"), SLICE_INIT("!~ see /~us")},
		SLICE_INIT("550 5.7.1 !~ see /~us")},
	    {{451, SLICE_INIT(""), SLICE_INIT("later")},
		SLICE_INIT("451 later")},
	    {{550, SLICE_INIT("5.7.1"), SLICE_INIT("")},
		SLICE_INIT("550 5.7.1 ")},
	    /* Sendmail's formats. */
	    {{550, SLICE_INIT("5.7.1"), SLICE_INIT("100%s %n%")},
		SLICE_INIT("550 5.7.1 100%%s %%n%%")},
	    /* What would end the reply, or the text. */
	    {{550, SLICE_INIT("5.7.1"), SLICE_INIT("a\r\n250 b\tc\x7f\xc3")},
		SLICE_INIT("550 5.7.1 a??250 b?c??")},
	};
	struct arena *arena = arena_new(0);
	struct buf out;

	(void)state;
	buf_init(&out, OUT_MAX);
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct slice text = reply_of(arena, &out, rows[i].reply);

		if (!slice_eq(text, rows[i].wanted))
			print_message("%zu: %.*s\n", i, SLICE_ARGS(text));
		assert_true(slice_eq(text, rows[i].wanted));
	}
	buf_release(&out);
	arena_free(arena);
}

/* Lines of at most 512 octets, with nothing lost: with and without blanks. */
static void test_long_replies(void **state)
{
	struct arena *arena = arena_new(0);
	char words[3000], one[3000];
	struct buf out;

	(void)state;
	buf_init(&out, OUT_MAX);
	for (size_t i = 0; i < sizeof(words); i++) {
		words[i] = i % 40 == 39 ? ' ' : 'w';
		one[i] = 'x';
	}
	for (size_t i = 800; i < 2 * sizeof(words); i++) {
		size_t len = i / 2;
		bool blanks = i % 2;
		struct smtp_reply_text reply = {
		    550, SLICE("5.7.1"), slice_of(blanks ? words : one, len)};
		struct slice text = reply_of(arena, &out, reply), line;
		size_t said = 0, lines = 0;

		do {
			bool last;

			size_t end = slice_find_slice(text, SLICE("\r\n"));

			last = end == text.len;
			line = slice_sub(text, 0, end);
			text = slice_from_pos(text, last ? end : end + 2);
			assert_true(line.len + 2 <= LINE_MAX);
			assert_true(slice_starts(line,
			    last ? SLICE("550 5.7.1 ") : SLICE("550-5.7.1 ")));
			said += line.len - 10;
			lines++;
		} while (text.len);
		assert_int_equal(said + (blanks ? lines - 1 : 0), len);
		assert_int_equal(lines == 1, len + 12 <= LINE_MAX);
	}
	buf_release(&out);
	arena_free(arena);
}

/* The decision's answer to an MTA that allows everything. */
static void answer(
    struct arena *arena, const struct decision *decision, struct buf *out)
{
	const struct answer_terms terms = {
	    .actions = UINT32_MAX, .leading_space = true};
	const struct answer_subject subject = {.limits = &limits_default};

	assert_false(answer_decision(arena, decision, &subject, &terms, out));
}

/* RCPT's parameters, as MTAs want them: NOTIFY, ORCPT, both or none. */
static void test_added_recipients(void **state)
{
	static const struct {
		struct envelope_recipient recipient;
		char command;
		struct slice data;
	} rows[] = {
	    {{.address = SLICE_INIT("a@b")}, '+', SLICE_INIT("<a@b>\0")},
	    {{.address = SLICE_INIT("a@b"), .dsn_notify = SLICE_INIT("NEVER")},
		'2', SLICE_INIT("<a@b>\0NOTIFY=NEVER\0")},
	    {{.address = SLICE_INIT("a@b"),
		 .dsn_orcpt = SLICE_INIT("rfc822;x")},
		'2', SLICE_INIT("<a@b>\0ORCPT=rfc822;x\0")},
	    {{.address = SLICE_INIT("a@b"),
		 .dsn_notify = SLICE_INIT("NEVER"),
		 .dsn_orcpt = SLICE_INIT("rfc822;x")},
		'2', SLICE_INIT("<a@b>\0NOTIFY=NEVER ORCPT=rfc822;x\0")},
	};
	struct arena *arena = arena_new(0);
	struct buf out;

	(void)state;
	buf_init(&out, OUT_MAX);
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct envelope_recipient one = rows[i].recipient;
		struct decision decision = {
		    .verdict = VERDICT_ACCEPT,
		    .recipients = {.added_count = 1, .added = &one},
		};
		struct packet packet = {0};

		answer(arena, &decision, &out);
		assert_int_equal(
		    packet_read(buf_slice(&out), &packet, NULL), PACKET_WHOLE);
		assert_int_equal(packet.command, rows[i].command);
		assert_true(slice_eq(packet.data, rows[i].data));
	}
	buf_release(&out);
	arena_free(arena);
}

/* A message is never accepted without its changes. */
static void test_no_room(void **state)
{
	struct arena *arena = arena_new(0);
	struct slice field = arena_format_slice(arena, "A: %0500d\r\n", 1);
	struct decision decision = {
	    .verdict = VERDICT_ACCEPT,
	    .edits = {.added_count = 1, .added = &field},
	};
	struct packet packet = {0};
	struct buf out;

	(void)state;
	buf_init(&out, 400);
	answer(arena, &decision, &out);
	assert_int_equal(
	    packet_read(buf_slice(&out), &packet, NULL), PACKET_WHOLE);
	assert_int_equal(packet.size, out.len);
	assert_int_equal(packet.command, 'y');
	assert_true(slice_starts(packet.data, SLICE("451 4.3.5 ")));
	buf_release(&out);
	arena_free(arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_replies),
	    cmocka_unit_test(test_long_replies),
	    cmocka_unit_test(test_added_recipients),
	    cmocka_unit_test(test_no_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
