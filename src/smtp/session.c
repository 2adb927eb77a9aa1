/* SPDX-License-Identifier: Apache-2.0 */
#include "smtp/session.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/ascii.h"
#include "base/log_client.h"
#include "base/memory.h"
#include "base/metrics.h"
#include "smtp/line.h"
#include "smtp/proxy_protocol.h"
#include "smtp/session_private.h"
#include "smtp/tls_server.h"
#include "smtp/transaction.h"

enum {
	/* A client that answers at once keeps its thread: parking it and
	 * waking another would cost more than the wait. */
	LINGER_MS = 5,
	PROXY_TIMEOUT_MS = 10 * 1000,
	ARENA_FIRST = 512,
	TEXT_MAX = 2048,
	REPLY_WIDTH = 480, /* RFC 5321, 4.5.3.1.5: 512 with the code */
	SKIP_MAX = 65536,
	/* Between two messages.  A client that keeps its connection alive
	 * with NOOP connects again after so many. */
	IDLE_COMMANDS_MAX = 100,
};

struct session *session_new(const struct session_settings *settings)
{
	struct arena *arena = arena_new(ARENA_FIRST);
	struct session *session = MEMORY_NEW(struct session);
	const struct config *config = settings->snapshot->gate.config;

	session->arena = arena;
	session->stream = settings->stream;
	session->snapshot = settings->snapshot;
	session->shared = settings->shared;
	session->config = config;
	session->listener_index = settings->listener;
	session->listener = &config->listeners[settings->listener];
	session->limits = &config->limits;
	session->peer = settings->peer;
	session->counted = settings->counted;
	session->client.ip = settings->peer;
	session->client.port = settings->port;
	session->client.listener = session->listener->name;
	session->client.role = session->listener->role;
	buf_init(&session->helo, 512);
	session->reason = "quit";
	session->started_ms = clock_monotonic_ms();
	session->ends_at = deadline_in((int64_t)config->limits.session_timeout);
	session->command_until = deadline_in(
	    (int64_t)config->limits.command_timeout);
	return session;
}

int session_fd(const struct session *session)
{
	return stream_fd(session->stream);
}

struct deadline session_wakes_at(const struct session *session)
{
	if (session->sleeps_until.at_ms)
		return session->sleeps_until;
	return deadline_min(session->command_until, session->ends_at);
}

static void log_end(const struct session *session)
{
	char ip[IP_TEXT_MAX];

	ip_format(&session->client.ip, ip);
	log_info("smtp.disconnect", LOG_T("client_ip", ip),
	    LOG_S("listener", session->client.listener),
	    LOG_S("helo", session->client.helo),
	    LOG_T("tls", session->client.tls ? "yes" : "no"),
	    LOG_I("duration_ms", clock_monotonic_ms() - session->started_ms),
	    LOG_I("commands", session->commands),
	    LOG_I("refused_commands", session->bad_commands),
	    LOG_I("messages", session->messages),
	    LOG_I("bytes", (int64_t)session->bytes),
	    LOG_T("reason", session->reason));
}

void session_free(struct session *session)
{
	if (!session)
		return;
	transaction_drop(session);
	log_end(session);
	if (session->counted)
		rate_disconnect(session->shared->rate, &session->peer);
	stream_say_goodbye(session->stream);
	stream_free(session->stream);
	buf_release(&session->helo);
	arena_free(session->arena);
	smtp_snapshot_release(session->snapshot);
	memory_free(session);
}

bool session_in_networks(
    const struct conf_network_list *networks, const struct ip *ip)
{
	for (size_t i = 0; i < networks->count; i++)
		if (ip_network_contains(&networks->items[i], ip))
			return true;
	return false;
}

/* Writing. */

void session_hang_up(struct session *session, const char *reason)
{
	if (!session->over)
		session->reason = reason;
	session->over = true;
}

static void note_lost(struct session *session, const struct err *err)
{
	session_hang_up(session,
	    err->kind == E_TIMEOUT ? "client does not read" : "client lost");
}

void session_send(struct session *session, struct slice text)
{
	struct deadline deadline = deadline_in(
	    (int64_t)session->limits->command_timeout);
	struct err err;

	log_trace(
	    LOG_TOPIC_SMTP, "smtp.reply", LOG_S("text", slice_trim(text)));
	if (!stream_write(session->stream, text, deadline, &err))
		note_lost(session, &err);
}

void session_flush(struct session *session)
{
	struct deadline deadline = deadline_in(
	    (int64_t)session->limits->command_timeout);
	struct err err;

	if (!stream_flush(session->stream, deadline, &err))
		note_lost(session, &err);
}

/* A refusal costs the client time, but no thread.  Our own systems' outgoing
 * mail is not slowed down for one bad address. */
static void hold_back(struct session *session, int code)
{
	int64_t delay = (int64_t)session->limits->tarpit_delay;

	if (code >= 400 && delay && session->client.role != ROLE_RELAY)
		session->sleeps_until = deadline_in(delay);
}

/* As many words as a line holds, and the rest. */
static struct slice take_reply_line(struct slice *text)
{
	struct slice line = slice_sub(*text, 0, REPLY_WIDTH);

	if (line.len < text->len)
		for (size_t i = line.len; i > REPLY_WIDTH / 2; i--)
			if (line.ptr[i - 1] == ' ') {
				line.len = i;
				break;
			}
	*text = slice_from_pos(*text, line.len);
	return line;
}

static void send_reply(
    struct session *session, int code, struct slice enhanced, struct slice text)
{
	char line[REPLY_WIDTH + 64];

	metrics_count_reply(METRIC_SMTP_REPLIES, code);
	do {
		struct slice part = take_reply_line(&text);
		int len = snprintf(line, sizeof(line), "%d%c%.*s%s%.*s\r\n",
		    code, text.len ? '-' : ' ', SLICE_ARGS(enhanced),
		    enhanced.len ? " " : "", SLICE_ARGS(part));

		session_send(session, slice_of(line, (size_t)len));
	} while (text.len);
	if (code == 421)
		session_hang_up(session, "421");
	else
		hold_back(session, code);
}

void session_reply(struct session *session, int code, const char *enhanced,
    const char *format, ...)
{
	char text[TEXT_MAX];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	for (char *c = text; *c; c++)
		if (ascii_is_control(*c) || ascii_is_8bit(*c))
			*c = '?';
	send_reply(session, code, slice_from(enhanced), slice_from(text));
}

void session_reply_text(
    struct session *session, const struct smtp_reply_text *reply)
{
	char enhanced[16];

	snprintf(
	    enhanced, sizeof(enhanced), "%.*s", SLICE_ARGS(reply->enhanced));
	session_reply(
	    session, reply->code, enhanced, "%.*s", SLICE_ARGS(reply->text));
}

void session_count_bad(struct session *session)
{
	session->bad_commands++;
	if (session->bad_commands >= session->limits->bad_commands)
		session_reply(session, 421, "4.7.0",
		    "too many refused commands (limits.bad_commands)");
}

void session_count_idle(struct session *session)
{
	session->idle_commands++;
	if (session->idle_commands >= IDLE_COMMANDS_MAX && !session->over)
		session_reply(session, 421, "4.7.0",
		    "too many commands without a message");
}

void session_refuse_smuggling(struct session *session, const char *what)
{
	atomic_fetch_add_explicit(
	    &session->shared->smuggling, 1, memory_order_relaxed);
	metrics_add(METRIC_SMUGGLING_ATTEMPTS, 1);
	transaction_drop(session);
	session_reply(session, 550, "5.5.2",
	    "%s: lines end with CR LF only (SMTP smuggling)", what);
	session_hang_up(session, "smuggling");
}

/* Starting. */

void session_greet(struct session *session)
{
	session_reply(session, 220, NULL, "%.*s ESMTP Gatehouse",
	    SLICE_ARGS(session->config->hostname));
}

void session_forget_client(struct session *session)
{
	transaction_drop(session);
	buf_clear(&session->helo);
	session->client.helo = SLICE("");
	session->client.esmtp = false;
	session->client.authenticated_as = SLICE("");
	session->client.auth_mechanism = SLICE("");
}

bool session_start_tls(struct session *session)
{
	struct ssl_st *ssl = tls_server_accept(
	    session->snapshot->tls[session->listener_index]);
	struct deadline deadline = deadline_in(
	    (int64_t)session->limits->tls_timeout);
	struct err err = {0};

	if (!ssl || !stream_start_tls(session->stream, ssl,
			deadline_min(deadline, session->ends_at), &err)) {
		metrics_count(METRIC_TLS_HANDSHAKES, SLICE("failed"));
		log_trace(LOG_TOPIC_SMTP, "smtp.tls", LOG_ERR(&err));
		session_hang_up(session, "TLS handshake failed");
		return false;
	}
	metrics_count(METRIC_TLS_HANDSHAKES, SLICE("ok"));
	session_forget_client(session);
	tls_server_describe(ssl, session->arena, &session->client);
	return true;
}

static bool take_proxy_header(
    struct session *session, const struct proxy_header *header)
{
	const char *setting;

	if (header->has_source) {
		session->peer = session->client.ip = header->source;
		session->client.port = header->source_port;
		log_client_begin(&session->client.ip, session->client.port);
	}
	setting = rate_connect(
	    session->shared->rate, &session->peer, session->limits);
	if (!setting) {
		session->counted = true;
		return true;
	}
	metrics_count(METRIC_CONNECTIONS_REFUSED,
	    slice_from_pos(slice_from(setting), sizeof("limits.") - 1));
	session_reply(session, 421, "4.7.0",
	    "too many connections from your network (%s)", setting);
	return false;
}

static bool read_proxy_header(struct session *session)
{
	struct deadline deadline = deadline_in(PROXY_TIMEOUT_MS);
	/* The client's first TLS record may come in the same segment, and has
	 * to be there when the handshake begins. */
	size_t most = session->listener->implicit_tls ? 1 : STREAM_INPUT_MAX;
	struct proxy_header header;
	size_t length;
	struct err err;

	for (;;) {
		switch (proxy_protocol_parse(
		    stream_buffered(session->stream), &header, &length)) {
		case PROXY_DONE:
			stream_consume(session->stream, length);
			return take_proxy_header(session, &header);
		case PROXY_BAD:
			session_hang_up(session, "no PROXY header");
			return false;
		case PROXY_MORE: break;
		}
		if (!stream_fill_some(session->stream, most, deadline, &err)) {
			session_hang_up(session, "no PROXY header");
			return false;
		}
	}
}

static void start(struct session *session)
{
	const struct conf_listener *listener = session->listener;

	session->started = true;
	if (session_in_networks(&listener->proxy_protocol, &session->peer) &&
	    !read_proxy_header(session))
		return;
	if (listener->implicit_tls && !session_start_tls(session))
		return;
	if (atomic_load(&session->shared->draining))
		session_reply(session, 421, "4.3.2", "shutting down");
	else
		session_greet(session);
}

/* Reading. */

static void handle_line(struct session *session, struct slice raw)
{
	struct slice line;

	session->commands++;
	switch (line_check(raw, &line)) {
	case LINE_OK: break;
	case LINE_BARE_LF:
		session_refuse_smuggling(session, "bare LF in a command");
		return;
	case LINE_BARE_CR:
		session_refuse_smuggling(session, "bare CR in a command");
		return;
	case LINE_NUL:
		session_reply(session, 501, "5.5.2", "NUL in a command");
		session_count_bad(session);
		return;
	}
	if (session->continuation)
		session->continuation(session, line);
	else
		verbs_run(session, line);
	session->command_until = deadline_in(
	    (int64_t)session->limits->command_timeout);
}

static void refuse_long_line(struct session *session)
{
	session->continuation = NULL;
	session->skipping = true;
	session_reply(session, 500, "5.5.6",
	    "line too long (limits.command_length: %llu)",
	    (unsigned long long)session->limits->command_length);
	session_count_bad(session);
}

/* The rest of a line that is too long.  False: it has not come yet. */
static bool skip_line(struct session *session)
{
	struct slice have = stream_buffered(session->stream);
	size_t end = slice_find(have, '\n');

	stream_consume(session->stream, end < have.len ? end + 1 : have.len);
	session->skipping = end == have.len;
	session->bytes += have.len;
	if (session->skipping && session->bytes > SKIP_MAX &&
	    !session->messages)
		session_hang_up(session, "endless line");
	return !session->skipping;
}

static size_t line_max(const struct session *session)
{
	size_t max = session->limits->command_length;

	return max < STREAM_INPUT_MAX ? max : STREAM_INPUT_MAX;
}

static void say_timeout(struct session *session)
{
	bool whole = deadline_passed(session->ends_at);

	transaction_drop(session);
	session_reply(session, 421, "4.4.2", "%.*s timed out (%s)",
	    SLICE_ARGS(session->config->hostname),
	    whole ? "limits.session_timeout" : "limits.command_timeout");
	session->reason = whole ? "session timeout" : "command timeout";
}

enum wait { WAIT_READY, WAIT_PARK, WAIT_FAILED };

/* Until more bytes are there, but not for long. */
static enum wait wait_for_input(struct session *session)
{
	struct err err;

	session_flush(session);
	if (session->over)
		return WAIT_FAILED;
	if (deadline_passed(session_wakes_at(session))) {
		say_timeout(session);
		return WAIT_FAILED;
	}
	if (stream_fill(session->stream, deadline_in(LINGER_MS), &err))
		return WAIT_READY;
	if (err.kind == E_TIMEOUT)
		return WAIT_PARK;
	session_hang_up(session,
	    err.kind == E_CLOSED ? "closed by client" : "connection failed");
	return WAIT_FAILED;
}

static bool line_is_buffered(struct session *session)
{
	struct slice have = stream_buffered(session->stream);

	return slice_find(have, '\n') < have.len ||
	       have.len >= line_max(session);
}

/* Handles what is buffered; waits a moment for more.  WAIT_READY: go on. */
static enum wait step(struct session *session)
{
	struct slice line;
	struct err err;

	if ((session->skipping && !skip_line(session)) ||
	    !line_is_buffered(session)) {
		if (!session->over && atomic_load(&session->shared->draining))
			session_reply(session, 421, "4.3.2", "shutting down");
		return session->over ? WAIT_FAILED : wait_for_input(session);
	}
	if (stream_read_line(session->stream, line_max(session),
		session->command_until, &line, &err))
		handle_line(session, line);
	else
		refuse_long_line(session);
	return WAIT_READY;
}

static enum session_next run(struct session *session)
{
	bool slept = session->sleeps_until.at_ms != 0;

	session->sleeps_until.at_ms = 0;
	if (slept) /* the reply that was held back */
		session_flush(session);
	log_client_begin(&session->client.ip, session->client.port);
	if (!session->started)
		start(session);
	while (!session->over) {
		if (session->sleeps_until.at_ms)
			return SESSION_SLEEPS;
		if (step(session) == WAIT_PARK) {
			stream_shrink(session->stream);
			return SESSION_WAITS;
		}
	}
	session_flush(session);
	return SESSION_OVER;
}

enum session_next session_run(struct session *session)
{
	struct rate_table *rate = session->shared->rate;
	struct ip peer = session->peer; /* a PROXY header changes it */
	bool counted = rate_begin_work(rate, &peer, session->limits);
	enum session_next next;

	/* Those that end have to come to their end. */
	if (!counted && !atomic_load(&session->shared->draining))
		return SESSION_LATER;
	next = run(session);
	log_client_end();
	if (counted)
		rate_end_work(rate, &peer);
	return next;
}

struct delivery_session *session_delivery(struct session *session)
{
	if (!session->delivery)
		session->delivery = delivery_session_new(
		    session->arena, session->snapshot->pool, &session->client);
	return session->delivery;
}
