/* SPDX-License-Identifier: Apache-2.0 */
#include "smtp/capacity.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))
#define UMLAUT "\xc3\xa4"

static void expect(const char *what, size_t row, bool exceeds,
    const struct smtp_reply_text *reply, const char *wanted)
{
	struct arena *arena = arena_new(0);
	struct slice line = exceeds ? decision_reply_line(arena, reply)
				    : SLICE("");

	if (exceeds != (wanted != NULL) ||
	    !slice_starts(line, slice_from(wanted)))
		fail_msg("%s %zu: %.*s", what, row, SLICE_ARGS(line));
	arena_free(arena);
}

static void test_recipients(void **state)
{
	static const struct {
		unsigned int offered;
		uint64_t size_max, declared_size;
		const char *sender, *recipient, *reply;
	} rows[] = {
	    {0, 0, 0, "a@b", "c@d", NULL},
	    {0, 0, 0, UMLAUT "@b", "c@d", "550 5.6.7 "},
	    {0, 0, 0, "a@b", "c@" UMLAUT, "550 5.6.7 "},
	    {CAP_SMTPUTF8, 0, 0, UMLAUT "@b", UMLAUT "@d", NULL},
	    {CAP_SIZE, 0, 1 << 30, "a@b", "c@d", NULL},
	    {CAP_SIZE, 100, 0, "a@b", "c@d", NULL},
	    {CAP_SIZE, 100, 100, "a@b", "c@d", NULL},
	    {CAP_SIZE, 100, 101, "a@b", "c@d", "552 5.3.4 "},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct smtp_capabilities offered = {
		    .offered = rows[i].offered, .size_max = rows[i].size_max};
		struct envelope envelope = {
		    .mail_from = slice_from(rows[i].sender),
		    .declared_size = rows[i].declared_size};
		struct envelope_recipient recipient = {
		    .address = slice_from(rows[i].recipient)};
		struct smtp_reply_text reply = {0};

		expect("recipient", i,
		    capacity_exceeds(&offered, &envelope, &recipient, &reply),
		    &reply, rows[i].reply);
	}
}

/* In two pieces, wherever it is cut. */
static bool exceeds_in_pieces(const struct smtp_capabilities *offered,
    const struct envelope *envelope, struct slice text, size_t cut,
    bool declared, struct smtp_reply_text *ret)
{
	struct slice pieces[2] = {
	    slice_sub(text, 0, cut), slice_from_pos(text, cut)};
	struct message_pieces message = {2, pieces, text.len};

	return capacity_content_exceeds(
	    offered, envelope, &message, declared, ret);
}

static void test_content(void **state)
{
	static const struct {
		unsigned int offered;
		uint64_t size_max;
		enum envelope_body body;
		bool smtputf8, declared;
		const char *text, *reply;
	} rows[] = {
	    {0, 0, BODY_7BIT, false, true, "A: b\r\n\r\nc\r\n", NULL},
	    {0, 11, BODY_7BIT, false, true, "A: b\r\n\r\nc\r\n", NULL},
	    {0, 10, BODY_7BIT, false, true, "A: b\r\n\r\nc\r\n", "552 5.3.4 "},
	    {0, 10, BODY_7BIT, false, false, "A: b\r\n\r\nc\r\n", "552 5.3.4 "},
	    /* the body */
	    {0, 0, BODY_8BITMIME, false, true, "A: b\r\n\r\n" UMLAUT,
		"554 5.6.3 "},
	    {0, 0, BODY_8BITMIME, false, true, "A: b\r\n\r\nc", NULL},
	    {0, 0, BODY_8BITMIME, false, false, "A: b\r\n\r\n" UMLAUT, NULL},
	    {0, 0, BODY_7BIT, false, true, "A: b\r\n\r\n" UMLAUT, NULL},
	    {CAP_8BITMIME, 0, BODY_8BITMIME, false, true, "A: b\r\n\r\n" UMLAUT,
		NULL},
	    /* the header */
	    {CAP_8BITMIME, 0, BODY_8BITMIME, true, true,
		"A: " UMLAUT "\r\n\r\nc", "554 5.6.9 "},
	    {CAP_8BITMIME, 0, BODY_8BITMIME, true, true,
		"A: b\r\nB: " UMLAUT "\r\n\r\nc", "554 5.6.9 "},
	    {CAP_8BITMIME, 0, BODY_8BITMIME, true, true,
		"A: b\nB: " UMLAUT "\n\nc", "554 5.6.9 "},
	    {CAP_8BITMIME, 0, BODY_8BITMIME, true, true, "A: " UMLAUT,
		"554 5.6.9 "},
	    {CAP_8BITMIME, 0, BODY_8BITMIME, true, true, "A: b\r\n\r\n" UMLAUT,
		NULL},
	    {CAP_8BITMIME, 0, BODY_8BITMIME, true, true, "A: b\n\n" UMLAUT,
		NULL},
	    {CAP_8BITMIME, 0, BODY_8BITMIME, true, true, "\r\n" UMLAUT, NULL},
	    {CAP_8BITMIME, 0, BODY_8BITMIME, true, true, "A: b\r\n", NULL},
	    {CAP_8BITMIME, 0, BODY_8BITMIME, false, true,
		"A: " UMLAUT "\r\n\r\nc", NULL},
	    {CAP_8BITMIME, 0, BODY_8BITMIME, true, false,
		"A: " UMLAUT "\r\n\r\nc", NULL},
	    {CAP_8BITMIME | CAP_SMTPUTF8, 0, BODY_8BITMIME, true, true,
		"A: " UMLAUT "\r\n\r\nc", NULL},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct smtp_capabilities offered = {
		    .offered = rows[i].offered, .size_max = rows[i].size_max};
		struct envelope envelope = {
		    .body = rows[i].body, .smtputf8 = rows[i].smtputf8};
		struct slice text = slice_from(rows[i].text);

		for (size_t cut = 0; cut <= text.len; cut++) {
			struct smtp_reply_text reply = {0};

			expect("content", i,
			    exceeds_in_pieces(&offered, &envelope, text, cut,
				rows[i].declared, &reply),
			    &reply, rows[i].reply);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_recipients),
	    cmocka_unit_test(test_content),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
