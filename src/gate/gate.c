/* SPDX-License-Identifier: Apache-2.0 */
#include "gate/gate.h"

#include "base/log.h"
#include "base/metrics.h"
#include "base/require.h"
#include "dns/name.h"
#include "gate/gate_private.h"
#include "message/address.h"

/* A commit must be fast: the client waits for it. */
enum { COMMIT_TIMEOUT_MS = 20 * 1000 };

struct gate_message *gate_begin(struct arena *arena,
    const struct gate_context *context, const struct envelope *envelope)
{
	const struct limits *limits = &context->config->limits;
	struct gate_message *message = ARENA_NEW(arena, struct gate_message);

	message->arena = arena;
	message->context = context;
	message->envelope = envelope;
	message->started_ms = clock_monotonic_ms();
	message->dns = dns_session_new(
	    arena, context->resolver, limits, DEADLINE_NEVER);
	arena_defer(arena, authenticate_count_queries, message);
	connector_attribute(message);
	authenticate_prefetch_spf(message);
	return message;
}

void gate_observe_waits(
    struct gate_message *message, const struct dns_wait_observer *observer)
{
	dns_session_observe_waits(message->dns, observer);
}

static void take_faults(struct gate_message *message, struct faults more)
{
	message->faults.bits |= more.bits;
}

bool gate_header(
    struct gate_message *message, struct slice header, struct err *err)
{
	const struct limits *limits = &message->context->config->limits;

	if (!headers_parse(
		message->arena, header, limits, &message->headers, err))
		return false;
	message->has_header = true;
	take_faults(message, faults_of_headers(&message->headers));
	take_faults(
	    message, faults_of_bytes(&message->scan,
			 slice_sub(header, 0, message->headers.body_offset)));
	message->scan.in_body = true;
	message->from = header_from_read(
	    message->arena, &message->headers, limits);
	take_faults(message, message->from.faults);
	authenticate_header(message);
	return true;
}

void gate_body(struct gate_message *message, struct slice piece)
{
	require(message->has_header);
	message->body_size += piece.len;
	take_faults(message, faults_of_bytes(&message->scan, piece));
	if (message->hashes)
		body_hashes_add(message->hashes, piece);
}

uint64_t gate_message_size(const struct gate_message *message)
{
	if (message->content.len == 0)
		return 0;
	return message->headers.body_offset + message->body_size;
}

/* False: gate_keeps_body() said that it will not be wanted. */
static bool has_body(const struct gate_message *message)
{
	return message->decision.replaces_body ||
	       message->content.len >= gate_message_size(message);
}

size_t gate_body_offset(const struct gate_message *message)
{
	return message->headers.body_offset;
}

void gate_refuse(struct gate_message *message, struct slice policy,
    const struct smtp_reply_text *reply)
{
	struct decision_step step = {
	    .policy = policy,
	    .matched = true,
	    .enforced = true,
	    .verdict = reply->code < 500 ? VERDICT_DEFER : VERDICT_REJECT,
	    .because = reply->text,
	};

	message->refused = true;
	decision_apply(message->arena, &message->decision, &step, reply);
}

void gate_refuse_recipient(struct gate_message *message, size_t number,
    const struct smtp_reply_text *reply)
{
	size_t count = message->envelope->recipient_count;

	require(number < count);
	if (!message->recipient_refusals)
		message->recipient_refusals = ARENA_ARRAY(
		    message->arena, count, struct smtp_reply_text);
	if (message->recipient_refusals[number].code == 0)
		message->refused_recipient_count++;
	message->recipient_refusals[number] = *reply;
	if (message->refused_recipient_count == count)
		gate_refuse(message, SLICE("recipient"), reply);
}

struct slice gate_authentication_results(const struct gate_message *message)
{
	return message->authentication_results;
}

static void trace_steps(const struct gate_message *message)
{
	const struct decision *decision = &message->decision;

	for (size_t i = 0; i < decision->step_count; i++) {
		const struct decision_step *step = &decision->steps[i];

		log_trace(LOG_TOPIC_AUTH, "gate.policy",
		    LOG_S("id", message->envelope->id),
		    LOG_S("policy", step->policy),
		    LOG_T("matched", step->matched ? "yes" : "no"),
		    LOG_T("enforced", step->enforced ? "yes" : "no"),
		    LOG_T("verdict", verdict_name(step->verdict)),
		    LOG_S("because", step->because));
	}
}

/* To nobody is no delivery; a policy that means it says discard. */
static void check_changes(struct gate_message *message)
{
	static const struct smtp_reply_text reply = {451, SLICE_INIT("4.3.5"),
	    SLICE_INIT("policy leaves no recipient; the administrator must "
		       "correct it")};
	const struct decision_step step = {
	    .policy = SLICE_INIT("recipient"),
	    .matched = true,
	    .enforced = true,
	    .verdict = VERDICT_DEFER,
	    .because = reply.text,
	};

	if (message->decision.recipients.removed_count &&
	    !recipient_edit_count(
		&message->decision.recipients, message->envelope))
		decision_apply(
		    message->arena, &message->decision, &step, &reply);
}

const struct decision *gate_decide(
    struct gate_message *message, struct slice content)
{
	require(!message->decided);
	message->content = content;
	if (!message->refused) {
		require(message->has_header);
		take_faults(message, faults_of_end(&message->scan));
		if (!message->body_skipped)
			authenticate_finish(message);
		policies_apply(message);
		check_changes(message);
	}
	trace_steps(message);
	header_policy_apply(message);
	message->decided = true;
	message->decided_ms = clock_monotonic_ms();
	return &message->decision;
}

void gate_trace_field(struct gate_message *message, struct slice field)
{
	message->trace_field = field;
}

static void add_piece(struct message_pieces *all, struct slice piece)
{
	if (piece.len == 0)
		return;
	all->pieces[all->count++] = piece;
	all->size += piece.len;
}

/* A new body needs the empty line in front of it, if there was none. */
static void add_new_body(
    const struct gate_message *message, struct message_pieces *all)
{
	const struct header_list *headers = &message->headers;

	if (headers->block.len == headers->body_offset)
		add_piece(all, SLICE("\r\n"));
	add_piece(all, message->decision.body);
}

struct message_pieces gate_pieces(struct gate_message *message)
{
	const struct decision *decision = &message->decision;
	struct slice content = message->content;
	struct message_pieces edited, all = {0};

	require(message->decided);
	/* What is not there cannot be handed on. */
	require(has_body(message));
	if (decision->replaces_body)
		content = slice_sub(content, 0, message->headers.body_offset);
	edited = edit_apply(
	    message->arena, content, &message->headers, &decision->edits);
	all.pieces = ARENA_ARRAY(
	    message->arena, edited.count + 3, struct slice);
	add_piece(&all, message->trace_field);
	for (size_t i = 0; i < edited.count; i++)
		add_piece(&all, edited.pieces[i]);
	if (decision->replaces_body)
		add_new_body(message, &all);
	return all;
}

bool gate_own_domain_suspect(
    struct gate_message *message, struct smtp_reply_text *ret)
{
	const struct config *config = message->context->config;
	struct own_domain_outcome own;

	if (message->internal ||
	    config->authentication.own_domains != MODE_ENFORCE)
		return false;
	authenticate_spf(message);
	own = authenticate_own_domain(message);
	if (own.result != OWN_DOMAIN_FAIL)
		return false;
	*ret = (struct smtp_reply_text){550, SLICE("5.7.1"),
	    arena_format_slice(message->arena,
		"mail from outside may not use our domain %.*s "
		"unauthenticated (id %.*s)",
		SLICE_ARGS(own.domain), SLICE_ARGS(message->envelope->id))};
	return true;
}

static void log_verdict(
    const struct gate_message *message, const struct store_trace *trace)
{
	log_info("message.verdict", LOG_S("id", trace->id),
	    LOG_S("verdict", trace->verdict), LOG_S("policy", trace->policy),
	    LOG_S("listener", trace->listener),
	    LOG_S("client", trace->client_ip), LOG_S("helo", trace->helo),
	    LOG_S("from", trace->sender),
	    LOG_S("header_from", trace->header_from),
	    LOG_I("recipients", (int64_t)trace->recipient_count),
	    LOG_S("message_id", trace->message_id),
	    LOG_I("size", (int64_t)trace->size),
	    LOG_S("spf", trace->spf_result), LOG_S("dkim", trace->dkim_result),
	    LOG_S("dmarc", trace->dmarc_result),
	    LOG_T("arc", arc_result_name(message->arc.result)),
	    LOG_S("own_domain", trace->own_domain_result),
	    LOG_S("connector", trace->connector),
	    LOG_I("ms", message->decided_ms - message->started_ms),
	    LOG_S("reply", trace->reply),
	    LOG_S("queue_id", message->envelope->queue_id));
}

void gate_mta_holds(struct gate_message *message)
{
	message->mta_holds = true;
}

/* As it would have been delivered: to whom, and with what changes. */
static struct store_quarantine fill_quarantine(struct gate_message *message)
{
	const struct recipient_edits *edits = &message->decision.recipients;
	const struct envelope *envelope = message->envelope;
	size_t count = recipient_edit_count(edits, envelope);
	const struct envelope_recipient *list = recipient_edit_apply(
	    message->arena, edits, envelope);
	struct slice *addresses = ARENA_ARRAY(
	    message->arena, count, struct slice);
	struct message_pieces pieces = gate_pieces(message);
	const struct conf_route *route = NULL;

	for (size_t i = 0; i < count; i++)
		addresses[i] = list[i].address;
	if (count)
		route = gate_route(message, addresses[0]);
	return (struct store_quarantine){
	    .id = envelope->id,
	    .reason = message->decision.reason,
	    .route = route ? route->text : SLICE(""),
	    .piece_count = pieces.count,
	    .pieces = pieces.pieces,
	    .recipient_count = count,
	    .recipients = recipient_edit_any(edits) ? addresses : NULL,
	};
}

/* What is to be recorded; in the arena. */
static bool prepare_record(struct gate_message *message, struct err *err)
{
	struct store_quarantine *held;

	require(message->decided && message->context->store);
	message->trace = ARENA_NEW(message->arena, struct store_trace);
	trace_fill(message, message->trace);
	if (message->decision.verdict != VERDICT_QUARANTINE ||
	    message->mta_holds)
		return true;
	/* Half a message would be lost as surely as all of it. */
	if (!has_body(message))
		return err_set(err, E_IO, "the body was not kept");
	held = ARENA_NEW(message->arena, struct store_quarantine);
	*held = fill_quarantine(message);
	message->held = held;
	return true;
}

static void conclude(struct gate_message *message)
{
	metrics_count(METRIC_MESSAGES, message->trace->verdict);
	if (message->trace->policy.len)
		metrics_count(METRIC_POLICY_VERDICTS, message->trace->policy);
	log_verdict(message, message->trace);
}

static bool fail_record(struct gate_message *message, const struct err *err,
    struct smtp_reply_text *ret)
{
	log_error("message.not_stored", LOG_S("id", message->envelope->id),
	    LOG_ERR(err));
	*ret = (struct smtp_reply_text){451, SLICE("4.3.0"),
	    SLICE("the message could not be recorded; try again later")};
	return false;
}

bool gate_commit(struct gate_message *message, struct smtp_reply_text *ret)
{
	struct err err = {0};

	if (!prepare_record(message, &err) ||
	    !store_put(message->context->store, message->trace, message->held,
		deadline_in(COMMIT_TIMEOUT_MS), &err))
		return fail_record(message, &err, ret);
	conclude(message);
	return true;
}

bool gate_expects_commit(const struct gate_message *message)
{
	return !store_is_stalled(message->context->store);
}

bool gate_commit_begin(
    struct gate_message *message, const struct store_notice *notice)
{
	struct err err = {0};

	if (prepare_record(message, &err))
		message->pending = store_put_begin(message->context->store,
		    message->arena, message->trace, message->held,
		    deadline_in(COMMIT_TIMEOUT_MS), notice, &err);
	message->record_failure = err;
	return message->pending != NULL;
}

struct deadline gate_commit_deadline(const struct gate_message *message)
{
	return store_put_deadline(message->pending);
}

bool gate_commit_give_up(struct gate_message *message)
{
	return store_put_give_up(message->pending);
}

bool gate_commit_end(struct gate_message *message, struct smtp_reply_text *ret)
{
	struct err err;

	if (!message->pending)
		return fail_record(message, &message->record_failure, ret);
	if (!store_put_end(message->pending, &err))
		return fail_record(message, &err, ret);
	conclude(message);
	return true;
}

void gate_note_refused_recipient(struct gate_message *message,
    struct slice address, const struct smtp_reply_text *reply)
{
	const struct envelope_client *client = message->envelope->client;
	char ip[IP_TEXT_MAX];

	log_info("message.recipient_refused",
	    LOG_S("id", message->envelope->id),
	    LOG_T("client", ip_format(&client->ip, ip)),
	    LOG_S("from", message->envelope->mail_from),
	    LOG_S("recipient", address),
	    LOG_S("reply", decision_reply_line(message->arena, reply)));
	if (message->refused || message->decided ||
	    !slice_eq(reply->enhanced, SLICE("5.7.1")))
		return;
	/* For the case that no content follows: see gate_end. */
	message->refused_at_rcpt = true;
	message->refused_recipient = (struct envelope_recipient){
	    .address = arena_slice(message->arena, address)};
	message->rcpt_refusal = *reply;
}

/* A transaction with a recipient that policy refused (5.7.1, ours or the next
 * hop's) and no content still leaves a trace, of the last such recipient:
 * own-domain reports and explain live on it.  Recipients refused for other
 * reasons only leave a log line, or a dictionary attack would fill the store:
 * one trace a transaction is what a stranger can have in any case. */
void gate_end(struct gate_message *message)
{
	struct envelope *ended;
	struct smtp_reply_text ignored;

	if (message->decided || !message->refused_at_rcpt ||
	    !message->context->store)
		return;
	ended = ARENA_NEW(message->arena, struct envelope);
	*ended = *message->envelope;
	ended->recipient_count = ended->recipient_room = 1;
	ended->recipients = &message->refused_recipient;
	message->envelope = ended;
	if (message->spf_done) {
		message->own_domain = authenticate_own_domain(message);
		metrics_count(METRIC_OWN_DOMAIN_RESULTS,
		    slice_from(
			own_domain_result_name(message->own_domain.result)));
	}
	gate_refuse(message,
	    message->own_domain.result == OWN_DOMAIN_FAIL ? SLICE("own-domain")
							  : SLICE("recipient"),
	    &message->rcpt_refusal);
	gate_decide(message, (struct slice){NULL, 0});
	gate_commit(message, &ignored);
}

void gate_note_delivery(
    struct gate_message *message, struct slice verdict, struct slice reply)
{
	/* As in the trace: another verdict is the next hop's. */
	if (verdict.len && !slice_eq(verdict, message->trace->verdict))
		metrics_count(METRIC_POLICY_VERDICTS, SLICE("next-hop"));
	store_note_delivery(
	    message->context->store, message->envelope->id, verdict, reply);
	log_info("message.delivery", LOG_S("id", message->envelope->id),
	    LOG_S("verdict", verdict), LOG_S("reply", reply),
	    LOG_I("ms", clock_monotonic_ms() - message->started_ms));
}
