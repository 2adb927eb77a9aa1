/* SPDX-License-Identifier: Apache-2.0 */
#include "smtp/session.h"

#include "base/log_client.h"
#include "base/memory.h"
#include "base/metrics.h"
#include "smtp/session_private.h"
#include "smtp/transaction.h"

enum {
	/* More replies than these wait until the client has read some. */
	UNSENT_MAX = 4096,
	/* So long they wait for those to the commands behind theirs. */
	UNSENT_MS = 2000,
	ARENA_FIRST = 512,
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

void session_hang_up(struct session *session, const char *reason)
{
	if (!session->over)
		session->reason = reason;
	session->over = true;
}

bool session_is_own_system(const struct session *session)
{
	return session->client.role == ROLE_RELAY &&
	       gate_client_is_internal(
		   &session->snapshot->gate, &session->client);
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

bool session_may_end(const struct session *session)
{
	return session->rest_until.at_ms || (session_awaits_command(session) &&
						!session->output_until.at_ms);
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
	return session_awaits_command(session) && !session->continuation &&
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
	session_write_out(session);
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
	if (stream_unsent(session->stream) >= UNSENT_MAX &&
	    !session_write_out(session))
		return session->over;
	if (session->phase->step(session)) {
		session->got_on = true;
		return true;
	}
	if (!session_write_out(session))
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
	if (!session_write_out(session) && !session->lost)
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
	session_write_out(session);
	if (session_awaits_command(session) && !session->over)
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

	if (!session_awaits_command(session))
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
