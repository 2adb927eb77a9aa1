/* SPDX-License-Identifier: Apache-2.0 */
/* What a session says; test_stage.h. */
#include "milter/test_stage.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/log.h"
#include "message/content_memory.h"
#include "milter/packet.h"

#define TEN "0123456789"
#define HUNDRED TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN

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
    {"store takes no more", START ">LX-Commit| at once|\n>N\n>E\n"
				  "<y451 4.3.0 not stored|\n%"},
    {"store is hung",
	START ">LX-Commit| never|\n>N\n>E\n"
	      "<y451 4.3.0 not stored|\n" ENVELOPE ">LX-A| b|\n>N\n>E\n<c\n%"},
    {"store is late",
	START ">LX-Commit| late|\n>N\n>E\n<c\n" ENVELOPE ">N\n>E\n<c\n%"},
    {"quarantine", START ">LX-Verdict| quarantine|\n>N\n>E\n<d\n%"},
    {"discard", START ">LX-Verdict| discard|\n>N\n>E\n<d\n%"},
    {"an MTA that cannot skip",
	AGREE_2 ">Ca|U\n<c\n>M<>|\n<c\n>R<u@x.example>|\n<c\n"
		">LX-Need|nothing|\n<c\n>LX-Verdict|reject|\n<c\n>N\n<c\n"
		">Bx~\n<c\n>Bx~\n<c\n>E\n<y550 5.7.1 refused by policy|\n%"},
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
    {"recipients: removed as the MTA called them, then added",
	START ">R<@relay.example:b@x.example>|\n"
	      ">LX-Add| new@x.example|\n>LX-Remove| b@x.example|\n"
	      ">LX-Add| other@x.example|\n>N\n>E\n"
	      "<-<@relay.example:b@x.example>|\n<+<new@x.example>|\n"
	      "<+<other@x.example>|\n<c\n%"},
    {"another recipient instead",
	START ">LX-Remove| user@agency.example|\n"
	      ">LX-Add| new@x.example|\n>N\n>E\n"
	      "<-<user@agency.example>|\n<+<new@x.example>|\n<c\n%"},
    {"one of two that are equal: none, or the MTA would remove both",
	START ">R<user@agency.example>|\n>LX-Remove| 0|\n>N\n>E\n<c\n%"},
    {"which takes no right",
	">O\\00\\00\\00\\06\\00\\00\\00\\37\\00\\1f\\ff\\ff\n"
	"<O\\00\\00\\00\\06\\00\\00\\00\\37\\00\\1f\\f7\\80\n" CLIENT ENVELOPE
	">R<user@AGENCY.example>|\n>LX-Remove| 1|\n>N\n>E\n<c\n%"},
    {"both of two, by the names they have",
	START ">R<user@AGENCY.example>|\n>R<b@x.example>|\n"
	      ">LX-Remove| 1|\n>LX-Remove| 0|\n>N\n>E\n"
	      "<-<user@AGENCY.example>|\n<-<user@agency.example>|\n<c\n%"},
    {"a recipient who comes back",
	START ">LX-Remove| user@agency.example|\n"
	      ">LX-Add| user@agency.example|\n>N\n>E\n<c\n%"},
    {"nobody is left", START ">LX-Remove| user@agency.example|\n>N\n>E\n"
			     "<y451 4.4.3 no answer from DNS|\n%"},
    {"a recipient who is there", START ">LX-Add| user@agency.example|\n>N\n"
				       ">E\n<c\n%"},
    {"a new body", START ">LX-Body| 2 line|\n>N\n>Bbody~\n>E\n"
			 "<bline~line~\n<c\n%"},
    {"an empty one", START ">LX-Body| 0 line|\n>N\n>Bbody~\n>E\n<b\n<c\n%"},
    {"the same again", START ">LX-Body| 2 line|\n>N\n>Bline~\n>Eline~\n"
			     "<c\n%"},
    {"all kinds of changes",
	START ">LX-Edit| yes|\n>LX-Body| 1 line|\n>LX-Add| new@x.example|\n"
	      ">LX-Remove| user@agency.example|\n>N\n>Bbody~\n>E\n"
	      "<m\\00\\00\\00\\01X-Edit||\n<i\\00\\00\\00\\01X-Low| 1|\n"
	      "<i\\00\\00\\00\\01X-High| a^\\09b|\n"
	      "<-<user@agency.example>|\n<+<new@x.example>|\n<bline~\n<c\n%"},
    {"no changes of what is refused",
	START ">LX-Verdict| reject|\n>LX-Body| 1 line|\n"
	      ">LX-Add| new@x.example|\n>N\n>E\n"
	      "<y550 5.7.1 refused by policy|\n%"},
    {"what the MTA does not allow: nothing is changed",
	">O\\00\\00\\00\\06\\00\\00\\00\\3b\\00\\1f\\ff\\ff\n"
	"<O\\00\\00\\00\\06\\00\\00\\00\\3b\\00\\1f\\f7\\80\n" CLIENT ENVELOPE
	">LX-Edit| yes|\n>LX-Add| new@x.example|\n>N\n>E\n"
	"<y451 4.3.5 policy must add recipients, which the mail server does "
	"not allow|\n%\n" ENVELOPE
	">LX-Remove| user@agency.example|\n>R<b@x.example>|\n$"},
    {"nor to remove",
	">O\\00\\00\\00\\06\\00\\00\\00\\37\\00\\1f\\ff\\ff\n"
	"<O\\00\\00\\00\\06\\00\\00\\00\\37\\00\\1f\\f7\\80\n" CLIENT ENVELOPE
	">R<b@x.example>|\n"
	">LX-Remove| user@agency.example|\n>N\n>E\n"
	"<y451 4.3.5 policy must remove recipients, which the mail server "
	"does not allow|\n%"},
    {"nor to replace",
	">O\\00\\00\\00\\06\\00\\00\\00\\3d\\00\\1f\\ff\\ff\n"
	"<O\\00\\00\\00\\06\\00\\00\\00\\3d\\00\\1f\\f7\\80\n" CLIENT ENVELOPE
	">LX-Body| 1 line|\n>N\n>E\n"
	"<y451 4.3.5 policy must replace the body, which the mail server does "
	"not allow|\n%"},
    {"parameters need a right of their own",
	START ">LX-Add| new@x.example NOTIFY=NEVER|\n>N\n>E\n"
	      "<y451 4.3.5 policy must add recipients with parameters, which "
	      "the mail server does not allow|\n%"},
    {"which newer MTAs give",
	">O\\00\\00\\00\\06\\00\\00\\00\\ff\\00\\1f\\ff\\ff\n"
	"<O\\00\\00\\00\\06\\00\\00\\00\\bf\\00\\1f\\f7\\80\n" CLIENT ENVELOPE
	">LX-Add| new@x.example NOTIFY=NEVER|\n"
	">LX-Add| other@x.example|\n>N\n>E\n"
	"<2<new@x.example>|NOTIFY=NEVER|\n<+<other@x.example>|\n<c\n%"},
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
    {"an unknown command wherever it comes",
	AGREE_2 ">UXYZ|\n<c\n>Ca|U\n<c\n>UXYZ|\n<c\n>M<>|\n<c\n>UXYZ|\n"
		"<c\n>R<a@b>|\n<c\n>N\n<c\n>UXYZ|\n<c\n>E\n<c\n%"},
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
    {"the first failure is told",
	START ">LX-A| " HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED
	    HUNDRED HUNDRED HUNDRED "|\n>LX-Header| too-many|\n>N\n>E\n"
	      "<y554 5.6.0 a line is too long (limits.line_length: 998)|\n%"},
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
    {"macros without options", ">DCi|x|\n$"},
    {"abort without options", ">A\n$"},
    {"the next client without options", ">K\n$"},
    {"an unknown command without options", ">UXYZ|\n$"},
    {"HELO before connect", AGREE_6 ">Hx|\n$"},
    {"DATA before MAIL", AGREE_6 CLIENT ">T\n$"},
    {"DATA in content", START ">LFrom| x|\n>T\n$"},
    {"end of header before MAIL", AGREE_6 CLIENT ">N\n$"},
    {"body before MAIL", AGREE_6 CLIENT ">Bx~\n$"},
    {"options twice", AGREE_6 ">O\\00\\00\\00\\06\\00\\00\\00\\3f||||\n$"},
    {"version 1", ">O\\00\\00\\00\\01\\00\\00\\00\\3f\\00\\00\\00\\7f\n$"},
    {"no right to change", ">O\\00\\00\\00\\06\\00\\00\\00\\01||||\n$"},
    {"short options", ">O\\00\\00\\00\\06\n$"},
    {"MAIL before connect", AGREE_6 ">M<a@b>|\n$"},
    {"RCPT first", AGREE_6 CLIENT ">R<a@b>|\n$"},
    {"RCPT in content", START ">LFrom| x|\n>R<a@b>|\n$"},
    {"RCPT behind a body", START ">Bx~\n>R<a@b>|\n$"},
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
		stage_open(&stage);
		stage_play(&stage, scripts[i].script);
		stage_close(&stage);
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
	buf_init(&octets, STAGE_REPLY_MAX);
	while (rest.len) {
		struct slice line;
		struct buf text;

		slice_split(rest, '\n', &line, &rest);
		if (line.ptr[0] != '>')
			continue;
		buf_init(&text, STAGE_REPLY_MAX);
		stage_translate(slice_from_pos(line, 1), &text);
		packet_write(
		    &octets, text.ptr[0], slice_from_pos(buf_slice(&text), 1));
		buf_release(&text);
	}
	for (size_t cut = 0; cut <= octets.len; cut += cut < 20 ? 1 : 7) {
		struct stage stage;

		stage_open(&stage);
		assert_int_equal(send(stage.mta, octets.ptr, cut, 0), cut);
		shutdown(stage.mta, SHUT_WR);
		stage_run(&stage);
		assert_true(stage.over);
		stage_close(&stage);
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
	stage_open(&stage);
	for (size_t i = 0; i < octets.len; i++) {
		assert_int_equal(stage.heard.len, i < 17 ? 0 : 17);
		stage_say(&stage, slice_sub(octets, i, 1));
		assert_false(stage.over);
	}
	stage_close(&stage);
}

/* The end, whatever comes behind it. */
static void test_quit(void **state)
{
	struct stage stage;

	(void)state;
	stage_open(&stage);
	stage_play(&stage, AGREE_2 ">Ca|U\n<c\n");
	stage_say(&stage, SLICE("\0\0\0\1Q\0\0\0\5UXYZ\0"));
	assert_true(stage.over);
	assert_int_equal(stage.heard.len, stage.read);
	stage_close(&stage);
}

enum { BODY_PIECE = 60000 };

/* A packet of so many octets of body, in lines. */
static void write_body(struct buf *octets)
{
	char piece[BODY_PIECE];

	for (size_t i = 0; i < sizeof(piece); i++)
		piece[i] = i % 80 == 78 ? '\r' : i % 80 == 79 ? '\n' : 'x';
	buf_init(octets, sizeof(piece) + 5);
	packet_write(octets, 'B', slice_of(piece, sizeof(piece)));
}

/* A body that is over the limit: refused at the end, the session goes on. */
static void test_large(void **state)
{
	struct stage stage;
	struct buf octets;

	(void)state;
	write_body(&octets);
	stage_open(&stage);
	stage_play(&stage, START ">LFrom| x|\n>N\n");
	for (int i = 0; i < 3; i++)
		stage_say(&stage, buf_slice(&octets));
	stage_play(&stage, "%\n>E\n<c\n" ENVELOPE ">LFrom| x|\n>N\n");
	for (int i = 0; i < 5; i++)
		stage_say(&stage, buf_slice(&octets));
	stage_say(&stage, SLICE("\0\0\0\1E"));
	assert_true(slice_find_slice(
			slice_from_pos(buf_slice(&stage.heard), stage.read),
			SLICE("y55")) < stage.heard.len - stage.read);
	stage.read = stage.heard.len;
	/* A line without an end. */
	for (size_t i = 0; i < octets.len - 5; i++)
		octets.ptr[5 + i] = 'x';
	stage_play(&stage, ENVELOPE ">LFrom| x|\n>N\n");
	stage_say(&stage, buf_slice(&octets));
	stage_play(&stage, ">E\n<y554 5.6.0 a line is too long "
			   "(limits.line_length: 998)|\n%\n>Q\n$");
	stage_close(&stage);
	buf_release(&octets);
}

/* Version 6 without SMFIP_NR_BODY: what changes nothing need not come. */
static void test_skip(void **state)
{
	struct stage stage;

	(void)state;
	stage_open(&stage);
	stage_play(&stage,
	    ">O\\00\\00\\00\\06\\00\\00\\00\\3f\\00\\17\\ff\\ff\n"
	    "<O\\00\\00\\00\\06\\00\\00\\00\\3f\\00\\17\\f7\\80\n" CLIENT
		ENVELOPE ">LX-Header| too-many|\n>N\n>Bx~\n<s\n>Bx~\n<s\n"
	    ">E\n<y552 5.3.4 limits.header_count|\n" ENVELOPE
	    ">LFrom| x|\n>N\n>Bx~\n<c\n>E\n<c\n%\n" ENVELOPE
	    ">LX-Need| nothing|\n>LX-Verdict| reject|\n>N\n>Bx~\n<s\n>E\n"
	    "<y550 5.7.1 refused by policy, unread|\n%\n" ENVELOPE
	    ">LX-Need| nothing|\n>Bx~\n<s\n>Ex~\n<c\n%");
	stage_close(&stage);
}

/* A body that nothing keeps: limits and faults are those of what came. */
static void test_forgotten_body(void **state)
{
	struct stage stage;
	struct buf octets;

	(void)state;
	write_body(&octets);
	stage_open(&stage);
	/* No octet goes to the disk. */
	stage.config->limits.spool_memory = BODY_PIECE / 2;
	stage.config->spool_directory = SLICE("/nonexistent");
	/* The fake gate gets the header alone, and every octet once. */
	stage_play(&stage, START ">LX-Keep| nothing|\n>N\n>Bx~\n");
	for (int i = 0; i < 3; i++)
		stage_say(&stage, buf_slice(&octets));
	/* To make it empty is a change, although nobody has it any more. */
	stage_play(&stage, "%\n>Ex~\n<c\n" ENVELOPE
			   ">LX-Keep| nothing|\n>LX-Body| 0 line|\n>N\n");
	for (int i = 0; i < 3; i++)
		stage_say(&stage, buf_slice(&octets));
	stage_play(&stage, "%\n>Ex~\n<b\n<c\n" ENVELOPE
			   ">LX-Keep| nothing|\n>LX-Edit| yes|\n>N\n");
	/* The limits are those of what came, kept or not. */
	for (int i = 0; i < 4; i++)
		stage_say(&stage, buf_slice(&octets));
	stage_say(&stage, SLICE("\0\0\0\1E"));
	assert_true(
	    slice_find_slice(
		slice_from_pos(buf_slice(&stage.heard), stage.read),
		SLICE("limits.message_size")) < stage.heard.len - stage.read);
	stage.read = stage.heard.len;
	stage_play(&stage, ENVELOPE ">LFrom| x|\n>N\n>E\n<c\n%");
	stage_close(&stage);
	buf_release(&octets);
}

/* Larger than any buffer: in pieces, each as large as can be, in order. */
static void test_large_body(void **state)
{
	enum { LINES = 20000, SIZE = LINES * 9 };
	const size_t pieces = (SIZE + 65534) / 65535;
	struct stage stage;
	struct packet packet = {0};
	struct err err;
	size_t size = 0, count = 0;

	(void)state;
	stage_open(&stage);
	buf_release(&stage.heard);
	buf_init(&stage.heard, 1 << 20);
	stage_play(&stage, START ">LX-Body| 20000 1234567|\n>N\n>Bx~\n>E\n");
	for (;; count++) {
		struct slice rest = slice_from_pos(
		    buf_slice(&stage.heard), stage.read);

		assert_int_equal(
		    packet_read(rest, &packet, &err), PACKET_WHOLE);
		if (packet.command != 'b')
			break;
		assert_int_equal(
		    packet.data.len, count + 1 < pieces ? 65535 : SIZE % 65535);
		for (size_t i = 0; i < packet.data.len; i++)
			assert_int_equal(
			    packet.data.ptr[i], "1234567\r\n"[(size + i) % 9]);
		size += packet.data.len;
		stage.read += packet.size;
	}
	assert_int_equal(count, pieces);
	assert_int_equal(size, SIZE);
	stage_play(&stage, "<c\n%\n" ENVELOPE ">N\n>E\n<c\n%\n>Q\n$");
	stage_close(&stage);
}

/* What all messages together may take while they come in. */
static void test_content_memory(void **state)
{
	struct stage first, second;

	(void)state;
	stage_open(&first);
	stage_open(&second);
	first.config->limits.content_memory = 24 * 1024;
	second.config->limits.content_memory = 24 * 1024;
	stage_play(&first, START ">LX-A| b|\n>N\n");
	for (int i = 0; i < 100; i++)
		stage_play(&first, ">B" HUNDRED "~\n");
	stage_play(&second, START ">LX-A| b|\n>N\n");
	for (int i = 0; i < 100; i++)
		stage_play(&second, ">B" HUNDRED "~\n");
	stage_play(&second, ">E\n<y452 4.3.1 too much mail at one time, try "
			    "again later|\n%");
	/* What fails for its own sake as well is told that. */
	second.config->limits.content_memory = 1;
	stage_play(&second,
	    ENVELOPE ">LX-A| " HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED HUNDRED
		HUNDRED HUNDRED HUNDRED HUNDRED
		     "|\n>N\n>E\n<y554 5.6.0 a line is too long "
		     "(limits.line_length: 998)|\n%");
	second.config->limits.content_memory = 24 * 1024;
	/* Who was there first is not harmed, and gives it back. */
	stage_play(&first, "%\n>E\n<c\n%");
	stage_play(
	    &second, ENVELOPE ">LX-A| b|\n>N\n>B" HUNDRED "~\n>E\n<c\n%");
	stage_close(&first);
	stage_close(&second);
	assert_int_equal(content_memory_hold(&(uint64_t){0}, 0), 0);
}

/* The longest packet, in two parts: each must have room. */
static void test_longest_packet(void **state)
{
	static char packet[4 + PACKET_MAX];
	struct stage stage;

	(void)state;
	packet[1] = PACKET_MAX >> 16;
	packet[4] = 'L';
	memset(packet + 5, 'x', sizeof(packet) - 6);
	packet[5 + 8] = '\0';
	for (size_t rest = 1; rest < 6; rest++) {
		struct slice octets = slice_of(packet, sizeof(packet));

		stage_open(&stage);
		stage_play(&stage, START);
		stage_say(&stage, slice_sub(octets, 0, octets.len - rest));
		assert_false(stage.over);
		stage_say(&stage, slice_from_pos(octets, octets.len - rest));
		assert_false(stage.over);
		stage_play(&stage, ">N\n>E\n<y552 5.3.4 header too large "
				   "(limits.header_size: 4096)|\n%");
		stage_close(&stage);
	}
}

static void test_hold_queue(void **state)
{
	struct stage stage;

	(void)state;
	stage_open(&stage);
	stage.config->milter_quarantine = MILTER_QUARANTINE_MTA;
	stage_play(&stage,
	    START ">LX-Verdict| quarantine|\n>LX-Edit| yes|\n>N\n>E\n"
		  "<m\\00\\00\\00\\01X-Edit||\n<i\\00\\00\\00\\01X-Low| 1|\n"
		  "<i\\00\\00\\00\\01X-High| a^\\09b|\n<q|\n<c\n%");
	stage_close(&stage);
	/* What is held is changed, too. */
	stage_open(&stage);
	stage.config->milter_quarantine = MILTER_QUARANTINE_MTA;
	stage_play(&stage,
	    START ">LX-Verdict| quarantine|\n>LX-Body| 1 line|\n"
		  ">LX-Add| new@x.example|\n>N\n>E\n<+<new@x.example>|\n"
		  "<q|\n<bline~\n<c\n%");
	stage_close(&stage);
	/* Not offered: our store takes it. */
	stage_open(&stage);
	stage.config->milter_quarantine = MILTER_QUARANTINE_MTA;
	stage_play(&stage,
	    ">O\\00\\00\\00\\06\\00\\00\\00\\1f\\00\\1f\\ff\\ff\n"
	    "<O\\00\\00\\00\\06\\00\\00\\00\\1f\\00\\1f\\f7\\80\n" CLIENT
		ENVELOPE ">LX-Verdict| quarantine|\n>N\n>E\n<d\n%");
	stage_close(&stage);
}

static void test_draining(void **state)
{
	struct stage stage;

	(void)state;
	stage_open(&stage);
	stage_play(&stage, START "%");
	atomic_store(&stage.draining, true);
	/* The message that is under way ends well, then the session. */
	stage_play(&stage, "%\n>LFrom| x|\n>N\n>E\n<c\n$");
	stage_close(&stage);
}

static void test_late(void **state)
{
	struct stage stage;

	(void)state;
	stage_open(&stage);
	stage.config->limits.data_timeout = 100;
	stage_say(&stage, SLICE("\0\0\0\xdO"));
	assert_false(stage.over);
	assert_true(milter_session_wakes_at(stage.session).at_ms <=
		    deadline_in(100).at_ms);
	usleep(60 * 1000);
	/* Dripping does not extend it. */
	stage_say(&stage, SLICE("\0"));
	usleep(60 * 1000);
	stage_run(&stage);
	assert_true(stage.over);
	stage_close(&stage);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_scripts),
	    cmocka_unit_test(test_cut_everywhere),
	    cmocka_unit_test(test_pieces),
	    cmocka_unit_test(test_quit),
	    cmocka_unit_test(test_large),
	    cmocka_unit_test(test_skip),
	    cmocka_unit_test(test_forgotten_body),
	    cmocka_unit_test(test_large_body),
	    cmocka_unit_test(test_content_memory),
	    cmocka_unit_test(test_longest_packet),
	    cmocka_unit_test(test_hold_queue),
	    cmocka_unit_test(test_draining),
	    cmocka_unit_test(test_late),
	};

	log_setup(LOG_ERROR, LOG_FORMAT_TEXT);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
