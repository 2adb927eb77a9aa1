/* SPDX-License-Identifier: Apache-2.0 */
/* SMTP as a sending server speaks it: MAIL, RCPT and DATA in one piece. */
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

	connection->step = STEP_MAIL;
	connection->refused = 0;
	load_say(connection,
	    "MAIL FROM:<%.*s> SIZE=%zu\r\nRCPT TO:<%.*s>\r\nDATA\r\n",
	    SLICE_ARGS(message->sender), message->octets.len,
	    SLICE_ARGS(message->recipient));
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
	load_send(connection, connection->message->wire);
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
		connection->step++;
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
    .name = "smtp", .begin = begin, .input = input};
