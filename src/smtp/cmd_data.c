/* SPDX-License-Identifier: Apache-2.0 */
/* DATA (RFC 5321, 4.1.1.4) and BDAT (RFC 3030): reading content. */
#include "base/metrics.h"
#include "smtp/session_private.h"
#include "smtp/transaction.h"

/* The minimum rate counts after this long: connections start slowly. */
enum { RATE_GRACE_MS = 30 * 1000 };

/* How fast content has to come. */
struct pace {
	int64_t started_ms;
	uint64_t bytes;
};

/* The moment when too little will have come, if nothing comes until then. */
static struct deadline rate_deadline(
    const struct session *session, const struct pace *pace)
{
	uint64_t rate = session->limits->data_rate;

	if (!rate)
		return DEADLINE_NEVER;
	return (struct deadline){pace->started_ms + RATE_GRACE_MS +
				 (int64_t)(pace->bytes / rate * 1000)};
}

static void say_too_slow(struct session *session, const struct pace *pace)
{
	const char *setting = "limits.data_timeout";

	if (deadline_passed(session->ends_at))
		setting = "limits.session_timeout";
	else if (deadline_passed(rate_deadline(session, pace)))
		setting = "limits.data_rate";
	transaction_drop(session);
	session_reply(
	    session, 421, "4.4.2", "content comes too slowly (%s)", setting);
	session->reason = setting;
}

/* More content into the buffer.  False: the session is over. */
static bool fill(struct session *session, struct pace *pace)
{
	struct deadline deadline = deadline_in(
	    (int64_t)session->limits->data_timeout);
	size_t before = stream_buffered(session->stream).len;
	struct err err;

	deadline = deadline_min(deadline, rate_deadline(session, pace));
	deadline = deadline_min(deadline, session->ends_at);
	if (stream_fill(session->stream, deadline, &err)) {
		pace->bytes += stream_buffered(session->stream).len - before;
		return true;
	}
	if (err.kind == E_TIMEOUT)
		say_too_slow(session, pace);
	else
		session_hang_up(session, "connection lost in content");
	return false;
}

static void count_bytes(struct session *session, size_t count)
{
	session->bytes += count;
	session->transaction->received += count;
	metrics_add(METRIC_RECEIVED_BYTES, (int64_t)count);
}

/* Content over its limit is read and dropped, so that the client hears why;
 * but not for ever. */
static bool is_endless(struct session *session)
{
	if (session->transaction->received / 2 <= session->limits->message_size)
		return false;
	session_reply(session, 552, "5.3.4",
	    "message far too large (limits.message_size: %llu)",
	    (unsigned long long)session->limits->message_size);
	session_hang_up(session, "endless message");
	return true;
}

/* Takes what is buffered, at most max bytes.  DATA_MORE: all was content. */
static enum data_event take_buffered(struct session *session, size_t max)
{
	struct transaction *transaction = session->transaction;
	struct slice have = slice_sub(stream_buffered(session->stream), 0, max);
	struct slice rest = have, piece;
	enum data_event event;

	for (;;) {
		event = data_next(&transaction->reader, &rest, &piece);
		if (event != DATA_PIECE)
			break;
		transaction_add(session, piece);
	}
	count_bytes(session, have.len - rest.len);
	stream_consume(session->stream, have.len - rest.len);
	if (event == DATA_BARE_CR)
		session_refuse_smuggling(session, "bare CR in the message");
	else if (event == DATA_BARE_LF)
		session_refuse_smuggling(session, "bare LF in the message");
	return event;
}

static void read_to_final_dot(struct session *session)
{
	struct pace pace = {.started_ms = clock_monotonic_ms()};

	for (;;) {
		enum data_event event = take_buffered(session, SIZE_MAX);

		if (event == DATA_END) {
			transaction_finish(session);
			return;
		}
		if (session->over || is_endless(session) ||
		    !fill(session, &pace))
			return;
	}
}

void cmd_data(struct session *session, struct slice argument)
{
	(void)argument;
	if (!session->transaction->envelope.recipient_count) {
		session_reply(session, 554, "5.5.1", "no valid recipients");
		return;
	}
	transaction_open_content(session);
	session_reply(session, 354, NULL, "end with CR LF . CR LF");
	session_flush(session);
	if (!session->over)
		read_to_final_dot(session);
}

/* Reads the octets of a chunk that is not wanted.  False: over. */
static bool skip_chunk(struct session *session, uint64_t size)
{
	struct pace pace = {.started_ms = clock_monotonic_ms()};

	if (size > 2 * session->limits->message_size) {
		session_reply(session, 552, "5.3.4",
		    "chunk too large (limits.message_size)");
		session_hang_up(session, "endless chunk");
		return false;
	}
	while (size) {
		size_t have = stream_buffered(session->stream).len;

		if (have > size)
			have = size;
		stream_consume(session->stream, have);
		session->bytes += have;
		size -= have;
		if (size && !fill(session, &pace))
			return false;
	}
	return true;
}

/* False: the session is over. */
static bool read_chunk(struct session *session, uint64_t size)
{
	struct pace pace = {.started_ms = clock_monotonic_ms()};

	while (size) {
		size_t have = stream_buffered(session->stream).len;
		size_t count = have < size ? have : size;

		take_buffered(session, count);
		if (session->over)
			return false;
		size -= count;
		if (size && !fill(session, &pace))
			return false;
	}
	return true;
}

/* Why a chunk cannot be taken; NULL: it can. */
static const char *refusal(const struct session *session)
{
	if (session->bdat_failed)
		return "an earlier chunk was refused: RSET";
	if (!session->transaction)
		return "MAIL comes first";
	if (!session->transaction->envelope.recipient_count)
		return "no valid recipients";
	return NULL;
}

static void take_chunk(struct session *session, uint64_t size, bool last)
{
	struct transaction *transaction = session->transaction;

	if (!transaction->chunks) {
		transaction_open_content(session);
		transaction->chunks = transaction->reader.chunks = true;
	}
	if (transaction->received + size > 2 * session->limits->message_size) {
		skip_chunk(session, UINT64_MAX);
		return;
	}
	if (!read_chunk(session, size))
		return;
	if (last) {
		if (!data_may_end(&transaction->reader))
			session_refuse_smuggling(
			    session, "bare CR in the message");
		else
			transaction_finish(session);
	} else if (transaction->failure.code) {
		/* Told at once, so that no more is sent. */
		session_reply_text(session, &transaction->failure);
		session->bdat_failed = true;
		transaction_drop(session);
	} else {
		session_reply(session, 250, "2.0.0", "%llu octets",
		    (unsigned long long)size);
		if (!size)
			session_count_idle(session);
	}
}

void cmd_bdat(struct session *session, struct slice argument)
{
	const char *why;
	uint64_t size;
	bool last;

	if (!command_parse_bdat(argument, &size, &last)) {
		/* How many octets follow is unknown: nothing after this can
		 * be told from a command. */
		session_reply(
		    session, 501, "5.5.4", "syntax: BDAT size [LAST]");
		session_hang_up(session, "malformed BDAT");
		return;
	}
	why = refusal(session);
	if (!why) {
		take_chunk(session, size, last);
		return;
	}
	if (!skip_chunk(session, size))
		return;
	session_reply(session, 503, "5.5.1", "%s", why);
	/* A client may have sent them before it heard of the first. */
	if (!session->bdat_failed)
		session_count_bad(session);
	else if (!size)
		session_count_idle(session);
}
