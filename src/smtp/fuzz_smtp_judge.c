/* SPDX-License-Identifier: Apache-2.0 */
#include "smtp/fuzz_smtp_judge.h"

#include "base/ascii.h"
#include "base/buf.h"
#include "base/require.h"
#include "smtp/command.h"
#include "smtp/proxy_protocol.h"
#include "smtp/stream.h"

enum {
	REPLY_LINE = 512,  /* RFC 5321, 4.5.3.1.5 */
	LONG_LINE = 50000, /* who sends longer ones is cut off at some point */
};

struct reply {
	int code;
	struct slice text; /* all lines */
};

/* Content that came to its end, or all that a client will send. */
struct message {
	struct slice content;
	size_t recipients, yes; /* as many were told that it is taken */
	size_t distinct;	/* recipients, each counted once */
	struct slice sender;	/* its address */
	bool deferred;		/* 4xx for all: it may come again */
};

struct judge {
	struct arena *arena;
	struct judge_case given;
	struct slice rest; /* of what was sent */
	size_t reply_count, next_reply, message_count;
	size_t reply_room, message_room;
	struct reply *replies;
	struct message *messages;
	/* The session as the client sees it. */
	bool over, continuing, in_mail, bdat_failed;
	struct slice sender;
	size_t recipients, distinct, named_room;
	struct slice *named; /* the distinct ones */
	struct buf *chunks;  /* NULL: none yet */
};

struct judge *judge_new(struct arena *arena, const struct judge_case *given)
{
	struct judge *judge = ARENA_NEW(arena, struct judge);

	judge->arena = arena;
	judge->given = *given;
	judge->rest = given->sent;
	return judge;
}

/* --- Replies ----------------------------------------------------------- */

static bool is_text(char c)
{
	return c == ' ' || ascii_is_visible(c);
}

static bool is_enhanced(struct slice text)
{
	return text.len > 3 && ascii_is_digit(text.ptr[0]) &&
	       text.ptr[1] == '.' && ascii_is_digit(text.ptr[2]);
}

/* Of one line: its code.  *ret_last: no other line follows. */
static int check_line(struct slice line, bool *ret_last)
{
	struct slice text = slice_from_pos(line, 4);
	uint64_t code = 0;

	require(line.len >= 4 && line.len + 2 <= REPLY_LINE);
	require(slice_to_u64(slice_sub(line, 0, 3), 599, &code) && code >= 200);
	require(line.ptr[3] == ' ' || line.ptr[3] == '-');
	require(slice_all(text, is_text));
	/* RFC 2034, 4: the class is that of the code; names of hosts that look
	 * so are not sent here. */
	if (is_enhanced(text))
		require((uint64_t)(text.ptr[0] - '0') == code / 100);
	*ret_last = line.ptr[3] == ' ';
	return (int)code;
}

void judge_replies(struct judge *judge)
{
	struct slice rest = judge->given.heard;

	while (rest.len) {
		struct reply reply = {.text = rest};
		bool last = false;

		while (!last) {
			size_t end = slice_find_slice(rest, SLICE("\r\n"));
			int code;

			/* The last one may be cut, and nothing else. */
			if (end == rest.len) {
				require(judge->given.cut || judge->given.deaf);
				return;
			}
			code = check_line(slice_sub(rest, 0, end), &last);
			require(!reply.code || reply.code == code);
			reply.code = code;
			rest = slice_from_pos(rest, end + 2);
		}
		reply.text.len -= rest.len;
		judge->replies = arena_grow(judge->arena, judge->replies,
		    judge->reply_count, &judge->reply_room, sizeof(reply));
		judge->replies[judge->reply_count++] = reply;
	}
}

/* The reply to what comes next; NULL: the session is over, or was cut. */
static const struct reply *next_reply(struct judge *judge)
{
	const struct reply *reply;

	if (judge->over || judge->next_reply == judge->reply_count) {
		judge->over = true;
		return NULL;
	}
	reply = &judge->replies[judge->next_reply++];
	/* 421 may come at any time, and nothing after it. */
	if (reply->code == 421)
		judge->over = true;
	return judge->over ? NULL : reply;
}

static bool says(const struct reply *reply, const char *word)
{
	return slice_find_slice(reply->text, slice_from(word)) <
	       reply->text.len;
}

/* --- The dialogue ------------------------------------------------------ */

static void forget(struct judge *judge)
{
	judge->in_mail = judge->bdat_failed = false;
	judge->recipients = judge->distinct = 0;
	judge->chunks = NULL;
}

static void note_message(
    struct judge *judge, struct slice content, size_t yes, bool deferred)
{
	judge->messages = arena_grow(judge->arena, judge->messages,
	    judge->message_count, &judge->message_room, sizeof(struct message));
	judge->messages[judge->message_count++] = (struct message){
	    .content = content,
	    .recipients = judge->recipients,
	    .distinct = judge->distinct,
	    .yes = yes,
	    .sender = judge->sender,
	    .deferred = deferred,
	};
	forget(judge);
}

static bool is_yes(const struct reply *reply)
{
	return reply && reply->code / 100 == 2;
}

/* The replies to a whole message.  PRDR: one for each recipient, and one of
 * the message: yes if anybody has it. */
static void finish_message(
    struct judge *judge, struct slice content, const struct reply *reply)
{
	size_t yes = 0;

	if (!reply || reply->code != 353) {
		note_message(judge, content,
		    is_yes(reply) ? judge->recipients : 0,
		    reply && reply->code / 100 == 4);
		return;
	}
	for (size_t i = judge->recipients; i && reply; i--) {
		reply = next_reply(judge);
		yes += is_yes(reply);
	}
	reply = next_reply(judge);
	require(!reply || is_yes(reply) == (yes > 0));
	note_message(judge, content, yes, false);
}

enum outcome { CONTENT_WHOLE, CONTENT_PART, CONTENT_BAD };

/* RFC 5321, 4.5.2: up to the final dot, and not one bare CR or LF. */
static enum outcome take_content(struct judge *judge, struct slice *ret)
{
	struct slice rest = judge->rest;
	char *content = arena_text(judge->arena, rest);
	size_t len = 0;

	for (;;) {
		size_t end = slice_find_slice(rest, SLICE("\r\n"));
		struct slice line = slice_sub(rest, 0, end);

		/* What is behind the last CR may still come. */
		if (end == rest.len && slice_find(line, '\r') + 1 == line.len)
			line.len--;
		if (slice_find(line, '\n') < line.len ||
		    slice_find(line, '\r') < line.len)
			return CONTENT_BAD;
		if (end == rest.len)
			return CONTENT_PART;
		rest = slice_from_pos(rest, end + 2);
		if (slice_eq(line, SLICE(".")))
			break;
		if (slice_starts(line, SLICE(".")))
			line = slice_from_pos(line, 1);
		for (size_t i = 0; i < line.len; i++)
			content[len++] = line.ptr[i];
		content[len++] = '\r';
		content[len++] = '\n';
	}
	judge->rest = rest;
	*ret = slice_of(content, len);
	return CONTENT_WHOLE;
}

static void take_data(struct judge *judge)
{
	struct slice content;
	enum outcome outcome = take_content(judge, &content);
	const struct reply *reply = next_reply(judge);

	if (outcome == CONTENT_WHOLE) {
		bool endless = reply && says(reply, "far too large");

		finish_message(judge, content, reply);
		judge->over |= endless;
		return;
	}
	if (reply)
		require(
		    says(reply, "far too large") ||
		    (outcome == CONTENT_BAD && says(reply, "SMTP smuggling")));
	judge->over = true;
}

static bool ends_session(const struct reply *reply)
{
	return says(reply, "SMTP smuggling") || says(reply, "too large (");
}

static void take_chunk(struct judge *judge, struct slice octets, bool last)
{
	const struct reply *reply = next_reply(judge);
	bool wanted = judge->in_mail && judge->recipients &&
		      !judge->bdat_failed;

	if (reply && ends_session(reply) && reply->code != 250) {
		judge->over |= says(reply, "SMTP smuggling") ||
			       says(reply, "chunk too large");
		if (judge->over)
			return;
	}
	if (!wanted) {
		require(!reply || reply->code == 503);
		return;
	}
	if (!judge->chunks)
		judge->chunks = buf_in_arena(
		    judge->arena, judge->given.sent.len + 1);
	require(buf_add(judge->chunks, octets));
	if (last) {
		finish_message(judge, buf_slice(judge->chunks), reply);
	} else if (reply && reply->code != 250) {
		forget(judge);
		judge->bdat_failed = true;
	}
}

static void take_bdat(struct judge *judge, struct slice line)
{
	struct command command = command_split(line);
	struct slice octets;
	uint64_t size;
	bool last;

	if (!command_parse_bdat(command.argument, &size, &last)) {
		const struct reply *reply = next_reply(judge);

		require(!reply || reply->code == 501);
		judge->over |= reply && says(reply, "BDAT size");
		return;
	}
	octets = slice_sub(judge->rest, 0, size);
	if (octets.len < size) {
		/* Never complete: at most a word on the way. */
		const struct reply *reply = next_reply(judge);

		require(!reply || reply->code >= 500);
		judge->over = true;
		return;
	}
	judge->rest = slice_from_pos(judge->rest, size);
	take_chunk(judge, octets, last);
}

static bool is_reset(struct slice verb)
{
	return slice_eq_nocase(verb, SLICE("RSET")) ||
	       slice_eq_nocase(verb, SLICE("EHLO")) ||
	       slice_eq_nocase(verb, SLICE("HELO")) ||
	       slice_eq_nocase(verb, SLICE("XCLIENT"));
}

/* What the reply to an ordinary command means for the transaction. */
static void note_command(
    struct judge *judge, struct slice verb, const struct reply *reply)
{
	bool ok = reply->code / 100 == 2;

	judge->continuing = reply->code == 334;
	if (slice_eq_nocase(verb, SLICE("QUIT")) && reply->code == 221)
		judge->over = true;
	else if (slice_eq(verb, SLICE("PROXY")) && reply->code == 550)
		judge->over = true;
	else if (slice_eq_nocase(verb, SLICE("RCPT")) && ok)
		judge->recipients++;
	else if (slice_eq_nocase(verb, SLICE("DATA")) && reply->code == 354)
		take_data(judge);
	else if (slice_eq_nocase(verb, SLICE("MAIL")) && ok) {
		forget(judge);
		judge->in_mail = true;
	} else if (ok && is_reset(verb)) {
		forget(judge);
	}
}

/* The next line of what was sent, with its LF.  False: there is none. */
static bool take_line(struct judge *judge, struct slice *ret)
{
	size_t end = slice_find(judge->rest, '\n');

	if (end == judge->rest.len)
		return false;
	*ret = slice_sub(judge->rest, 0, end + 1);
	judge->rest = slice_from_pos(judge->rest, end + 1);
	return true;
}

/* Anything but one clean line: what must be said of it; NULL: it is one. */
static const char *fault_of(const struct judge *judge, struct slice line)
{
	size_t max = judge->given.command_length;

	if (line.len > max || line.len > STREAM_INPUT_MAX)
		return "500 5.5.6";
	if (line.len < 2 || slice_find(line, '\r') != line.len - 2)
		return "SMTP smuggling";
	if (slice_find(line, '\0') < line.len)
		return "NUL";
	return NULL;
}

/* What never ends is too long once so much of it is there. */
static void take_unended(struct judge *judge)
{
	if (judge->rest.len >= judge->given.command_length) {
		const struct reply *reply = next_reply(judge);

		require(!reply || says(reply, "500 5.5.6"));
	}
	judge->over = true;
}

/* Of a MAIL or RCPT that was taken: without parameters and source route. */
static struct slice address_of(struct slice line, struct slice keyword)
{
	struct command_path path;
	size_t colon;

	require(command_parse_path(
	    command_split(line).argument, keyword, &path, NULL));
	colon = slice_find(path.path, ':');
	return slice_starts(path.path, SLICE("@"))
		   ? slice_from_pos(path.path, colon + 1)
		   : path.path;
}

static void note_recipient(struct judge *judge, struct slice address)
{
	for (size_t i = 0; i < judge->distinct; i++)
		if (slice_eq_nocase(judge->named[i], address))
			return;
	judge->named = arena_grow(judge->arena, judge->named, judge->distinct,
	    &judge->named_room, sizeof(judge->named[0]));
	judge->named[judge->distinct++] = address;
}

static void take_command(struct judge *judge)
{
	struct slice line;
	const struct reply *reply;
	const char *fault;

	if (!take_line(judge, &line)) {
		take_unended(judge);
		return;
	}
	fault = fault_of(judge, line);
	line = slice_trim(line);
	if (!fault && !judge->continuing &&
	    slice_eq_nocase(command_split(line).verb, SLICE("BDAT"))) {
		take_bdat(judge, line);
		return;
	}
	reply = next_reply(judge);
	if (!reply)
		return;
	if (!fault) {
		struct slice verb = command_split(line).verb;
		bool ok = reply->code / 100 == 2;

		if (ok && slice_eq_nocase(verb, SLICE("MAIL")))
			judge->sender = address_of(line, SLICE("FROM:"));
		if (ok && slice_eq_nocase(verb, SLICE("RCPT")))
			note_recipient(judge, address_of(line, SLICE("TO:")));
		note_command(judge, verb, reply);
		return;
	}
	require(says(reply, fault));
	judge->continuing = false;
	judge->over |= slice_eq(slice_from(fault), SLICE("SMTP smuggling")) ||
		       line.len > LONG_LINE;
}

static bool skip_proxy_header(struct judge *judge)
{
	struct proxy_header header;
	size_t length;

	if (!judge->given.proxied)
		return true;
	if (proxy_protocol_parse(judge->rest, &header, &length) != PROXY_DONE) {
		require(judge->reply_count == 0);
		return false;
	}
	judge->rest = slice_from_pos(judge->rest, length);
	return true;
}

void judge_dialogue(struct judge *judge)
{
	const struct reply *reply;

	if (!skip_proxy_header(judge))
		return;
	reply = next_reply(judge);
	require(!reply || reply->code == 220);
	while (!judge->over)
		take_command(judge);
	/* Whoever was heard to the end had a word for each command; one more
	 * may say why it ended. */
	if (judge->next_reply < judge->reply_count)
		require(judge->next_reply + 1 == judge->reply_count);
}

/* --- Messages ---------------------------------------------------------- */

/* The verdicts of gate/fake_gate.c stand in the header. */
static bool header_has(const struct message *message, const char *text)
{
	struct slice content = message->content;
	size_t end = slice_starts(content, SLICE("\r\n"))
			 ? 2
			 : slice_find_slice(content, SLICE("\r\n\r\n")) + 4;
	struct slice header = slice_sub(content, 0, end);

	return slice_find_slice(header, slice_from(text)) < header.len;
}

/* The last word counts, in this order. */
static const char *verdict_of(const struct message *message)
{
	static const char *const words[] = {
	    "reject", "defer", "discard", "quarantine", "hold", "redirect"};
	static const char *const texts[] = {"X-Verdict: reject",
	    "X-Verdict: defer", "X-Verdict: discard", "X-Verdict: quarantine",
	    "X-Verdict: hold", "X-Verdict: redirect"};

	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
		if (header_has(message, texts[i]))
			return words[i];
	return "accept";
}

static bool is_delivered(const struct message *message)
{
	return slice_eq(slice_from(verdict_of(message)), SLICE("accept")) &&
	       !header_has(message, "X-Commit: fail") &&
	       !header_has(message, "X-Header: too-many");
}

static bool is_changed(const struct message *message)
{
	return header_has(message, "X-Add: ") ||
	       header_has(message, "X-Remove: ") ||
	       header_has(message, "X-Body: ");
}

/* Others may have got it, with another body: the header is all that stays. */
static bool is_same_header(
    const struct message *message, const struct fuzz_receipt *receipt)
{
	struct slice content = message->content;
	size_t end = slice_find_slice(content, SLICE("\r\n\r\n"));

	return slice_starts(receipt->content, SLICE("Received: from ")) &&
	       slice_find_slice(receipt->content, slice_sub(content, 0, end)) <
		   receipt->content.len;
}

/* Over LMTP those who took it the first time are left out (smtp/repeat.h). */
static bool comes_again(
    const struct judge *judge, size_t number, const struct fuzz_hop *hop)
{
	const struct message *message = &judge->messages[number];

	for (size_t i = 0; i < number && fuzz_hop_was_lmtp(hop); i++)
		if (judge->messages[i].deferred &&
		    is_delivered(&judge->messages[i]) &&
		    slice_eq(judge->messages[i].sender, message->sender) &&
		    slice_eq(judge->messages[i].content, message->content))
			return true;
	return false;
}

/* Our field, and what the client sent, with an end to its last line. */
static bool is_same_content(
    const struct message *message, const struct fuzz_receipt *receipt)
{
	struct slice got = receipt->content, content = message->content;
	bool unfinished = content.len &&
			  (content.len < 2 ||
			      content.ptr[content.len - 1] != '\n');
	size_t size = content.len + (unfinished ? 2 : 0), own;

	if (got.len < size)
		return false;
	own = got.len - size;
	return slice_starts(got, SLICE("Received: from ")) &&
	       slice_eq(slice_sub(got, own - 2, 2), SLICE("\r\n")) &&
	       slice_eq(slice_sub(got, own, content.len), content) &&
	       slice_find_slice(slice_sub(got, 0, own), SLICE("\r\n\r\n")) ==
		   own;
}

static bool is_same(const struct judge *judge, size_t number,
    const struct fuzz_hop *hop, const struct fuzz_receipt *receipt)
{
	const struct message *message = &judge->messages[number];

	if (is_changed(message))
		return is_same_header(message, receipt);
	if (comes_again(judge, number, hop)
		? receipt->recipients > message->recipients
		: receipt->recipients != message->recipients)
		return false;
	return is_same_content(message, receipt);
}

/* Who was told yes has it.  (One that policy removed is told so, too.) */
static bool is_kept(
    const struct message *message, const struct fuzz_receipt *receipt)
{
	return is_changed(message) ? receipt->accepted
				   : receipt->kept >= message->yes;
}

static bool is_wanted(const struct message *message)
{
	size_t least = is_changed(message) ? message->recipients : 1;

	return message->yes >= least && is_delivered(message);
}

/* By all tries together.  Who is named twice was left out twice. */
static bool was_kept(const struct message *message,
    const struct fuzz_receipt *receipts, size_t count)
{
	size_t kept = 0, least = message->yes;

	if (least > message->distinct)
		least = message->distinct;

	for (size_t i = 0; i < count; i++)
		if (is_same_content(message, &receipts[i]))
			kept += receipts[i].kept;
	return kept >= least;
}

/* Which of the accepted ones have to be there, in order. */
static void find_accepted(const struct judge *judge, const struct fuzz_hop *hop,
    const struct fuzz_receipt *receipts, size_t count)
{
	size_t at = 0;

	for (size_t i = 0; i < judge->message_count; i++) {
		const struct message *message = &judge->messages[i];

		if (!is_wanted(message))
			continue;
		if (comes_again(judge, i, hop) && !is_changed(message)) {
			require(was_kept(message, receipts, count));
			continue;
		}
		while (at < count && !(is_kept(message, &receipts[at]) &&
					 is_same(judge, i, hop, &receipts[at])))
			at++;
		require(at < count);
		at++;
	}
}

/* Whatever is there was sent, once.  Of what was done behind the last reply
 * that a deaf client has heard nothing is known. */
static void find_received(const struct judge *judge, const struct fuzz_hop *hop,
    const struct fuzz_receipt *receipts, size_t count)
{
	size_t at = 0;

	for (size_t i = 0; i < count; i++) {
		while (at < judge->message_count &&
		       !(is_delivered(&judge->messages[at]) &&
			   is_same(judge, at, hop, &receipts[i])))
			at++;
		if (at == judge->message_count && judge->given.deaf)
			return;
		require(at < judge->message_count);
		at++;
	}
}

static void check_verdict(const struct message *message)
{
	struct slice verdict = slice_from(verdict_of(message));

	if (!message->yes)
		return;
	require(!header_has(message, "X-Commit: fail"));
	require(!header_has(message, "X-Header: too-many"));
	require(!slice_eq(verdict, SLICE("reject")));
	require(!slice_eq(verdict, SLICE("defer")));
	require(!slice_eq(verdict, SLICE("hold")));
	require(!slice_eq(verdict, SLICE("redirect")));
}

void judge_messages(const struct judge *judge, const struct fuzz_hop *hop)
{
	size_t count;
	const struct fuzz_receipt *receipts = fuzz_hop_receipts(hop, &count);

	for (size_t i = 0; i < judge->message_count; i++)
		check_verdict(&judge->messages[i]);
	if (!fuzz_hop_was_honest(hop))
		return;
	find_accepted(judge, hop, receipts, count);
	find_received(judge, hop, receipts, count);
}
