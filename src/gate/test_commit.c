/* SPDX-License-Identifier: Apache-2.0 */
/* What the store has of a message, and what the client hears if it has not. */
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/metrics.h"
#include "gate/gate_private.h"
#include "gate/test_stage.h"
#include "store/store_test.h"

#define REST                                                                   \
	"To: user@agency.example\r\nSubject: s\r\nMessage-ID: "                \
	"<1@x.example>\r\n"                                                    \
	"Date: Fri, 1 Jan 2027 00:00:00 +0000\r\n\r\n"
#define BODY "body\r\n"
#define PLAIN "From: a@plain.example\r\n" REST
#define HELD "From: a@quarantine.example\r\n" REST

struct fixture {
	struct place place;
	struct stage stage;
	struct gate_message *message;
};

static int set_up(void **state)
{
	struct stage_input input = {.ip = STRANGER, .mail_from = BOUNCE};
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	fixture->place = place_new("");
	stage_set(&fixture->stage, &input);
	fixture->stage.context.store = open_place(&fixture->place);
	*state = fixture;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *fixture = *state;

	store_close(fixture->stage.context.store);
	stage_clear(&fixture->stage);
	place_remove(&fixture->place);
	free(fixture);
	return 0;
}

/* What was posted is there when the store was closed. */
static void reopen(struct fixture *fixture)
{
	store_close(fixture->stage.context.store);
	fixture->stage.context.store = open_place(&fixture->place);
}

static struct gate_message *begin(struct fixture *fixture)
{
	struct stage *stage = &fixture->stage;

	fixture->message = gate_begin(
	    stage->arena, &stage->context, &stage->envelope);
	return fixture->message;
}

/* header, then BODY; content is what is kept of both. */
static struct gate_message *judge(
    struct fixture *fixture, const char *header, bool keeps_body)
{
	struct gate_message *message = begin(fixture);
	struct slice content = arena_format_slice(
	    fixture->stage.arena, "%s%s", header, keeps_body ? BODY : "");

	assert_true(
	    gate_header(message, slice_sub(content, 0, strlen(header)), NULL));
	/* In pieces. */
	gate_body(message, slice_sub(SLICE(BODY), 0, 3));
	gate_body(message, slice_from_pos(SLICE(BODY), 3));
	gate_decide(message, content);
	return message;
}

/* The one trace of the store; NULL: there is none. */
static const struct store_trace *trace_of(struct fixture *fixture)
{
	struct store_query query = {0};
	struct store_trace *traces;
	struct err err;
	size_t count;

	if (!store_find_traces(fixture->stage.context.store,
		fixture->stage.arena, &query, &count, &traces, &err))
		fail_msg("%s", err.text);
	assert_in_range(count, 0, 1);
	return count ? traces : NULL;
}

static const struct store_quarantined *held_of(
    struct fixture *fixture, struct slice *ret_message)
{
	struct store_query query = {0};
	struct store_quarantined *list;
	struct store_quarantined held;
	struct err err;
	size_t count;

	if (!store_list_quarantine(fixture->stage.context.store,
		fixture->stage.arena, &query, true, &count, &list, &err))
		fail_msg("%s", err.text);
	assert_in_range(count, 0, 1);
	if (count == 0)
		return NULL;
	assert_true(store_get_quarantined(fixture->stage.context.store,
	    fixture->stage.arena, list->id, &held, ret_message, &err));
	return list;
}

static void test_accepted(void **state)
{
	struct fixture *fixture = *state;
	struct gate_message *message = judge(fixture, PLAIN, false);
	struct smtp_reply_text reply = {0};
	const struct store_trace *trace;
	struct metrics *metrics;
	struct slice ignored;
	int64_t accepted;
	int fd;

	assert_true(metrics_create(&metrics, &fd, NULL));
	close(fd);
	metrics_use(metrics);
	assert_true(gate_expects_commit(message));
	assert_true(gate_commit(message, &reply));
	accepted = metrics_read(metrics, METRIC_MESSAGES, 0);
	metrics_use(NULL);
	metrics_close(metrics);
	assert_int_equal(accepted, 1);
	assert_int_equal(reply.code, 0);
	trace = trace_of(fixture);
	assert_non_null(trace);
	assert_true(slice_eq(trace->id, SLICE("0000000000000001")));
	assert_true(slice_eq(trace->verdict, SLICE("accept")));
	assert_true(slice_eq(trace->header_from, SLICE("a@plain.example")));
	assert_int_equal(trace->size, strlen(PLAIN BODY));
	assert_true(slice_empty(trace->delivery));
	assert_null(held_of(fixture, &ignored));

	gate_note_delivery(message, SLICE("defer"), SLICE("451 4.2.0 later"));
	reopen(fixture);
	trace = trace_of(fixture);
	assert_true(slice_eq(trace->verdict, SLICE("defer")));
	assert_true(slice_eq(trace->delivery, SLICE("451 4.2.0 later")));
}

static bool put_with_patience(struct fixture *fixture, int64_t ms)
{
	struct store_trace trace = {.id = SLICE("X")};

	return store_put(
	    fixture->stage.context.store, &trace, NULL, deadline_in(ms), NULL);
}

/* Once somebody has waited in vain; no longer when there was a commit. */
static void test_stalled(void **state)
{
	struct fixture *fixture = *state;
	struct gate_message *message = judge(fixture, PLAIN, false);
	sqlite3 *other = open_raw(&fixture->place);

	run_raw(other, "BEGIN IMMEDIATE");
	assert_false(put_with_patience(fixture, 100));
	assert_false(gate_expects_commit(message));
	run_raw(other, "COMMIT");
	assert_true(put_with_patience(fixture, 10000));
	assert_true(gate_expects_commit(message));
	sqlite3_close(other);
}

/* As it would have been delivered, and nothing less. */
static void test_quarantined(void **state)
{
	struct fixture *fixture = *state;
	struct gate_message *message = judge(fixture, HELD, true);
	const struct store_quarantined *held;
	struct message_pieces pieces;
	struct smtp_reply_text reply;
	struct buf *all;
	struct slice kept;

	gate_trace_field(message, SLICE("Received: us\r\n"));
	assert_int_equal(message->decision.verdict, VERDICT_QUARANTINE);
	assert_true(gate_commit(message, &reply));
	held = held_of(fixture, &kept);
	assert_non_null(held);
	assert_true(slice_eq(held->route, SLICE("maildir:/tmp/none")));
	assert_true(slice_starts(held->reason, SLICE("unauthenticated mail")));
	assert_int_equal(held->recipient_count, 1);
	assert_true(
	    slice_eq(held->recipients[0], SLICE("user@agency.example")));
	pieces = gate_pieces(message);
	all = buf_in_arena(fixture->stage.arena, pieces.size);
	for (size_t i = 0; i < pieces.count; i++)
		buf_add(all, pieces.pieces[i]);
	assert_true(slice_eq(kept, buf_slice(all)));
	assert_true(slice_starts(kept, SLICE("Received: us\r\n")));
	assert_true(slice_eq(trace_of(fixture)->verdict, SLICE("quarantine")));
}

/* To whom a policy says, by the first one's route. */
static void test_quarantined_for_others(void **state)
{
	struct fixture *fixture = *state;
	struct stage *stage = &fixture->stage;
	const struct envelope_recipient others[] = {
	    {.address = SLICE("a@other.example")},
	    {.address = SLICE("b@other.example")},
	};
	struct gate_message *message = judge(fixture, HELD, true);
	const struct store_quarantined *held;
	struct smtp_reply_text reply;
	struct slice kept;

	recipient_edit_remove(
	    stage->arena, &message->decision.recipients, &stage->envelope, 0);
	for (size_t i = 0; i < 2; i++)
		assert_true(recipient_edit_add(stage->arena,
		    &message->decision.recipients, &stage->envelope, &others[i],
		    NULL));
	assert_true(gate_commit(message, &reply));
	held = held_of(fixture, &kept);
	assert_non_null(held);
	assert_true(slice_eq(held->route, SLICE("mx")));
	assert_int_equal(held->recipient_count, 2);
	for (size_t i = 0; i < 2; i++)
		assert_true(slice_eq(held->recipients[i], others[i].address));
	/* The trace tells to whom it was sent. */
	assert_true(slice_eq(
	    trace_of(fixture)->recipients[0], SLICE("user@agency.example")));
}

static void test_held_elsewhere(void **state)
{
	struct fixture *fixture = *state;
	struct gate_message *message = judge(fixture, HELD, false);
	struct smtp_reply_text reply;
	struct slice ignored;

	gate_mta_holds(message);
	assert_true(gate_commit(message, &reply));
	assert_null(held_of(fixture, &ignored));
	assert_true(slice_eq(trace_of(fixture)->verdict, SLICE("quarantine")));
}

static int64_t counted(
    const struct metrics *metrics, enum metric metric, const char *word)
{
	const char *const *values = metric_specs[metric].values;

	for (size_t i = 0; values[i]; i++)
		if (!strcmp(values[i], word))
			return metrics_read(metrics, metric, i);
	return -1;
}

static int64_t counted_in_all(const struct metrics *metrics, enum metric metric)
{
	int64_t sum = 0;

	for (size_t i = 0; i < metric_value_count(&metric_specs[metric]); i++)
		sum += metrics_read(metrics, metric, i);
	return sum;
}

/* Ways to a verdict. */
static void pass(struct gate_message *message)
{
	struct smtp_reply_text reply;

	gate_decide(message, SLICE(PLAIN));
	assert_true(gate_commit(message, &reply));
}

static void refuse_content(struct gate_message *message)
{
	const struct smtp_reply_text reply = {
	    552, SLICE("5.3.4"), SLICE("too big")};

	gate_refuse(message, SLICE("limits"), &reply);
	pass(message);
}

static void refuse_recipient(struct gate_message *message)
{
	const struct smtp_reply_text reply = {
	    550, SLICE("5.1.1"), SLICE("nobody")};

	gate_refuse_recipient(message, 0, &reply);
	pass(message);
}

static void refuse_by_next_hop(struct gate_message *message)
{
	pass(message);
	gate_note_delivery(message, SLICE("reject"), SLICE("550 5.7.1 no"));
}

static void take_by_next_hop(struct gate_message *message)
{
	pass(message);
	gate_note_delivery(message, SLICE("accept"), SLICE("250 2.0.0 ok"));
}

/* A next hop whose words say nothing of the verdict. */
static void hear_nothing(struct gate_message *message)
{
	pass(message);
	gate_note_delivery(message, SLICE(""), SLICE("250 2.0.0 ok"));
}

/* gate_end, and no content. */
static void refuse_at_rcpt(struct gate_message *message)
{
	struct smtp_reply_text reply;

	assert_true(gate_own_domain_suspect(message, &reply));
	gate_note_refused_recipient(message, SLICE("x@agency.example"), &reply);
	gate_end(message);
}

/* Whoever refuses a message is counted, once. */
static void test_policy_counts(void **state)
{
	static const struct {
		const char *mail_from, *header;
		void (*conclude)(struct gate_message *message);
		const char *policy; /* NULL: none */
	} rows[] = {
	    {BOUNCE, PLAIN, pass, NULL},
	    {BOUNCE, "From: a@bank.example\r\n" REST, pass, "dmarc"},
	    {"ceo@agency.example", PLAIN, pass, "own-domain"},
	    {BOUNCE, PLAIN, refuse_content, "limits"},
	    {BOUNCE, PLAIN, refuse_recipient, "recipient"},
	    {BOUNCE, PLAIN, refuse_by_next_hop, "next-hop"},
	    {BOUNCE, PLAIN, take_by_next_hop, NULL},
	    {BOUNCE, PLAIN, hear_nothing, NULL},
	    {"ceo@agency.example", NULL, refuse_at_rcpt, "own-domain"},
	};
	struct fixture *fixture = *state;
	struct metrics *metrics;
	int fd;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct gate_message *message;

		assert_true(metrics_create(&metrics, &fd, NULL));
		close(fd);
		metrics_use(metrics);
		fixture->stage.envelope.mail_from = slice_from(
		    rows[i].mail_from);
		fixture->stage.envelope.id = arena_format_slice(
		    fixture->stage.arena, "%016zu", i);
		message = begin(fixture);
		if (rows[i].header)
			assert_true(gate_header(
			    message, slice_from(rows[i].header), NULL));
		rows[i].conclude(message);
		assert_int_equal(
		    counted_in_all(metrics, METRIC_POLICY_VERDICTS),
		    rows[i].policy != NULL);
		if (rows[i].policy)
			assert_int_equal(
			    counted(metrics, METRIC_POLICY_VERDICTS,
				rows[i].policy),
			    1);
		if (!rows[i].header)
			assert_int_equal(
			    counted(metrics, METRIC_OWN_DOMAIN_RESULTS, "fail"),
			    1);
		metrics_use(NULL);
		metrics_close(metrics);
	}
}

/* Half of it is not kept for the whole, nor the same id for two. */
static void test_refused_by_store(void **state)
{
	struct fixture *fixture = *state;
	struct gate_message *message = judge(fixture, HELD, false);
	struct smtp_reply_text reply = {0};

	assert_false(gate_commit(message, &reply));
	assert_int_equal(reply.code, 451);
	assert_true(slice_eq(reply.enhanced, SLICE("4.3.0")));
	assert_null(trace_of(fixture));

	message = judge(fixture, PLAIN, false);
	assert_true(gate_commit(message, &reply));
	reply.code = 0;
	assert_false(gate_commit(judge(fixture, PLAIN, false), &reply));
	assert_int_equal(reply.code, 451);
}

static void post(void *context)
{
	sem_post(context);
}

/* The same without a thread that waits. */
static void test_begin_and_end(void **state)
{
	struct fixture *fixture = *state;
	struct gate_message *message = judge(fixture, PLAIN, false);
	struct smtp_reply_text reply = {0};
	sem_t semaphore;
	struct store_notice notice = {.done = post, .context = &semaphore};
	struct metrics *metrics;
	int fd;

	assert_true(metrics_create(&metrics, &fd, NULL));
	close(fd);
	metrics_use(metrics);
	sem_init(&semaphore, 0, 0);
	assert_true(gate_commit_begin(message, &notice));
	assert_in_range(
	    gate_commit_deadline(message).at_ms - clock_monotonic_ms(),
	    19 * 1000, 20 * 1000);
	sem_wait(&semaphore);
	assert_false(gate_commit_give_up(message)); /* it is done */
	assert_true(gate_commit_end(message, &reply));
	assert_int_equal(reply.code, 0);
	assert_non_null(trace_of(fixture));

	/* The same id. */
	message = judge(fixture, PLAIN, false);
	assert_true(gate_commit_begin(message, &notice));
	sem_wait(&semaphore);
	assert_false(gate_commit_end(message, &reply));
	assert_int_equal(reply.code, 451);

	/* Half a message. */
	message = judge(fixture, HELD, false);
	assert_false(gate_commit_begin(message, &notice));
	reply.code = 0;
	assert_false(gate_commit_end(message, &reply));
	assert_int_equal(reply.code, 451);
	assert_int_equal(message->record_failure.kind, E_IO);
	/* Only the one that is recorded counts. */
	assert_int_equal(metrics_read(metrics, METRIC_MESSAGES, 0), 1);
	metrics_use(NULL);
	metrics_close(metrics);
	sem_destroy(&semaphore);
}

/* Refused at RCPT, and no content came. */
static void test_end_without_content(void **state)
{
	static const struct {
		const char *name, *mail_from, *enhanced;
		bool suspect, has_store, decides;
		const char *policy; /* NULL: no trace */
		bool refused_first;
	} rows[] = {
	    {"by policy", BOUNCE, "5.7.1", false, true, false, "recipient"},
	    {"our domain", "ceo@agency.example", "5.7.1", true, true, false,
		"own-domain"},
	    {"our domain, nobody looked", "ceo@agency.example", "5.7.1", false,
		true, false, "recipient"},
	    {"nobody there", BOUNCE, "5.1.1", false, true, false, NULL},
	    {"nothing refused", BOUNCE, NULL, false, true, false, NULL},
	    {"content came", BOUNCE, "5.7.1", false, true, true, NULL},
	    {"content came behind it", BOUNCE, "5.7.1", false, true, true, NULL,
		.refused_first = true},
	    {"no store", BOUNCE, "5.7.1", false, false, false, NULL},
	};
	struct fixture *fixture = *state;
	struct stage *stage = &fixture->stage;
	struct store *store = stage->context.store;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct smtp_reply_text reply = {
		    550, slice_from(rows[i].enhanced), SLICE("go away")};
		struct smtp_reply_text ignored;
		struct gate_message *message;
		const struct store_trace *trace;

		stage->envelope.mail_from = slice_from(rows[i].mail_from);
		stage->envelope.recipient_count = rows[i].decides;
		stage->context.store = rows[i].has_store ? store : NULL;
		message = begin(fixture);
		if (rows[i].suspect)
			assert_true(gate_own_domain_suspect(message, &ignored));
		if (rows[i].refused_first)
			gate_note_refused_recipient(
			    message, SLICE("x@agency.example"), &reply);
		if (rows[i].decides) {
			assert_true(gate_header(message, SLICE(PLAIN), NULL));
			gate_decide(message, SLICE(PLAIN));
		}
		if (rows[i].enhanced && !rows[i].refused_first)
			gate_note_refused_recipient(
			    message, SLICE("x@agency.example"), &reply);
		gate_end(message);
		stage->context.store = store;
		trace = trace_of(fixture);
		if (!trace != !rows[i].policy)
			fail_msg("%s", rows[i].name);
		if (!trace)
			continue;
		assert_true(
		    slice_eq(trace->policy, slice_from(rows[i].policy)));
		assert_true(slice_eq(trace->verdict, SLICE("reject")));
		assert_true(slice_eq(trace->reply, SLICE("550 5.7.1 go away")));
		assert_int_equal(trace->recipient_count, 1);
		assert_true(
		    slice_eq(trace->recipients[0], SLICE("x@agency.example")));
		assert_int_equal(trace->size, 0);
		store_close(store);
		place_remove(&fixture->place);
		fixture->place = place_new("");
		store = stage->context.store = open_place(&fixture->place);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_accepted, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(test_stalled, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(
		test_quarantined, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(
		test_quarantined_for_others, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(
		test_held_elsewhere, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(
		test_refused_by_store, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(
		test_policy_counts, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(
		test_begin_and_end, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(
		test_end_without_content, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
