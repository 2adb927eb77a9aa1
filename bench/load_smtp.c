/* SPDX-License-Identifier: Apache-2.0 */
/* SMTP as a sending server speaks it: MAIL, RCPT and DATA in one piece. */
#include "base/buf.h"
#include "load.h"

enum step {
	STEP_GREETING,
	STEP_EHLO,
	STEP_XCLIENT,
	STEP_MAIL,
	STEP_RCPT,
	STEP_DATA,
	STEP_CONTENT,
	STEP_QUIT,
};

/* RFC 5321 section 4.5.2: dots doubled.  Before the clock starts. */
static struct slice wire_form(struct arena *arena, struct slice octets)
{
	struct buf *wire;
	size_t line = 0, end;

	if (!slice_starts(octets, SLICE(".")) &&
	    slice_find_slice(octets, SLICE("\r\n.")) == octets.len)
		return octets;
	wire = buf_in_arena(arena, 2 * octets.len);
	for (; line < octets.len; line = end) {
		struct slice rest = slice_from_pos(octets, line);

		end = line + slice_find(rest, '\n') + 1;
		if (rest.ptr[0] == '.')
			buf_add_byte(wire, '.');
		buf_add(wire, slice_sub(octets, line, end - line));
	}
	return buf_slice(wire);
}

static void prepare(struct arena *arena, struct corpus *corpus)
{
	for (size_t i = 0; i < corpus->count; i++)
		corpus->messages[i].prepared = wire_form(
		    arena, corpus->messages[i].octets);
}

static void say_hello(struct load_connection *connection)
{
	connection->step = STEP_EHLO;
	load_say(
	    connection, "EHLO %.*s\r\n", SLICE_ARGS(connection->message->helo));
}

static void introduce(struct load_connection *connection)
{
	const struct corpus_message *message = connection->message;

	connection->introduced = true;
	connection->step = STEP_XCLIENT;
	load_say(connection, "XCLIENT ADDR=%.*s NAME=%.*s\r\n",
	    SLICE_ARGS(message->client_ip), SLICE_ARGS(message->helo));
}

static void send_envelope(struct load_connection *connection)
{
	const struct corpus_message *message = connection->message;
	struct slice recipients = message->recipients, one;

	connection->step = STEP_MAIL;
	connection->refused = 0;
	connection->awaited = 0;
	load_say(connection, "MAIL FROM:<%.*s> SIZE=%zu\r\n",
	    SLICE_ARGS(message->sender), message->octets.len);
	do {
		slice_split(recipients, ',', &one, &recipients);
		load_say(connection, "RCPT TO:<%.*s>\r\n", SLICE_ARGS(one));
		connection->awaited++;
	} while (!slice_empty(recipients));
	load_say(connection, "DATA\r\n");
}

static void begin(struct load_connection *connection)
{
	const struct corpus_message *message = load_next(connection);

	connection->step = STEP_GREETING;
	if (!message)
		load_close(connection);
	else if (connection->settings->client == CLIENT_PROXY)
		load_say(connection, "PROXY TCP4 %.*s 127.0.0.1 40000 25\r\n",
		    SLICE_ARGS(message->client_ip));
}

static void quit(struct load_connection *connection)
{
	connection->step = STEP_QUIT;
	load_say(connection, "QUIT\r\n");
}

/* The message has its reply: another one, or the end. */
static void finish(struct load_connection *connection, int code)
{
	enum bench_verdict verdict = code < 400	  ? BENCH_ACCEPT
				     : code < 500 ? BENCH_DEFER
						  : BENCH_REJECT;

	load_done(connection, verdict);
	connection->sent++;
	if (code == 421 || !code) {
		load_close(connection);
		return;
	}
	if (connection->sent >= connection->settings->per_connection ||
	    !load_next(connection)) {
		quit(connection);
		return;
	}
	if (connection->settings->client == CLIENT_XCLIENT)
		introduce(connection);
	else
		send_envelope(connection);
}

static void after_hello(struct load_connection *connection)
{
	if (connection->settings->client == CLIENT_XCLIENT &&
	    !connection->introduced)
		introduce(connection);
	else
		send_envelope(connection);
}

static void after_data(struct load_connection *connection, int code)
{
	if (code != 354) {
		finish(connection,
		    connection->refused ? connection->refused : code);
		return;
	}
	connection->step = STEP_CONTENT;
	load_send(connection, connection->message->prepared);
	load_send(connection, SLICE(".\r\n"));
}

static void take_reply(struct load_connection *connection, int code)
{
	switch ((enum step)connection->step) {
	case STEP_GREETING:
	case STEP_XCLIENT:
		if (code == 220)
			say_hello(connection);
		else
			finish(connection, code);
		break;
	case STEP_EHLO: after_hello(connection); break;
	case STEP_MAIL:
	case STEP_RCPT:
		if (code >= 400 && !connection->refused)
			connection->refused = code;
		if (connection->step == STEP_MAIL)
			connection->step = STEP_RCPT;
		else if (--connection->awaited == 0)
			connection->step = STEP_DATA;
		break;
	case STEP_DATA: after_data(connection, code); break;
	case STEP_CONTENT: finish(connection, code); break;
	case STEP_QUIT: load_close(connection); break;
	}
}

static size_t input(struct load_connection *connection, struct slice in)
{
	size_t taken = 0, end;

	for (;;) {
		struct slice rest = slice_from_pos(in, taken);
		uint64_t code = 0;

		end = slice_find(rest, '\n');
		if (end == rest.len || connection->closing)
			return taken;
		taken += end + 1;
		if (end < 4 || rest.ptr[3] == '-')
			continue;
		slice_to_u64(slice_sub(rest, 0, 3), 999, &code);
		take_reply(connection, (int)code);
	}
}

const struct load_protocol load_smtp = {
    .name = "smtp", .prepare = prepare, .begin = begin, .input = input};
