/* SPDX-License-Identifier: Apache-2.0 */
/* How much of a trace a sender can ask for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/text.h"
#include "gate/gate_private.h"
#include "gate/test_stage.h"

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

enum { MESSAGE_MAX = 500 * 1024, TRACE_MAX = 32 * 1024 };

/* Header fields that are repeated until the header is full. */
static const struct {
	const char *name;
	const char *before, *filling, *after; /* one field */
	size_t fills;			      /* how often filling is in it */
	const char *told;		      /* is in the facts */
} rows[] = {
    /* clang-format off */
    {"short fields that are removed", "X-Gatehouse-A: ", "b", "\r\n", 400, "\"removed_more\":1"},
    {"long fields that are removed", "X-Gatehouse-A: ", "b", "\r\n", 90000, "bbb\xe2\x80\xa6\"]"},
    {"letters of several octets", "X-Gatehouse-A: ", "\xf0\x9f\x93\xac", "\r\n", 20000, "\xf0\x9f\x93\xac\xe2\x80\xa6"},
    {"not even text", "X-Gatehouse-A: ", "\x01", "\r\n", 90000, "\\u0001\xe2\x80\xa6"},
    {"Subject", "Subject: ", "s", "\r\n", 90000, "ss\xe2\x80\xa6\",\"date\""},
    {"Subject, folded", "Subject:", " word\r\n", " s\r\n", 12000, "\xe2\x80\xa6\",\"date\""},
    {"Message-ID", "Message-ID: <", "m", "@x.example>\r\n", 90000, "mm\xe2\x80\xa6\",\"subject\""},
    {"Date", "Date: ", "d", "\r\n", 90000, "dd\xe2\x80\xa6\",\"parts\""},
    {"author", "From: ", "a", "@plain.example\r\n", 90000, "\"from\":["},
    {"quoted author", "From: \"", "\\\"", "\"@plain.example\r\n", 40000, "\"from\":["},
    {"authors", "From: a@plain.example", ", a@b.c.d.e.f.g.h.i.plain.example", "\r\n", 2000, "\"from\":["},
    {"author's domain", "From: a@", "a.", "example\r\n", 40000, "\"from\":["},
    {"domain of a signature", "DKIM-Signature: v=1; a=rsa-sha256; b=YQ==; bh=YQ==; h=from; s=k; d=", "a.", "example\r\n", 40000, "\"dkim\":["},
    {"selector", "DKIM-Signature: v=1; a=rsa-sha256; b=YQ==; bh=YQ==; h=from; d=x.example; s=", "a.", "k\r\n", 40000, "\"dkim\":["},
    {"identity", "DKIM-Signature: v=1; a=rsa-sha256; b=YQ==; bh=YQ==; h=from; d=x.example; s=k; i=", "a", "@x.example\r\n", 90000, "\"dkim\":["},
    {"algorithm", "DKIM-Signature: v=1; b=YQ==; bh=YQ==; h=from; d=x.example; s=k; a=", "a", "\r\n", 90000, "\"dkim\":["},
    {"seals", "ARC-Seal: i=1; a=rsa-sha256; cv=none; b=YQ==; s=k; d=", "a.", "example\r\n", 40000, "\"arc\":{"},
    /* clang-format on */
};

static bool has(struct slice facts, struct slice text)
{
	return slice_find_slice(facts, text) < facts.len;
}

static struct slice message_of(struct arena *arena, size_t row)
{
	struct buf *field = buf_in_arena(arena, 100 * 1024);
	struct buf *message = buf_in_arena(arena, MESSAGE_MAX + 256);

	buf_add_text(field, rows[row].before);
	for (size_t i = 0; i < rows[row].fills; i++)
		buf_add_text(field, rows[row].filling);
	buf_add_text(field, rows[row].after);
	while (buf_slice(message).len + buf_slice(field).len < MESSAGE_MAX)
		buf_add(message, buf_slice(field));
	buf_add_text(message, "From: x@plain.example\r\n\r\nbody\r\n");
	return buf_slice(message);
}

static void test_hostile_headers(void **state)
{
	struct stage_input input = {.ip = STRANGER, .mail_from = BOUNCE};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct gate_message *message;
		struct slice content, facts;
		struct stage stage;

		stage_set(&stage, &input);
		content = message_of(stage.arena, i);
		message = gate_begin(
		    stage.arena, &stage.context, &stage.envelope);
		if (!gate_header(message, content, NULL))
			fail_msg("%s: over a limit", rows[i].name);
		gate_body(message,
		    slice_from_pos(content, gate_body_offset(message)));
		gate_decide(message, content);
		facts = gate_json(message);
		if (facts.len > TRACE_MAX)
			fail_msg("%s: %zu octets", rows[i].name, facts.len);
		if (!has(facts, slice_from(rows[i].told)))
			fail_msg("%s: %.*s", rows[i].name, SLICE_ARGS(facts));
		assert_true(text_is_utf8(facts));
		stage_clear(&stage);
	}
}

/* The longest addresses, every octet of which JSON doubles. */
static struct slice long_address(struct arena *arena, unsigned int number)
{
	char quoted[229];

	for (size_t i = 0; i < sizeof(quoted); i++)
		quoted[i] = i % 2 ? '"' : '\\';
	return arena_format_slice(
	    arena, "\"%.228s%04u\"@agency.example", quoted, number);
}

/* Each recipient has a row of its own beside the trace: `explain` and `search`
 * know all of them.  `check` has nothing but the facts. */
static void test_many_recipients(void **state)
{
	enum { RECIPIENTS = 1000, RECIPIENTS_MAX = 64 * 1024 };
	static const char text[] = "From: x@plain.example\r\n\r\nbody\r\n";
	const struct slice more = SLICE("\"recipients_more\":900,");
	struct stage_input input = {.ip = STRANGER, .mail_from = BOUNCE};

	for (int is_check = 0; is_check < 2; is_check++) {
		struct gate_message *message;
		struct store_trace trace;
		struct stage stage;
		struct slice last;

		(void)state;
		stage_set(&stage, &input);
		stage.context.inspect_content = is_check;
		for (unsigned int i = 1; i < RECIPIENTS; i++) {
			struct envelope_recipient one = {
			    .address = long_address(stage.arena, i)};

			assert_int_equal(one.address.len, 249);
			envelope_add_recipient(
			    stage.arena, &stage.envelope, &one);
		}
		message = gate_begin(
		    stage.arena, &stage.context, &stage.envelope);
		assert_true(gate_header(message, slice_from(text), NULL));
		gate_body(
		    message, slice_from(text + gate_body_offset(message)));
		gate_decide(message, slice_from(text));
		trace_fill(message, &trace);
		last = SLICE("0999\\\"@agency.example");
		assert_int_equal(trace.recipient_count, RECIPIENTS);
		assert_int_equal(trace.facts.len < RECIPIENTS_MAX, !is_check);
		assert_int_equal(has(trace.facts, more), !is_check);
		assert_int_equal(has(trace.facts, last), is_check);
		stage_clear(&stage);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_hostile_headers),
	    cmocka_unit_test(test_many_recipients),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
