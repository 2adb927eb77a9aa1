/* SPDX-License-Identifier: Apache-2.0 */
#include "milter/milter_message.h"

#include <string.h>
#include <time.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/metrics.h"
#include "message/content_memory.h"
#include "message/received.h"
#include "message/spool.h"
#include "milter/answer.h"
#include "milter/header_field.h"
#include "milter/mta_address.h"
#include "milter/packet.h"
#include "milter/protocol.h"

enum {
	USUAL_HEADER = 4000,
	USUAL_MEMORY = 24 * 1024, /* most messages need 20 */
	LARGE_BODY = 32 * 1024,	  /* octets of a message */
};

struct milter_message {
	struct arena *arena;
	struct milter_snapshot *snapshot;
	const struct limits *limits;
	struct milter_options options;
	struct envelope_client client;
	struct envelope envelope;
	struct slice *paths; /* of its recipients, as RCPT gave them */
	size_t path_room;
	struct gate_message *gate;
	struct spool *spool;
	uint64_t memory;   /* see content_memory.h */
	bool forgets_body; /* it is only seen, not kept */
	struct buf header; /* stays in place for the gate */
	bool header_complete;
	uint64_t line_length;
	struct smtp_reply_text failure; /* code 0: none so far */
	const struct decision *decision;
	int64_t started_us;
};

static int64_t now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* The envelope. */

static bool is_ok(struct slice text)
{
	return slice_eq_nocase(text, SLICE("OK"));
}

/* "/C=AU/CN=mail.example" gives mail.example; what is no such path is the
 * name itself.  Nothing escapes a slash within a value: of several marks each
 * may stand in what the client's organization calls itself. */
static struct slice common_name(struct slice subject)
{
	static const struct slice mark = SLICE_INIT("/CN=");
	size_t at = slice_find_slice(subject, mark);
	struct slice name, rest;

	if (at == subject.len)
		return subject;
	rest = slice_from_pos(subject, at + mark.len);
	if (slice_find_slice(rest, mark) < rest.len)
		return (struct slice){NULL, 0};
	slice_split(rest, '/', &name, &rest);
	return name;
}

/* The name in a client certificate that the MTA has verified.  Postfix tells
 * of none that it does not trust; Sendmail tells of any, as a path, and says
 * in {verify} whether it is good. */
static struct slice certificate_name(const struct macros *macros)
{
	struct slice subject = macros_get(macros, MACRO_CERT_SUBJECT);
	struct slice name = macros_get(macros, MACRO_CN_SUBJECT);
	struct slice verify = macros_get(macros, MACRO_VERIFY);

	if (verify.len && !is_ok(verify))
		return (struct slice){NULL, 0};
	if (!verify.len && (name.len || slice_find(subject, '/') < subject.len))
		return (struct slice){NULL, 0};
	return name.len ? name : common_name(subject);
}

/* "[192.0.2.1]" is no name; Sendmail gives one that it could not verify, and
 * says so in {client_resolve}. */
static struct slice verified_name(
    struct slice name, const struct macros *macros)
{
	struct slice resolve = macros_get(macros, MACRO_CLIENT_RESOLVE);

	if (name.len == 0 || name.ptr[0] == '[' ||
	    slice_eq_nocase(name, SLICE("unknown")) ||
	    (resolve.len && !is_ok(resolve)))
		return (struct slice){NULL, 0};
	return name;
}

static void take_client(struct milter_message *message,
    const struct milter_client *from, const struct macros *macros)
{
	struct arena *arena = message->arena;
	struct slice certificate = certificate_name(macros);
	struct envelope_client *client = &message->client;

	*client = (struct envelope_client){
	    .ip = from->ip,
	    .port = from->port,
	    .name = arena_slice(arena, verified_name(from->name, macros)),
	    .helo = arena_slice(arena, from->helo),
	    .esmtp = true,
	    .listener = arena_slice(arena, from->listener),
	    .role = ROLE_MILTER,
	    .tls_version = arena_slice(
		arena, macros_get(macros, MACRO_TLS_VERSION)),
	    .tls_cipher = arena_slice(arena, macros_get(macros, MACRO_CIPHER)),
	    .authenticated_as = arena_slice(
		arena, macros_get(macros, MACRO_AUTH_AUTHEN)),
	    .auth_mechanism = arena_slice(
		arena, macros_get(macros, MACRO_AUTH_TYPE)),
	};
	client->name_unknown = slice_eq_nocase(
	    macros_get(macros, MACRO_CLIENT_RESOLVE), SLICE("TEMP"));
	client->tls = client->tls_version.len > 0;
	if (certificate.len) {
		struct slice *names = ARENA_ARRAY(arena, 1, struct slice);

		names[0] = arena_slice(arena, certificate);
		client->tls_names = names;
		client->tls_name_count = 1;
	}
}

static void take_parameter(struct milter_message *message, struct slice text)
{
	struct envelope *envelope = &message->envelope;
	struct slice name, value;

	slice_split(text, '=', &name, &value);
	if (slice_eq_nocase(name, SLICE("SMTPUTF8")))
		envelope->smtputf8 = true;
	else if (slice_eq_nocase(name, SLICE("SIZE")))
		slice_to_u64(value, UINT64_MAX / 2, &envelope->declared_size);
	else if (slice_eq_nocase(name, SLICE("RET")))
		envelope->dsn_ret = arena_slice(message->arena, value);
	else if (slice_eq_nocase(name, SLICE("ENVID")))
		envelope->dsn_envid = arena_slice(message->arena, value);
	else if (slice_eq_nocase(name, SLICE("BODY")) &&
		 slice_eq_nocase(value, SLICE("8BITMIME")))
		envelope->body = BODY_8BITMIME;
}

static void release_header(void *object)
{
	buf_release(object);
}

static struct milter_message *allocate(struct milter_snapshot *snapshot)
{
	const struct config *config = snapshot->gate.config;
	struct arena *arena = arena_new(USUAL_MEMORY);
	struct milter_message *message = ARENA_NEW(
	    arena, struct milter_message);

	message->arena = arena;
	message->snapshot = milter_snapshot_hold(snapshot);
	message->limits = &config->limits;
	message->started_us = now_us();
	buf_init(&message->header, message->limits->header_size);
	if (message->limits->header_size > USUAL_HEADER)
		buf_reserve(&message->header, USUAL_HEADER);
	arena_defer(arena, release_header, &message->header);
	message->spool = spool_new(
	    arena, arena_text(arena, config->spool_directory), message->limits);
	return message;
}

/* Nothing of it is needed any more, however long the MTA goes on. */
static void let_go(struct milter_message *message)
{
	spool_forget(message->spool);
	content_memory_hold(&message->memory, message->header.size);
}

static void fail(struct milter_message *message, int code,
    struct slice enhanced, struct slice text)
{
	if (message->failure.code)
		return;
	message->failure = (struct smtp_reply_text){code, enhanced, text};
	let_go(message);
}

static bool mta_holds(const struct milter_message *message)
{
	const struct config *config = message->snapshot->gate.config;

	return config->milter_quarantine == MILTER_QUARANTINE_MTA &&
	       (message->options.actions & SMFIF_QUARANTINE);
}

static bool keeps_leading_space(const struct milter_message *message)
{
	return message->options.steps & SMFIP_HDR_LEADSPC;
}

/* Why readers of the message may see another sender; NULL: they will not. */
static const char *take_envelope(struct milter_message *message,
    struct slice path, struct slice parameters, const struct macros *macros)
{
	const struct gate_context *gate = &message->snapshot->gate;
	struct mta_sender sender = mta_address_sender(message->arena,
	    gate->config, arena_slice(message->arena, path),
	    macros_get(macros, MACRO_MAIL_ADDR));
	struct slice text;

	message->envelope = (struct envelope){
	    .id = envelope_new_id(message->arena),
	    .received_at = clock_now(&gate->clock),
	    .client = &message->client,
	    .mail_from = sender.address,
	};
	while (packet_take_text(&parameters, &text))
		take_parameter(message, text);
	return sender.doubt;
}

struct milter_message *milter_message_new(struct milter_snapshot *snapshot,
    const struct milter_client *client, const struct macros *macros,
    const struct milter_options *options, struct slice parameters,
    struct err *err)
{
	struct milter_message *message;
	const char *doubt;
	struct slice path;

	if (!packet_take_text(&parameters, &path)) {
		err_set(err, E_SYNTAX, "MAIL: no sender");
		return NULL;
	}
	message = allocate(snapshot);
	message->options = *options;
	take_client(message, client, macros);
	doubt = take_envelope(message, path, parameters, macros);
	message->gate = gate_begin(
	    message->arena, &snapshot->gate, &message->envelope);
	/* The programs of our own systems may be careless. */
	if (doubt &&
	    !gate_client_is_internal(&snapshot->gate, &message->client))
		fail(message, 550, SLICE("5.1.7"), slice_from(doubt));
	if (mta_holds(message))
		gate_mta_holds(message->gate);
	/* Only for what is kept here: the MTA adds its own to the rest, which
	 * filters do not see. */
	gate_trace_field(message->gate,
	    received_field(message->arena, snapshot->gate.config->hostname,
		&message->envelope));
	return message;
}

void milter_message_free(struct milter_message *message)
{
	struct milter_snapshot *snapshot = message->snapshot;

	content_memory_hold(&message->memory, 0);
	gate_end(message->gate);
	arena_free(message->arena);
	milter_snapshot_release(snapshot);
}

/* Content. */

static void fail_over(struct milter_message *message, int code,
    struct slice enhanced, const char *what, const char *setting, uint64_t max)
{
	if (message->failure.code)
		return;
	fail(message, code, enhanced,
	    arena_format_slice(message->arena, "%s (limits.%s: %llu)", what,
		setting, (unsigned long long)max));
}

static void fail_with(struct milter_message *message, const struct err *err)
{
	if (message->failure.code)
		return;
	message->failure = gate_reply_for_error(message->arena, err);
	/* The sender is not told what is wrong with us. */
	if (message->failure.code < 500)
		log_error("milter.failed", LOG_S("id", message->envelope.id),
		    LOG_ERR(err));
	let_go(message);
}

/* The MTA finds a recipient that is removed by what it has called it. */
static void add_recipient(struct milter_message *message, struct slice path,
    struct slice resolved, struct envelope_recipient *recipient)
{
	struct envelope *envelope = &message->envelope;

	path = arena_slice(message->arena, path);
	message->paths = arena_grow(message->arena, message->paths,
	    envelope->recipient_count, &message->path_room,
	    sizeof(*message->paths));
	message->paths[envelope->recipient_count] = path;
	recipient->address = mta_address_recipient(
	    message->arena, path, resolved);
	envelope_add_recipient(message->arena, envelope, recipient);
}

bool milter_message_recipient(struct milter_message *message,
    struct slice parameters, struct slice resolved, struct err *err)
{
	const uint64_t max = message->limits->recipients;
	struct envelope_recipient recipient = {0};
	struct slice path, text;

	if (!packet_take_text(&parameters, &path))
		return err_set(err, E_SYNTAX, "RCPT: no recipient");
	if (message->envelope.recipient_count >= max) {
		fail_over(message, 552, SLICE("5.5.3"), "too many recipients",
		    "recipients", max);
		return true;
	}
	while (packet_take_text(&parameters, &text)) {
		struct slice name, value;

		slice_split(text, '=', &name, &value);
		if (slice_eq_nocase(name, SLICE("NOTIFY")))
			recipient.dsn_notify = arena_slice(
			    message->arena, value);
		else if (slice_eq_nocase(name, SLICE("ORCPT")))
			recipient.dsn_orcpt = arena_slice(
			    message->arena, value);
	}
	add_recipient(message, path, resolved, &recipient);
	return true;
}

/* Of all messages that come in. */
static bool count_memory(struct milter_message *message)
{
	const uint64_t max = message->limits->content_memory;

	if (content_memory_allows(
		max, &message->memory, message->spool, message->header.size))
		return true;
	fail(message, 452, SLICE("4.3.1"),
	    SLICE("too much mail at one time, try again later"));
	log_warning("milter.content_memory", LOG_S("id", message->envelope.id),
	    LOG_I("limit", (int64_t)max));
	return false;
}

/* What stands behind the last line end of a short piece. */
static void count_rest(struct milter_message *message, struct slice piece)
{
	const char *end = NULL;

	if (piece.len)
		end = memrchr(piece.ptr, '\n', piece.len);
	if (end)
		message->line_length = (uint64_t)(piece.ptr + piece.len - end) -
				       1;
	else
		message->line_length += piece.len;
}

/* As a session of ours would: over a limit is refused, not cut.  Only whether
 * each stretch of that length has a line end matters, so lines are not looked
 * at one by one. */
static void check_lines(struct milter_message *message, struct slice piece)
{
	const uint64_t max = message->limits->line_length + 1;

	while (message->line_length + piece.len > max) {
		size_t room = (size_t)(max - message->line_length) + 1;
		const char *end = memrchr(
		    piece.ptr, '\n', room < piece.len ? room : piece.len);

		if (!end) {
			fail_over(message, 554, SLICE("5.6.0"),
			    "a line is too long", "line_length", max - 1);
			return;
		}
		message->line_length = 0;
		piece = slice_from_pos(piece, (size_t)(end - piece.ptr) + 1);
	}
	count_rest(message, piece);
}

static void fail_header_size(struct milter_message *message)
{
	fail_over(message, 552, SLICE("5.3.4"), "header too large",
	    "header_size", message->limits->header_size);
}

void milter_message_header(
    struct milter_message *message, struct slice name, struct slice value)
{
	if (message->failure.code)
		return;
	if (message->header_complete || !header_field_is_sound(name, value))
		fail(message, 550, SLICE("5.6.0"),
		    SLICE("malformed message: a header field that is none"));
	else if (!header_field_rebuild(&message->header, name, value,
		     keeps_leading_space(message)))
		fail_header_size(message);
}

void milter_message_end_header(struct milter_message *message)
{
	struct slice header;
	struct err err;

	if (message->header_complete)
		return;
	message->header_complete = true;
	if (message->failure.code)
		return;
	if (!buf_add(&message->header, SLICE("\r\n"))) {
		fail_header_size(message);
		return;
	}
	header = buf_slice(&message->header);
	metrics_add(METRIC_RECEIVED_BYTES, (int64_t)header.len);
	check_lines(message, header);
	if (!count_memory(message))
		return;
	if (!spool_add(message->spool, header, &err) ||
	    !gate_header(message->gate, header, &err))
		fail_with(message, &err);
}

/* The MTA has the message, so its body is kept only for our own quarantine.
 * Asked of large ones: the spool took 1.1 of the 4.7 ms of CPU time of 2 MB.
 * (A DMARC record that another message has asked for is there at once.) */
static void forget_body(struct milter_message *message, size_t coming)
{
	if (message->forgets_body ||
	    spool_size(message->spool) + coming < LARGE_BODY ||
	    gate_keeps_body(message->gate))
		return;
	message->forgets_body = true;
	spool_forget(message->spool);
}

void milter_message_body(struct milter_message *message, struct slice piece)
{
	struct err err;

	milter_message_end_header(message);
	check_lines(message, piece);
	if (message->failure.code)
		return;
	forget_body(message, piece.len);
	if (!count_memory(message))
		return;
	if (!spool_add(message->spool, piece, &err))
		fail_with(message, &err);
	else
		gate_body(message->gate, piece);
}

bool milter_message_skips_body(struct milter_message *message)
{
	milter_message_end_header(message);
	if (message->failure.code)
		return true;
	if (gate_needs_body(message->gate))
		return false;
	gate_skip_body(message->gate);
	return true;
}

/* The answer. */

/* A limit, a failure or a doubtful sender ended the content before it was
 * judged: the trace says so.  That it cannot be stored changes nothing for the
 * client. */
static void answer_refusal(struct milter_message *message, struct buf *out)
{
	struct smtp_reply_text ignored;
	char ip[IP_TEXT_MAX];

	gate_commit_end(message->gate, &ignored);
	log_info("milter.refused", LOG_S("id", message->envelope.id),
	    LOG_S("queue_id", message->envelope.queue_id),
	    LOG_T("client_ip", ip_format(&message->client.ip, ip)),
	    LOG_I("code", message->failure.code),
	    LOG_S("reply", message->failure.text));
	answer_reply(message->arena, &message->failure, out);
}

/* The MTA will ask again; the trace tells that it was not carried out. */
static void note_lacking(struct milter_message *message, const char *what)
{
	struct smtp_reply_text reply = answer_lacking(message->arena, what);

	metrics_count(METRIC_CHANGES_REFUSED, SLICE("mail-server"));
	log_error("milter.not_allowed", LOG_S("id", message->envelope.id),
	    LOG_S("listener", message->client.listener), LOG_T("action", what));
	gate_note_delivery(message->gate, SLICE("defer"),
	    decision_reply_line(message->arena, &reply));
}

/* The trace (and the quarantined copy) is durable before anything is said. */
static bool carry_out(struct milter_message *message, struct buf *out)
{
	const struct answer_terms terms = {
	    .actions = message->options.actions,
	    .leading_space = keeps_leading_space(message),
	    .mta_holds = mta_holds(message),
	};
	const struct answer_subject subject = {
	    .header = buf_slice(&message->header),
	    .paths = message->paths,
	    .limits = message->limits,
	};
	const char *lacks = answer_lacks(message->decision, &terms);
	struct smtp_reply_text refusal;

	if (!gate_commit_end(message->gate, &refusal)) {
		answer_reply(message->arena, &refusal, out);
		return false;
	}
	if (lacks)
		note_lacking(message, lacks);
	return answer_decision(
	    message->arena, message->decision, &subject, &terms, out);
}

static bool find_content(
    struct milter_message *message, struct slice *ret, struct err *err)
{
	if (!message->forgets_body)
		return spool_content(message->spool, ret, err);
	*ret = buf_slice(&message->header);
	return true;
}

/* NULL: message->failure says why there is none. */
static const struct decision *decide(struct milter_message *message)
{
	struct slice content;
	struct err err;

	milter_message_end_header(message);
	if (!message->failure.code && !message->envelope.recipient_count)
		fail(message, 451, SLICE("4.3.5"),
		    SLICE("the mail server told of no recipient"));
	if (!message->failure.code && !find_content(message, &content, &err))
		fail_with(message, &err);
	if (message->failure.code)
		return NULL;
	return gate_decide(message->gate, content);
}

bool milter_message_decide(struct milter_message *message,
    struct slice queue_id, const struct store_notice *notice)
{
	int64_t started = now_us();

	message->envelope.queue_id = queue_id;
	message->decision = decide(message);
	if (message->decision) {
		metrics_observe(
		    METRIC_DECIDE_DURATION, (uint64_t)(now_us() - started));
	} else {
		gate_refuse(message->gate, SLICE("limits"), &message->failure);
		gate_decide(message->gate, (struct slice){NULL, 0});
	}
	return gate_commit_begin(message->gate, notice);
}

struct deadline milter_message_deadline(const struct milter_message *message)
{
	return gate_commit_deadline(message->gate);
}

bool milter_message_give_up(struct milter_message *message)
{
	return gate_commit_give_up(message->gate);
}

bool milter_message_replaces_body(const struct milter_message *message)
{
	return message->decision && message->decision->replaces_body;
}

bool milter_message_answer(
    struct milter_message *message, struct buf *out, struct slice *ret_body)
{
	bool has_body = false;

	if (message->decision) {
		has_body = carry_out(message, out);
		metrics_observe(
		    METRIC_MESSAGE_SIZE, spool_size(message->spool));
	} else {
		answer_refusal(message, out);
	}
	if (has_body)
		*ret_body = message->decision->body;
	metrics_observe(METRIC_MESSAGE_DURATION,
	    (uint64_t)(now_us() - message->started_us));
	return has_body;
}
