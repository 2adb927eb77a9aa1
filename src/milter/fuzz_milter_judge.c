/* SPDX-License-Identifier: Apache-2.0 */
#include "milter/fuzz_milter_judge.h"

#include "base/buf.h"
#include "base/require.h"
#include "milter/header_field.h"
#include "milter/options.h"
#include "milter/packet.h"
#include "milter/protocol.h"

struct judge {
	struct arena *arena;
	struct slice heard;
	bool holds;
	struct milter_options options;
	struct buf *header; /* of the message under way */
	bool header_ended;
	size_t edit_fields;
	/* Who the sender is, by a macro of the message, or of the client. */
	bool told, told_before;
	bool doubtful; /* nobody knows who the sender is */
};

/* The next answer.  False: none follows. */
static bool hear(struct judge *judge, struct packet *ret)
{
	struct err err;
	enum packet_status status;

	if (!judge->heard.len)
		return false;
	status = packet_read(judge->heard, ret, &err);
	/* A session that ends amid its answer cannot send a part of it: what
	 * is written is written whole. */
	require(status == PACKET_WHOLE);
	judge->heard = slice_from_pos(judge->heard, ret->size);
	return true;
}

static bool has(const struct judge *judge, const char *text)
{
	struct slice header = buf_slice(judge->header);

	return slice_find_slice(header, slice_from(text)) < header.len;
}

/* The one of gate/fake_gate.c: the first of these that stands there. */
static const char *verdict(const struct judge *judge)
{
	static const struct {
		const char *text, *verdict;
	} rows[] = {
	    {"X-Verdict: reject", "reject"},
	    {"X-Verdict: defer", "defer"},
	    {"X-Verdict: discard", "discard"},
	    {"X-Verdict: quarantine", "quarantine"},
	    {"X-Verdict: hold", "hold"},
	    {"X-Verdict: redirect", "redirect"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		if (has(judge, rows[i].text))
			return rows[i].verdict;
	return "accept";
}

static bool verdict_is(const struct judge *judge, const char *word)
{
	return slice_eq(slice_from(verdict(judge)), slice_from(word));
}

static void check_options(struct judge *judge, const struct packet *asked)
{
	struct milter_options offered;
	struct packet answer;
	struct err err;

	require(options_parse(asked->data, &offered, &err));
	if (!hear(judge, &answer))
		return;
	require(answer.command == SMFIC_OPTNEG);
	require(options_parse(answer.data, &judge->options, &err));
	require(judge->options.version <= offered.version);
	require(judge->options.version >= MILTER_VERSION_MIN);
	require(judge->options.version <= MILTER_VERSION);
	require(!(judge->options.actions & ~offered.actions));
	require(!(judge->options.steps & ~offered.steps));
}

static void forget_message(struct judge *judge)
{
	buf_clear(judge->header);
	judge->header_ended = false;
	judge->edit_fields = 0;
}

static bool holds_text(struct slice text, const char *part)
{
	return slice_find_slice(text, slice_from(part)) < text.len;
}

static void note_macros(struct judge *judge, struct slice data)
{
	bool tells = holds_text(data, "mail_addr") ||
		     holds_text(data, "auth_authen");
	char command = data.len ? data.ptr[0] : '\0';

	if (command == SMFIC_MAIL)
		judge->told = false;
	if (command == SMFIC_CONNECT || command == SMFIC_HELO)
		judge->told_before |= tells;
	else
		judge->told |= tells;
}

/* Less than all: no domain, or one with a comment or a blank in it. */
static bool is_doubtful(struct slice path)
{
	if (path.len == 0 || slice_eq(path, SLICE("<>")))
		return false;
	if (slice_find(path, '@') == path.len)
		return true;
	return slice_find(path, '"') == path.len &&
	       slice_find(path, '[') == path.len &&
	       (slice_find(path, '(') < path.len ||
		   slice_find(path, ' ') < path.len);
}

static void note_sender(struct judge *judge, struct slice data)
{
	struct slice path;

	judge->doubtful = packet_take_text(&data, &path) && !judge->told &&
			  !judge->told_before && is_doubtful(path);
}

static void note_header(struct judge *judge, const struct packet *packet)
{
	struct slice name, value;
	struct err err;

	if (!header_field_parse(packet->data, &name, &value, &err) ||
	    judge->header_ended)
		return;
	judge->edit_fields += slice_eq_nocase(name, SLICE("X-Edit"));
	header_field_rebuild(judge->header, name, value,
	    judge->options.steps & SMFIP_HDR_LEADSPC);
}

/* A change is asked for by the message, and allowed by the MTA. */
static void check_change(const struct judge *judge, char command)
{
	static const struct {
		char command;
		const char *field;
		uint32_t action;
	} rows[] = {
	    {SMFIR_ADDRCPT, "X-Add: ", SMFIF_ADDRCPT},
	    {SMFIR_ADDRCPT_PAR, "X-Add: ", SMFIF_ADDRCPT_PAR},
	    {SMFIR_DELRCPT, "X-Remove: ", SMFIF_DELRCPT},
	    {SMFIR_REPLBODY, "X-Body: ", SMFIF_CHGBODY},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		if (rows[i].command == command) {
			require(has(judge, rows[i].field));
			require(judge->options.actions & rows[i].action);
			return;
		}
	require(command == SMFIR_CONTINUE);
}

/* What the answer to one message has asked for so far. */
struct changes {
	size_t removed, inserted; /* header fields */
	size_t others;		  /* recipients and pieces of the body */
	bool body, held;
};

static bool any(const struct changes *changes)
{
	return changes->removed || changes->inserted || changes->others ||
	       changes->held;
}

static void check_passed(
    const struct judge *judge, const struct changes *changes)
{
	bool edits = has(judge, "X-Edit: yes");
	bool may_hold = judge->holds &&
			(judge->options.actions & SMFIF_QUARANTINE);

	require(!judge->doubtful);
	require(!has(judge, "X-Commit: fail"));
	require(!has(judge, "X-Commit: at once"));
	require(!has(judge, "X-Commit: never"));
	require(!has(judge, "X-Header: too-many"));
	require(verdict_is(judge, changes->held ? "quarantine" : "accept"));
	require(!changes->held || may_hold);
	require(changes->removed == (edits ? judge->edit_fields : 0));
	require(changes->inserted == (edits ? 2u : 0u));
}

/* The octets of a line as the client gets it: '%' is doubled for the MTA. */
static size_t said_size(struct slice line)
{
	size_t size = 0;

	for (size_t i = 0; i < line.len; i++, size++) {
		require(line.ptr[i] >= ' ' && line.ptr[i] <= '~');
		if (line.ptr[i] == '%')
			require(++i < line.len && line.ptr[i] == '%');
	}
	return size;
}

/* RFC 5321, 4.2.1 and 4.5.3.1.5; RFC 2034, 4: of each line. */
static void check_reply(const struct packet *answer)
{
	struct slice rest, line, code;
	struct err err;
	bool more = true;

	require(packet_parse_text(answer->data, &rest, &err));
	code = slice_sub(rest, 0, 3);
	while (more) {
		size_t end = slice_find_slice(rest, SLICE("\r\n"));

		line = slice_sub(rest, 0, end);
		more = end < rest.len;
		rest = slice_from_pos(rest, end + 2);
		require(line.len > 4 && line.ptr[3] == (more ? '-' : ' '));
		require(slice_starts(line, code));
		require(line.ptr[0] == '4' || line.ptr[0] == '5');
		require(line.ptr[4] == line.ptr[0]);
		require(said_size(line) <= 510);
	}
}

/* Fields are removed before any is inserted, and that comes first. */
static void note_change(const struct judge *judge, const struct packet *answer,
    struct changes *changes)
{
	switch (answer->command) {
	case SMFIR_CHGHEADER:
		require(!changes->inserted && !changes->others);
		require(!changes->held);
		changes->removed++;
		break;
	case SMFIR_INSHEADER:
		require(!changes->others && !changes->held);
		changes->inserted++;
		break;
	case SMFIR_QUARANTINE: changes->held = true; break;
	default:
		check_change(judge, answer->command);
		changes->others++;
		changes->body |= answer->command == SMFIR_REPLBODY;
	}
}

/* False: there is no answer. */
static bool check_end(const struct judge *judge, struct slice *heard)
{
	struct judge copy = *judge;
	struct changes changes = {0};
	struct packet answer;

	while (hear(&copy, &answer)) {
		*heard = copy.heard;
		switch (answer.command) {
		case SMFIR_CONTINUE: check_passed(judge, &changes); return true;
		case SMFIR_DISCARD:
			require(!any(&changes) && !judge->doubtful);
			require(verdict_is(judge, "discard") ||
				verdict_is(judge, "quarantine"));
			return true;
		case SMFIR_REPLYCODE:
			require(!any(&changes));
			check_reply(&answer);
			return true;
		default: note_change(judge, &answer, &changes);
		}
	}
	/* A body takes several writes: the MTA may be gone meanwhile. */
	require(changes.body || !any(&changes));
	return false;
}

/* Which step makes a command silent; 0: it never has an answer. */
static uint32_t silence_of(char command)
{
	static const struct {
		char command;
		uint32_t step;
	} rows[] = {
	    {SMFIC_CONNECT, SMFIP_NR_CONN},
	    {SMFIC_HELO, SMFIP_NR_HELO},
	    {SMFIC_MAIL, SMFIP_NR_MAIL},
	    {SMFIC_RCPT, SMFIP_NR_RCPT},
	    {SMFIC_DATA, SMFIP_NR_DATA},
	    {SMFIC_HEADER, SMFIP_NR_HDR},
	    {SMFIC_EOH, SMFIP_NR_EOH},
	    {SMFIC_BODY, SMFIP_NR_BODY},
	    {SMFIC_UNKNOWN, SMFIP_NR_UNKN},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		if (rows[i].command == command)
			return rows[i].step;
	return 0;
}

/* False: nothing is answered any more. */
static bool check_command(struct judge *judge, const struct packet *packet)
{
	uint32_t silence = silence_of(packet->command);
	struct packet answer;

	if (!silence || judge->options.steps & silence)
		return true;
	if (!hear(judge, &answer))
		return false;
	require(
	    answer.command == SMFIR_CONTINUE ||
	    (answer.command == SMFIR_SKIP && packet->command == SMFIC_BODY &&
		judge->options.steps & SMFIP_SKIP));
	require(answer.data.len == 0);
	return true;
}

static void note(struct judge *judge, const struct packet *packet)
{
	switch (packet->command) {
	case SMFIC_MACRO: note_macros(judge, packet->data); break;
	case SMFIC_MAIL:
		forget_message(judge);
		note_sender(judge, packet->data);
		break;
	case SMFIC_HELO:
	case SMFIC_ABORT:
	case SMFIC_QUIT_NC:
		forget_message(judge);
		judge->told = false;
		break;
	case SMFIC_HEADER: note_header(judge, packet); break;
	case SMFIC_EOH:
	case SMFIC_BODY: judge->header_ended = true; break;
	default: break;
	}
}

static bool take(struct judge *judge, const struct packet *packet)
{
	if (packet->command == SMFIC_OPTNEG) {
		if (judge->options.version || !judge->heard.len)
			return false;
		check_options(judge, packet);
		return true;
	}
	if (packet->command == SMFIC_BODYEOB) {
		bool answered = check_end(judge, &judge->heard);

		forget_message(judge);
		judge->told = false;
		return answered;
	}
	note(judge, packet);
	return packet->command != SMFIC_QUIT && check_command(judge, packet);
}

void milter_judge(struct arena *arena, struct slice sent, struct slice heard,
    bool holds, bool alive)
{
	struct judge judge = {.arena = arena,
	    .heard = heard,
	    .holds = holds,
	    .header = buf_in_arena(arena, PACKET_MAX)};
	struct packet packet = {0};
	struct err err;
	bool goes_on = true;

	while (goes_on && packet_read(sent, &packet, &err) == PACKET_WHOLE) {
		sent = slice_from_pos(sent, packet.size);
		goes_on = take(&judge, &packet);
	}
	/* Nothing was said that nobody asked for. */
	require(judge.heard.len == 0);
	require(goes_on || !alive);
}
