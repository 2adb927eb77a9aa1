/* SPDX-License-Identifier: Apache-2.0 */
/* The program itself on a store that this test fills: argument 1 is its path.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "store/store.h"

struct fixture {
	const char *program;
	struct arena *arena;
	const char *directory, *config;
	struct slice url;
};

static const char config_text[] =
    "hostname: mx1.agency.example\n"
    "organization: {accepted_domains: [agency.example]}\n"
    "user: \"\"\n"
    "state_directory: %s\n"
    "store: sqlite:%s/s.db\n"
    "dns: {trust_anchor: \"\"}\n"
    "connectors:\n"
    "  - {name: Old scanner, networks: [198.51.100.7],"
    " may_send_as: [agency.example], owner: facilities, reason: MFD,"
    " expires: 2020-01-31}\n"
    "  - {name: New scanner, networks: [198.51.100.8],"
    " may_send_as: [agency.example], owner: facilities, reason: MFD,"
    " expires: 2999-01-31}\n"
    "routes:\n"
    "  - {domains: [agency.example], next_hop: \"maildir:%s/mail/%%l\"}\n";

static const char message[] = "From: boss@agency.example\r\n"
			      "Subject: \x1b[2Jhello\r\n\r\nbody\r\n";

static void write_config(const char *path, const char *directory)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	fprintf(file, config_text, directory, directory, directory);
	fclose(file);
}

/* To the recipient and, if there is one, another. */
static void put(struct store *store, const char *id, const char *message_id,
    const char *recipient, const char *other, bool hold)
{
	const struct slice recipients[] = {
	    slice_from(recipient), slice_from(other)};
	const struct slice piece = slice_from(message);
	const struct store_quarantine quarantine = {
	    .id = slice_from(id),
	    .reason = SLICE("DMARC fails"),
	    .route = SLICE("maildir:/x"),
	    .piece_count = 1,
	    .pieces = &piece,
	};
	const struct store_trace trace = {
	    .id = slice_from(id),
	    .time_ms = clock_now_ms(NULL),
	    .message_id = slice_from(message_id),
	    .listener = SLICE("mx"),
	    .client_ip = SLICE("192.0.2.7"),
	    .helo = SLICE("bad.example"),
	    .sender = SLICE("boss@agency.example"),
	    .recipient_count = other ? 2 : 1,
	    .recipients = recipients,
	    .size = sizeof(message) - 1,
	    .verdict = hold ? SLICE("quarantine") : SLICE("reject"),
	    .policy = SLICE("dmarc"),
	    .reply = SLICE("550 5.7.1 no"),
	    .own_domain = SLICE("agency.example"),
	    .own_domain_result = SLICE("fail"),
	    .spf_result = SLICE("fail"),
	    .dkim_result = SLICE("none"),
	    .dmarc_result = SLICE("fail"),
	    .facts = SLICE("{\"verdict\":\"reject\",\"steps\":[]}"),
	};

	assert_true(store_put(
	    store, &trace, hold ? &quarantine : NULL, deadline_in(9000), NULL));
}

static int set_up(void **state)
{
	struct fixture *fixture = *state;
	char *directory;
	struct store *store;

	fixture->arena = arena_new(0);
	directory = arena_text(
	    fixture->arena, SLICE("/tmp/gatehouse-commands-XXXXXX"));
	assert_non_null(mkdtemp(directory));
	fixture->directory = directory;
	fixture->config = arena_format(
	    fixture->arena, "%s/gatehouse.yaml", directory);
	fixture->url = arena_format_slice(
	    fixture->arena, "sqlite:%s/s.db", directory);
	write_config(fixture->config, directory);
	mkdir(arena_format(fixture->arena, "%s/mail", directory), 0700);
	mkdir(arena_format(fixture->arena, "%s/mail/ann", directory), 0700);
	mkdir(arena_format(fixture->arena, "%s/mail/carl", directory), 0700);
	assert_true(store_open(fixture->url, &store, NULL));
	put(store, "T1", "<one@x.example>", "ann@agency.example", NULL, false);
	put(store, "T2", "<two@x.example>", "ann@agency.example", NULL, false);
	put(store, "T3", "<two@x.example>", "ann@agency.example", NULL, false);
	put(store, "Q1", "<q1@x.example>", "ann@agency.example", NULL, true);
	put(store, "Q2", "<q2@x.example>", "bob@nowhere.example", NULL, true);
	store_close(store);
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *fixture = *state;
	const char *command = arena_format(
	    fixture->arena, "rm -r '%s'", fixture->directory);

	assert_int_equal(system(command), 0);
	arena_free(fixture->arena);
	return 0;
}

/* What it prints, to streams like "2>&1"; the exit code in *ret_code. */
static struct slice run_to(struct fixture *fixture, const char *streams,
    int *ret_code, const char *arguments)
{
	const char *command = arena_format(fixture->arena,
	    "'%s' %s -c '%s' %s </dev/null", fixture->program, arguments,
	    fixture->config, streams);
	struct buf *out = buf_in_arena(fixture->arena, 1 << 20);
	FILE *pipe = popen(command, "r");
	size_t count;

	assert_non_null(pipe);
	do {
		count = fread(buf_reserve(out, 4096), 1, 4096, pipe);
		buf_grown(out, count);
	} while (count);
	*ret_code = WEXITSTATUS(pclose(pipe));
	return buf_slice(out);
}

/* With its errors. */
static struct slice run(
    struct fixture *fixture, int *ret_code, const char *arguments)
{
	return run_to(fixture, "2>&1", ret_code, arguments);
}

static void expect(
    struct fixture *fixture, const char *arguments, int code, const char *said)
{
	int is;
	struct slice out = run(fixture, &is, arguments);

	if (is != code || slice_find_slice(out, slice_from(said)) == out.len)
		if (said[0] || is != code)
			fail_msg("%s: exit %d, said:\n%.*s", arguments, is,
			    SLICE_ARGS(out));
}

static json_t *run_json(struct fixture *fixture, const char *arguments)
{
	int code;
	struct slice out = run_to(fixture, "2>/dev/null", &code, arguments);
	json_t *json = json_loadb(out.ptr, out.len, 0, NULL);

	if (!json || code != 0)
		fail_msg("%s: exit %d, said:\n%.*s", arguments, code,
		    SLICE_ARGS(out));
	return json;
}

static void test_explain(void **state)
{
	struct fixture *fixture = *state;
	json_t *json;

	expect(fixture, "explain T1", 0, "Message T1, ");
	expect(fixture, "explain '<one@x.example>'", 0, "Message T1, ");
	expect(fixture, "explain one@x.example", 0, "Message T1, ");
	expect(fixture, "explain two@x.example", 0, "2 messages match");
	expect(fixture, "explain nothing", 1, "no message has the id");
	expect(fixture, "explain", 2, "missing argument");
	expect(fixture, "explain T1 --store sqlite:/tmp/gatehouse-none.db", 66,
	    "there is no database at");
	expect(fixture, "explain T1 --store nonsense", 78, "is not known");
	json = run_json(fixture, "explain T1 --json");
	assert_string_equal(
	    json_string_value(json_object_get(json, "id")), "T1");
	assert_string_equal(
	    json_string_value(json_object_get(json, "reply")), "550 5.7.1 no");
	assert_true(json_is_array(json_object_get(json, "steps")));
	json_decref(json);
	json = run_json(fixture, "explain two@x.example --json");
	assert_int_equal(json_array_size(json), 2);
	json_decref(json);
}

static void test_list_show(void **state)
{
	struct fixture *fixture = *state;
	json_t *json, *row;
	struct slice raw;
	int code;

	json = run_json(fixture, "quarantine list --json");
	assert_int_equal(json_array_size(json), 2);
	row = json_array_get(json, 1);
	assert_string_equal(
	    json_string_value(json_object_get(row, "id")), "Q1");
	assert_string_equal(
	    json_string_value(json_object_get(row, "reason")), "DMARC fails");
	assert_string_equal(json_string_value(json_array_get(
				json_object_get(row, "recipients"), 0)),
	    "ann@agency.example");
	json_decref(json);
	json = run_json(
	    fixture, "quarantine list --recipient @NOWHERE.example --json");
	assert_int_equal(json_array_size(json), 1);
	json_decref(json);
	expect(fixture, "quarantine list --since 1h --limit 1", 0, "Q2  ");
	expect(fixture, "quarantine list --since soon", 2, "neither a time");
	expect(fixture, "quarantine list --limit many", 2, "not a number");
	expect(fixture, "quarantine show Q1", 0, "Subject: \\x1b[2Jhello");
	expect(fixture, "quarantine show Q1", 0, "Message Q1, ");
	expect(fixture, "quarantine show Q9", 66, "no quarantined message");
	raw = run(fixture, &code, "quarantine show Q1 --raw");
	assert_int_equal(code, 0);
	assert_true(slice_eq(raw, slice_from(message)));
}

static void test_search(void **state)
{
	struct fixture *fixture = *state;
	json_t *json, *row;

	expect(fixture, "search --sender @agency.example --since 1h", 0,
	    "<boss@agency.example> to <ann@agency.example> from 192.0.2.7\n"
	    "    550 5.7.1 no\n");
	expect(fixture, "search --verdict maybe", 2, "is none; accept");
	expect(fixture, "search --since soon", 2, "neither a time");
	json = run_json(fixture, "search --recipient ANN@agency.example "
				 "--limit 1 --json");
	assert_int_equal(json_array_size(json), 1);
	row = json_array_get(json, 0);
	assert_string_equal(json_string_value(json_object_get(row, "sender")),
	    "boss@agency.example");
	assert_int_equal(
	    json_array_size(json_object_get(row, "recipients")), 1);
	json_decref(json);
	json = run_json(fixture, "search --until 1h --json");
	assert_int_equal(json_array_size(json), 0);
	json_decref(json);
	json = run_json(fixture, "search --until 1970-01-01 --json");
	assert_int_equal(json_array_size(json), 0);
	json_decref(json);
	json = run_json(fixture, "search --verdict accept --json");
	assert_int_equal(json_array_size(json), 0);
	json_decref(json);
}

/* What is printed finds its message again: a moment is its whole second, and
 * addresses stand in angle brackets. */
static void test_search_for_what_is_shown(void **state)
{
	static const char *const addresses[] = {
	    "search --sender '<boss@agency.example>' --limit 1",
	    "search --recipient '<ann@agency.example>' --limit 1",
	    "quarantine list --sender '<Boss@agency.example>' --limit 1"};
	struct fixture *fixture = *state;
	const char *time;
	json_t *json;

	for (size_t i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++)
		expect(fixture, addresses[i], 0, "<boss@agency.example> to ");
	json = run_json(fixture, "search --json");
	time = json_string_value(
	    json_object_get(json_array_get(json, 0), "time"));
	expect(fixture,
	    arena_format(
		fixture->arena, "search --since %s --until %s", time, time),
	    0, "<boss@agency.example>");
	json_decref(json);
}

/* Bounces have no sender, which is one to look for. */
static void test_null_sender(void **state)
{
	struct fixture *fixture = *state;
	const struct store_trace bounce = {
	    .id = SLICE("B1"),
	    .time_ms = clock_now_ms(NULL),
	    .verdict = SLICE("accept"),
	};
	struct store *store;
	json_t *json;

	assert_true(store_open(fixture->url, &store, NULL));
	assert_true(store_put(store, &bounce, NULL, deadline_in(9000), NULL));
	store_close(store);
	json = run_json(fixture, "search --sender '<>' --json");
	assert_int_equal(json_array_size(json), 1);
	assert_string_equal(
	    json_string_value(json_object_get(json_array_get(json, 0), "id")),
	    "B1");
	json_decref(json);
	json = run_json(fixture, "quarantine list --sender '<>' --json");
	assert_int_equal(json_array_size(json), 0);
	json_decref(json);
}

/* Whose clock it goes by stands where one looks. */
static void test_times_are_told(void **state)
{
	static const char *const commands[] = {"search --help",
	    "quarantine list --help", "report own-domain --help"};
	struct fixture *fixture = *state;

	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		expect(fixture, commands[i], 0,
		    "a date (its midnight in UTC), or "
		    "2027-01-31T10:00:00+01:00");
	expect(fixture, "search --help", 0,
	    "\n      --until TIME            "
	    "       up to then: 30d or ");
	expect(fixture, "search --since 2027-01-31T10:00:00", 2,
	    "2027-01-31T10:00:00+01:00");
	expect(fixture, "search --since 2999-01-31T10:00:00+01:00", 0, "");
}

/* What is left out is told, beside what is printed. */
static void test_more_than_the_limit(void **state)
{
	static const char *const commands[] = {
	    "search --limit 1", "quarantine list --limit 1"};
	struct fixture *fixture = *state;
	struct slice said;
	json_t *json;
	int code;

	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		said = run_to(fixture, "2>&1 >/dev/null", &code, commands[i]);
		assert_int_equal(code, 0);
		assert_true(slice_starts(
		    said, SLICE("gatehouse: more than 1 message")));
		json = run_json(fixture,
		    arena_format(fixture->arena, "%s --json", commands[i]));
		assert_int_equal(json_array_size(json), 1);
		json_decref(json);
	}
	said = run_to(fixture, "2>&1 >/dev/null", &code, "search --limit 5");
	assert_int_equal(said.len, 0);
	said = run_to(
	    fixture, "2>&1 >/dev/null", &code, "quarantine list --limit 2");
	assert_int_equal(said.len, 0);
	expect(fixture, "search --limit 0", 2, "is not a number from 1");
}

static void test_explain_many(void **state)
{
	struct fixture *fixture = *state;
	struct slice said;
	struct store *store;
	json_t *json;
	int code;

	assert_true(store_open(fixture->url, &store, NULL));
	for (int i = 0; i < 100; i++)
		put(store, arena_format(fixture->arena, "M%d", i),
		    "<many@x.example>", "ann@agency.example", NULL, false);
	expect(fixture, "explain many@x.example", 0, "100 messages match");
	put(store, "M100", "<many@x.example>", "ann@agency.example", NULL,
	    false);
	store_close(store);
	expect(fixture, "explain many@x.example", 0,
	    "more than 100 messages match");
	json = run_json(fixture, "explain many@x.example --json");
	assert_int_equal(json_array_size(json), 100);
	json_decref(json);
	said = run_to(
	    fixture, "2>&1 >/dev/null", &code, "explain many@x.example --json");
	assert_true(slice_find_slice(said, SLICE("more than 100 ")) < said.len);
	expect(fixture, "search", 0, "more than 100 messages match");
}

/* Nothing to look for is not everything. */
static void test_empty_search(void **state)
{
	static const char *const commands[] = {"explain ''",
	    "quarantine list --sender @", "quarantine list --sender ''",
	    "quarantine list --recipient @", "quarantine list --recipient ''",
	    "search --sender ''", "search --sender '<@>'",
	    "search --recipient @", "search --recipient '<>'"};
	struct fixture *fixture = *state;

	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		expect(fixture, commands[i], 2, "empty");
	expect(fixture, "explain '<>'", 1, "no message has");
}

/* An id that is asked for may be a stranger's Message-ID: it does not reach the
 * terminal as it is. */
static void test_controls_of_arguments(void **state)
{
	static const struct {
		const char *command;
		int code;
	} rows[] = {{"explain", 1}, {"quarantine show", 66},
	    {"quarantine delete --yes", 66}, {"quarantine release", 66},
	    {"search --since", 2}, {"search", 2}};
	struct fixture *fixture = *state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		expect(fixture,
		    arena_format(fixture->arena, "%s \"$(printf '%s')\"",
			rows[i].command, "\\033]0;\\342\\200\\256x\\377"),
		    rows[i].code, "\\x1b]0;\\xe2\\x80\\xaex\\xff");
}

static size_t files_in(struct fixture *fixture, const char *user)
{
	const char *command = arena_format(fixture->arena,
	    "find '%s/mail/%s/new' -type f 2>/dev/null | wc -l",
	    fixture->directory, user);
	FILE *pipe = popen(command, "r");
	char text[32] = "";

	assert_non_null(fgets(text, sizeof(text), pipe));
	pclose(pipe);
	return (size_t)strtoul(text, NULL, 10);
}

static void test_release_delete(void **state)
{
	struct fixture *fixture = *state;

	expect(fixture, "quarantine release Q1 --to bob@agency.example", 2,
	    "Q1: nothing was sent: no recipient of it is "
	    "<bob@agency.example>");
	expect(fixture, "quarantine release Q1", 0, "<ann@agency.example> 250");
	assert_int_equal(files_in(fixture, "ann"), 1);
	expect(fixture, "quarantine release Q1", 2, "released before");
	assert_int_equal(files_in(fixture, "ann"), 1);
	expect(fixture, "quarantine list", 0, "Q2");
	expect(fixture, "quarantine list --released", 0, "released 20");
	/* No route is for its recipient: it stays. */
	expect(fixture, "quarantine release Q2", 75, "still held");
	expect(fixture, "quarantine list", 0, "Q2");
	expect(fixture, "quarantine delete Q2", 2, "--yes");
	expect(fixture, "quarantine delete --yes Q2 Q9", 66, "Q9");
	expect(fixture, "quarantine show Q2", 66, "");
	expect(fixture, "explain Q2", 0, "quarantine");
}

/* Each recipient has it once, whatever order they get it in. */
static void test_release_to_one(void **state)
{
	struct fixture *fixture = *state;
	struct store *store;

	assert_true(store_open(fixture->url, &store, NULL));
	put(store, "Q3", "<q3@x.example>", "ann@agency.example",
	    "carl@agency.example", true);
	store_close(store);
	expect(fixture,
	    "quarantine release Q3 --to Carl@agency.example --to bbo@x.example"
	    " --to ''",
	    2, "nothing was sent: no recipient of it is <bbo@x.example>, <>");
	assert_int_equal(files_in(fixture, "carl"), 0);
	expect(fixture, "quarantine release Q3 --to carl@agency.example", 0,
	    "<carl@agency.example> 250");
	expect(fixture, "quarantine list", 0,
	    "<carl@agency.example> (released 20");
	expect(fixture, "quarantine list --json", 0,
	    "\"held_for\": [\n      \"ann@agency.example\"\n    ]");
	expect(fixture, "quarantine release Q3 --to carl@agency.example", 2,
	    "released before");
	expect(fixture, "quarantine release Q3", 0,
	    "Q3 <carl@agency.example> has it already, since 20");
	assert_int_equal(files_in(fixture, "ann"), 1);
	assert_int_equal(files_in(fixture, "carl"), 1);
	expect(fixture, "quarantine release Q3", 2, "released before");
	expect(fixture, "quarantine list --released", 0, "Q3");
	expect(fixture, "quarantine list --released --json", 0,
	    "\"held_for\": []");
	expect(fixture,
	    "quarantine release --again --to carl@agency.example Q3", 0, "250");
	assert_int_equal(files_in(fixture, "carl"), 2);
	expect(fixture, "quarantine release --again Q3", 0, "250");
	assert_int_equal(files_in(fixture, "ann"), 2);
	assert_int_equal(files_in(fixture, "carl"), 3);
}

static void test_report(void **state)
{
	struct fixture *fixture = *state;
	json_t *json, *rows;

	expect(fixture, "report own-domain", 0, "192.0.2.7");
	expect(fixture, "report own-domain", 0,
	    "Old scanner: expired, 2020-01-31T23:59:59Z; owner facilities");
	expect(fixture, "report own-domain --since 2999-01-01", 0, "Nobody");
	json = run_json(fixture, "report own-domain --json");
	rows = json_object_get(json, "senders");
	assert_int_equal(json_array_size(rows), 1);
	assert_int_equal(json_integer_value(
			     json_object_get(json_array_get(rows, 0), "count")),
	    5);
	assert_int_equal(
	    json_array_size(json_object_get(json, "exceptions")), 2);
	json_decref(json);
}

int main(int argc, char **argv)
{
	struct fixture fixture = {.program = argc > 1 ? argv[1] : NULL};
#define UNIT(name)                                                             \
	cmocka_unit_test_prestate_setup_teardown(                              \
	    name, set_up, tear_down, &fixture)
	const struct CMUnitTest tests[] = {
	    UNIT(test_explain),
	    UNIT(test_list_show),
	    UNIT(test_search),
	    UNIT(test_search_for_what_is_shown),
	    UNIT(test_null_sender),
	    UNIT(test_times_are_told),
	    UNIT(test_more_than_the_limit),
	    UNIT(test_explain_many),
	    UNIT(test_empty_search),
	    UNIT(test_controls_of_arguments),
	    UNIT(test_release_delete),
	    UNIT(test_release_to_one),
	    UNIT(test_report),
	};

	if (!fixture.program)
		return 2;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
