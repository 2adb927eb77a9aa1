/* SPDX-License-Identifier: Apache-2.0 */
/* Conformance: what every backend does.  The URL of another backend to test
 * (an empty store) may be given in GATEHOUSE_TEST_STORE. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <string.h>

#include "base/handover.h"
#include "store/store_test.h"

struct fixture {
	struct place place;
	struct store *store;
	struct arena *arena;
};

static int set_up(void **state)
{
	const char *other = getenv("GATEHOUSE_TEST_STORE");
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	fixture->place = place_new("");
	fixture->store = open_url(other ? other : fixture->place.url);
	fixture->arena = arena_new(0);
	*state = fixture;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *fixture = *state;

	store_close(fixture->store);
	arena_free(fixture->arena);
	place_remove(&fixture->place);
	free(fixture);
	return 0;
}

static void put(struct store *store, const struct store_trace *trace,
    const struct store_quarantine *quarantine)
{
	struct err err = {.kind = E_NONE};

	if (!store_put(store, trace, quarantine, deadline_in(20000), &err))
		fail_msg("%s", err.text);
}

static size_t find(struct fixture *fixture, const struct store_query *query,
    struct store_trace **ret)
{
	struct err err = {.kind = E_NONE};
	size_t count;

	if (!store_find_traces(
		fixture->store, fixture->arena, query, &count, ret, &err))
		fail_msg("%s", err.text);
	return count;
}

static void assert_text(struct slice is, const char *wanted)
{
	if (!slice_eq(is, slice_from(wanted)))
		fail_msg("is \"%.*s\", not \"%s\"", SLICE_ARGS(is), wanted);
}

static void test_put_find(void **state)
{
	struct fixture *fixture = *state;
	const struct store_query by_id = {.id = SLICE("A1")};
	struct store_trace trace = trace_new("A1", 1000), *found;

	put(fixture->store, &trace, NULL);
	assert_int_equal(find(fixture, &by_id, &found), 1);
	assert_text(found->id, "A1");
	assert_int_equal(found->time_ms, 1000);
	assert_text(found->message_id, "<m1@sender.example>");
	assert_text(found->listener, "mx");
	assert_text(found->client_ip, "192.0.2.7");
	assert_text(found->client_name, "mail.sender.example");
	assert_text(found->helo, "mail.sender.example");
	assert_text(found->sender, "Carl@Sender.example");
	assert_text(found->header_from, "carl@sender.example");
	assert_text(found->subject, "Minutes");
	assert_int_equal(found->size, 1234);
	assert_text(found->verdict, "accept");
	assert_text(found->policy, "");
	assert_text(found->own_domain_result, "none");
	assert_text(found->spf_result, "pass");
	assert_text(found->dkim_result, "pass");
	assert_text(found->dmarc_result, "pass");
	assert_text(found->facts, "{\"verdict\":\"accept\"}");
	assert_int_equal(found->recipient_count, 2);
	assert_text(found->recipients[0], "Ann@Agency.example");
	assert_text(found->recipients[1], "bob@other.example");
}

static void test_queries(void **state)
{
	static const struct {
		struct store_query query;
		size_t count;
		const char *first; /* newest */
	} rows[] = {
	    {{.limit = 10}, 3, "C"},
	    {{.limit = 2}, 2, "C"},
	    {{.id = SLICE_INIT("B")}, 1, "B"},
	    {{.id = SLICE_INIT("b")}, 0, NULL},
	    {{.message_id = SLICE_INIT("<two@x.example>")}, 1, "B"},
	    {{.sender = SLICE_INIT("carl@SENDER.example")}, 2, "B"},
	    {{.sender = SLICE_INIT("@sender.example")}, 2, "B"},
	    {{.sender = SLICE_INIT("@nder.example")}, 0, NULL},
	    {{.recipient = SLICE_INIT("ann@agency.EXAMPLE")}, 3, "C"},
	    {{.recipient = SLICE_INIT("@Other.example")}, 3, "C"},
	    {{.recipient = SLICE_INIT("@agency.exampl_")}, 0, NULL},
	    {{.verdict = SLICE_INIT("reject")}, 1, "C"},
	    {{.from_ms = 2000}, 2, "C"},
	    {{.from_ms = 2001, .to_ms = 2999}, 0, NULL},
	    {{.to_ms = 2000}, 2, "B"},
	    {{.sender = SLICE_INIT("@sender.example"),
		 .verdict = SLICE_INIT("reject")},
		0, NULL},
	    {{.id = SLICE_INIT("x' OR 1 --")}, 0, NULL},
	};
	struct fixture *fixture = *state;
	struct store_trace a = trace_new("A", 1000), b = trace_new("B", 2000),
			   c = trace_new("C", 3000), *found;

	b.message_id = SLICE("<two@x.example>");
	c.sender = SLICE("");
	c.verdict = SLICE("reject");
	put(fixture->store, &b, NULL);
	put(fixture->store, &a, NULL);
	put(fixture->store, &c, NULL);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(
		    find(fixture, &rows[i].query, &found), rows[i].count);
		if (rows[i].first)
			assert_text(found->id, rows[i].first);
	}
}

static void test_many_rows(void **state)
{
	struct fixture *fixture = *state;
	struct slice recipients[100];
	struct store_trace trace, *found;
	char id[16];

	for (size_t i = 0; i < 100; i++)
		recipients[i] = arena_format_slice(
		    fixture->arena, "user%zu@agency.example", i);
	for (int i = 0; i < 70; i++) {
		snprintf(id, sizeof(id), "N%02d", i);
		trace = trace_new(id, 1000 + i);
		trace.recipients = recipients;
		trace.recipient_count = 100;
		put(fixture->store, &trace, NULL);
	}
	assert_int_equal(
	    find(fixture, &(struct store_query){.limit = 1000}, &found), 70);
	for (size_t i = 0; i < 70; i++) {
		assert_int_equal(found[i].time_ms, 1069 - (int)i);
		assert_int_equal(found[i].recipient_count, 100);
		assert_text(found[i].recipients[99], "user99@agency.example");
	}
}

static void test_clean_text(void **state)
{
	struct fixture *fixture = *state;
	struct store_trace trace = trace_new("U", 1000), *found;
	static const struct slice recipients[] = {
	    SLICE_INIT("\xe9@agency.example")};

	trace.subject = SLICE("caf\xe9\0end");
	trace.recipients = recipients;
	trace.recipient_count = 1;
	put(fixture->store, &trace, NULL);
	assert_int_equal(
	    find(fixture, &(struct store_query){.id = SLICE("U")}, &found), 1);
	assert_text(found->subject, "caf\xef\xbf\xbd\xef\xbf\xbd"
				    "end");
	assert_text(found->recipients[0], "\xef\xbf\xbd@agency.example");
}

static void test_same_id(void **state)
{
	struct fixture *fixture = *state;
	struct store_trace trace = trace_new("A1", 1000), *found;
	struct err err;

	put(fixture->store, &trace, NULL);
	assert_false(
	    store_put(fixture->store, &trace, NULL, deadline_in(5000), &err));
	assert_int_equal(err.kind, E_SYNTAX);
	assert_int_equal(find(fixture, &(struct store_query){0}, &found), 1);
}

static void test_note_delivery(void **state)
{
	uint64_t room;
	struct fixture *fixture = *state;
	struct store_trace trace = trace_new("D1", 1000), *found;

	put(fixture->store, &trace, NULL);
	store_note_delivery(fixture->store, SLICE("D1"), SLICE("accept"),
	    SLICE("250 2.0.0 ok"));
	trace.id = SLICE("D2");
	put(fixture->store, &trace, NULL);
	store_note_delivery(fixture->store, SLICE("D2"), SLICE("reject"),
	    SLICE("550 5.1.1 unknown"));
	store_note_delivery(
	    fixture->store, SLICE("none"), SLICE("reject"), SLICE("x"));
	/* Posted later, committed later. */
	assert_true(store_probe(fixture->store, &room, NULL));
	find(fixture, &(struct store_query){.id = SLICE("D1")}, &found);
	assert_text(found->delivery, "250 2.0.0 ok");
	assert_text(found->verdict, "accept");
	assert_text(found->policy, "");
	find(fixture, &(struct store_query){.id = SLICE("D2")}, &found);
	assert_text(found->delivery, "550 5.1.1 unknown");
	assert_text(found->verdict, "reject");
	assert_text(found->policy, "next-hop");
}

/* Nobody waits for a note: it shares the commit of the next row, and without
 * one it is written soon nevertheless. */
static void test_notes_share_commits(void **state)
{
	enum { COUNT = 20 };
	struct fixture *fixture = *state;
	struct store_statistics statistics;

	for (int i = 0; i < COUNT; i++) {
		char id[16];
		struct store_trace trace;

		snprintf(id, sizeof(id), "N%d", i);
		trace = trace_new(id, 1000);
		put(fixture->store, &trace, NULL);
		store_note_delivery(fixture->store, trace.id, SLICE("accept"),
		    SLICE("250 2.0.0 ok"));
		usleep(5000);
	}
	for (int tries = 0; tries < 500; tries++) {
		statistics = store_statistics(fixture->store);
		if (statistics.rows == 2 * (uint64_t)COUNT)
			break;
		usleep(10000);
	}
	assert_int_equal(statistics.rows, 2 * COUNT);
	assert_in_range(statistics.commits, 1, COUNT + COUNT / 4);
}

static size_t list(struct fixture *fixture, const struct store_query *query,
    bool released_too, struct store_quarantined **ret)
{
	struct err err = {.kind = E_NONE};
	size_t count;

	if (!store_list_quarantine(fixture->store, fixture->arena, query,
		released_too, &count, ret, &err))
		fail_msg("%s", err.text);
	return count;
}

static void put_quarantined(struct store *store, const char *id,
    int64_t time_ms, size_t count, const struct slice *pieces)
{
	struct store_trace trace = trace_new(id, time_ms);
	struct store_quarantine quarantine = {
	    .id = slice_from(id),
	    .reason = SLICE("DMARC fails and the policy is quarantine"),
	    .route = SLICE("smtp:[192.0.2.1]:25"),
	    .piece_count = count,
	    .pieces = pieces,
	};

	trace.verdict = SLICE("quarantine");
	put(store, &trace, &quarantine);
}

static void test_quarantine(void **state)
{
	static const struct slice pieces[] = {SLICE_INIT("Received: x\r\n"),
	    SLICE_INIT(""), SLICE_INIT("Subject: a\0b\r\n\r\nbody\xff\r\n")};
	const struct store_query all = {0};
	struct fixture *fixture = *state;
	struct store_quarantined message, *held;
	struct slice content;
	struct err err;

	put_quarantined(fixture->store, "Q1", 1000, 3, pieces);
	put_quarantined(fixture->store, "Q2", 2000, 1, pieces);
	assert_int_equal(list(fixture, &all, false, &held), 2);
	assert_text(held[1].id, "Q1");
	assert_text(held[1].sender, "Carl@Sender.example");
	assert_text(held[1].message_id, "<m1@sender.example>");
	assert_text(held[1].route, "smtp:[192.0.2.1]:25");
	assert_int_equal(held[1].recipient_count, 2);
	assert_text(held[1].recipients[0], "Ann@Agency.example");
	assert_int_equal(held[1].size, 13 + 23);

	assert_true(store_get_quarantined(fixture->store, fixture->arena,
	    SLICE("Q1"), &message, &content, &err));
	assert_int_equal(content.len, message.size);
	assert_memory_equal(content.ptr,
	    "Received: x\r\nSubject: a\0b\r\n\r\nbody\xff\r\n", content.len);

	/* It is released when all its recipients have it. */
	assert_true(store_mark_released(fixture->store, SLICE("Q1"),
	    SLICE("bob@other.example"), 4000, &err));
	assert_int_equal(list(fixture, &all, false, &held), 2);
	assert_int_equal(held[1].released_ms, 0);
	assert_int_equal(held[1].recipient_released_ms[0], 0);
	assert_int_equal(held[1].recipient_released_ms[1], 4000);
	assert_false(store_mark_released(fixture->store, SLICE("Q1"),
	    SLICE("eve@other.example"), 4500, &err));
	assert_int_equal(err.kind, E_NOT_FOUND);
	assert_true(store_mark_released(fixture->store, SLICE("Q1"),
	    SLICE("Ann@Agency.example"), 5000, &err));
	assert_int_equal(list(fixture, &all, false, &held), 1);
	assert_int_equal(list(fixture, &all, true, &held), 2);
	assert_int_equal(held[1].released_ms, 5000);
	assert_int_equal(
	    list(fixture,
		&(struct store_query){.recipient = SLICE("@AGENCY.example"),
		    .sender = SLICE("carl@sender.example"),
		    .from_ms = 1500},
		true, &held),
	    1);

	assert_true(
	    store_delete_quarantined(fixture->store, SLICE("Q1"), &err));
	assert_int_equal(list(fixture, &all, true, &held), 1);
	assert_false(store_get_quarantined(fixture->store, fixture->arena,
	    SLICE("Q1"), &message, &content, &err));
	assert_int_equal(err.kind, E_NOT_FOUND);
	assert_false(
	    store_delete_quarantined(fixture->store, SLICE("Q1"), &err));
	assert_int_equal(err.kind, E_NOT_FOUND);
	assert_false(store_mark_released(
	    fixture->store, SLICE("Q1"), SLICE("Ann@Agency.example"), 1, &err));
	assert_int_equal(err.kind, E_NOT_FOUND);
}

/* What policy made of them is for the release; the trace keeps the others. */
static void test_held_for_others(void **state)
{
	static const struct slice piece = SLICE_INIT("x");
	static const struct slice other = SLICE_INIT("Eve@Other.example");
	const struct store_quarantine quarantine = {.id = SLICE_INIT("Q1"),
	    .piece_count = 1,
	    .pieces = &piece,
	    .recipient_count = 1,
	    .recipients = &other};
	struct store_query query = {.recipient = SLICE("eve@other.example")};
	struct fixture *fixture = *state;
	struct store_trace trace = trace_new("Q1", 1000), *found;
	struct store_quarantined *held;

	put(fixture->store, &trace, &quarantine);
	assert_int_equal(list(fixture, &query, false, &held), 1);
	assert_int_equal(held->recipient_count, 1);
	assert_text(held->recipients[0], "Eve@Other.example");
	assert_int_equal(find(fixture, &query, &found), 0);
	query.recipient = SLICE("ann@agency.example");
	assert_int_equal(list(fixture, &query, false, &held), 0);
	assert_int_equal(find(fixture, &query, &found), 1);
}

/* The second row of one change is bad: its first must not stay. */
static void give_notice(void *context)
{
	sem_post(context);
}

static void test_without_waiting(void **state)
{
	static const struct slice pieces[] = {SLICE_INIT("Subject: x\r\n\r\n")};
	static const struct store_quarantine quarantine = {
	    .id = SLICE_INIT("A"),
	    .reason = SLICE_INIT("r"),
	    .route = SLICE_INIT("next"),
	    .piece_count = 1,
	    .pieces = pieces};
	struct fixture *fixture = *state;
	struct store_trace trace = trace_new("A", 1000);
	sem_t told;
	const struct store_notice notice = {give_notice, &told};
	struct store_quarantined held;
	struct store_pending *pending;
	struct slice message;

	sem_init(&told, 0, 0);
	pending = store_put_begin(fixture->store, fixture->arena, &trace,
	    &quarantine, deadline_in(60000), &notice, NULL);
	assert_non_null(pending);
	assert_true(
	    store_put_deadline(pending).at_ms <= deadline_in(60000).at_ms);
	assert_true(handover_wait(&told, deadline_in(60000)));
	assert_false(store_put_give_up(pending));
	assert_true(store_put_end(pending, NULL));
	assert_true(store_get_quarantined(
	    fixture->store, fixture->arena, SLICE("A"), &held, &message, NULL));
	assert_true(slice_eq(message, pieces[0]));
	assert_int_equal(held.recipient_count, 2);
	sem_destroy(&told);
}

static void test_whole_or_nothing(void **state)
{
	static const struct slice piece = SLICE_INIT("x");
	const struct store_quarantine again = {
	    .id = SLICE_INIT("Q1"), .piece_count = 1, .pieces = &piece};
	struct fixture *fixture = *state;
	struct store_trace trace = trace_new("T2", 1000), *found;
	struct err err;

	put_quarantined(fixture->store, "Q1", 1000, 1, &piece);
	assert_false(
	    store_put(fixture->store, &trace, &again, deadline_in(5000), &err));
	assert_int_equal(err.kind, E_SYNTAX);
	assert_int_equal(
	    find(fixture, &(struct store_query){.id = SLICE("T2")}, &found), 0);
}

static void test_large_message(void **state)
{
	enum { SIZE = 20 << 20, PIECES = 23 };
	struct fixture *fixture = *state;
	char *bytes = arena_alloc(fixture->arena, SIZE);
	struct store_quarantined message;
	struct slice pieces[PIECES], rest = slice_of(bytes, SIZE), content;
	uint32_t seed = 1;

	for (size_t i = 0; i < SIZE; i++) {
		seed = seed * 1664525 + 1013904223;
		bytes[i] = (char)(seed >> 24);
	}
	for (size_t i = 0; i < PIECES; i++) {
		size_t len = i + 1 < PIECES ? i * 40009 : rest.len;

		pieces[i] = slice_sub(rest, 0, len);
		rest = slice_from_pos(rest, len);
	}
	put_quarantined(fixture->store, "BIG", 1000, PIECES, pieces);
	assert_true(store_get_quarantined(fixture->store, fixture->arena,
	    SLICE("BIG"), &message, &content, NULL));
	assert_int_equal(content.len, SIZE);
	assert_memory_equal(content.ptr, bytes, SIZE);
}

static uint64_t expire(
    struct fixture *fixture, int64_t trace_before, int64_t held_before)
{
	uint64_t removed;
	bool more;

	assert_true(store_expire(fixture->store, trace_before, held_before,
	    deadline_in(60000), &removed, &more, NULL));
	assert_false(more);
	return removed;
}

static void test_expire(void **state)
{
	enum { OLD = 2500 };
	static const struct slice piece = SLICE_INIT("old message");
	struct fixture *fixture = *state;
	struct store_quarantined *held;
	struct store_trace trace, *found;
	uint64_t removed = 0;
	bool more;
	char id[16];

	for (int i = 0; i < OLD; i++) {
		snprintf(id, sizeof(id), "O%d", i);
		trace = trace_new(id, 1000);
		assert_true(store_put(
		    fixture->store, &trace, NULL, deadline_in(20000), NULL));
	}
	trace = trace_new("NEW", 9000);
	put(fixture->store, &trace, NULL);
	put_quarantined(fixture->store, "QOLD", 1000, 1, &piece);
	put_quarantined(fixture->store, "QNEW", 9000, 1, &piece);

	assert_int_equal(expire(fixture, 0, 0), 0);
	/* One step, for want of time; then the rest. */
	assert_true(store_expire(
	    fixture->store, 9000, 0, deadline_in(-1), &removed, &more, NULL));
	assert_true(more && removed > 0 && removed < OLD);
	assert_int_equal(removed + expire(fixture, 9000, 0), OLD + 1);
	assert_int_equal(
	    find(fixture, &(struct store_query){.limit = 9999}, &found), 2);
	assert_int_equal(
	    list(fixture, &(struct store_query){0}, true, &held), 2);
	assert_int_equal(expire(fixture, 0, 9000), 1);
	assert_int_equal(
	    list(fixture, &(struct store_query){0}, true, &held), 1);
	assert_text(held->id, "QNEW");
}

static void test_report(void **state)
{
	struct fixture *fixture = *state;
	struct store_own_domain_row *rows;
	struct store_trace trace;
	size_t count;
	char id[16];

	for (int i = 0; i < 6; i++) {
		snprintf(id, sizeof(id), "R%d", i);
		trace = trace_new(id, 1000 + i);
		trace.own_domain = SLICE("agency.example");
		trace.own_domain_result = i < 4 ? SLICE("fail") : SLICE("pass");
		if (i == 5)
			trace.own_domain_result = SLICE("none");
		put(fixture->store, &trace, NULL);
	}
	trace = trace_new("other", 1000);
	put(fixture->store, &trace, NULL);
	assert_true(store_report_own_domains(
	    fixture->store, fixture->arena, 1001, &count, &rows, NULL));
	assert_int_equal(count, 2);
	assert_text(rows[0].domain, "agency.example");
	assert_text(rows[0].client_ip, "192.0.2.7");
	assert_text(rows[0].client_name, "mail.sender.example");
	assert_text(rows[0].result, "fail");
	assert_text(rows[0].spf_result, "pass");
	assert_text(rows[0].dkim_result, "pass");
	assert_int_equal(rows[0].count, 3);
	assert_int_equal(rows[0].first_ms, 1001);
	assert_int_equal(rows[0].last_ms, 1003);
	assert_text(rows[1].result, "pass");
}

enum { THREADS = 16, PUTS = 200 };

struct putter {
	struct store *store;
	int number;
	int failed;
};

static void *put_many(void *object)
{
	struct putter *putter = object;
	struct store_trace trace;
	char id[32];

	for (int i = 0; i < PUTS; i++) {
		snprintf(id, sizeof(id), "P%d-%d", putter->number, i);
		trace = trace_new(id, 1000 + i);
		if (!store_put(
			putter->store, &trace, NULL, deadline_in(60000), NULL))
			putter->failed++;
		store_note_delivery(putter->store, trace.id, SLICE("accept"),
		    SLICE("250 2.0.0 taken"));
		/* One bad member in most groups: the others do not mind. */
		if (store_put(
			putter->store, &trace, NULL, deadline_in(60000), NULL))
			putter->failed++;
	}
	return NULL;
}

static void test_threads(void **state)
{
	uint64_t room;
	struct fixture *fixture = *state;
	struct putter putters[THREADS];
	pthread_t threads[THREADS];
	struct store_statistics statistics;
	struct store_trace *found;

	for (int i = 0; i < THREADS; i++) {
		putters[i] = (struct putter){fixture->store, i, 0};
		pthread_create(&threads[i], NULL, put_many, &putters[i]);
	}
	for (int i = 0; i < THREADS; i++) {
		pthread_join(threads[i], NULL);
		assert_int_equal(putters[i].failed, 0);
	}
	assert_true(store_probe(fixture->store, &room, NULL));
	assert_int_equal(
	    find(fixture, &(struct store_query){.limit = 99999}, &found),
	    THREADS * PUTS);
	for (int i = 0; i < THREADS * PUTS; i++)
		assert_text(found[i].delivery, "250 2.0.0 taken");
	statistics = store_statistics(fixture->store);
	assert_int_equal(statistics.rows, THREADS * PUTS * 2 + 1);
	assert_int_equal(statistics.failures, THREADS * PUTS);
	assert_int_equal(statistics.waiting, 0);
	assert_true(statistics.commits < statistics.rows);
	assert_true(statistics.size_bytes > 100000);
	print_message("%d rows in %d commits\n", (int)statistics.rows,
	    (int)statistics.commits);
}

/* The trace of that id has its own facts and recipient. */
static void assert_own(struct fixture *fixture, const char *id)
{
	const struct store_query query = {.id = slice_from(id)};
	struct store_trace *found;

	if (find(fixture, &query, &found) != 1)
		fail_msg("%s is not there, or more than once", id);
	assert_text(found->id, id);
	assert_text(found->facts, id);
	assert_int_equal(found->recipient_count, 1);
	assert_text(found->recipients[0], id);
}

/* The children for SMTP and for MTAs have a store each, on one file: each gives
 * numbers to rows, and files them.  In turn, then at one time. */
static void test_two_processes(void **state)
{
	enum { TURNS = 150 };
	struct fixture *fixture = *state;
	const char *other = getenv("GATEHOUSE_TEST_STORE");
	struct store *stores[2] = {
	    fixture->store, open_url(other ? other : fixture->place.url)};
	struct putter putters[2];
	pthread_t threads[2];
	struct store_trace *found;
	char id[32];

	for (int i = 0; i < 2 * TURNS; i++) {
		const struct slice text = slice_of(
		    id, (size_t)snprintf(id, sizeof(id), "T%d", i));
		struct store_trace trace = trace_new(id, 1000 + i);

		trace.facts = text;
		trace.recipient_count = 1;
		trace.recipients = &text;
		/* One each, then two, then three. */
		put(stores[(i / (1 + i / 100)) % 2], &trace, NULL);
	}
	for (int i = 0; i < 2; i++) {
		putters[i] = (struct putter){stores[i], i, 0};
		pthread_create(&threads[i], NULL, put_many, &putters[i]);
	}
	for (int i = 0; i < 2; i++) {
		pthread_join(threads[i], NULL);
		assert_int_equal(putters[i].failed, 0);
	}
	store_close(stores[1]);
	for (int i = 0; i < 2 * TURNS; i++) {
		snprintf(id, sizeof(id), "T%d", i);
		assert_own(fixture, id);
	}
	assert_int_equal(
	    find(fixture, &(struct store_query){.limit = 99999}, &found),
	    2 * TURNS + 2 * PUTS);
}

#define UNIT(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    UNIT(test_put_find),
	    UNIT(test_queries),
	    UNIT(test_many_rows),
	    UNIT(test_clean_text),
	    UNIT(test_same_id),
	    UNIT(test_note_delivery),
	    UNIT(test_notes_share_commits),
	    UNIT(test_quarantine),
	    UNIT(test_held_for_others),
	    UNIT(test_without_waiting),
	    UNIT(test_whole_or_nothing),
	    UNIT(test_large_message),
	    UNIT(test_expire),
	    UNIT(test_report),
	    UNIT(test_threads),
	    UNIT(test_two_processes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
