/* SPDX-License-Identifier: Apache-2.0 */
#include "smtp/session.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/ascii.h"
#include "base/log_client.h"
#include "base/memory.h"
#include "base/metrics.h"
#include "smtp/line.h"
#include "smtp/session_private.h"
#include "smtp/transaction.h"

enum {
	LINGER_MS = 5,
	/* More replies than these wait until the client has read some. */
	UNSENT_MAX = 4096,
	/* So long they wait for those to the commands behind theirs. */
	UNSENT_MS = 2000,
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
	session->started_ms = session->unsent_since_ms = clock_monotonic_ms();
	session->ends_at = deadline_in((int64_t)config->limits.session_timeout);
	return session;
}

int session_fd(const struct session *session)
{
	return stream_fd(session->stream);
}

const struct smtp_snapshot *session_snapshot(const struct session *session)
{
	return session->snapshot;
}

const struct ip *session_peer(const struct session *session)
{
	return &session->peer;
}

const struct limits *session_limits(const struct session *session)
{
	return session->limits;
}

short session_wants(const struct session *session)
{
	return stream_wants(session->stream);
}

struct deadline session_wakes_at(const struct session *session)
{
	if (session->sleeps_until.at_ms)
		return session->sleeps_until;
	if (session->rest_until.at_ms)
		return session->rest_until;
	if (session->output_until.at_ms)
		return session->output_until;
	return deadline_min(session->silent_until,
	    deadline_min(session->until, session->ends_at));
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
	    LOG_I("refused_commands", session->refused_commands),
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
	session->lost = true;
}

void session_send(struct session *session, struct slice text)
{
	struct err err;

	log_trace(
	    LOG_TOPIC_SMTP, "smtp.reply", LOG_S("text", slice_trim(text)));
	if (!stream_put(session->stream, text, &err))
		note_lost(session, &err);
}

/* Sends what was said.  False: the client does not take all of it now, or will
 * not any more. */
static bool flush(struct session *session)
{
	static const struct deadline at_once = {0};
	struct err err;

	if (session->lost)
		return false;
	if (stream_flush(session->stream, at_once, &err)) {
		session->output_until.at_ms = 0;
		return true;
	}
	if (err.kind == E_TIMEOUT && !session->output_until.at_ms)
		session->output_until = deadline_in(
		    (int64_t)session->limits->command_timeout);
	else if (err.kind != E_TIMEOUT ||
		 deadline_passed(session->output_until))
		note_lost(session, &err);
	return false;
}

void session_flush(struct session *session)
{
	if (!session->sleeps_until.at_ms)
		flush(session);
}

bool session_is_own_system(const struct session *session)
{
	return session->client.role == ROLE_RELAY &&
	       gate_client_is_internal(
		   &session->snapshot->gate, &session->client);
}

/* A refusal costs the client time, but no thread.  Our own systems' outgoing
 * mail is not slowed down for one bad address. */
static void hold_back(struct session *session, int code)
{
	int64_t delay = (int64_t)session->limits->tarpit_delay;

	if (code >= 400 && delay && !session_is_own_system(session))
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
		session_dismiss(session, "421");
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
	session->refused_commands++;
	session->bad_commands++;
	if (session->bad_commands >= session->limits->bad_commands)
		session_reply(session, 421, "4.7.0",
		    "too many refused commands (limits.bad_commands)");
}

void session_count_delivered(struct session *session)
{
	session->bad_commands -= session->bad_commands > 0;
	session->bad_recipients -= session->bad_recipients > 0;
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
	session_dismiss(session, "smuggling");
}

void session_forget_client(struct session *session)
{
	transaction_drop(session);
	buf_clear(&session->helo);
	session->client.helo = SLICE("");
	session->client.esmtp = false;
	session->client.authenticated_as = SLICE("");
	session->client.auth_mechanism = SLICE("");
	if (session->delivery)
		delivery_session_forget_login(session->delivery);
}

/* Phases. */

void session_enter(struct session *session, const struct session_phase *phase,
    struct deadline until)
{
	session->phase = phase;
	session->until = until;
	session->silent_until = DEADLINE_NEVER;
	session->got_on = true;
}

/* Commands. */

static const struct session_phase commands;

static bool awaits_command(const struct session *session)
{
	return session->phase == &commands;
}

void session_await_command(struct session *session)
{
	session_enter(session, &commands,
	    deadline_in((int64_t)session->limits->command_timeout));
}

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
		session->continuation = NULL;
		session_reply(session, 501, "5.5.2", "NUL in a command");
		session_count_bad(session);
		return;
	}
	if (session->continuation)
		session->continuation(session, line);
	else
		verbs_run(session, line);
	if (awaits_command(session))
		session_await_command(session);
}

static void refuse_long_line(struct session *session)
{
	session->continuation = NULL;
	session->skipping = true;
	session->skipped = 0;
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
	session->skipped += end;
	if (session->skipping && session->skipped > SKIP_MAX)
		session_dismiss(session, "endless line");
	return !session->skipping;
}

static size_t line_max(const struct session *session)
{
	size_t max = session->limits->command_length;

	return max < STREAM_INPUT_MAX ? max : STREAM_INPUT_MAX;
}

static bool line_is_buffered(struct session *session)
{
	struct slice have = stream_buffered(session->stream);

	return slice_find(have, '\n') < have.len ||
	       have.len >= line_max(session);
}

/* A command that has come is answered: what is left unread when a connection
 * is closed resets it, and the client might not see why. */
static bool leave(struct session *session)
{
	static const struct deadline at_once = {0};
	struct err err;

	if (stream_fill(session->stream, at_once, &err))
		return true;
	if (err.kind == E_TIMEOUT)
		session_reply(session, 421, "4.3.2", "shutting down");
	else
		session_hang_up(session, "closed by client");
	return true;
}

static bool take_command(struct session *session)
{
	struct slice line;
	struct err err;

	if ((session->skipping && !skip_line(session)) ||
	    !line_is_buffered(session))
		return !session->over && atomic_load(session->shared->draining)
			   ? leave(session)
			   : session->over;
	if (stream_read_line(session->stream, line_max(session), session->until,
		&line, &err))
		handle_line(session, line);
	else
		refuse_long_line(session);
	return true;
}

static bool fill(
    struct session *session, struct deadline linger, struct err *err)
{
	return stream_fill(session->stream, linger, err);
}

static void give_up(struct session *session, const struct err *err)
{
	bool whole = deadline_passed(session->ends_at);

	if (err->kind != E_TIMEOUT) {
		session_hang_up(session, err->kind == E_CLOSED
					     ? "closed by client"
					     : "connection failed");
		return;
	}
	transaction_drop(session);
	session_reply(session, 421, "4.4.2", "%.*s timed out (%s)",
	    SLICE_ARGS(session->config->hostname),
	    whole ? "limits.session_timeout" : "limits.command_timeout");
	session_time_out(
	    session, whole ? "session timeout" : "command timeout");
}

static const struct session_phase commands = {
    take_command, fill, give_up, LINGER_MS, true};

bool session_may_end(const struct session *session)
{
	return session->rest_until.at_ms ||
	       (awaits_command(session) && !session->output_until.at_ms);
}

/* Running. */

/* Nothing belongs to it whose end takes time: a message, TLS, a connection of
 * its own to the next hop. */
static bool is_bare(const struct session *session)
{
	return !session->transaction && !stream_ssl(session->stream) &&
	       slice_empty(session->client.authenticated_as);
}

/* Outside of a transaction the next command is most likely for a glance. */
static bool goes_by_glances(const struct session *session)
{
	return awaits_command(session) && !session->continuation &&
	       is_bare(session);
}

/* Until when the client is waited for on this thread.  One that drips bytes
 * does not get on, and who waits keeps no thread from those in line. */
static struct deadline linger(struct session *session)
{
	static const struct deadline at_once = {0};

	if (session->glancing || goes_by_glances(session) ||
	    rate_has_line(session->shared->rate, &session->peer))
		return at_once;
	if (session->got_on)
		session->linger_until = deadline_in(session->phase->linger_ms);
	session->got_on = false;
	return session->linger_until;
}

/* Bytes that keep coming do not outrun a deadline; but those that are there
 * when it is found to have passed may have come in time. */
static bool get_more(struct session *session, struct err *err)
{
	static const struct deadline at_once = {0};
	bool late = deadline_passed(
	    deadline_min(session->until, session->ends_at));

	if (late && session->late)
		return err_set(err, E_TIMEOUT, "timed out");
	session->late = late;
	return session->phase->more(
	    session, late ? at_once : linger(session), err);
}

static void end_in_time(struct session *session)
{
	struct err err;

	err_set(&err, E_TIMEOUT, "timed out");
	session->phase->give_up(session, &err);
	/* It has sent more than has been read: see session_end.c. */
	session->dismissed = true;
}

/* Commands that came in one piece, and whose work takes long: each has its
 * reply while the client still waits for it (RFC 5321, 4.5.3.2; RFC 2920, 3.2),
 * and none is done for one that has gone, or whose time is over. */
static void catch_up(struct session *session)
{
	int64_t now = clock_monotonic_ms();
	bool late = stream_unsent(session->stream) &&
		    now - session->unsent_since_ms >= UNSENT_MS;

	if (late || !stream_unsent(session->stream))
		session->unsent_since_ms = now;
	if (!late)
		return;
	flush(session);
	if (stream_is_cut(session->stream))
		session_hang_up(session, "closed by client");
	else if (deadline_passed(session->ends_at))
		end_in_time(session);
}

/* False: only the client can bring it further. */
static bool go_on(struct session *session)
{
	struct err err;

	catch_up(session);
	if (session->over)
		return true;
	if (stream_unsent(session->stream) >= UNSENT_MAX && !flush(session))
		return session->over;
	if (session->phase->step(session)) {
		session->got_on = true;
		return true;
	}
	if (!flush(session))
		return session->over;
	if (get_more(session, &err))
		return true;
	if (err.kind == E_TIMEOUT &&
	    !deadline_passed(session_wakes_at(session)))
		return false;
	session->phase->give_up(session, &err);
	return true;
}

/* The last words, if they are taken. */
static enum session_next end(struct session *session)
{
	transaction_drop(session);
	if (!flush(session) && !session->lost)
		return SESSION_WAITS;
	if (session_may_close(session))
		return SESSION_OVER;
	return session->sleeps_until.at_ms ? SESSION_SLEEPS : SESSION_WAITS;
}

/* Its client has done its part: how long it waits for a thread is not up to
 * that client. */
static void forgive_wait(struct session *session)
{
	int64_t waited = clock_monotonic_ms() - session->ready_ms;

	if (session->until.at_ms != DEADLINE_NEVER.at_ms)
		session->until.at_ms += waited;
	if (session->incoming && session->incoming->started_ms)
		session->incoming->started_ms += waited;
	session->ready_ms = 0;
}

/* The reply that was held back: from now on the client has its time. */
static void wake_up(struct session *session)
{
	flush(session);
	if (awaits_command(session) && !session->over)
		session_await_command(session);
}

static enum session_next run(struct session *session)
{
	bool slept = session->sleeps_until.at_ms != 0;

	log_client_begin(&session->client.ip, session->client.port);
	if (session->ready_ms)
		forgive_wait(session);
	session->sleeps_until.at_ms = 0;
	transaction_resume(session);
	if (!session->phase)
		session_begin(session);
	if (slept)
		wake_up(session);
	while (!session->over) {
		if (session->sleeps_until.at_ms)
			return SESSION_SLEEPS;
		if (!go_on(session))
			return SESSION_WAITS;
	}
	return end(session);
}

static bool is_light(const struct session *session)
{
	struct slice have = stream_buffered(session->stream);
	size_t end = slice_find(have, '\n');

	if (!awaits_command(session))
		return session->phase->light;
	return goes_by_glances(session) && !session->skipping &&
	       (end == have.len || verbs_are_light(slice_sub(have, 0, end)));
}

static enum session_next glance(struct session *session)
{
	if (!session->phase)
		session_begin(session);
	while (!session->over) {
		if (session->sleeps_until.at_ms)
			return SESSION_SLEEPS;
		if (!is_light(session))
			return SESSION_WORKS;
		if (!go_on(session))
			return SESSION_WAITS;
	}
	return is_bare(session) ? end(session) : SESSION_WORKS;
}

void session_shrink(struct session *session)
{
	stream_shrink(session->stream);
}

enum session_next session_glance(struct session *session)
{
	enum session_next next;

	log_client_begin(&session->client.ip, session->client.port);
	session->glancing = true;
	next = glance(session);
	session->glancing = false;
	if (next == SESSION_WAITS || next == SESSION_SLEEPS)
		session_shrink(session);
	else if (next == SESSION_WORKS)
		session->ready_ms = clock_monotonic_ms();
	log_client_end();
	return next;
}

enum session_next session_run(struct session *session)
{
	enum session_next next = run(session);

	if (next != SESSION_OVER) {
		transaction_pause(session);
		session_shrink(session);
	}
	log_client_end();
	return next;
}

struct delivery_session *session_delivery(struct session *session)
{
	if (!session->delivery)
		session->delivery = delivery_session_new(
		    session->arena, session->snapshot->pool, &session->client);
	return session->delivery;
}
