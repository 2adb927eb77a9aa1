/* SPDX-License-Identifier: Apache-2.0 */
/* Received-SPF: RFC 7208 section 9.1. */
#include "auth/spf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static struct spf_request request_of(const char *helo, const char *mail_from)
{
	struct spf_request request = {
	    .helo = slice_from(helo),
	    .mail_from = slice_from(mail_from),
	    .receiver = SLICE("mx1.agency.example"),
	};

	assert_true(ip_parse(SLICE("2001:db8::9"), &request.client_ip));
	return request;
}

static void expect(const struct spf_request *request,
    const struct spf_outcome *outcome, const char *text)
{
	struct arena *arena = arena_new(0);

	assert_string_equal(
	    arena_text(arena, spf_received_field(arena, request, outcome)),
	    text);
	arena_free(arena);
}

static void test_field(void **state)
{
	struct spf_request request = request_of("h.example", "u@one.example");
	struct spf_outcome outcome = {.result = SPF_FAIL,
	    .identity = SPF_IDENTITY_MAILFROM,
	    .domain = SLICE("one.example"),
	    .mechanism = SLICE("all")};

	(void)state;
	expect(&request, &outcome,
	    "Received-SPF: fail (mx1.agency.example: one.example does not "
	    "authorize this\r\n"
	    "\tclient) identity=mailfrom; client-ip=\"2001:db8::9\";"
	    " helo=h.example;\r\n"
	    "\tenvelope-from=\"u@one.example\"; receiver=mx1.agency.example;"
	    "\r\n\tmechanism=all;");
	request = request_of("[2001:db8::9]", "");
	outcome = (struct spf_outcome){.result = SPF_NONE,
	    .identity = SPF_IDENTITY_HELO,
	    .domain = SLICE("[2001:db8::9]")};
	expect(&request, &outcome,
	    "Received-SPF: none (mx1.agency.example: [2001:db8::9] has no SPF "
	    "record)\r\n"
	    "\tidentity=helo; client-ip=\"2001:db8::9\"; "
	    "helo=\"[2001:db8::9]\";\r\n"
	    "\treceiver=mx1.agency.example;");
	request.receiver = request.helo = SLICE("");
	outcome = (struct spf_outcome){
	    .result = SPF_PERMERROR, .problem = SLICE("two records")};
	expect(&request, &outcome,
	    "Received-SPF: permerror (has a faulty SPF record) "
	    "identity=mailfrom;\r\n"
	    "\tclient-ip=\"2001:db8::9\"; problem=\"two records\";");
}

/* A dot-atom as it is; all else quoted. */
static void test_quotes(void **state)
{
	static const struct {
		const char *helo, *pair;
	} cases[] = {
	    {"a", " helo=a;"},
	    {"a-b.c_d", " helo=a-b.c_d;"},
	    {"{a}=1", " helo={a}=1;"},
	    {".a", " helo=\".a\";"},
	    {"a.", " helo=\"a.\";"},
	    {"a..b", " helo=\"a..b\";"},
	    {"a b", " helo=\"a b\";"},
	    {"a;b", " helo=\"a;b\";"},
	    {"a\"b", " helo=\"a\\\"b\";"},
	    {"a\\b", " helo=\"a\\\\b\";"},
	    {"a(b)", " helo=\"a(b)\";"},
	    {"a\tb", " helo=\"a?b\";"},
	    {"\xc3\xbc", " helo=\"\xc3\xbc\";"},
	};
	struct spf_outcome outcome = {.result = SPF_NONE};
	struct arena *arena = arena_new(0);

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct spf_request request = request_of(cases[i].helo, "");
		struct slice field = spf_received_field(
		    arena, &request, &outcome);

		if (slice_find_slice(field, slice_from(cases[i].pair)) ==
		    field.len)
			fail_msg("%s: %.*s", cases[i].helo, SLICE_ARGS(field));
	}
	arena_free(arena);
}

/* Up to column 78, of which a HTAB has eight; one word at least. */
static void test_folding(void **state)
{
	struct spf_outcome outcome = {.result = SPF_NONE};
	struct arena *arena = arena_new(0);
	struct slice start = SLICE(
	    "Received-SPF: none (mx1.agency.example: has no SPF record) "
	    "identity=mailfrom;\r\n\tclient-ip=\"2001:db8::9\";");
	size_t used = 8 + strlen("client-ip=\"2001:db8::9\"; helo=;");

	(void)state;
	for (size_t more = 0; more < 2; more++) {
		char helo[80];
		struct spf_request request = request_of("", "");
		struct slice field;

		request.helo = slice_of(
		    memset(helo, 'a', sizeof(helo)), 78 - used + more);
		field = spf_received_field(arena, &request, &outcome);
		assert_true(slice_starts(field, start));
		field = slice_from_pos(field, start.len);
		assert_true(slice_starts(
		    field, more ? SLICE("\r\n\thelo=") : SLICE(" helo=")));
	}
	arena_free(arena);
}

/* What a client says cannot add a field, end a comment or a string, or make
 * a line too long. */
static void test_hostile(void **state)
{
	struct arena *arena = arena_new(0);
	char *helo = arena_alloc(arena, 3001);
	struct spf_request request;
	struct spf_outcome outcome = {
	    .result = SPF_NONE, .domain = SLICE(")(\\.example\r\nX-Evil: 2")};
	struct slice field, line;

	(void)state;
	memset(helo, '"', 3000);
	request = request_of(helo, "a\"\\\r\nX-Evil: 1\r\n@)(\\.example");
	field = spf_received_field(arena, &request, &outcome);
	assert_int_equal(slice_find_slice(field, SLICE("\nX-Evil")), field.len);
	assert_true(
	    slice_find_slice(field, SLICE("\"a\\\"\\\\??X-Evil")) < field.len);
	assert_true(slice_find_slice(field, SLICE("\\)\\(\\\\.example??X")) <
		    field.len);
	while (field.len) {
		slice_split(field, '\n', &line, &field);
		assert_in_range(line.len, 1, 999);
		assert_true(field.len == 0 || field.ptr[0] == '\t');
	}
	/* 480 octets of a value, whatever it is made of. */
	for (size_t quote = 0; quote < 2; quote++)
		for (size_t more = 0; more < 2; more++) {
			memset(helo, quote ? '"' : 'a', 480 + more);
			helo[480 + more] = '\0';
			request = request_of(helo, "");
			field = spf_received_field(arena, &request, &outcome);
			line = slice_from_pos(
			    field, slice_find_slice(field, SLICE("helo=")));
			line = slice_sub(line, 0, slice_find(line, ';'));
			assert_int_equal(line.len,
			    5 + (quote ? 2 + 2 * 480 : 480 + 2 * more));
		}
	arena_free(arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_field),
	    cmocka_unit_test(test_quotes),
	    cmocka_unit_test(test_folding),
	    cmocka_unit_test(test_hostile),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
