/* SPDX-License-Identifier: Apache-2.0 */
/* The end of a connection, of which the client is told while it may still be
 * sending.  Closing it then would reset it, and a client that reads when it has
 * sent everything would never see why: it tries again.
 */
#include "smtp/session_private.h"

enum {
	REST_MS = 10 * 1000,
	/* 10 MB a second: more stays in the network. */
	PIECES = 64,
	PAUSE_MS = 100,
};

void session_dismiss(struct session *session, const char *reason)
{
	session_hang_up(session, reason);
	session->dismissed = true;
}

void session_time_out(struct session *session, const char *reason)
{
	session->reason = reason;
	session->dismissed = false;
}

static void begin_rest(struct session *session)
{
	stream_end(session->stream);
	session->rest_until = deadline_in(REST_MS);
	/* As much as content may have before it is endless. */
	session->rest_left = 2 * session->limits->message_size;
}

/* False: nothing more has come (E_TIMEOUT) or will come. */
static bool drop_some(struct session *session, struct err *err)
{
	for (int i = 0; i < PIECES; i++) {
		uint64_t count = 0;

		if (!stream_drop_input(session->stream, &count, err))
			return false;
		session->bytes += count;
		session->rest_left -= count < session->rest_left
					  ? count
					  : session->rest_left;
	}
	return true;
}

bool session_may_close(struct session *session)
{
	struct err err;

	if (session->lost || !session->dismissed)
		return true;
	if (!session->rest_until.at_ms)
		begin_rest(session);
	session->sleeps_until.at_ms = 0;
	if (drop_some(session, &err))
		session->sleeps_until = deadline_in(PAUSE_MS);
	else if (err.kind != E_TIMEOUT)
		return true;
	return !session->rest_left || deadline_passed(session->rest_until) ||
	       atomic_load(session->shared->draining);
}
