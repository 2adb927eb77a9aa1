/* SPDX-License-Identifier: Apache-2.0 */
/* The phase in which the client says commands, or the next line of one. */
#include "smtp/line.h"
#include "smtp/session_private.h"
#include "smtp/transaction.h"

enum {
	LINGER_MS = 5,
	SKIP_MAX = 65536,
};

static const struct session_phase commands;

bool session_awaits_command(const struct session *session)
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
	if (session_awaits_command(session))
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
