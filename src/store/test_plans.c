/* SPDX-License-Identifier: Apache-2.0 */
/* How SQLite means to answer: what is searched and changed is found by an
 * index, so that it takes as long with millions of rows as with a few. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "store/sqlite_private.h"
#include "store/store_test.h"

enum { STATEMENTS_MAX = 16, TEXT_MAX = 4096, PLAN_MAX = 64 };

/* Tables, or what was found already, that are read from one end to the other
 * on purpose; whatever else a plan scans is a fault. */
static const struct {
	const char *line, *reason;
} meant_scans[] = {
    {"SCAN recent_trace", "rows that were not filed yet: some hundred"},
    {"SCAN recent_recipient", "of those rows"},
    {"SCAN trace_chunk", "one row for 8,192 traces, until there are enough"},
    {"SCAN g", "messages whose pieces are being removed"},
    {"SCAN quarantine_garbage", "the same"},
    {"SCAN CONSTANT ROW", "the row that is inserted"},
    {"SCAN t", "what both tables of traces found, LIMIT rows of each"},
    {"SCAN (subquery-", "what one of them found"},
    {"SCAN all_recipient", "the recipients of one trace"},
    {"SCAN all_trace", "the rows that a report counts"},
};

enum { MEANT_SCANS = sizeof(meant_scans) / sizeof(meant_scans[0]) };

static bool scans_seen[MEANT_SCANS];

/* Searches of `gatehouse trace` and `gatehouse quarantine list`.  A line that
 * has to be in the plan; without any condition the newest rows are read by
 * the index of the time, until the limit is reached. */
static const struct {
	const char *name;
	struct store_query query;
	const char *trace, *quarantine;
} searches[] = {
    {"newest", {.limit = 10}, "SCAN trace USING COVERING INDEX trace_time",
	"SCAN quarantine USING INDEX quarantine_time"},
    {"id", {.id = SLICE_INIT("A")},
	"SEARCH trace USING INDEX sqlite_autoindex_trace_1 (id=?)",
	"SEARCH quarantine USING INDEX sqlite_autoindex_quarantine_1 (id=?)"},
    {"Message-ID", {.message_id = SLICE_INIT("<m@x>")},
	"SEARCH trace USING INDEX trace_message_id (chunk=? AND message_id=?)",
	"SEARCH quarantine USING INDEX quarantine_message_id (message_id=?)"},
    {"sender", {.sender = SLICE_INIT("a@x")},
	"SEARCH trace USING INDEX trace_sender (chunk=? AND sender_key=?)",
	"SEARCH quarantine USING INDEX quarantine_sender (sender_key=?)"},
    {"sender's domain", {.sender = SLICE_INIT("@x")},
	"SEARCH trace USING INDEX trace_sender_domain"
	" (chunk=? AND sender_domain=?)",
	"SEARCH quarantine USING INDEX quarantine_sender_domain"
	" (sender_domain=?)"},
    {"null sender", {.null_sender = true},
	"SEARCH trace USING INDEX trace_sender (chunk=? AND sender_key=?)",
	"SEARCH quarantine USING INDEX quarantine_sender (sender_key=?)"},
    {"recipient", {.recipient = SLICE_INIT("a@x")},
	"SEARCH trace USING INTEGER PRIMARY KEY (rowid=?)",
	"SEARCH quarantine_recipient USING COVERING INDEX"
	" quarantine_recipient_address (address_key=?)"},
    {"recipient's domain", {.recipient = SLICE_INIT("@x")},
	"SEARCH trace USING INTEGER PRIMARY KEY (rowid=?)",
	"SEARCH quarantine_recipient USING COVERING INDEX"
	" quarantine_recipient_domain (domain=?)"},
    {"verdict", {.verdict = SLICE_INIT("reject")},
	"SEARCH trace USING COVERING INDEX trace_verdict (verdict=?)", NULL},
    {"verdict since", {.verdict = SLICE_INIT("reject"), .from_ms = 1},
	"SEARCH trace USING COVERING INDEX trace_verdict (verdict=? AND "
	"time_ms>?)",
	NULL},
    {"since", {.from_ms = 1},
	"SEARCH trace USING COVERING INDEX trace_time (time_ms>?)",
	"SEARCH quarantine USING INDEX quarantine_time (time_ms>?)"},
    {"until", {.to_ms = 1},
	"SEARCH trace USING COVERING INDEX trace_time (time_ms<?)",
	"SEARCH quarantine USING INDEX quarantine_time (time_ms<?)"},
    {"between", {.from_ms = 1, .to_ms = 2},
	"SEARCH trace USING COVERING INDEX trace_time (time_ms>? AND "
	"time_ms<?)",
	"SEARCH quarantine USING INDEX quarantine_time"
	" (time_ms>? AND time_ms<?)"},
    {"sender between", {.sender = SLICE_INIT("a@x"), .from_ms = 1, .to_ms = 2},
	"SEARCH trace USING INDEX trace_sender"
	" (chunk=? AND sender_key=? AND time_ms>? AND time_ms<?)",
	"SEARCH quarantine USING INDEX quarantine_sender"
	" (sender_key=? AND time_ms>? AND time_ms<?)"},
    {"id to recipient", {.id = SLICE_INIT("A"), .recipient = SLICE_INIT("a@y")},
	"SEARCH trace USING INDEX sqlite_autoindex_trace_1 (id=?)",
	"SEARCH quarantine USING INDEX sqlite_autoindex_quarantine_1 (id=?)"},
    {"recipient and verdict",
	{.verdict = SLICE_INIT("reject"), .recipient = SLICE_INIT("a@y")},
	"SEARCH trace USING INTEGER PRIMARY KEY (rowid=?)", NULL},
    {"recipient between",
	{.recipient = SLICE_INIT("a@y"), .from_ms = 1, .to_ms = 2000},
	"SEARCH trace USING INTEGER PRIMARY KEY (rowid=?)", NULL},
    {"recipient's broad domain between",
	{.recipient = SLICE_INIT("@z"), .from_ms = 1, .to_ms = 2000},
	"SEARCH trace USING COVERING INDEX trace_time"
	" (time_ms>? AND time_ms<?)",
	NULL},
    {"recipient's broad domain and verdict",
	{.recipient = SLICE_INIT("@z"), .verdict = SLICE_INIT("reject")},
	"SEARCH trace USING COVERING INDEX trace_verdict (verdict=?)", NULL},
    {"recipient's rare domain and verdict",
	{.recipient = SLICE_INIT("@y"), .verdict = SLICE_INIT("reject")},
	"SEARCH trace USING INTEGER PRIMARY KEY (rowid=?)", NULL},
    {"broad sender and rare verdict",
	{.sender = SLICE_INIT("@sender.example"),
	    .verdict = SLICE_INIT("defer")},
	"SEARCH trace USING INDEX trace_verdict (verdict=?)", NULL},
    {"broad sender to rare recipient",
	{.sender = SLICE_INIT("@sender.example"),
	    .recipient = SLICE_INIT("a@y")},
	"SEARCH trace USING INTEGER PRIMARY KEY (rowid=?)", NULL},
    {"broad sender to recipient between, with verdict",
	{.sender = SLICE_INIT("@sender.example"),
	    .recipient = SLICE_INIT("a@y"),
	    .verdict = SLICE_INIT("reject"),
	    .from_ms = 1,
	    .to_ms = 2000},
	"SEARCH trace USING INTEGER PRIMARY KEY (rowid=?)", NULL},
    {"Message-ID, verdict, between",
	{.message_id = SLICE_INIT("<m@x>"),
	    .verdict = SLICE_INIT("reject"),
	    .from_ms = 1,
	    .to_ms = 2},
	"SEARCH trace USING INDEX trace_message_id"
	" (chunk=? AND message_id=? AND time_ms>? AND time_ms<?)",
	NULL},
    {"sender to recipient",
	{.sender = SLICE_INIT("@x"), .recipient = SLICE_INIT("a@y")},
	"SEARCH trace USING INDEX trace_sender_domain"
	" (chunk=? AND sender_domain=?)",
	"SEARCH quarantine_recipient USING COVERING INDEX"
	" quarantine_recipient_address (address_key=?)"},
    {"all at once",
	{.sender = SLICE_INIT("a@x"),
	    .recipient = SLICE_INIT("@y"),
	    .verdict = SLICE_INIT("reject"),
	    .from_ms = 1,
	    .to_ms = 2},
	"SEARCH trace USING INDEX trace_sender"
	" (chunk=? AND sender_key=? AND time_ms>? AND time_ms<?)",
	"SEARCH quarantine_recipient USING COVERING INDEX"
	" quarantine_recipient_domain (domain=?)"},
};

enum { SEARCHES = sizeof(searches) / sizeof(searches[0]) };

/* The queries that a connection was given, in its own words. */
struct asked {
	size_t count;
	char texts[STATEMENTS_MAX][TEXT_MAX];
};

static int remember(
    unsigned int event, void *object, void *statement, void *text)
{
	struct asked *asked = object;
	const char *sql = sqlite3_sql(statement);

	(void)event;
	(void)text;
	if (strncmp(sql, "SELECT", 6) != 0)
		return 0;
	assert_true(asked->count < STATEMENTS_MAX);
	assert_true(strlen(sql) < TEXT_MAX);
	snprintf(asked->texts[asked->count++], TEXT_MAX, "%s", sql);
	return 0;
}

static bool is_meant(const char *line)
{
	for (size_t i = 0; i < MEANT_SCANS; i++) {
		const char *meant = meant_scans[i].line;
		size_t len = strlen(meant);

		/* A whole line, or its beginning where that ends with '-'. */
		if (meant[len - 1] == '-' ? strncmp(line, meant, len) == 0
					  : strcmp(line, meant) == 0) {
			scans_seen[i] = true;
			return true;
		}
	}
	return false;
}

/* Fails for a scan that is neither meant nor `wanted` (or NULL); returns
 * whether `wanted` is in the plan. */
static bool check_plan(struct store_connection *connection, const char *name,
    const char *sql, const char *wanted)
{
	char explain[TEXT_MAX + 32];
	sqlite3_stmt *statement;
	bool found = false;

	snprintf(explain, sizeof(explain), "EXPLAIN QUERY PLAN %s", sql);
	if (sqlite3_prepare_v2(connection->db, explain, -1, &statement, NULL) !=
	    SQLITE_OK)
		fail_msg("%s: %s", name, sqlite3_errmsg(connection->db));
	while (sqlite3_step(statement) == SQLITE_ROW) {
		const char *line = (const char *)sqlite3_column_text(
		    statement, 3);

		if (wanted && strcmp(line, wanted) == 0)
			found = true;
		else if (strncmp(line, "SCAN ", 5) == 0 && !is_meant(line))
			fail_msg("%s: %s: %s", name, line, sql);
	}
	sqlite3_finalize(statement);
	return found;
}

/* What counts helps to choose the search, and what follows that reads its
 * rows. */
static void check_asked(struct store_connection *connection, const char *name,
    struct asked *asked, const char *wanted)
{
	static const char counts[] = "SELECT count(*)";
	size_t search = 0;

	while (search < asked->count &&
	       strncmp(asked->texts[search], counts, sizeof(counts) - 1) == 0)
		search++;
	assert_true(search < asked->count);
	for (size_t i = 0; i < asked->count; i++) {
		const char *line = i == search ? wanted : NULL;

		if (check_plan(connection, name, asked->texts[i], line) !=
		    (line != NULL))
			fail_msg("%s: no \"%s\" for %s", name, line,
			    asked->texts[i]);
	}
	asked->count = 0;
}

static void file(const struct place *place)
{
	struct store_connection *connection;
	uint64_t moved;

	assert_true(sqlite_backend.open(
	    slice_from(place->path), STORE_WRITE, &connection, NULL));
	assert_true(sqlite_file_recent(connection, 10, &moved, NULL));
	sqlite_backend.close(connection);
}

/* A filed trace, a refused one to two recipients of one domain: what leads to
 * traces is what there is least of.  And one with a message in quarantine, in
 * the tables of fresh rows. */
static struct store_connection *open_filled(const struct place *place)
{
	static const struct slice recipients[] = {
	    SLICE_INIT("a@z"), SLICE_INIT("b@z")};
	struct store_trace trace = trace_new("A", 1000);
	struct store_trace filed = trace_new("F", 1000);
	struct slice piece = SLICE("Subject: x\r\n\r\n");
	const struct store_quarantine quarantine = {
	    .id = SLICE("A"), .piece_count = 1, .pieces = &piece};
	struct store_connection *connection;
	struct store *store;

	filed.verdict = SLICE("reject");
	filed.recipients = recipients;
	assert_true(store_open(slice_from(place->url), &store, NULL));
	assert_true(store_put(store, &filed, NULL, deadline_in(20000), NULL));
	store_close(store);
	file(place);
	assert_true(store_open(slice_from(place->url), &store, NULL));
	assert_true(
	    store_put(store, &trace, &quarantine, deadline_in(20000), NULL));
	store_close(store);
	assert_true(sqlite_backend.open(
	    slice_from(place->path), STORE_READ, &connection, NULL));
	return connection;
}

static void test_searches(void **state)
{
	struct place place = place_new("");
	struct store_connection *connection = open_filled(&place);
	struct arena *arena = arena_new(0);
	static struct asked asked;
	struct store_quarantined *messages;
	struct store_trace *traces;
	size_t count;

	(void)state;
	sqlite3_trace_v2(connection->db, SQLITE_TRACE_STMT, remember, &asked);
	for (size_t i = 0; i < SEARCHES; i++) {
		assert_true(sqlite_find_traces(connection, arena,
		    &searches[i].query, &count, &traces, NULL));
		check_asked(
		    connection, searches[i].name, &asked, searches[i].trace);
		for (int all = 0; searches[i].quarantine && all < 2; all++) {
			assert_true(sqlite_list_quarantine(connection, arena,
			    &searches[i].query, all, &count, &messages, NULL));
			check_asked(connection, searches[i].name, &asked,
			    searches[i].quarantine);
		}
	}
	sqlite_backend.close(connection);
	arena_free(arena);
	place_remove(&place);
}

static void test_other_reads(void **state)
{
	struct place place = place_new("");
	struct store_connection *connection = open_filled(&place);
	struct arena *arena = arena_new(0);
	static struct asked asked;
	struct store_own_domain_row *rows;
	struct store_quarantined message;
	struct slice bytes;
	size_t count;

	(void)state;
	sqlite3_trace_v2(connection->db, SQLITE_TRACE_STMT, remember, &asked);
	assert_true(sqlite_report_own_domains(
	    connection, arena, 1, &count, &rows, NULL));
	check_asked(connection, "report", &asked,
	    "SEARCH trace USING INDEX trace_own_domain (time_ms>?)");
	assert_true(sqlite_get_quarantined(
	    connection, arena, SLICE("A"), &message, &bytes, NULL));
	assert_int_equal(asked.count, 3);
	check_asked(connection, "message", &asked,
	    "SEARCH quarantine USING INDEX sqlite_autoindex_quarantine_1"
	    " (id=?)");
	sqlite_backend.close(connection);
	arena_free(arena);
	place_remove(&place);
}

static void test_changes(void **state)
{
	struct place place = place_new("");
	struct store_connection *connection = open_filled(&place);

	(void)state;
	for (size_t i = 0; i < SQL_STATEMENTS; i++)
		check_plan(
		    connection, "writer", sqlite_statement_texts[i], NULL);
	sqlite_backend.close(connection);
	place_remove(&place);
}

/* A scan that no plan has any more is not one to allow. */
static void test_meant_scans(void **state)
{
	(void)state;
	for (size_t i = 0; i < MEANT_SCANS; i++)
		if (!scans_seen[i])
			fail_msg("%s (%s): in no plan", meant_scans[i].line,
			    meant_scans[i].reason);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_searches),
	    cmocka_unit_test(test_other_reads),
	    cmocka_unit_test(test_changes),
	    cmocka_unit_test(test_meant_scans),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
