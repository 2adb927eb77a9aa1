/* SPDX-License-Identifier: Apache-2.0 */
/* DATA (RFC 5321, 4.1.1.4) and BDAT (RFC 3030): reading content. */
#include "base/metrics.h"
#include "smtp/session_private.h"
#include "smtp/transaction.h"

enum {
	/* The minimum rate counts after this long: connections start slowly. */
	RATE_GRACE_MS = 30 * 1000,
	LINGER_MS = 20, /* content comes at once or not at all */
	/* What a client has to send for another LINGER_MS of its thread. */
	LINGER_BYTES = 4096,
};

/* The moment when too little will have come, if nothing comes until then. */
static struct deadline rate_deadline(const struct session *session)
{
	const struct incoming *incoming = session->incoming;
	uint64_t rate = session->limits->data_rate;

	if (!rate)
		return DEADLINE_NEVER;
	return (struct deadline){incoming->started_ms + RATE_GRACE_MS +
				 (int64_t)(incoming->bytes / rate * 1000)};
}

/* What our own work took is not counted. */
static void begin_wait(struct session *session)
{
	struct incoming *incoming = session->incoming;

	if (!incoming->started_ms)
		incoming->started_ms = clock_monotonic_ms();
	incoming->waiting = true;
	session->until = rate_deadline(session);
	session->silent_until = deadline_in(
	    (int64_t)session->limits->data_timeout);
}

static bool fill(
    struct session *session, struct deadline linger, struct err *err)
{
	struct incoming *incoming = session->incoming;
	size_t before = stream_buffered(session->stream).len;

	if (!incoming->waiting)
		begin_wait(session);
	if (!stream_fill_content(session->stream, linger, err))
		return false;
	incoming->waiting = false;
	incoming->bytes += stream_buffered(session->stream).len - before;
	session->until = rate_deadline(session);
	if (incoming->bytes - incoming->counted >= LINGER_BYTES) {
		incoming->counted = incoming->bytes;
		session->got_on = true;
	}
	return true;
}

static void give_up(struct session *session, const struct err *err)
{
	const char *setting = "limits.data_timeout";

	if (err->kind != E_TIMEOUT) {
		session_hang_up(session, "connection lost in content");
		return;
	}
	if (deadline_passed(session->ends_at))
		setting = "limits.session_timeout";
	else if (deadline_passed(rate_deadline(session)))
		setting = "limits.data_rate";
	transaction_drop(session);
	session_reply(
	    session, 421, "4.4.2", "content comes too slowly (%s)", setting);
	session_time_out(session, setting);
}

static struct incoming *new_incoming(struct session *session)
{
	if (!session->incoming)
		session->incoming = ARENA_NEW(session->arena, struct incoming);
	*session->incoming = (struct incoming){0};
	return session->incoming;
}

static void count_bytes(struct session *session, size_t count)
{
	session->bytes += count;
	session->transaction->received += count;
	metrics_add(METRIC_RECEIVED_BYTES, (int64_t)count);
}

static void refuse_size(struct session *session, const char *what)
{
	const struct smtp_reply_text reply = {552, SLICE("5.3.4"),
	    arena_format_slice(session->transaction->arena,
		"%s (limits.message_size: %llu)", what,
		(unsigned long long)session->limits->message_size)};

	transaction_refuse(session, &reply);
}

/* Content over its limit is read and dropped, so that the client hears why;
 * but not for ever. */
static bool is_endless(struct session *session)
{
	if (session->transaction->received / 2 <= session->limits->message_size)
		return false;
	refuse_size(session, "message far too large");
	session_dismiss(session, "endless message");
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

static bool read_to_final_dot(struct session *session)
{
	enum data_event event = take_buffered(session, SIZE_MAX);

	if (event != DATA_END)
		return session->over || is_endless(session);
	transaction_finish(session);
	session_await_command(session);
	return true;
}

static const struct session_phase content = {
    read_to_final_dot, fill, give_up, LINGER_MS};

void cmd_data(struct session *session, struct slice argument)
{
	(void)argument;
	if (!session->transaction->envelope.recipient_count) {
		session_reply(session, 554, "5.5.1", "no valid recipients");
		return;
	}
	transaction_open_content(session);
	session_reply(session, 354, NULL, "end with CR LF . CR LF");
	new_incoming(session);
	session_enter(session, &content, DEADLINE_NEVER);
}

/* The rest of a chunk that is not wanted. */
static bool skip_chunk(struct session *session)
{
	struct incoming *incoming = session->incoming;
	size_t have = stream_buffered(session->stream).len;

	if (have > incoming->left)
		have = incoming->left;
	stream_consume(session->stream, have);
	session->bytes += have;
	incoming->left -= have;
	if (incoming->left)
		return false;
	session_reply(session, 503, "5.5.1", "%s", incoming->refusal);
	/* A client may have sent them before it heard of the first. */
	if (!session->bdat_failed)
		session_count_bad(session);
	else if (!incoming->chunk)
		session_count_idle(session);
	session_await_command(session);
	return true;
}

/* All of it is there. */
static void end_chunk(struct session *session)
{
	struct transaction *transaction = session->transaction;
	uint64_t size = session->incoming->chunk;

	if (session->incoming->last) {
		if (!data_may_end(&transaction->reader))
			session_refuse_smuggling(
			    session, "bare CR in the message");
		else
			transaction_finish(session);
	} else if (transaction->failure.code) {
		/* Told at once, so that no more is sent. */
		session->bdat_failed = true;
		transaction_refuse(session, &transaction->failure);
	} else {
		session_reply(session, 250, "2.0.0", "%llu octets",
		    (unsigned long long)size);
		if (!size)
			session_count_idle(session);
	}
}

static bool read_chunk(struct session *session)
{
	struct incoming *incoming = session->incoming;
	size_t have = stream_buffered(session->stream).len;
	size_t count = have < incoming->left ? have : incoming->left;

	take_buffered(session, count);
	if (session->over)
		return true;
	incoming->left -= count;
	if (incoming->left)
		return false;
	end_chunk(session);
	session_await_command(session);
	return true;
}

static const struct session_phase chunk = {
    read_chunk, fill, give_up, LINGER_MS};
static const struct session_phase unwanted_chunk = {
    skip_chunk, fill, give_up, LINGER_MS};

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

static bool is_too_large(const struct session *session)
{
	const struct incoming *incoming = session->incoming;
	uint64_t most = 2 * session->limits->message_size;

	if (incoming->chunk > most)
		return true;
	return !incoming->refusal &&
	       session->transaction->received + incoming->chunk > most;
}

/* Its octets follow all the same: there is no going on. */
static void refuse_chunk(struct session *session)
{
	if (session->incoming->refusal)
		session_reply(session, 552, "5.3.4",
		    "chunk too large (limits.message_size: %llu)",
		    (unsigned long long)session->limits->message_size);
	else
		refuse_size(session, "chunk too large");
	session_dismiss(session, "endless chunk");
}

static void open_chunks(struct session *session)
{
	struct transaction *transaction = session->transaction;

	if (transaction->chunks)
		return;
	transaction_open_content(session);
	transaction->chunks = transaction->reader.chunks = true;
}

void cmd_bdat(struct session *session, struct slice argument)
{
	struct incoming *incoming = new_incoming(session);

	if (!command_parse_bdat(argument, &incoming->chunk, &incoming->last)) {
		/* How many octets follow is unknown: nothing after this can
		 * be told from a command. */
		session_reply(
		    session, 501, "5.5.4", "syntax: BDAT size [LAST]");
		session_dismiss(session, "malformed BDAT");
		return;
	}
	incoming->left = incoming->chunk;
	incoming->refusal = refusal(session);
	if (is_too_large(session)) {
		refuse_chunk(session);
	} else if (incoming->refusal) {
		session_enter(session, &unwanted_chunk, DEADLINE_NEVER);
	} else {
		open_chunks(session);
		session_enter(session, &chunk, DEADLINE_NEVER);
	}
}
