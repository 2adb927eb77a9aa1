/* SPDX-License-Identifier: Apache-2.0 */
/* Sessions as scripts, over a socket pair, with a gate whose verdict stands in
 * the message.
 *
 * A line of a script is a packet: ">" to the session, "<" from it; the command
 * letter, then the data, in which '|' is NUL, '~' is CR LF, '^' is LF and
 * "\hh" an octet.  "$" is the end of the connection by the session, "%" that
 * nothing more has come.  Numbers of options are written out by "OPTIONS".
 */
#include "milter/milter_session.h"

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/io.h"
#include "base/log.h"
#include "milter/packet.h"

enum { REPLY_MAX = 64 * 1024 };

struct stage {
	struct config *config;
	struct milter_snapshot *snapshot;
	struct milter_session *session;
	int mta;
	atomic_bool draining;
	bool over;
	struct buf heard;
	size_t read; /* of what was heard */
};

static struct milter_snapshot *snapshot_of(void *context)
{
	struct stage *stage = context;

	return milter_snapshot_hold(stage->snapshot);
}

static void open_stage(struct stage *stage)
{
	struct gate_context gate = {0};
	struct milter_session_settings settings = {
	    .listener = SLICE("mta"),
	    .snapshot = snapshot_of,
	    .context = stage,
	    .draining = &stage->draining,
	};
	int pair[2];

	*stage = (struct stage){0};
	assert_int_equal(
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
	stage->mta = pair[0];
	settings.fd = pair[1];
	stage->config = config_default();
	stage->config->hostname = SLICE("mx.example");
	stage->config->limits = limits_default;
	stage->config->limits.header_size = 4096;
	stage->config->limits.message_size = 200 * 1024;
	stage->config->limits.line_length = 998;
	stage->config->limits.recipients = 3;
	stage->config->spool_directory = SLICE("/tmp");
	gate.config = stage->config;
	stage->snapshot = milter_snapshot_new(&gate);
	stage->session = milter_session_new(&settings);
	buf_init(&stage->heard, REPLY_MAX);
}

static void close_stage(struct stage *stage)
{
	milter_session_free(stage->session);
	milter_snapshot_release(stage->snapshot);
	config_release(stage->config);
	buf_release(&stage->heard);
	close(stage->mta);
}

static void run(struct stage *stage)
{
	if (!stage->over)
		stage->over = milter_session_run(stage->session) ==
			      MILTER_SESSION_OVER;
}

static void hear(struct stage *stage)
{
	char memory[4096];
	ssize_t count;

	run(stage);
	while ((count = recv(stage->mta, memory, sizeof(memory), 0)) > 0)
		assert_true(
		    buf_add(&stage->heard, slice_of(memory, (size_t)count)));
}

static void say(struct stage *stage, struct slice octets)
{
	while (octets.len) {
		ssize_t count = send(
		    stage->mta, octets.ptr, octets.len, MSG_NOSIGNAL);

		if (count < 0) {
			hear(stage);
			if (stage->over)
				return;
			continue;
		}
		octets = slice_from_pos(octets, (size_t)count);
	}
	hear(stage);
}

/* The octets that a line of the script stands for. */
static void translate(struct slice line, struct buf *out)
{
	for (size_t i = 0; i < line.len; i++) {
		char c = line.ptr[i];

		if (c == '|') {
			buf_add_byte(out, '\0');
		} else if (c == '~') {
			buf_add_text(out, "\r\n");
		} else if (c == '^') {
			buf_add_byte(out, '\n');
		} else if (c == '\\') {
			char digits[3] = {line.ptr[i + 1], line.ptr[i + 2], 0};

			buf_add_byte(out, (char)strtol(digits, NULL, 16));
			i += 2;
		} else {
			buf_add_byte(out, c);
		}
	}
}

static void expect(struct stage *stage, struct slice wanted)
{
	struct slice heard = slice_from_pos(
	    buf_slice(&stage->heard), stage->read);
	struct packet packet = {0};
	struct err err;

	assert_int_equal(packet_read(heard, &packet, &err), PACKET_WHOLE);
	stage->read += packet.size;
	heard = slice_sub(heard, 4, packet.size - 4);
	if (!slice_eq(heard, wanted))
		print_message("heard: %.*s\n", SLICE_ARGS(heard));
	assert_true(slice_eq(heard, wanted));
}

static void play_line(struct stage *stage, struct slice line)
{
	struct buf text, octets;
	char what = line.ptr[0];

	buf_init(&text, REPLY_MAX);
	buf_init(&octets, REPLY_MAX);
	translate(slice_from_pos(line, 1), &text);
	if (what == '>') {
		packet_write(
		    &octets, text.ptr[0], slice_from_pos(buf_slice(&text), 1));
		say(stage, buf_slice(&octets));
	} else if (what == '<') {
		expect(stage, buf_slice(&text));
	} else if (what == '%') {
		hear(stage);
		assert_false(stage->over);
		assert_int_equal(stage->read, stage->heard.len);
	} else {
		assert_int_equal(what, '$');
		hear(stage);
		assert_true(stage->over);
		assert_int_equal(stage->read, stage->heard.len);
	}
	buf_release(&text);
	buf_release(&octets);
}

static void play(struct stage *stage, const char *script)
{
	struct slice rest = slice_from(script);

	while (rest.len) {
		struct slice line;

		slice_split(rest, '\n', &line, &rest);
		if (line.len)
			play_line(stage, line);
	}
}

/* Version 2: every command is answered.  6: nothing but the end. */
#define AGREE_2                                                                \
	">O\\00\\00\\00\\02\\00\\00\\00\\1f\\00\\00\\00\\7f\n"                 \
	"<O\\00\\00\\00\\02\\00\\00\\00\\11\\00\\00\\00\\00\n"
#define AGREE_6                                                                \
	">O\\00\\00\\00\\06\\00\\00\\00\\3f\\00\\1f\\ff\\ff\n"                 \
	"<O\\00\\00\\00\\06\\00\\00\\00\\31\\00\\1f\\f7\\80\n"
#define CLIENT                                                                 \
	">Cmail.example|4|\\19"                                                \
	"192.0.2.1|\n>Hmail.example|\n"
#define ENVELOPE ">M<a@b.example>|\n>R<user@agency.example>|\n"
#define START AGREE_6 CLIENT ENVELOPE

static const struct {
	const char *name, *script;
} scripts[] = {
    {"accept, version 6",
	START ">LFrom| a@b.example|\n>N\n>Bbody~\n%\n>E\n<c\n%\n>Q\n$"},
    {"accept, version 2",
	AGREE_2 ">Cmail.example|4|\\19"
		"192.0.2.1|\n<c\n>Hmail.example|\n<c\n"
		">M<a@b.example>|\n<c\n>R<user@agency.example>|\n<c\n"
		">LFrom|a@b.example|\n<c\n>N\n<c\n>Bbody~\n<c\n>E\n<c\n%\n"
		">Q\n$"},
    {"reject with our words", START ">LX-Verdict| reject|\n>N\n>E\n"
				    "<y550 5.7.1 refused by policy|\n%"},
    {"defer", START ">LX-Verdict| defer|\n>N\n>E\n"
		    "<y451 4.4.3 no answer from DNS|\n%"},
    {"not stored", START ">LX-Commit| fail|\n>N\n>E\n"
			 "<y451 4.3.0 not stored|\n%"},
    {"quarantine", START ">LX-Verdict| quarantine|\n>N\n>E\n<d\n%"},
    {"discard", START ">LX-Verdict| discard|\n>N\n>E\n<d\n%"},
    {"what nobody can do here",
	START ">LX-Verdict| redirect|\n>N\n>E\n"
	      "<y451 4.3.5 this verdict cannot be carried out here|\n%"},
    {"edits: from the bottom up, then what is new",
	START ">LX-Edit| yes|\n>LFrom| a@b.example|\n>Lx-edit| no|\n"
	      ">LSubject| x|\n>LX-EDIT||\n>N\n>E\n"
	      "<m\\00\\00\\00\\03X-EDIT||\n<m\\00\\00\\00\\02x-edit||\n"
	      "<m\\00\\00\\00\\01X-Edit||\n<i\\00\\00\\00\\01X-Low| 1|\n"
	      "<i\\00\\00\\00\\01X-High| a^\\09b|\n<c\n%"},
    {"edits, version 2: the MTA puts the space", AGREE_2
	">Ca|4|\\19"
	"192.0.2.1|\n<c\n>M<>|\n<c\n>R<u@x.example>|\n<c\n"
	">LX-Edit|yes|\n<c\n>N\n<c\n>E\n<m\\00\\00\\00\\01X-Edit||\n"
	"<i\\00\\00\\00\\01X-Low|1|\n<i\\00\\00\\00\\01X-High|a^\\09b|\n"
	"<c\n%"},
    {"a new MAIL forgets the message before it, wherever that is",
	START ">LX-Verdict| reject|\n>N\n>Bx~\n" ENVELOPE
	      ">LFrom| x|\n>N\n>E\n<c\n%\n" ENVELOPE ">M<c@d.example>|\n"
	      ">N\n>E\n<y451 4.3.5 the mail server told of no recipient|\n%"},
    {"so do its macros", START ">DMi|4DEF|\n>R<b@x>|\n$"},
    {"and HELO", START ">LX-Verdict| reject|\n>Hagain.example|\n" ENVELOPE
		       ">LFrom| x|\n>N\n>E\n<c\n%"},
    {"several messages",
	START ">LX-Verdict| reject|\n>N\n>E\n<y550 5.7.1 refused by policy|\n"
	      ">A\n" ENVELOPE ">LFrom| x|\n>N\n>E\n<c\n" ENVELOPE
	      ">A\n%\n" ENVELOPE ">LFrom| x|\n>A\n" ENVELOPE
	      ">N\n>Bx~\n>A\n" ENVELOPE ">LX-Verdict| discard|\n>E\n<d\n%"},
    {"abort wherever it comes", AGREE_6 ">A\n>Ca|U\n>A\n>Hx|\n>A\n%"},
    {"the next client", START ">K\n>Cb|4||"
			      "192.0.2.2|\n>Hb|\n" ENVELOPE
			      ">LFrom| x|\n>N\n>E\n<c\n>K\n%\n>Q\n$"},
    {"the body's last piece with the end",
	START ">LFrom| x|\n>N\n>Ea~b\n<c\n%"},
    {"no end of header", START ">LFrom| x|\n>Bbody~\n>E\n<c\n%"},
    {"no header at all", START ">N\n>E\n<c\n%"},
    {"macros", START ">DBi|4ABC|\n>LFrom| x|\n>DEi|4ABC|\n>N\n>E\n<c\n%"},
    {"DATA and an unknown command, although not wanted",
	START ">T\n>UXYZ|\n>LFrom| x|\n>E\n<c\n%"},
    {"parameters",
	AGREE_6 CLIENT ">M<@x:a@b.example>|SIZE=10|BODY=8BITMIME|SMTPUTF8|\n"
		       ">R<u@x.example>|NOTIFY=NEVER|\n>N\n>E\n<c\n%"},
    {"a limit of the gate",
	START ">LX-Header| too-many|\n>N\n>Bbody~\n>E\n"
	      "<y552 5.3.4 limits.header_count|\n%\n" ENVELOPE ">N\n>E\n<c\n%"},
    {"too many recipients",
	START ">R<b@x>|\n>R<c@x>|\n>R<d@x>|\n>N\n>E\n"
	      "<y552 5.5.3 too many recipients (limits.recipients: 3)|\n%"},
    {"end without a recipient",
	AGREE_6 CLIENT ">M<a@b.example>|\n>LX-Verdict| quarantine|\n>N\n>E\n"
		       "<y451 4.3.5 the mail server told of no recipient|\n%"},
    {"a field that hides others",
	START ">LFrom| a@b.example^Subject: x|\n>N\n>E\n"
	      "<y550 5.6.0 malformed message: a header field that is none|\n%"},
    {"a field that ends the header",
	START ">LFrom| a@b.example^^body|\n>N\n>E\n"
	      "<y550 5.6.0 malformed message: a header field that is none|\n%"},
    {"a field behind the header",
	START ">N\n>LFrom| x|\n>E\n"
	      "<y550 5.6.0 malformed message: a header field that is none|\n%"},
    /* Out of place. */
    {"no options", CLIENT "$"},
    {"options twice", AGREE_6 ">O\\00\\00\\00\\06\\00\\00\\00\\3f||||\n$"},
    {"version 1", ">O\\00\\00\\00\\01\\00\\00\\00\\3f\\00\\00\\00\\7f\n$"},
    {"no right to change", ">O\\00\\00\\00\\06\\00\\00\\00\\01||||\n$"},
    {"short options", ">O\\00\\00\\00\\06\n$"},
    {"MAIL before connect", AGREE_6 ">M<a@b>|\n$"},
    {"RCPT first", AGREE_6 CLIENT ">R<a@b>|\n$"},
    {"RCPT in content", START ">LFrom| x|\n>R<a@b>|\n$"},
    {"header first", AGREE_6 CLIENT ">LFrom| x|\n$"},
    {"end first", AGREE_6 CLIENT ">E\n$"},
    {"end twice", START ">N\n>E\n<c\n>E\n$"},
    {"connect twice", AGREE_6 CLIENT ">Cb|4||"
				     "192.0.2.2|\n$"},
    {"RCPT behind HELO", START ">Hx|\n>R<a@b>|\n$"},
    {"unknown", AGREE_6 ">z\n$"},
    /* Broken. */
    {"connect without an address", AGREE_6 ">Ca|4||mail|\n$"},
    {"HELO without its end", AGREE_6 ">Ca|U\n>Hmail\n$"},
    {"MAIL without its end", AGREE_6 CLIENT ">M<a@b>\n$"},
    {"RCPT without its end", AGREE_6 CLIENT ">M<a@b>|\n>R<a@b>\n$"},
    {"header without a value", START ">LFrom|\n$"},
    {"macros without a value", START ">DEi|\n$"},
    {"quit at once", ">Q\n$"},
};

static void test_scripts(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(scripts) / sizeof(*scripts); i++) {
		struct stage stage;

		print_message("%s\n", scripts[i].name);
		open_stage(&stage);
		play(&stage, scripts[i].script);
		close_stage(&stage);
	}
}

/* The MTA goes away after each octet of a session: nothing is left, nothing
 * hangs. */
static void test_cut_everywhere(void **state)
{
	static const char dialogue[] = START
	    ">LX-Edit| yes|\n>LFrom| x|\n>N\n>Bbody~\n>E\n";
	struct buf octets;
	struct slice rest = slice_from(dialogue);

	(void)state;
	buf_init(&octets, REPLY_MAX);
	while (rest.len) {
		struct slice line;
		struct buf text;

		slice_split(rest, '\n', &line, &rest);
		if (line.ptr[0] != '>')
			continue;
		buf_init(&text, REPLY_MAX);
		translate(slice_from_pos(line, 1), &text);
		packet_write(
		    &octets, text.ptr[0], slice_from_pos(buf_slice(&text), 1));
		buf_release(&text);
	}
	for (size_t cut = 0; cut <= octets.len; cut += cut < 20 ? 1 : 7) {
		struct stage stage;

		open_stage(&stage);
		assert_int_equal(send(stage.mta, octets.ptr, cut, 0), cut);
		shutdown(stage.mta, SHUT_WR);
		run(&stage);
		assert_true(stage.over);
		close_stage(&stage);
	}
	buf_release(&octets);
}

/* Packets that come octet by octet, and many at once. */
static void test_pieces(void **state)
{
	static const struct slice octets = SLICE_INIT(
	    "\0\0\0\xdO\0\0\0\6\0\0\0\x3f\0\x1f\xff\xff\0\0\0\1A");
	struct stage stage;

	(void)state;
	open_stage(&stage);
	for (size_t i = 0; i < octets.len; i++) {
		assert_int_equal(stage.heard.len, i < 17 ? 0 : 17);
		say(&stage, slice_sub(octets, i, 1));
		assert_false(stage.over);
	}
	close_stage(&stage);
}

/* A body that is over the limit: refused at the end, the session goes on. */
static void test_large(void **state)
{
	struct stage stage;
	char piece[60000];
	struct buf octets;

	(void)state;
	for (size_t i = 0; i < sizeof(piece); i++)
		piece[i] = i % 80 == 78 ? '\r' : i % 80 == 79 ? '\n' : 'x';
	buf_init(&octets, sizeof(piece) + 5);
	packet_write(&octets, 'B', slice_of(piece, sizeof(piece)));
	open_stage(&stage);
	play(&stage, START ">LFrom| x|\n>N\n");
	for (int i = 0; i < 3; i++)
		say(&stage, buf_slice(&octets));
	play(&stage, "%\n>E\n<c\n" ENVELOPE ">LFrom| x|\n>N\n");
	for (int i = 0; i < 5; i++)
		say(&stage, buf_slice(&octets));
	say(&stage, SLICE("\0\0\0\1E"));
	assert_true(slice_find_slice(
			slice_from_pos(buf_slice(&stage.heard), stage.read),
			SLICE("y55")) < stage.heard.len - stage.read);
	stage.read = stage.heard.len;
	/* A line without an end. */
	for (size_t i = 0; i < octets.len - 5; i++)
		octets.ptr[5 + i] = 'x';
	play(&stage, ENVELOPE ">LFrom| x|\n>N\n");
	say(&stage, buf_slice(&octets));
	play(&stage, ">E\n<y554 5.6.0 a line is too long "
		     "(limits.line_length: 998)|\n%\n>Q\n$");
	close_stage(&stage);
	buf_release(&octets);
}

/* Version 6 without SMFIP_NR_BODY: after a failure the rest need not come. */
static void test_skip(void **state)
{
	struct stage stage;

	(void)state;
	open_stage(&stage);
	play(&stage,
	    ">O\\00\\00\\00\\06\\00\\00\\00\\3f\\00\\17\\ff\\ff\n"
	    "<O\\00\\00\\00\\06\\00\\00\\00\\31\\00\\17\\f7\\80\n" CLIENT
		ENVELOPE ">LX-Header| too-many|\n>N\n>Bx~\n<s\n>Bx~\n<s\n"
	    ">E\n<y552 5.3.4 limits.header_count|\n" ENVELOPE
	    ">LFrom| x|\n>N\n>Bx~\n<c\n>E\n<c\n%");
	close_stage(&stage);
}

static void test_hold_queue(void **state)
{
	struct stage stage;

	(void)state;
	open_stage(&stage);
	stage.config->milter_quarantine = MILTER_QUARANTINE_MTA;
	play(&stage,
	    START ">LX-Verdict| quarantine|\n>LX-Edit| yes|\n>N\n>E\n"
		  "<m\\00\\00\\00\\01X-Edit||\n<i\\00\\00\\00\\01X-Low| 1|\n"
		  "<i\\00\\00\\00\\01X-High| a^\\09b|\n<q|\n<c\n%");
	close_stage(&stage);
	/* Not offered: our store takes it. */
	open_stage(&stage);
	stage.config->milter_quarantine = MILTER_QUARANTINE_MTA;
	play(&stage,
	    ">O\\00\\00\\00\\06\\00\\00\\00\\1f\\00\\1f\\ff\\ff\n"
	    "<O\\00\\00\\00\\06\\00\\00\\00\\11\\00\\1f\\f7\\80\n" CLIENT
		ENVELOPE ">LX-Verdict| quarantine|\n>N\n>E\n<d\n%");
	close_stage(&stage);
}

static void test_draining(void **state)
{
	struct stage stage;

	(void)state;
	open_stage(&stage);
	play(&stage, START "%");
	atomic_store(&stage.draining, true);
	/* The message that is under way ends well, then the session. */
	play(&stage, "%\n>LFrom| x|\n>N\n>E\n<c\n$");
	close_stage(&stage);
}

static void test_late(void **state)
{
	struct stage stage;

	(void)state;
	open_stage(&stage);
	stage.config->limits.data_timeout = 100;
	say(&stage, SLICE("\0\0\0\xdO"));
	assert_false(stage.over);
	assert_true(milter_session_wakes_at(stage.session).at_ms <=
		    deadline_in(100).at_ms);
	usleep(60 * 1000);
	/* Dripping does not extend it. */
	say(&stage, SLICE("\0"));
	usleep(60 * 1000);
	run(&stage);
	assert_true(stage.over);
	close_stage(&stage);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_scripts),
	    cmocka_unit_test(test_cut_everywhere),
	    cmocka_unit_test(test_pieces),
	    cmocka_unit_test(test_large),
	    cmocka_unit_test(test_skip),
	    cmocka_unit_test(test_hold_queue),
	    cmocka_unit_test(test_draining),
	    cmocka_unit_test(test_late),
	};

	log_setup(LOG_ERROR, LOG_FORMAT_TEXT);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
