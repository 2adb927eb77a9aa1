/* SPDX-License-Identifier: Apache-2.0 */
#include "smtp/transaction.h"

#include <time.h>

#include "base/log.h"
#include "base/metrics.h"
#include "message/content_memory.h"
#include "message/received.h"
#include "smtp/changed_recipients.h"

/* RFC 5321, 4.5.3.2.6: a client waits ten minutes for the reply to its final
 * dot.  The next hop is told ours by DOT_MS, and what it says is waited for
 * until ANSWER_MS. */
enum { DOT_MS = 8 * 60 * 1000, ANSWER_MS = 9 * 60 * 1000 };

/* Of recipients, in the trace. */
enum { NOTE_MAX = 500 };

static int64_t now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static void release_header(void *object)
{
	buf_release(object);
}

struct transaction *transaction_new(struct session *session)
{
	struct arena *arena = arena_new(0);
	struct transaction *transaction = ARENA_NEW(arena, struct transaction);

	transaction->arena = arena;
	transaction->started_us = now_us();
	transaction->envelope.id = envelope_new_id(arena);
	transaction->envelope.received_at = clock_now(
	    &session->snapshot->gate.clock);
	transaction->envelope.client = &session->client;
	/* One piece more than the limit, so that it can be passed. */
	buf_init(&transaction->header,
	    session->limits->header_size + STREAM_CONTENT_MAX);
	arena_defer(arena, release_header, &transaction->header);
	return transaction;
}

static void pause_delivery(void *context)
{
	const struct transaction *transaction = context;

	delivery_pause(transaction->delivery);
}

static void resume_delivery(void *context)
{
	const struct transaction *transaction = context;

	delivery_resume(transaction->delivery);
}

void transaction_begin(struct session *session, struct transaction *transaction)
{
	/* How late DNS answers is up to strangers. */
	const struct dns_wait_observer observer = {
	    .begin = pause_delivery,
	    .end = resume_delivery,
	    .context = transaction,
	};

	session->transaction = transaction;
	transaction->gate = gate_begin(transaction->arena,
	    &session->snapshot->gate, &transaction->envelope);
	transaction->delivery = delivery_new(transaction->arena,
	    session_delivery(session), &transaction->envelope);
	gate_observe_waits(transaction->gate, &observer);
}

void transaction_pause(struct session *session)
{
	if (session->transaction)
		delivery_pause(session->transaction->delivery);
}

void transaction_resume(struct session *session)
{
	if (session->transaction)
		delivery_resume(session->transaction->delivery);
}

void transaction_free(struct transaction *transaction)
{
	arena_free(transaction->arena);
}

void transaction_drop(struct session *session)
{
	struct transaction *transaction = session->transaction;

	if (!transaction)
		return;
	session->transaction = NULL;
	content_memory_hold(&transaction->memory, 0);
	delivery_abort(transaction->delivery);
	gate_end(transaction->gate);
	transaction_free(transaction);
}

/* Content. */

/* Nothing will be sent on: the next hop may go, and what the content takes of
 * memory or the disk, however long the client goes on. */
static void let_go(struct transaction *transaction)
{
	delivery_abort(transaction->delivery);
	if (transaction->spool)
		spool_forget(transaction->spool);
	content_memory_hold(&transaction->memory, transaction->header.size);
}

static void fail(struct transaction *transaction, int code,
    struct slice enhanced, struct slice text)
{
	transaction->failure = (struct smtp_reply_text){code, enhanced, text};
	let_go(transaction);
}

static void fail_with(struct transaction *transaction, const struct err *err)
{
	transaction->failure = gate_reply_for_error(transaction->arena, err);
	/* The client is not told what is wrong with us. */
	if (transaction->failure.code < 500)
		log_error("smtp.failed", LOG_S("id", transaction->envelope.id),
		    LOG_ERR(err));
	let_go(transaction);
}

void transaction_open_content(struct session *session)
{
	struct transaction *transaction = session->transaction;
	const char *directory = arena_text(
	    transaction->arena, session->config->spool_directory);

	transaction->spool = spool_new(
	    transaction->arena, directory, session->limits);
}

static void fail_header_size(struct session *session)
{
	struct transaction *transaction = session->transaction;

	fail(transaction, 552, SLICE("5.3.4"),
	    arena_format_slice(transaction->arena,
		"header too large (limits.header_size: %llu)",
		(unsigned long long)session->limits->header_size));
}

static void give_header(struct session *session)
{
	struct transaction *transaction = session->transaction;
	struct err err;

	transaction->header_complete = true;
	if (transaction->header.len > session->limits->header_size)
		fail_header_size(session);
	else if (!gate_header(
		     transaction->gate, buf_slice(&transaction->header), &err))
		fail_with(transaction, &err);
}

/* The position behind the empty line that ends the header, or 0.  from: what
 * stands before it was searched already. */
static size_t find_header_end(struct slice header, size_t from)
{
	size_t end;

	if (slice_starts(header, SLICE("\r\n")))
		return 2;
	from = from > 3 ? from - 3 : 0;
	header = slice_from_pos(header, from);
	end = slice_find_slice(header, SLICE("\r\n\r\n"));
	return end < header.len ? from + end + 4 : 0;
}

/* Takes the header's part of piece; what is left is body. */
static void add_to_header(struct session *session, struct slice *piece)
{
	struct transaction *transaction = session->transaction;
	struct buf *header = &transaction->header;
	size_t before = header->len, end;

	if (!buf_add(header, *piece)) {
		fail_header_size(session);
		return;
	}
	end = find_header_end(buf_slice(header), before);
	if (!end) {
		*piece = SLICE("");
		if (header->len > session->limits->header_size)
			fail_header_size(session);
		return;
	}
	*piece = slice_from_pos(*piece, end - before);
	header->len = end;
	give_header(session);
}

/* False: all messages together have taken what they may. */
static bool count_memory(struct session *session)
{
	struct transaction *transaction = session->transaction;

	return content_memory_allows(session->limits->content_memory,
	    &transaction->memory, transaction->spool, transaction->header.size);
}

void transaction_add(struct session *session, struct slice piece)
{
	struct transaction *transaction = session->transaction;
	struct err err;

	if (transaction->failure.code)
		return;
	if (!count_memory(session)) {
		fail(transaction, 452, SLICE("4.3.1"),
		    SLICE("too much mail at one time, try again later"));
		log_warning("smtp.content_memory",
		    LOG_S("id", transaction->envelope.id),
		    LOG_I("limit", (int64_t)session->limits->content_memory));
		return;
	}
	if (!spool_add(transaction->spool, piece, &err)) {
		fail_with(transaction, &err);
		return;
	}
	if (transaction->reader.longest_line > session->limits->line_length) {
		fail(transaction, 554, SLICE("5.6.0"),
		    arena_format_slice(transaction->arena,
			"a line is too long (limits.line_length: %llu)",
			(unsigned long long)session->limits->line_length));
		return;
	}
	if (!transaction->header_complete)
		add_to_header(session, &piece);
	if (piece.len && !transaction->failure.code)
		gate_body(transaction->gate, piece);
}

/* Verdict. */

static const char *outcome_word(int code)
{
	return code < 400 ? "accept" : code < 500 ? "defer" : "reject";
}

static struct delivery_result without_delivery(
    struct transaction *transaction, struct smtp_reply_text reply)
{
	delivery_abort(transaction->delivery);
	return (struct delivery_result){.reply = reply};
}

static struct delivery_result hand_on(struct transaction *transaction)
{
	return delivery_data(transaction->delivery, &transaction->pieces);
}

static struct delivery_result hand_on_to_the_rest(
    struct transaction *transaction)
{
	struct delivery_result result = {0};

	if (!transaction->nobody_left)
		result = hand_on(transaction);
	return repeat_map(&transaction->repeat, &result);
}

static struct delivery_result hand_on_changed(
    struct session *session, const struct recipient_edits *edits)
{
	struct transaction *transaction = session->transaction;
	const struct changed_recipients change = {
	    .arena = transaction->arena,
	    .gate = transaction->gate,
	    .envelope = &transaction->envelope,
	    .edits = edits,
	    .session = session_delivery(session),
	};
	struct smtp_reply_text refusal;
	struct delivery_result result;

	if (!changed_recipients_apply(
		&change, &transaction->delivery, &refusal))
		return without_delivery(transaction, refusal);
	result = hand_on(transaction);
	changed_recipients_map(&change, &result);
	return result;
}

static bool anybody_has_it(const struct delivery_result *result)
{
	bool has = result->reply.code / 100 == 2;

	for (size_t i = 0; i < result->count && !has; i++)
		has = result->recipient_replies[i].code / 100 == 2;
	return has;
}

/* What the reply does not say of this recipient; or NULL. */
static const char *own_note(const struct transaction *transaction,
    const struct delivery_result *result, size_t recipient)
{
	if (repeat_had(&transaction->repeat, recipient))
		return "taken before for";
	if (result->reply.code / 100 != 2 &&
	    result->recipient_replies[recipient].code / 100 == 2)
		return "taken for";
	return NULL;
}

/* LMTP: a refusal of one is the reply to all; the trace says who has it. */
static struct slice delivery_note(
    struct transaction *transaction, const struct delivery_result *result)
{
	const struct envelope *envelope = &transaction->envelope;
	struct slice line = decision_reply_line(
	    transaction->arena, &result->reply);
	struct buf *note;

	if (!result->tells_apart)
		return line;
	note = buf_in_arena(transaction->arena, line.len + NOTE_MAX);
	buf_add(note, line);
	for (size_t i = 0; i < result->count; i++) {
		const char *words = own_note(transaction, result, i);

		if (words)
			buf_add_format(note, "; %s <%.*s>", words,
			    SLICE_ARGS(envelope->recipients[i].address));
	}
	return buf_overflowed(note)
		   ? arena_format_slice(transaction->arena,
			 "%.*s; taken for others, now or before",
			 SLICE_ARGS(line))
		   : buf_slice(note);
}

static struct delivery_result deliver(
    struct session *session, const struct decision *decision)
{
	struct transaction *transaction = session->transaction;
	bool changed = recipient_edit_any(&decision->recipients);
	struct delivery_result result = changed
					    ? hand_on_changed(session,
						  &decision->recipients)
					    : hand_on_to_the_rest(transaction);

	/* Of those that policy removed the next hop said nothing. */
	result.tells_apart &= !changed;
	gate_note_delivery(transaction->gate,
	    slice_from(outcome_word(result.reply.code)),
	    delivery_note(transaction, &result));
	if (result.reply.code / 100 == 2)
		session_count_delivered(session);
	return result;
}

static struct smtp_reply_text kept_reply(
    struct transaction *transaction, const char *text)
{
	return (struct smtp_reply_text){250, SLICE("2.6.0"),
	    arena_format_slice(transaction->arena, "%s, id=%.*s", text,
		SLICE_ARGS(transaction->envelope.id))};
}

/* Who has it already is left out; and DATA is said.  A message that is
 * announced and not sent costs the connection. */
static void prepare_delivery(
    struct session *session, const struct decision *decision)
{
	struct transaction *transaction = session->transaction;

	transaction->pieces = gate_pieces(transaction->gate);
	if (recipient_edit_any(&decision->recipients))
		return;
	transaction->repeat = (struct repeat){
	    .arena = transaction->arena,
	    .gate = transaction->gate,
	    .envelope = &transaction->envelope,
	    .session = session_delivery(session),
	    .table = session->shared->partly_taken,
	    .content = transaction->content,
	};
	transaction->nobody_left = !repeat_leave_out(
	    &transaction->repeat, &transaction->delivery);
	if (!transaction->nobody_left && gate_expects_commit(transaction->gate))
		delivery_announce(transaction->delivery, &transaction->pieces);
}

/* The trace (and the quarantined copy) is durable before anything is said, and
 * before anything of the message is sent. */
static struct delivery_result carry_out(
    struct session *session, const struct decision *decision)
{
	struct transaction *transaction = session->transaction;
	struct smtp_reply_text refusal;

	if (decision->verdict == VERDICT_ACCEPT)
		prepare_delivery(session, decision);
	if (!gate_commit(transaction->gate, &refusal))
		return without_delivery(transaction, refusal);
	switch (decision->verdict) {
	case VERDICT_ACCEPT: return deliver(session, decision);
	case VERDICT_QUARANTINE:
		return without_delivery(transaction,
		    kept_reply(transaction, "message accepted for review"));
	case VERDICT_DISCARD:
		return without_delivery(
		    transaction, kept_reply(transaction, "message accepted"));
	case VERDICT_DEFER:
	case VERDICT_REJECT:
		return without_delivery(transaction, decision->reply);
	case VERDICT_HOLD:
	case VERDICT_REDIRECT: break;
	}
	/* Nothing asks for it here, and nothing keeps the message: the sender
	 * does. */
	return without_delivery(
	    transaction, (struct smtp_reply_text){451, SLICE("4.3.5"),
			     SLICE("this verdict cannot be carried out here")});
}

/* Content is complete.  False: *ret is why there is no decision. */
static bool decide(struct session *session, const struct decision **ret)
{
	struct transaction *transaction = session->transaction;
	struct err err;
	int64_t started = now_us();

	if (!transaction->failure.code && !transaction->header_complete)
		give_header(session);
	if (transaction->failure.code)
		return false;
	if (!spool_content(transaction->spool, &transaction->content, &err)) {
		fail_with(transaction, &err);
		return false;
	}
	*ret = gate_decide(transaction->gate, transaction->content);
	gate_trace_field(transaction->gate,
	    received_field(transaction->arena, session->config->hostname,
		&transaction->envelope));
	metrics_observe(METRIC_DECIDE_DURATION, (uint64_t)(now_us() - started));
	return true;
}

/* Behind 421 there is no reply any more (RFC 5321, 3.8): it is the last one, or
 * none. */
static struct smtp_reply_text not_closing(struct smtp_reply_text reply)
{
	if (reply.code == 421)
		reply.code = 451;
	return reply;
}

/* With PRDR each recipient has its own reply, in the order of RCPT, between
 * 353 and the last reply (draft-hall-prdr-00, section 4).  The last one is
 * about the message: a client takes a refusal there for one of all recipients,
 * and would send again to those that have it. */
static void reply_to_each(
    struct session *session, const struct delivery_result *result)
{
	const struct envelope *envelope = &session->transaction->envelope;
	const struct smtp_reply_text *last = &result->reply;

	session_reply(session, 353, NULL, "content analysis has started");
	for (size_t i = 0; i < envelope->recipient_count; i++) {
		const struct smtp_reply_text *reply = &result->reply;
		struct smtp_reply_text said;

		if (i < result->count)
			reply = &result->recipient_replies[i];
		said = not_closing(*reply);
		session_reply_text(session, &said);
		if (reply->code / 100 == 2 && last->code / 100 != 2)
			last = reply;
	}
	session_reply_text(session, last);
}

/* The next command may take long.  Until the client has the reply it would send
 * the message again, to those too that have it (RFC 5321, 6.1; RFC 2920, 3.2):
 * who was refused beside them does not hold it back. */
static void tell_at_once(
    struct session *session, const struct delivery_result *result)
{
	if (anybody_has_it(result))
		session->sleeps_until.at_ms = 0;
	session_flush(session);
}

/* A limit or a failure ended the content before it was judged: the trace says
 * so.  That it cannot be stored changes nothing for the client. */
static void note_refused(const struct session *session)
{
	const struct transaction *transaction = session->transaction;
	struct smtp_reply_text ignored;
	char ip[IP_TEXT_MAX];

	gate_refuse(transaction->gate, SLICE("limits"), &transaction->failure);
	gate_decide(transaction->gate, (struct slice){NULL, 0});
	gate_commit(transaction->gate, &ignored);
	log_info("smtp.refused", LOG_S("id", transaction->envelope.id),
	    LOG_T("client_ip", ip_format(&session->client.ip, ip)),
	    LOG_I("code", transaction->failure.code),
	    LOG_S("reply", transaction->failure.text));
}

static void observe_duration(const struct transaction *transaction)
{
	metrics_observe(METRIC_MESSAGE_DURATION,
	    (uint64_t)(now_us() - transaction->started_us));
}

void transaction_refuse(
    struct session *session, const struct smtp_reply_text *reply)
{
	struct transaction *transaction = session->transaction;

	fail(transaction, reply->code, reply->enhanced, reply->text);
	note_refused(session);
	delivery_session_wait(session_delivery(session), NULL);
	observe_duration(transaction);
	session_reply_text(session, &transaction->failure);
	transaction_drop(session);
}

static bool client_is_gone(void *context)
{
	const struct session *session = context;

	return session->lost || stream_is_over(session->stream);
}

/* From now on the client waits. */
static void answer_in_time(struct session *session)
{
	const struct delivery_waiter client = {
	    .dot_by = deadline_in(DOT_MS),
	    .until = deadline_in(ANSWER_MS),
	    .is_gone = client_is_gone,
	    .context = session,
	};

	delivery_session_wait(session_delivery(session), &client);
}

void transaction_finish(struct session *session)
{
	struct transaction *transaction = session->transaction;
	const struct decision *decision;
	struct delivery_result result;

	/* Replies to commands that came with the content do not wait for it. */
	session_flush(session);
	answer_in_time(session);
	if (decide(session, &decision)) {
		result = carry_out(session, decision);
		session->messages++;
		session->idle_commands = 0;
		atomic_fetch_add_explicit(
		    &session->shared->messages, 1, memory_order_relaxed);
		metrics_observe(
		    METRIC_MESSAGE_SIZE, spool_size(transaction->spool));
	} else {
		result = without_delivery(transaction, transaction->failure);
		note_refused(session);
	}
	delivery_session_wait(session_delivery(session), NULL);
	observe_duration(transaction);
	if (transaction->envelope.prdr &&
	    transaction->envelope.recipient_count > 1)
		reply_to_each(session, &result);
	else
		session_reply_text(session, &result.reply);
	tell_at_once(session, &result);
	transaction_drop(session);
}
