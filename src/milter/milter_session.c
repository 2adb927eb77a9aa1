/* SPDX-License-Identifier: Apache-2.0 */
#include "milter/milter_session.h"

#include <poll.h>
#include <string.h>

#include "base/io.h"
#include "base/log_client.h"
#include "base/memory.h"
#include "base/metrics.h"
#include "base/require.h"
#include "milter/answer.h"
#include "milter/header_field.h"
#include "milter/milter_message.h"
#include "milter/milter_stream.h"
#include "milter/options.h"
#include "milter/packet.h"
#include "milter/protocol.h"

enum {
	/* An SMTP client may keep its MTA, and the MTA us, waiting for long;
	 * MTAs end what they no longer need. */
	IDLE_MS = 7200 * 1000,
	TEXT_MAX = 1024, /* of names that the client gives */
	LINGER_MS = 20,	 /* content comes at once or not at all */
};

/* What has been; each includes those before. */
enum progress { AT_START, AGREED, CONNECTED, IN_ENVELOPE, IN_CONTENT };

struct milter_session {
	struct milter_session_settings settings;
	const char *reason; /* NULL: it goes on */
	enum progress progress;
	struct milter_options options;
	struct milter_stream stream;
	struct deadline input_by; /* of what is owed; see owes_more */
	struct deadline idle_until;
	struct macros macros;
	struct buf name, helo;
	struct ip ip;
	uint16_t port;
	struct milter_message *message; /* from MAIL on */
	/* Its record is under way (until the answer); it was made, or not. */
	bool commits, committed;
	struct deadline commit_by;
	struct progress_wait progress_wait;
	uint64_t message_count;
	int64_t started_ms;
};

static bool agreed(const struct milter_session *session, uint32_t step)
{
	return session->options.steps & step;
}

/* The end, whatever comes after. */
static bool end(struct milter_session *session, const char *reason)
{
	session->reason = reason;
	return true;
}

static void drop_message(struct milter_session *session)
{
	if (session->message)
		milter_message_free(session->message);
	session->message = NULL;
	if (session->progress > CONNECTED)
		session->progress = CONNECTED;
	macros_forget(&session->macros, SMFIC_MAIL);
}

/* Commands.  False: *err says what is wrong with it. */

static bool take_options(
    struct milter_session *session, struct slice data, struct err *err)
{
	struct milter_options offered;

	if (!options_parse(data, &offered, err) ||
	    !options_choose(&offered, &session->options, err))
		return false;
	session->progress = AGREED;
	options_write(&session->stream.output, &session->options);
	return true;
}

/* Those of MAIL begin the next message; see take_mail. */
static bool take_macros(
    struct milter_session *session, struct slice data, struct err *err)
{
	if (data.len && data.ptr[0] == SMFIC_MAIL)
		drop_message(session);
	return macros_take(&session->macros, data, err);
}

/* Too long a name counts as none. */
static void keep(struct buf *buf, struct slice text)
{
	buf_clear(buf);
	buf_add(buf, text);
}

static bool take_connect(
    struct milter_session *session, struct slice data, struct err *err)
{
	struct packet_connect connect;

	if (!packet_parse_connect(data, &connect, err))
		return false;
	session->ip = (struct ip){0};
	/* A local socket: the MTA's own host, which a connector may know as the
	 * loopback address.  Without a family, or with Postfix's word for no
	 * address, the MTA does not know its client: one that has reset its
	 * connection, say.  It may be anybody. */
	if (connect.family == 'L')
		ip_parse(SLICE("127.0.0.1"), &session->ip);
	else if (connect.family != 'U' &&
		 !slice_eq_nocase(connect.address, SLICE("unknown")) &&
		 !ip_parse(connect.address, &session->ip))
		return err_set(err, E_SYNTAX, "connect: no address");
	session->port = connect.port;
	log_client_begin(&session->ip, session->port);
	keep(&session->name, connect.name);
	buf_clear(&session->helo);
	session->progress = CONNECTED;
	return true;
}

static bool take_helo(
    struct milter_session *session, struct slice data, struct err *err)
{
	struct slice name;

	if (!packet_parse_text(data, &name, err))
		return err_prefix(err, "helo");
	drop_message(session);
	keep(&session->helo, name);
	return true;
}

/* Sendmail does not tell that a client has reset its message when MAIL is not
 * answered: the next MAIL says it. */
static bool take_mail(
    struct milter_session *session, struct slice data, struct err *err)
{
	struct milter_client client = {
	    .ip = session->ip,
	    .port = session->port,
	    .name = buf_slice(&session->name),
	    .helo = buf_slice(&session->helo),
	    .listener = session->settings.listener,
	};
	struct milter_snapshot *snapshot;

	if (session->message)
		drop_message(session);
	snapshot = session->settings.snapshot(session->settings.context);
	session->message = milter_message_new(
	    snapshot, &client, &session->macros, &session->options, data, err);
	milter_snapshot_release(snapshot);
	if (!session->message)
		return false;
	session->progress = IN_ENVELOPE;
	return true;
}

static bool take_rcpt(
    struct milter_session *session, struct slice data, struct err *err)
{
	bool ok = milter_message_recipient(session->message, data,
	    macros_get(&session->macros, MACRO_RCPT_ADDR), err);

	macros_forget(&session->macros, SMFIC_RCPT);
	return ok;
}

static bool take_header(
    struct milter_session *session, struct slice data, struct err *err)
{
	struct slice name, value;

	if (!header_field_parse(data, &name, &value, err))
		return false;
	session->progress = IN_CONTENT;
	milter_message_header(session->message, name, value);
	return true;
}

static bool take_end_of_header(
    struct milter_session *session, struct slice data, struct err *err)
{
	(void)data;
	(void)err;
	session->progress = IN_CONTENT;
	milter_message_end_header(session->message);
	return true;
}

static bool take_body(
    struct milter_session *session, struct slice data, struct err *err)
{
	(void)err;
	session->progress = IN_CONTENT;
	metrics_add(METRIC_RECEIVED_BYTES, (int64_t)data.len);
	milter_message_body(session->message, data);
	return true;
}

/* Piece by piece, as the MTA takes it: what policy made of a body may be as
 * large as a message. */
static bool say_body(
    struct milter_session *session, struct slice body, struct err *err)
{
	do {
		if (!milter_stream_flush(&session->stream, err) ||
		    !answer_body(&body, &session->stream.output))
			return false;
	} while (body.len);
	return answer_end(&session->stream.output);
}

static bool give_answer(struct milter_session *session, struct err *err)
{
	struct slice body;
	bool ok = true;

	session->commits = session->committed = false;
	/* From here on the output is ours alone. */
	progress_end(session->settings.progress, &session->progress_wait);
	if (milter_message_answer(
		session->message, &session->stream.output, &body))
		ok = say_body(session, body, err);
	session->message_count++;
	if (session->settings.messages)
		atomic_fetch_add_explicit(
		    session->settings.messages, 1, memory_order_relaxed);
	drop_message(session);
	return ok && (!buf_overflowed(&session->stream.output) ||
			 err_set(err, E_LIMIT, "too much to say"));
}

/* Some MTAs send the last piece of the body along. */
static bool take_end(
    struct milter_session *session, struct slice data, struct err *err)
{
	if (data.len)
		take_body(session, data, err);
	/* What is told meanwhile would come before an older answer. */
	require(!session->stream.output.len);
	progress_begin(session->settings.progress, &session->progress_wait,
	    session->stream.fd);
	session->commits = milter_message_decide(session->message,
	    macros_get(&session->macros, MACRO_QUEUE_ID),
	    &session->settings.committed);
	if (!session->commits)
		return give_answer(session, err);
	session->commit_by = milter_message_deadline(session->message);
	return true;
}

static bool take_abort(
    struct milter_session *session, struct slice data, struct err *err)
{
	(void)data;
	(void)err;
	drop_message(session);
	return true;
}

static bool take_quit(
    struct milter_session *session, struct slice data, struct err *err)
{
	(void)data;
	(void)err;
	return end(session, "quit");
}

/* The next client comes over the same connection. */
static bool take_quit_nc(
    struct milter_session *session, struct slice data, struct err *err)
{
	(void)data;
	(void)err;
	drop_message(session);
	macros_forget(&session->macros, SMFIC_CONNECT);
	session->progress = AGREED;
	return true;
}

static bool take_nothing(
    struct milter_session *session, struct slice data, struct err *err)
{
	(void)session;
	(void)data;
	(void)err;
	return true;
}

/* Which commands there are, when they may come, and what keeps us from
 * answering "continue"; 0: such a command is always answered. */
enum { NEVER_ANSWERED = 1 };

enum trait {
	LIGHT = 1, /* for a glance */
	NAMED = 2, /* names the client or the envelope: may be traced */
};

static const struct command {
	char code;
	const char *name;
	enum progress from, to;
	uint32_t silent;
	bool (*take)(
	    struct milter_session *session, struct slice data, struct err *err);
	unsigned int traits;
} commands[] = {
    /* clang-format off */
    {SMFIC_OPTNEG, "options", AT_START, AT_START, NEVER_ANSWERED, take_options,
	LIGHT},
    {SMFIC_MACRO, "macros", AGREED, IN_CONTENT, NEVER_ANSWERED, take_macros,
	LIGHT},
    {SMFIC_CONNECT, "connect", AGREED, AGREED, SMFIP_NR_CONN, take_connect,
	LIGHT | NAMED},
    {SMFIC_HELO, "helo", CONNECTED, IN_CONTENT, SMFIP_NR_HELO, take_helo,
	LIGHT | NAMED},
    {SMFIC_MAIL, "mail", CONNECTED, IN_CONTENT, SMFIP_NR_MAIL, take_mail,
	NAMED},
    {SMFIC_RCPT, "rcpt", IN_ENVELOPE, IN_ENVELOPE, SMFIP_NR_RCPT, take_rcpt,
	NAMED},
    {SMFIC_DATA, "data", IN_ENVELOPE, IN_ENVELOPE, SMFIP_NR_DATA, take_nothing},
    {SMFIC_HEADER, "header", IN_ENVELOPE, IN_CONTENT, SMFIP_NR_HDR,
	take_header},
    {SMFIC_EOH, "end of header", IN_ENVELOPE, IN_CONTENT, SMFIP_NR_EOH,
	take_end_of_header},
    {SMFIC_BODY, "body", IN_ENVELOPE, IN_CONTENT, SMFIP_NR_BODY, take_body},
    {SMFIC_BODYEOB, "end of message", IN_ENVELOPE, IN_CONTENT, NEVER_ANSWERED,
	take_end},
    {SMFIC_UNKNOWN, "unknown command", AGREED, IN_CONTENT, SMFIP_NR_UNKN,
	take_nothing, LIGHT},
    {SMFIC_ABORT, "abort", AGREED, IN_CONTENT, NEVER_ANSWERED, take_abort,
	LIGHT},
    {SMFIC_QUIT, "quit", AT_START, IN_CONTENT, NEVER_ANSWERED, take_quit,
	LIGHT},
    {SMFIC_QUIT_NC, "quit, next client", AGREED, IN_CONTENT, NEVER_ANSWERED,
	take_quit_nc, LIGHT},
    /* clang-format on */
};

static const struct command *find_command(char code)
{
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (commands[i].code == code)
			return &commands[i];
	return NULL;
}

/* What of the body changes nothing any more need not come; an MTA that waits
 * for no answer cannot be told (and most bodies are needed to the end). */
static void answer(
    struct milter_session *session, const struct command *command)
{
	bool skip;

	if (command->silent == NEVER_ANSWERED ||
	    agreed(session, command->silent))
		return;
	skip = command->code == SMFIC_BODY && agreed(session, SMFIP_SKIP) &&
	       milter_message_skips_body(session->message);
	packet_write(&session->stream.output,
	    skip ? SMFIR_SKIP : SMFIR_CONTINUE, SLICE(""));
}

static bool take_packet(struct milter_session *session,
    const struct packet *packet, struct err *err)
{
	const struct command *command = find_command(packet->command);

	if (!command)
		return err_set(err, E_SYNTAX, "command 0x%02x is unknown",
		    (unsigned char)packet->command);
	if (session->progress < command->from ||
	    session->progress > command->to)
		return err_set(
		    err, E_SYNTAX, "%s: not at this point", command->name);
	if (!command->take(session, packet->data, err))
		return false;
	/* Header and body are content, macros may be anything. */
	log_trace(LOG_TOPIC_SMTP, "milter.command",
	    LOG_T("command", command->name),
	    LOG_S(
		"text", (command->traits & NAMED) ? packet->data : SLICE("")));
	answer(session, command);
	return !buf_overflowed(&session->stream.output) ||
	       err_set(err, E_LIMIT, "%s: too much to say", command->name);
}

/* Input and output. */

static bool fail(struct milter_session *session, const struct err *err)
{
	const char *reason = err->kind == E_TIMEOUT ? "timeout"
			     : err->kind == E_IO    ? "io"
						    : "protocol";

	metrics_count(METRIC_MILTER_FAILURES, slice_from(reason));
	log_warning("milter.failure",
	    LOG_S("listener", session->settings.listener), LOG_ERR(err));
	return end(session, reason);
}

static bool is_light(const struct packet *packet)
{
	const struct command *command = find_command(packet->command);

	return !command || (command->traits & LIGHT);
}

/* Every whole packet that is there; only_light: up to one that is not, and as
 * long as the answers can be sent at once.  False: there is more to do. */
static bool take_packets(struct milter_session *session, bool only_light)
{
	struct slice input = buf_slice(&session->stream.input);
	enum packet_status status = PACKET_PART;
	struct packet packet = {0};
	struct err err = {0};
	size_t used = 0;
	bool ok = true, more = false;

	while (ok && !session->reason && !session->commits) {
		status = packet_read(
		    slice_from_pos(input, used), &packet, &err);
		if (status != PACKET_WHOLE)
			break;
		more = only_light &&
		       (session->stream.output.len || !is_light(&packet));
		if (more)
			break;
		ok = take_packet(session, &packet, &err) &&
		     (only_light ? milter_stream_flush_some
				 : milter_stream_flush)(&session->stream, &err);
		used += packet.size;
	}
	if (used) {
		buf_consume(&session->stream.input, used);
		session->input_by = session->idle_until = DEADLINE_NEVER;
	}
	if (!ok || status == PACKET_BAD)
		fail(session, &err);
	return !more;
}

/* False: nothing is there, or it is the end. */
static bool read_more(struct milter_session *session)
{
	struct err err;

	if (milter_stream_read(&session->stream, &err))
		return true;
	if (err.kind == E_CLOSED)
		end(session, "closed");
	else if (err.kind != E_TIMEOUT)
		fail(session, &err);
	return false;
}

static bool is_late(struct milter_session *session)
{
	struct err err;

	if (!deadline_passed(session->input_by) &&
	    !deadline_passed(session->idle_until))
		return false;
	err_set(&err, E_TIMEOUT, "the mail server sends nothing more");
	fail(session, &err);
	return true;
}

/* Not waiting for its client, the MTA has no reason to wait. */
static bool owes_more(const struct milter_session *session)
{
	return session->stream.input.len || session->progress == AT_START ||
	       session->progress == IN_CONTENT;
}

static void begin_wait(struct milter_session *session)
{
	const struct milter_session_settings *settings = &session->settings;

	session->idle_until = deadline_in(IDLE_MS);
	if (session->progress < IN_CONTENT)
		milter_stream_shrink(&session->stream);
	if (owes_more(session) && session->input_by.at_ms == INT64_MAX)
		session->input_by = deadline_in(
		    settings->data_timeout(settings->context));
}

bool milter_session_may_end(const struct milter_session *session)
{
	return !session->message;
}

static bool should_end(const struct milter_session *session)
{
	return atomic_load(session->settings.draining) &&
	       milter_session_may_end(session);
}

/* False: the store has not told yet.  One that is late is given up, if it can
 * be. */
static bool settle(struct milter_session *session)
{
	struct err err;

	if (!session->committed) {
		if (!deadline_passed(session->commit_by))
			return false;
		session->commit_by = DEADLINE_NEVER;
		if (!milter_message_give_up(session->message))
			return false;
	}
	if (!give_answer(session, &err))
		fail(session, &err);
	return true;
}

/* Nothing more is there. */
static enum milter_session_result rest(struct milter_session *session)
{
	if (!session->reason && should_end(session))
		end(session, "draining");
	if (session->reason || is_late(session))
		return MILTER_SESSION_OVER;
	begin_wait(session);
	return MILTER_SESSION_WAITS;
}

/* True: there is more to do. */
static bool glance_at_answer(struct milter_session *session)
{
	struct err err;

	if (milter_message_replaces_body(session->message) || !settle(session))
		return true;
	if (!milter_stream_flush_some(&session->stream, &err))
		fail(session, &err);
	return !take_packets(session, true);
}

/* True: there is more to do.  What belongs to a message is not for a glance of
 * the accepting thread: see the header. */
static bool glance_at_input(struct milter_session *session)
{
	return session->message ||
	       (read_more(session) && !take_packets(session, true));
}

static enum milter_session_result glance(struct milter_session *session)
{
	if (session->committed ? glance_at_answer(session)
			       : glance_at_input(session))
		return MILTER_SESSION_WORKS;
	/* An answer is on its way; or it may be the end, and then nothing must
	 * be left unread. */
	if (session->stream.output.len ||
	    atomic_load(session->settings.draining))
		return MILTER_SESSION_WORKS;
	return rest(session);
}

static bool lingers(const struct milter_session *session)
{
	return (session->progress == IN_CONTENT || session->stream.input.len) &&
	       io_wait(
		   session->stream.fd, POLLIN, deadline_in(LINGER_MS), NULL);
}

static enum milter_session_result run(struct milter_session *session)
{
	struct err err;

	if (session->commits && !settle(session))
		return MILTER_SESSION_COMMITS;
	if (!milter_stream_flush(&session->stream, &err))
		fail(session, &err);
	/* What a glance has left. */
	take_packets(session, false);
	while (!session->reason && !session->commits) {
		if (read_more(session))
			take_packets(session, false);
		else if (session->reason || !lingers(session))
			break;
	}
	return session->commits ? MILTER_SESSION_COMMITS : rest(session);
}

enum milter_session_result milter_session_glance(struct milter_session *session)
{
	enum milter_session_result result;

	log_client_begin(&session->ip, session->port);
	result = glance(session);
	log_client_end();
	return result;
}

enum milter_session_result milter_session_run(struct milter_session *session)
{
	enum milter_session_result result;

	log_client_begin(&session->ip, session->port);
	result = run(session);
	log_client_end();
	return result;
}

void milter_session_committed(struct milter_session *session)
{
	session->committed = true;
}

struct deadline milter_session_wakes_at(const struct milter_session *session)
{
	if (session->commits)
		return session->commit_by;
	return deadline_min(session->input_by, session->idle_until);
}

int milter_session_fd(const struct milter_session *session)
{
	return session->stream.fd;
}

struct milter_session *milter_session_new(
    const struct milter_session_settings *settings)
{
	struct milter_session *session = MEMORY_NEW(struct milter_session);

	session->settings = *settings;
	session->input_by = session->idle_until = DEADLINE_NEVER;
	session->started_ms = clock_monotonic_ms();
	milter_stream_init(&session->stream, settings->fd);
	buf_init(&session->name, TEXT_MAX);
	buf_init(&session->helo, TEXT_MAX);
	macros_init(&session->macros);
	return session;
}

/* A line for each message is there already, and the mail server has its own of
 * connections. */
static void trace_end(const struct milter_session *session)
{
	log_client_begin(&session->ip, session->port);
	log_trace(LOG_TOPIC_SMTP, "milter.disconnect",
	    LOG_S("helo", buf_slice(&session->helo)),
	    LOG_S("listener", session->settings.listener),
	    LOG_I("messages", (int64_t)session->message_count),
	    LOG_I("duration_ms", clock_monotonic_ms() - session->started_ms),
	    LOG_T("reason", session->reason ? session->reason : "cut"));
	log_client_end();
}

void milter_session_free(struct milter_session *session)
{
	require(!session->commits);
	drop_message(session);
	trace_end(session);
	milter_stream_release(&session->stream);
	buf_release(&session->name);
	buf_release(&session->helo);
	macros_release(&session->macros);
	memory_free(session);
}
