/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

#include "cli/show.h"
#include "cli/store_options.h"
#include "cli/story.h"

/* store_options.c asks the command line, which these tests do not have. */
bool command_has(const struct command_line *line, const char *option)
{
	(void)option;
	return line != NULL;
}

struct slice command_text(const struct command_line *line, const char *option)
{
	(void)option;
	return slice_from((const char *)line);
}

static void test_since(void **state)
{
	static const struct {
		const char *text;
		bool ok;
		int64_t ms;
	} rows[] = {
	    {"30d", true, (100000000 - 30 * 86400) * 1000LL},
	    {"2w", true, (100000000 - 14 * 86400) * 1000LL},
	    {"90s", true, (100000000 - 90) * 1000LL},
	    {"1970-01-02", true, 86400000},
	    {"1970-01-02T00:00:01Z", true, 86401000},
	    {"1970-01-02T01:00:01+01:00", true, 86401000},
	    {"1970-01-02T00:00:01", false, 0},
	    {"", false, 0},
	    {"d", false, 0},
	    {"30", false, 0},
	    {"-1d", false, 0},
	    {"99999999999d", false, 0},
	    {"yesterday", false, 0},
	};
	struct err err;
	int64_t ms = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const void *line = rows[i].text;

		assert_int_equal(
		    store_options_since(line, "since", 100000000, &ms, &err),
		    rows[i].ok);
		if (rows[i].ok)
			assert_int_equal(ms, rows[i].ms);
		else
			assert_int_equal(err.kind, E_USAGE);
	}
	assert_true(store_options_since(NULL, "since", 1, &ms, &err));
	assert_int_equal(ms, 0);
}

static void test_show_text(void **state)
{
	static const struct {
		struct slice text;
		const char *shown;
	} rows[] = {
	    {SLICE_INIT("plain"), "plain"},
	    {SLICE_INIT("caf\xc3\xa9 \xe2\x82\xac"),
		"caf\xc3\xa9 \xe2\x82\xac"},
	    {SLICE_INIT("\x1b[2J"), "\\x1b[2J"},
	    {SLICE_INIT("a\r\nb"), "a\\x0d\\x0ab"},
	    {SLICE_INIT("\xc2\x9b"
			"31m"),
		"\\xc2\\x9b31m"},
	    {SLICE_INIT("\xe2\x80\xae"
			"gpj.exe"),
		"\\xe2\\x80\\xaegpj.exe"},
	    {SLICE_INIT("\xe2\x81\xa6x"), "\\xe2\\x81\\xa6x"},
	    {SLICE_INIT("\xd8\x9cx"), "\\xd8\\x9cx"},
	    {SLICE_INIT("\xff\xc3"), "\\xff\\xc3"},
	    {SLICE_INIT("a\0b"), "a\\x00b"},
	};
	struct buf out;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		buf_init(&out, 1000);
		show_text(&out, rows[i].text);
		assert_string_equal(out.ptr, rows[i].shown);
		buf_release(&out);
	}
}

static const char facts[] =
    "{\"verdict\":\"reject\",\"reason\":\"DMARC fails\","
    "\"client\":{\"tls\":\"TLSv1.3\",\"in_organization\":false},"
    "\"spf\":{\"result\":\"fail\",\"domain\":\"agency.example\","
    "\"identity\":\"mailfrom\",\"explanation\":\"not from there\"},"
    "\"dkim\":[{\"result\":\"fail\",\"domain\":\"agency.example\","
    "\"selector\":\"s1\",\"algorithm\":\"rsa-sha256\","
    "\"reason\":\"body was changed\",\"body_length_limited\":false}],"
    "\"arc\":{\"result\":\"none\",\"sealer\":\"\"},"
    "\"dmarc\":{\"result\":\"fail\",\"from_domain\":\"agency.example\","
    "\"policy_domain\":\"agency.example\",\"applied_policy\":\"reject\","
    "\"spf_aligned\":true,\"dkim_aligned\":false,\"override\":null},"
    "\"own_domain\":{\"result\":\"fail\",\"reason\":\"not authenticated\"},"
    "\"recipient_changes\":{\"added\":[\"audit@x.example\"],"
    "\"removed\":[\"ann@agency.example\"]},"
    "\"body\":{\"replaced\":true,\"size\":123},"
    "\"message\":{\"malformed\":[\"bare-lf\"]},"
    "\"steps\":[{\"policy\":\"malformed\",\"matched\":true,"
    "\"enforced\":false,\"verdict\":\"reject\",\"because\":\"bare LF\"},"
    "{\"policy\":\"loop\",\"matched\":false},"
    "{\"policy\":\"dmarc\",\"matched\":true,\"enforced\":true,"
    "\"verdict\":\"reject\",\"because\":\"p=reject\"}]}";

static struct store_trace sample(struct slice facts_text)
{
	static const struct slice recipients[] = {
	    SLICE_INIT("ann@agency.example")};

	return (struct store_trace){
	    .id = SLICE("ID1"),
	    .time_ms = 86400000,
	    .message_id = SLICE("<m@x.example>"),
	    .client_ip = SLICE("192.0.2.7"),
	    .helo = SLICE("\x1b[31mhelo"),
	    .listener = SLICE("mx"),
	    .sender = SLICE("boss@agency.example"),
	    .recipient_count = 1,
	    .recipients = recipients,
	    .size = 10,
	    .verdict = SLICE("reject"),
	    .policy = SLICE("dmarc"),
	    .reply = SLICE("550 5.7.1 no"),
	    .own_domain = SLICE("agency.example"),
	    .own_domain_result = SLICE("fail"),
	    .spf_result = SLICE("fail"),
	    .dkim_result = SLICE("fail"),
	    .dmarc_result = SLICE("fail"),
	    .facts = facts_text,
	};
}

/* What the command prints to a stream while it does, read back. */
static struct slice printed_to(int stream, struct arena *arena,
    const struct buf *out, json_t *json, int *ret_code)
{
	char *text = arena_alloc(arena, 1000);
	int saved = dup(stream), pipes[2];
	ssize_t count;

	assert_int_equal(pipe(pipes), 0);
	dup2(pipes[1], stream);
	close(pipes[1]);
	*ret_code = json ? show_print_json(json) : show_print(out);
	fflush(stdout);
	dup2(saved, stream);
	close(saved);
	count = read(pipes[0], text, 1000);
	close(pipes[0]);
	assert_true(count >= 0);
	return slice_of(text, (size_t)count);
}

/* Whole lines, and it is told. */
static void test_too_much_to_print(void **state)
{
	struct arena *arena = arena_new(0);
	struct buf *out = buf_in_arena(arena, 12);
	struct slice said;
	int code;

	(void)state;
	buf_add_text(out, "one\ntwo\nth");
	said = printed_to(STDOUT_FILENO, arena, out, NULL, &code);
	assert_true(slice_eq(said, SLICE("one\ntwo\nth")));
	assert_int_equal(code, EXIT_DONE);
	buf_add_text(out, "ree\n");
	said = printed_to(STDOUT_FILENO, arena, out, NULL, &code);
	assert_true(slice_eq(said, SLICE("one\ntwo\n")));
	assert_int_equal(code, EXIT_TEMPORARY);
	said = printed_to(STDERR_FILENO, arena, out, NULL, &code);
	assert_true(slice_find_slice(said, SLICE("too much")) < said.len);
	arena_free(arena);
}

/* Readable, but for what a terminal obeys. */
static void test_print_json(void **state)
{
	struct arena *arena = arena_new(0);
	json_t *json = json_pack("{s:o}", "a\xc2\x9b",
	    show_json_text(arena,
		SLICE("caf\xc3\xa9\n\x7f\xc2\x9b\xd8\x9c\xe2\x80\xae\"\\")));
	struct slice said;
	int code;

	(void)state;
	said = printed_to(STDOUT_FILENO, arena, NULL, json, &code);
	assert_int_equal(code, EXIT_DONE);
	assert_true(slice_eq(said,
	    SLICE("{\n  \"a\\u009b\": \"caf\xc3\xa9\\n\\u007f\\u009b\\u061c"
		  "\\u202e\\\"\\\\\"\n}\n")));
	arena_free(arena);
}

static void test_story(void **state)
{
	static const char *const said[] = {
	    "Message ID1, 1970-01-02T00:00:00Z\n",
	    "a host without a verified name [192.0.2.7]",
	    "HELO \\x1b[31mhelo, at listener mx\n",
	    "encrypted with TLSv1.3\n",
	    "from <boss@agency.example>\n  to   <ann@agency.example>\n"
	    "  not to <ann@agency.example>\n  also to <audit@x.example>\n"
	    "  with a new body of 123 bytes\n",
	    "SPF    fail for agency.example (mailfrom); the domain says: not "
	    "from there\n",
	    "DKIM   fail for agency.example, selector s1, rsa-sha256: body was "
	    "changed\n",
	    "ARC    none\n",
	    "DMARC  fail for agency.example; agency.example asks for reject; "
	    "SPF aligned, DKIM not aligned\n",
	    "Our domain agency.example is used: fail: not authenticated\n",
	    "Faults of its form\n  bare-lf\n",
	    "malformed: matched, asks to reject (not enforced): bare LF\n",
	    "loop: did not match\n",
	    "dmarc: matched, asks to reject: p=reject\n",
	    "verdict   reject, by dmarc: DMARC fails\n",
	    "reply     550 5.7.1 no\n",
	};
	struct store_trace trace = sample(slice_from(facts));
	struct buf out;

	(void)state;
	buf_init(&out, 100000);
	story_tell(&trace, &out);
	for (size_t i = 0; i < sizeof(said) / sizeof(said[0]); i++)
		if (slice_find_slice(buf_slice(&out), slice_from(said[i])) ==
		    out.len)
			fail_msg("not said: %s\nin: %s", said[i], out.ptr);
	buf_release(&out);
}

/* Every prefix of the facts is broken JSON, and some are of other types. */
static void test_odd_facts(void **state)
{
	static const struct slice odd[] = {SLICE_INIT(""), SLICE_INIT("[]"),
	    SLICE_INIT("7"),
	    SLICE_INIT(
		"{\"spf\":7,\"dkim\":{},\"dmarc\":[],"
		"\"steps\":[1,null,{}],\"message\":{\"malformed\":[1,{}]},"
		"\"client\":\"x\",\"verdict\":null}")};
	struct store_trace trace;
	struct buf out;

	(void)state;
	for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
		trace = sample(odd[i]);
		buf_init(&out, 100000);
		story_tell(&trace, &out);
		assert_true(slice_find_slice(buf_slice(&out),
				SLICE("reply     550")) < out.len);
		buf_release(&out);
	}
	for (size_t len = 0; len < sizeof(facts); len += 7) {
		trace = sample(slice_of(facts, len));
		buf_init(&out, 100000);
		story_tell(&trace, &out);
		assert_true(out.len > 100);
		buf_release(&out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_since),
	    cmocka_unit_test(test_show_text),
	    cmocka_unit_test(test_too_much_to_print),
	    cmocka_unit_test(test_print_json),
	    cmocka_unit_test(test_story),
	    cmocka_unit_test(test_odd_facts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
